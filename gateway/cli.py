"""The command `ostiary`: run, check, migrate, demo, tenants, roles, and what a document becomes."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, NoReturn, cast

import asyncpg
import orjson
import typer
from rich.syntax import Syntax
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from db.demo.load import load_flights_full
from db.demo.policy import FLIGHTS
from db.documents import TrustedDocument, delete_documents, insert_documents, list_documents
from db.engines import control_engine, locate
from db.errors import PublicError
from db.migrate import is_current
from db.passwords import hash_password
from db.read_catalog import read_catalog
from db.records import Role, Tenant
from db.roles import insert_role, list_roles, set_password
from db.sessions import end_sessions_of_role
from db.tenant_database import TenantDatabase
from db.tenants import (
    announce_change,
    find_tenant,
    list_tenants,
    set_conceal_logins,
    set_only_trusted,
    set_rule_choice,
    set_suspended,
)
from gateway.auth.principals import read_principal
from gateway.cli_facades import tenant_facades
from gateway.cli_guests import guests_app
from gateway.cli_realm import realm_app
from gateway.manifest import read_documents
from gateway.operator import TenantId, err, get_login, get_tenant, out, with_control
from gateway.plan_text import plan_text
from gateway.policy_commands import policy_app
from gateway.provision import Credentials, NoEmbeddedServer, create_tenant, generate_password, provision_demo
from gateway.serve import Control, Observer, run_loop, serve
from gateway.settings import SettingsInvalid, load_settings
from gateway.tenancy import NoSuchTenant, Tenants
from schema.model import Model
from schema.names import build_model
from schema.principal import NORMAL_CAPABILITIES
from schema.query.building.schema_text import SchemaText
from schema.query.document import Limits

app = typer.Typer(
    name="ostiary",
    help="A GraphQL gateway for PostgreSQL: many tenants in one process, guarded by policy, default deny.\n\n"
    "Settings are environment variables, or lines of a file .env; docs/settings.md lists them. Without DATABASE_URL"
    " an embedded PostgreSQL is used.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
tenants_app = typer.Typer(
    help="Add, list, refresh or suspend tenants: a database, its roles and its rules.", no_args_is_help=True
)
roles_app = typer.Typer(
    help="Add and list the roles of a tenant, who log in, and give them passwords.", no_args_is_help=True
)
documents_app = typer.Typer(
    help="Register the documents that a tenant's clients may name by an id, and answer no others.",
    no_args_is_help=True,
)
app.add_typer(tenants_app, name="tenant")
app.add_typer(roles_app, name="role")
app.add_typer(guests_app, name="guests")
app.add_typer(documents_app, name="documents")
app.add_typer(policy_app, name="policy")
app.add_typer(realm_app, name="realm")
tenants_app.command("facades")(tenant_facades)

Choice = Literal["yes", "no", "default"]
_CHOICES: Final[Mapping[Choice, bool | None]] = {"yes": True, "no": False, "default": None}
_LOGINS: Final = {True: "conceals its logins", False: "tells its logins", None: "does as the gateway's setting says"}


class VariablesUnreadable(PublicError):
    """The variables of a command are not the JSON of an object."""

    code = "VARIABLES_UNREADABLE"

    def __init__(self) -> None:
        super().__init__("The variables must be a JSON object, as in --variables '{\"limit\": 10}'.")


class UnknownRuleChoice(PublicError):
    """The rules of a tenant are to go together in a way that there is not."""

    code = "UNKNOWN_RULE_CHOICE"

    def __init__(self) -> None:
        super().__init__("The rules of a tenant go together in one of these ways: add_up, most_specific.")


def main() -> None:
    """Runs a command; a refusal is one line on the standard error and an exit code that is not 0."""
    try:
        app()
    except SettingsInvalid as invalid:
        _fail("\n".join(invalid.faults), code=2)
    except PublicError as refusal:
        _fail(refusal.message)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, DBAPIError) as error:
        _fail(_database_sentence(error))


@app.command()
def run(
    host: Annotated[str | None, typer.Option(help="The address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0 takes a free one. [default: 8000]")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the embedded PostgreSQL and the master key. [default: .ostiary in a clone, else"
            " ~/.local/share/ostiary]"
        ),
    ] = None,
    demo: Annotated[bool | None, typer.Option(help="Make the demo tenants on the first start.")] = None,
) -> None:
    """Serve until Ctrl-C; the first start makes the demo tenants and prints how to log in."""
    settings = load_settings(host=host, port=port, data_dir=data_dir, demo=demo)
    with err.status("Starting") as status:

        def ready(address: str, made: list[Credentials]) -> None:
            status.stop()
            _welcome(address, made)

        observer = Observer(
            step=status.update,
            progress=lambda table, rows: status.update(f"Loading {table}: {rows:,} rows"),
            ready=ready,
        )
        run_loop(serve(settings, observer))


@app.command()
def check() -> None:
    """Check the settings, and tell everything that is wrong with them at once."""
    settings = load_settings()
    if settings.database_url.get_secret_value():

        async def is_ready() -> bool:
            engine = control_engine(settings.database_url.get_secret_value())
            try:
                return await is_current(engine)
            finally:
                await engine.dispose()

        out.print("The settings are valid.")
        out.print("The control database is up to date." if asyncio.run(is_ready()) else "Run: ostiary migrate")
    else:
        out.print("The settings are valid. The embedded PostgreSQL will be used.")


@app.command()
def migrate() -> None:
    """Bring the control database up to this release; `run` does so by itself."""

    async def nothing(_: Control) -> None:
        return

    with_control(nothing)
    out.print("The control database is up to date.")


@app.command()
def demo(
    full: Annotated[
        Path | None,
        typer.Option(help="A folder with the five nycflights13 CSV files, plain or gzipped: load all of them."),
    ] = None,
) -> None:
    """Make the demo tenants, and with --full load the flights of the whole year."""

    async def make(control: Control) -> list[Credentials]:
        if control.databases.embedded is None:
            raise NoEmbeddedServer
        made = await provision_demo(control.engine, control.databases, control.master_key, _progress)
        if full is not None:
            connection = await asyncpg.connect(control.databases.embedded.dsn(FLIGHTS.name))
            try:
                await load_flights_full(connection, full, _progress)
            finally:
                await connection.close()
        return made

    made = with_control(make)
    _show_credentials(made)
    out.print("The demo tenants are there.")


@tenants_app.command("add")
def tenant_add(
    name: Annotated[str, typer.Argument(help="What people call the tenant.")],
    dsn: Annotated[
        str, typer.Option(help="Its database, any PostgreSQL from 14 on: postgresql://user:password@host/database")
    ],
    schema: Annotated[
        list[str] | None,
        typer.Option(help="A schema of the database to serve; may be given several times. [default: public]"),
    ] = None,
) -> None:
    """Serve a database as a new tenant; prints its id and the password of its root role, once."""

    async def add(control: Control) -> Credentials:
        async with TenantDatabase(control.databases.resolve(dsn), max_connections=1) as database:
            await read_catalog(database, schema or ["public"])
        async with control.engine.begin() as connection:
            _, _, credentials = await create_tenant(
                connection, name=name, dsn=dsn, master_key=control.master_key, schemas=tuple(schema or ["public"])
            )
        return credentials

    _show_credentials([with_control(add)])


@tenants_app.command("list")
def tenant_list() -> None:
    """List the tenants, with their databases and whether they are suspended."""

    async def read(control: Control) -> tuple[Tenant, ...]:
        async with control.engine.connect() as connection:
            return await list_tenants(connection, control.master_key)

    table = Table("id", "name", "host", "database", "schemas", "state", "logins")
    for tenant in with_control(read):
        place = locate(tenant.dsn)
        state = "suspended" if tenant.suspended else "active"
        schemas, logins = ", ".join(tenant.schemas), {True: "concealed", False: "told", None: ""}[tenant.conceal_logins]
        table.add_row(str(tenant.tenant_id), tenant.name, place.host, place.database, schemas, state, logins)
    out.print(table)


@tenants_app.command("refresh")
def tenant_refresh(
    tenant_id: TenantId,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,  # noqa: FBT002
) -> None:
    """Read the tables of a tenant's database again, and tell what is called otherwise or left out, and why."""

    async def refresh(control: Control) -> None:
        tenant = await get_tenant(control, tenant_id)
        async with TenantDatabase(control.databases.resolve(tenant.dsn), max_connections=1) as database:
            model = build_model(await read_catalog(database, tenant.schemas))
        async with control.engine.begin() as connection:
            await announce_change(connection, tenant_id)
        report = refresh_report(model)
        if as_json:
            sys.stdout.buffer.write(orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            return
        out.print(f"{report['tables']} tables and views, {report['functions']} functions.")
        for note in model.notes:
            out.print(f"  {note.subject} {note.reason}", markup=False)

    with_control(refresh)


def refresh_report(model: Model) -> dict[str, object]:
    """What a tenant's database holds for GraphQL, and what of it is called otherwise or left out."""
    computed = sum(len(entity.computed) for entity in model.entities.values())
    return {
        "tables": len(model.entities),
        "functions": len(model.routines) + computed,
        "notes": [{"kind": note.kind, "subject": note.subject, "reason": note.reason} for note in model.notes],
    }


@tenants_app.command("suspend")
def tenant_suspend(
    tenant_id: TenantId,
    resume: Annotated[bool, typer.Option("--resume", help="Let the tenant in again.")] = False,  # noqa: FBT002
) -> None:
    """Shut a tenant out, existing tokens included; --resume lets it in again."""

    async def suspend(control: Control) -> None:
        await get_tenant(control, tenant_id)
        async with control.engine.begin() as connection:
            await set_suspended(connection, tenant_id, not resume)

    with_control(suspend)
    out.print(f"Tenant {tenant_id} is {'active' if resume else 'suspended'}.")


@tenants_app.command("set")
def tenant_set(
    tenant_id: TenantId,
    conceal_logins: Annotated[
        Choice,
        typer.Option(help="Answer an unknown login and a wrong password alike; default is OSTIARY_CONCEAL_LOGINS."),
    ],
) -> None:
    """Choose for one tenant what is otherwise a setting of the gateway."""

    async def change(control: Control) -> None:
        await get_tenant(control, tenant_id)
        async with control.engine.begin() as connection:
            await set_conceal_logins(connection, tenant_id, _CHOICES[conceal_logins])

    with_control(change)
    out.print(f"Tenant {tenant_id} {_LOGINS[_CHOICES[conceal_logins]]}.")


@tenants_app.command("rules")
def tenant_rules(
    tenant_id: TenantId,
    choice: Annotated[
        str, typer.Argument(help="With add_up all rules that apply count together, with most_specific one.")
    ],
) -> None:
    """Choose how the rules of a tenant that apply to one role go together."""

    async def choose(control: Control) -> None:
        await get_tenant(control, tenant_id)
        if choice not in ("add_up", "most_specific"):
            raise UnknownRuleChoice
        async with control.engine.begin() as connection:
            await set_rule_choice(connection, tenant_id, choice)

    with_control(choose)
    out.print(f"The rules of tenant {tenant_id}: {choice}.")


@roles_app.command("add")
def role_add(
    tenant_id: TenantId,
    login: Annotated[str, typer.Argument(help="The name to log in with.")],
    name: Annotated[str | None, typer.Option(help="What people call the role.")] = None,
    admin: Annotated[bool, typer.Option("--admin", help="Make it an administrator, whom no rule binds.")] = False,  # noqa: FBT002
) -> None:
    """Add a role that can log in; prints its password, once."""

    async def add(control: Control) -> Credentials:
        tenant = await get_tenant(control, tenant_id)
        password = generate_password()
        async with control.engine.begin() as connection:
            await insert_role(
                connection,
                tenant_id=tenant_id,
                login=login,
                name=name or login,
                parent_id=tenant.root_role_id,
                creator_id=tenant.root_role_id or 0,
                capabilities=frozenset({"login", "admin"}) if admin else NORMAL_CAPABILITIES,
                class_ids=(),
                password_hash=hash_password(password),
            )
        return Credentials(tenant.name, tenant_id, login, password)

    _show_credentials([with_control(add)])


@roles_app.command("list")
def role_list(tenant_id: TenantId) -> None:
    """List the roles of a tenant, with what each may do."""

    async def read(control: Control) -> tuple[Role, ...]:
        await get_tenant(control, tenant_id)
        async with control.engine.connect() as connection:
            return await list_roles(connection, tenant_id)

    table = Table("id", "login", "name", "parent", "capabilities", "state")
    for role in with_control(read):
        table.add_row(
            str(role.role_id),
            role.login,
            role.name,
            str(role.parent_id or ""),
            ", ".join(sorted(role.capabilities)),
            "deleted" if role.deleted else "active",
        )
    out.print(table)


@roles_app.command("password")
def role_password(
    tenant_id: TenantId, login: Annotated[str, typer.Argument(help="The name that the role logs in with.")]
) -> None:
    """Give a role a new password; prints it, once, and ends the role's sessions."""

    async def change(control: Control) -> Credentials:
        tenant = await get_tenant(control, tenant_id)
        password = generate_password()
        async with control.engine.begin() as connection:
            role = await get_login(connection, tenant_id, login)
            await set_password(connection, tenant_id, role.role_id, hash_password(password), role.role_id)
            await end_sessions_of_role(connection, role.role_id)
        return Credentials(tenant.name, tenant_id, login, password)

    _show_credentials([with_control(change)])


@documents_app.command("add")
def documents_add(
    tenant_id: TenantId,
    files: Annotated[list[Path], typer.Argument(help="Documents, or manifests of them with the ending .json.")],
) -> None:
    """Register documents; those that are registered already stay as they are."""
    documents = read_documents(files)

    async def add(control: Control) -> int:
        await get_tenant(control, tenant_id)
        async with control.engine.begin() as connection:
            return len(await insert_documents(connection, tenant_id, documents))

    out.print(f"{with_control(add)} of {len(documents)} documents are new to tenant {tenant_id}.")


@documents_app.command("list")
def documents_list(tenant_id: TenantId) -> None:
    """List the documents of a tenant."""

    async def read(control: Control) -> tuple[TrustedDocument, ...]:
        await get_tenant(control, tenant_id)
        async with control.engine.connect() as connection:
            return await list_documents(connection, tenant_id)

    table = Table("id", "name", "characters")
    for document in with_control(read):
        table.add_row(document.id, document.name, str(len(document.query)))
    out.print(table)


@documents_app.command("remove")
def documents_remove(
    tenant_id: TenantId, ids: Annotated[list[str], typer.Argument(help="The ids of the documents to let go of.")]
) -> None:
    """Let go of documents; where only trusted ones are answered they are answered no more."""

    async def remove(control: Control) -> int:
        await get_tenant(control, tenant_id)
        async with control.engine.begin() as connection:
            gone = await delete_documents(connection, tenant_id, ids)
            await announce_change(connection, tenant_id)
            return len(gone)

    out.print(f"{with_control(remove)} documents of tenant {tenant_id} are gone.")


@documents_app.command("only")
def documents_only(
    tenant_id: TenantId,
    only: Annotated[bool, typer.Option("--on/--off", help="Answer trusted documents alone, or any.")] = True,  # noqa: FBT002
) -> None:
    """Let /query answer a tenant's trusted documents and no others; --off lets it answer any."""

    async def change(control: Control) -> None:
        await get_tenant(control, tenant_id)
        async with control.engine.begin() as connection:
            await set_only_trusted(connection, tenant_id, only)

    with_control(change)
    out.print(f"Tenant {tenant_id} answers {'trusted documents only' if only else 'any document'}.")


@app.command()
def explain(
    tenant_id: TenantId,
    document: Annotated[str, typer.Argument(help="A GraphQL document, or - to read it from the standard input.")],
    login: Annotated[str, typer.Option(help="The login of the role to ask as.")] = "root",
    variables: Annotated[str, typer.Option(help="The variables, as a JSON object.")] = "{}",
) -> None:
    """Show the plan and the SQL that a GraphQL document becomes for a role, without running it."""
    text = sys.stdin.read() if document == "-" else document
    given = _parse_variables(variables)

    async def compile_it(control: Control) -> None:
        async with control.engine.connect() as connection:
            tenant = await find_tenant(connection, tenant_id, control.master_key)
            if tenant is None:
                raise NoSuchTenant(tenant_id)
            role = await get_login(connection, tenant_id, login)
            principal = await read_principal(connection, tenant, role, session_id="")
        nothing = SchemaText(b"", "")
        tenants = Tenants(control.engine, control.master_key, nothing, Limits(), control.databases.resolve)
        try:
            view = (await tenants.get(tenant_id)).view(principal)
            prepared = view.prepare(text, None)
            compiled = view.compile(prepared, prepared.read_variables.coerce(given))
        finally:
            await tenants.close()
        out.print("plan", style="bold")
        out.print(plan_text(compiled.plan), markup=False, soft_wrap=True)
        steps = [step.statement for field in compiled.fields for step in field.steps]
        for statement in [compiled.statement] if compiled.statement else steps:
            out.print("statement", style="bold")
            out.print(Syntax(statement.text, "sql", word_wrap=True, background_color="default"))
            for number, source in enumerate(statement.sources, start=1):
                out.print(f"  ${number}: {source}", markup=False, soft_wrap=True)

    with_control(compile_it)


def _parse_variables(text: str) -> dict[str, object]:
    """The variables that a JSON text holds. Raises VariablesUnreadable."""
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise VariablesUnreadable from error
    if not isinstance(value, dict):
        raise VariablesUnreadable
    return cast("dict[str, object]", value)


def _welcome(address: str, made: list[Credentials]) -> None:
    out.print(f"\nOstiary is open at [bold]{address}[/bold]")
    for what, where in (
        ("GraphiQL", "/graphiql"),
        ("log in", "/auth"),
        ("as a visitor", "/anonauth"),
        ("ask", "/query"),
        ("who may what", "/roles_pbac"),
    ):
        out.print(f"  {what:<14}{address}{where}", soft_wrap=True, markup=False)
    out.print()
    _show_credentials(made)
    if made:
        out.print("Try it:", style="bold")
        out.print(
            f"  curl -s '{address}/anonauth?schema=none' -d tenantid={made[0].tenant_id}\n",
            soft_wrap=True,
            markup=False,
        )
    out.print("Ctrl-C ends it.", style="dim")


def _show_credentials(made: list[Credentials]) -> None:
    if not made:
        return
    table = Table("tenant", "tenantid", "login", "password", title="Shown once; only their hashes are kept")
    for each in made:
        table.add_row(each.tenant_name, str(each.tenant_id), each.login, each.password)
    out.print(table)


def _progress(table: str, rows: int) -> None:
    err.print(f"\r{table}: {rows:,} rows", end="")


def _database_sentence(error: BaseException) -> str:
    if isinstance(error, DBAPIError):
        # Its own text holds the statement.
        error = error.driver_exception
    if isinstance(error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError):
        return "The database refused the user or password of its address."
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return "The database that the address names does not exist."
    if isinstance(error, asyncpg.PostgresError):
        return f"The database refused: {error.args[0]}."
    return f"The database or a file could not be reached: {error}."


def _fail(sentence: str, *, code: int = 1) -> NoReturn:
    err.print(sentence, style="red", markup=False, soft_wrap=True)
    raise SystemExit(code)
