"""Every command of `ostiary --help`, against a control database of its own, and beside a gateway that serves."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands import ROOT, Finished, ostiary
from tests.databases import Databases
from tests.gateways import Gateway

pytestmark = [pytest.mark.server, pytest.mark.postgres]

MASTER_KEY = "5e" * 32
SHOWN = re.compile(r"│\s*(\S+)\s*│\s*(\d+)\s*│\s*(\S+)\s*│\s*([0-9a-f]{6}(?:-[0-9a-f]{6}){3})\s*│")
TABLES = """
create table film (id int primary key, title text);
create table film_copy (id int primary key, film_id int references film);
"""

Run = Callable[..., Finished]


@pytest.fixture(scope="module")
def migrated(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a control database that `ostiary migrate` has made, to clone."""
    dsn = databases.create()
    folder = tmp_path_factory.mktemp("migrated")
    outcome = ostiary("migrate", data_folder=folder, database_url=dsn, master_key=MASTER_KEY)
    assert (outcome.code, outcome.out) == (0, "The control database is up to date.\n"), outcome.error
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def control(databases: Databases, migrated: str) -> Iterator[str]:
    dsn = databases.create(template=migrated)
    yield dsn
    databases.drop(dsn)


@pytest.fixture
def run(tmp_path: Path, control: str) -> Run:
    """Runs a command on the control database."""

    def run_command(*arguments: str, **given: str) -> Finished:
        return ostiary(
            *arguments, **{"data_folder": tmp_path, "database_url": control, "master_key": MASTER_KEY} | given
        )

    return run_command


@pytest.fixture
def tenant_id(run: Run, databases: Databases, database: str) -> str:
    """The id of a tenant called films, whose database holds two tables."""
    databases.execute_in(database, TABLES)
    outcome = run("tenant", "add", "films", "--dsn", database)
    assert outcome.code == 0, outcome.error
    return SHOWN.findall(outcome.out)[0][1]


def test_help_names_every_command_and_nothing_is_left_untold() -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "gateway", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    for command in ("run", "check", "migrate", "demo", "explain", "tenant", "role", "documents"):
        assert re.search(rf"│ {command}\s+\S", outcome.stdout), command


@pytest.mark.parametrize(
    "command",
    [
        *("run", "check", "migrate", "demo", "explain"),
        *(
            "tenant add",
            "tenant list",
            "tenant refresh",
            "tenant suspend",
            "tenant set",
            "tenant rules",
            "tenant facades",
            "realm import",
            "realm export",
            "role add",
            "role list",
            "role password",
            "documents add",
            "documents list",
            "documents remove",
            "documents only",
        ),
    ],
)
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    outcome = ostiary(*command.split(), "--help", data_folder=tmp_path)

    assert outcome.code == 0
    assert f"Usage: ostiary {command}" in outcome.out


@pytest.mark.parametrize("given", [["tennant"], ["tenant", "add"], ["role", "list", "seven"], ["run", "--port", "x"]])
def test_a_command_that_is_not_one_is_a_usage_error(tmp_path: Path, given: list[str]) -> None:
    outcome = ostiary(*given, data_folder=tmp_path)

    assert outcome.code == 2
    assert "Usage: " in outcome.error
    assert "Traceback" not in outcome.error


def test_check_says_what_is_to_be_done(run: Run, database: str, tmp_path: Path) -> None:
    current = run("check")
    before = run("check", database_url=database)
    embedded = ostiary("check", data_folder=tmp_path)

    assert (current.code, current.out) == (0, "The settings are valid.\nThe control database is up to date.\n")
    assert (before.code, before.out) == (0, "The settings are valid.\nRun: ostiary migrate\n")
    assert (embedded.code, embedded.out) == (0, "The settings are valid. The embedded PostgreSQL will be used.\n")
    assert list(tmp_path.iterdir()) == []


def test_migrating_again_changes_nothing(run: Run) -> None:
    outcome = run("migrate")

    assert (outcome.code, outcome.out) == (0, "The control database is up to date.\n")


def test_a_tenant_is_added_with_a_root_and_listed_without_its_secrets(
    run: Run, databases: Databases, database: str
) -> None:
    databases.execute_in(database, TABLES)

    added = run("tenant", "add", "films", "--dsn", database)
    listed = run("tenant", "list")

    [(name, tenant_id, login, password)] = SHOWN.findall(added.out)
    assert (name, login) == ("films", "root")
    assert re.search(rf"│ {tenant_id}\s+│ films\s+│ \S+\s+│ \S+\s+│ public\s+│ active\s+│", listed.out)
    assert password not in listed.out
    assert "user=" not in listed.out


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        ("mysql://host/films", "A connection string has to begin with postgresql:// ."),
        (
            "postgresql://gate:geheim@127.0.0.1:1/films?channel_binding=prefer",
            "The database cannot be reached at the moment.",
        ),
        ("postgresql:///films", "The database cannot be reached at the moment."),
    ],
)
def test_a_tenant_whose_database_cannot_be_read_is_not_added(run: Run, dsn: str, told: str) -> None:
    outcome = run("tenant", "add", "films", "--dsn", dsn)

    assert outcome.sentence == told
    assert "geheim" not in outcome.error
    assert "films" not in run("tenant", "list").out


def test_a_tenant_conceals_its_logins_or_tells_them_or_leaves_it_to_the_setting(run: Run, tenant_id: str) -> None:
    told: list[str] = []
    for choice in ("yes", "no", "default"):
        told.append(run("tenant", "set", tenant_id, "--conceal-logins", choice).out)
        told.append(run("tenant", "list").out)

    assert told[0] == f"Tenant {tenant_id} conceals its logins.\n"
    assert re.search(r"│ active\s+│ concealed\s+│", told[1])
    assert told[2] == f"Tenant {tenant_id} tells its logins.\n"
    assert re.search(r"│ active\s+│ told\s+│", told[3])
    assert told[4] == f"Tenant {tenant_id} does as the gateway's setting says.\n"
    assert re.search(r"│ active\s+│\s+│", told[5])
    assert run("tenant", "set", "999", "--conceal-logins", "yes").sentence == "No such tenant 999."
    assert run("tenant", "set", tenant_id).code == 2


def test_refresh_counts_tables_and_tells_of_names_that_could_not_be_kept(
    run: Run, databases: Databases, database: str, tenant_id: str
) -> None:
    databases.execute_in(database, 'create table "odd name" (id int primary key)')

    outcome = run("tenant", "refresh", tenant_id)

    report = json.loads(run("tenant", "refresh", tenant_id, "--json").out)
    assert outcome.code == 0
    assert outcome.out.startswith("3 tables and views, 0 functions.\n")
    assert "odd name" in outcome.out
    assert report["tables"] == 3
    assert [note["subject"] for note in report["notes"]] == ["odd name"]


def test_suspending_and_resuming_shows_in_the_list(run: Run, tenant_id: str) -> None:
    suspended = run("tenant", "suspend", tenant_id)
    while_suspended = run("tenant", "list").out
    resumed = run("tenant", "suspend", tenant_id, "--resume")

    assert suspended.out == f"Tenant {tenant_id} is suspended.\n"
    assert re.search(r"│ suspended\s+│", while_suspended)
    assert resumed.out == f"Tenant {tenant_id} is active.\n"
    assert "suspended" not in run("tenant", "list").out


def test_a_tenant_opens_facades_and_closes_them(run: Run, tenant_id: str) -> None:
    said = f"The facades of tenant {tenant_id}"

    assert run("tenant", "facades", tenant_id).out == f"{said}: none.\n"
    assert run("tenant", "facades", tenant_id, "realm", "mudbase").out == f"{said}: mudbase, realm.\n"
    assert run("tenant", "facades", tenant_id).out == f"{said}: mudbase, realm.\n"
    assert "backendless" in run("tenant", "facades", tenant_id, "parse").sentence
    assert run("tenant", "facades", tenant_id, "none").out == f"{said}: none.\n"
    assert run("tenant", "facades", tenant_id).out == f"{said}: none.\n"


def test_roles_are_added_listed_and_given_new_passwords(run: Run, tenant_id: str) -> None:
    ann = run("role", "add", tenant_id, "ann", "--name", "Ann Example")
    bob = run("role", "add", tenant_id, "bob", "--admin")
    changed = run("role", "password", tenant_id, "ann")
    listed = run("role", "list", tenant_id).out

    passwords = [SHOWN.findall(outcome.out)[0][3] for outcome in (ann, bob, changed)]
    assert len(set(passwords)) == 3
    assert re.search(r"│ ann\s+│ Ann Example\s+│ \d+\s+│ .*select.*│ active\s+│", listed)
    assert re.search(r"│ bob\s+│ bob\s+│ \d+\s+│ admin, login\s+│ active\s+│", listed)
    assert re.search(r"│ root\s+│ Root of films\s+│", listed)
    assert not any(password in listed for password in passwords)


def test_a_login_that_is_taken_is_refused(run: Run, tenant_id: str) -> None:
    assert run("role", "add", tenant_id, "ann").code == 0

    assert "ann" in run("role", "add", tenant_id, "ann").sentence


@pytest.mark.parametrize(
    "given",
    [
        ["tenant", "refresh", "4711"],
        ["tenant", "suspend", "4711"],
        ["role", "add", "4711", "ann"],
        ["role", "list", "4711"],
        ["role", "password", "4711", "ann"],
        ["explain", "4711", "{ film { id } }"],
    ],
)
def test_a_tenant_that_is_not_there_is_named(run: Run, given: list[str]) -> None:
    assert run(*given).sentence == "No such tenant 4711."


def test_a_login_that_is_not_there_is_named(run: Run, tenant_id: str) -> None:
    sentence = f"No such role nobody-here for tenant {tenant_id}."

    assert run("role", "password", tenant_id, "nobody-here").sentence == sentence
    assert run("explain", tenant_id, "{ film { id } }", "--login", "nobody-here").sentence == sentence


def test_explain_prints_plan_statement_and_where_each_argument_comes_from(run: Run, tenant_id: str) -> None:
    document = "query ($least: String) { film(filter: $least) { title film_copy_collection { id } } }"
    variables = json.dumps({"least": "id > 7"})

    outcome = run("explain", tenant_id, document, "--variables", variables)
    from_input = run("explain", tenant_id, "-", "--variables", variables, text=document)

    assert outcome.code == 0, outcome.error
    assert outcome.out.count("statement\n") == 1
    assert '"film_copy"' in outcome.out
    assert "$1: " in outcome.out
    assert "0x" not in outcome.out
    assert from_input.out == outcome.out


def test_explain_prints_each_statement_of_a_change(run: Run, tenant_id: str) -> None:
    outcome = run("explain", tenant_id, 'mutation { create_film(input: {id: 1, title: "Star"}) { id } }')

    assert outcome.code == 0, outcome.error
    assert "insert into" in outcome.out


@pytest.mark.parametrize(
    ("document", "variables"),
    [("{ film { id }", "{}"), ("{ book { id } }", "{}"), ("{ film { id } }", "{id"), ("{ film { id } }", "[]")],
)
def test_explain_refuses_what_the_gateway_would_refuse(run: Run, tenant_id: str, document: str, variables: str) -> None:
    outcome = run("explain", tenant_id, document, "--variables", variables)

    assert outcome.sentence


def test_explain_shows_a_role_only_what_it_may_see(run: Run, tenant_id: str) -> None:
    assert run("role", "add", tenant_id, "ann").code == 0

    assert run("explain", tenant_id, "{ film { id } }", "--login", "ann").sentence


def test_demo_needs_the_embedded_server(run: Run) -> None:
    sentence = "The demo tenants live on the embedded PostgreSQL; unset DATABASE_URL to have one."

    assert run("demo").sentence == sentence


def test_commands_work_while_a_gateway_serves_on_the_embedded_server(gateway: Gateway) -> None:
    tenant_id = str(gateway.logins["todo", "root"].tenant_id)

    listed = ostiary("tenant", "list", data_folder=gateway.data_folder)
    added = ostiary("role", "add", tenant_id, "cli", data_folder=gateway.data_folder)
    demo = ostiary("demo", data_folder=gateway.data_folder)

    assert re.search(rf"│ {tenant_id}\s+│ todo\s+│", listed.out), listed.error
    [(_, _, login, password)] = SHOWN.findall(added.out)
    assert (demo.code, demo.out) == (0, "The demo tenants are there.\n"), demo.error
    with gateway.client() as client:
        body = {"tenantid": int(tenant_id), "login": login, "password": password}
        assert client.post("/auth?schema=none", json=body).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_a_new_password_ends_the_sessions_of_a_gateway_that_serves(gateway: Gateway) -> None:
    tenant_id = str(gateway.logins["todo", "root"].tenant_id)
    added = ostiary("role", "add", tenant_id, "changing", data_folder=gateway.data_folder)
    [(_, _, login, password)] = SHOWN.findall(added.out)
    with gateway.client() as client:
        body = {"tenantid": int(tenant_id), "login": login, "password": password}
        token = client.post("/auth?schema=none", json=body).json()["access_token"]

        changed = ostiary("role", "password", tenant_id, login, data_folder=gateway.data_folder)

        assert changed.code == 0, changed.error
        assert "errors" in gateway.ask(token, "{ __typename }")
        assert client.post("/auth?schema=none", json=body).status_code == 403


def test_a_second_gateway_on_the_same_data_is_refused(gateway: Gateway) -> None:
    outcome = ostiary("run", data_folder=gateway.data_folder)

    folder = gateway.data_folder / "postgres"
    assert outcome.sentence == f"The data folder {folder} is in use by another process that is running."


def test_the_rules_of_a_tenant_go_together_as_the_operator_chooses(run: Run, tenant_id: str) -> None:
    chosen = run("tenant", "rules", tenant_id, "most_specific")
    refused = run("tenant", "rules", tenant_id, "all")

    assert (chosen.code, chosen.out) == (0, f"The rules of tenant {tenant_id}: most_specific.\n")
    assert refused.sentence == "The rules of a tenant go together in one of these ways: add_up, most_specific."


def test_documents_are_added_listed_removed_and_made_the_only_ones(run: Run, tenant_id: str, tmp_path: Path) -> None:
    document = tmp_path / "Films.graphql"
    document.write_text("{ film { id } }", encoding="utf-8")

    added = run("documents", "add", tenant_id, str(document))
    again = run("documents", "add", tenant_id, str(document))
    listed = run("documents", "list", tenant_id)
    [digest] = re.findall(r"[0-9a-f]{64}", listed.out)
    only = run("documents", "only", tenant_id)
    any_ = run("documents", "only", tenant_id, "--off")
    removed = run("documents", "remove", tenant_id, digest)
    missing = run("documents", "add", tenant_id, str(tmp_path / "none.graphql"))

    assert added.out == f"1 of 1 documents are new to tenant {tenant_id}.\n"
    assert again.out == f"0 of 1 documents are new to tenant {tenant_id}.\n"
    assert re.search(r"│ Films\s+│ 15\s+│", listed.out)
    assert only.out == f"Tenant {tenant_id} answers trusted documents only.\n"
    assert any_.out == f"Tenant {tenant_id} answers any document.\n"
    assert removed.out == f"1 documents of tenant {tenant_id} are gone.\n"
    assert (missing.code, missing.error) == (1, f"{tmp_path}/none.graphql holds no documents: it cannot be read.\n")
