"""The commands below `ostiary policy`: what `Policy` of /roles_pbac tells, for an operator, who sees everything."""

import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, cast

import orjson
import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from db.errors import PublicError
from db.read_catalog import read_catalog
from db.tenant_database import TenantDatabase
from gateway.operator import Result, TenantId, get_login, get_tenant, out, with_control
from gateway.policy_text import difference_table, explanation_lines, matrix_tables
from gateway.serve import Control
from schema.names import build_model
from schema.roles_pbac.errors import BadInput
from schema.roles_pbac.explained import asked as questions
from schema.roles_pbac.explained.asked import Asked, ControlDatabase
from schema.roles_pbac.explained.subject import Subject
from schema.roles_pbac.inputs import PolicyRuleChange, PolicyRuleInput
from schema.roles_pbac.policy import proposed
from schema.roles_pbac.policy_types import PolicyDiff, PolicyExplanation, PolicyLine

policy_app = typer.Typer(
    help="Ask the policy why a role may do something, all that it may, and what other rules would change.",
    no_args_is_help=True,
)
Login = Annotated[str, typer.Argument(help="The login of the role that is asked about.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, as it is at /roles_pbac.")]


class RulesUnreadable(PublicError):
    """The rules that a command is to compare with are not what `diff` takes."""

    code = "RULES_UNREADABLE"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The proposed rules cannot be read: {reason}.")


@policy_app.command("explain")
def policy_explain(
    tenant_id: TenantId,
    login: Login,
    target: Annotated[str, typer.Argument(help="A table, view or function, or roles_pbac.roles and the like.")],
    operation: Annotated[
        str, typer.Argument(help="The capability: select, insert, update, delete and so on, or aggregate.")
    ],
    key: Annotated[
        str | None, typer.Option(help="The primary key of a row; of several columns, a JSON object.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Tell whether a role may do something and why, rule by rule, and what would turn the verdict."""

    async def explain(
        asked: Asked, database: TenantDatabase, subject: Subject, control: AsyncConnection
    ) -> questions.Explained:
        what = questions.get_target(asked, target, operation)
        where = ControlDatabase(control) if what.is_control else database
        return await questions.explain(asked, subject, what, operation, _key(key), where)

    explained = _ask_about(tenant_id, login, explain)
    if as_json:
        _print_json(asdict(PolicyExplanation.of(explained)))
        return
    for line in explanation_lines(explained):
        out.print(line)


@policy_app.command("may")
def policy_may(tenant_id: TenantId, login: Login, as_json: AsJson = False) -> None:  # noqa: FBT002
    """List all that a role may do, target by target."""

    async def may(asked: Asked, _: TenantDatabase, subject: Subject, __: AsyncConnection) -> tuple[questions.Line, ...]:
        return questions.may(asked, subject)

    lines = _ask_about(tenant_id, login, may)
    if as_json:
        _print_json([asdict(PolicyLine.of(line)) for line in lines])
        return
    for table in matrix_tables(lines):
        out.print(table)


@policy_app.command("diff")
def policy_diff(
    tenant_id: TenantId,
    rules: Annotated[
        Path,
        typer.Argument(
            help='A JSON file with a list of changes, or - for the standard input: {"input": {…}} makes a rule,'
            ' {"ruleid": 1, "input": {…}} changes one, and {"ruleid": 1, "remove": true} removes it.',
            allow_dash=True,
        ),
    ],
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Tell which rows and columns roles would gain and lose by other rules, without making them."""
    changes = read_changes(sys.stdin.buffer.read() if str(rules) == "-" else rules.read_bytes())

    async def diff(asked: Asked, database: TenantDatabase, control: Control) -> questions.Differences:
        async with control.engine.connect() as connection:
            subjects = await questions.read_subjects(connection, asked)

        async def reached() -> TenantDatabase:
            return database

        return await questions.diff(asked, proposed(asked, changes, None), subjects, reached)

    found = _ask(tenant_id, diff)
    if as_json:
        _print_json(asdict(PolicyDiff.of(found)))
        return
    out.print(difference_table(found))
    out.print("Nothing was changed." if not found.is_cut else "There are more. Nothing was changed.")


def read_changes(text: bytes) -> list[PolicyRuleChange]:
    """The changes that a JSON text describes. Raises RulesUnreadable."""
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RulesUnreadable("they are no JSON") from error
    if not isinstance(value, list):
        raise RulesUnreadable("they are no list")
    return [_read_change(each) for each in cast("list[object]", value)]


def _read_change(value: object) -> PolicyRuleChange:
    if not isinstance(value, dict):
        raise RulesUnreadable("a change is an object with 'ruleid', 'input' and 'remove'")
    given: dict[str, Any] = dict(cast("dict[str, Any]", value))
    rule = given.get("input")
    try:
        if isinstance(rule, dict):
            given["input"] = PolicyRuleInput(**cast("dict[str, Any]", rule))
        return PolicyRuleChange(**given)
    except TypeError as error:
        raise RulesUnreadable("a member is missing, or there is no such member") from error


def _key(text: str | None) -> object:
    """A key as it is written on a command line: an object as JSON, anything else as itself."""
    if text is None or not text.lstrip().startswith("{"):
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadInput("The key is no JSON object.") from error


def _ask_about(
    tenant_id: int, login: str, work: Callable[[Asked, TenantDatabase, Subject, AsyncConnection], Awaitable[Result]]
) -> Result:
    async def about(asked: Asked, database: TenantDatabase, control: Control) -> Result:
        async with control.engine.connect() as connection:
            role = await get_login(connection, tenant_id, login)
            subject = await questions.read_subject(connection, asked, role.role_id)
            return await work(asked, database, subject, connection)

    return _ask(tenant_id, about)


def _ask(tenant_id: int, work: Callable[[Asked, TenantDatabase, Control], Awaitable[Result]]) -> Result:
    async def ask(control: Control) -> Result:
        tenant = await get_tenant(control, tenant_id)
        async with TenantDatabase(control.databases.resolve(tenant.dsn), max_connections=1) as database:
            model = build_model(await read_catalog(database, tenant.schemas))
            async with control.engine.connect() as connection:
                asked = await questions.read_asked(connection, tenant, model, datetime.now(UTC))
            return await work(asked, database, control)

    return with_control(ask)


def _print_json(value: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
