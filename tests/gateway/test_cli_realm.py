"""`ostiary realm`: what an app of Realm says of its visitors comes in, and goes out as it was."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.facades.realm_files import AppFileInvalid, parse_anonymous
from tests.commands import Finished, ostiary
from tests.databases import Databases

MASTER_KEY = "5e" * 32
Run = Callable[..., Finished]


@pytest.fixture
def run(databases: Databases, tmp_path: Path) -> Iterator[Run]:
    """Runs a command on a control database of its own."""
    control = databases.create()

    def run_command(*arguments: str) -> Finished:
        return ostiary(*arguments, data_folder=tmp_path, database_url=control, master_key=MASTER_KEY)

    yield run_command
    databases.drop(control)


@pytest.mark.server
@pytest.mark.postgres
def test_what_an_app_says_of_visitors_is_taken_over_and_written_down(run: Run, database: str, tmp_path: Path) -> None:
    added = run("tenant", "add", "films", "--dsn", database)
    found = re.search(r"│\s*films\s*│\s*(\d+)\s*│", added.out)
    assert found is not None, added.error
    tenant_id, app = found[1], tmp_path / "app"
    path = app / "auth_providers" / "anon-user.json"

    def export() -> object:
        assert run("realm", "export", tenant_id, str(app)).code == 0
        return json.loads(path.read_text())

    assert export() == {"name": "anon-user", "type": "anon-user", "disabled": True}
    # As the system's own page shows it, which no strict reader of JSON takes.
    path.write_text('{\n  "name": "anon-user",\n  "type": "anon-user",\n  "disabled": false,\n}\n')
    assert run("realm", "import", tenant_id, str(app)).out == f"Visitors of tenant {tenant_id} are let in.\n"
    assert export() == {"name": "anon-user", "type": "anon-user", "disabled": False}
    path.write_text(path.read_text().replace("false", "true"))
    assert run("realm", "import", tenant_id, str(app)).out == f"Visitors of tenant {tenant_id} are shut out.\n"
    assert export() == {"name": "anon-user", "type": "anon-user", "disabled": True}
    path.write_text(path.read_text().replace("true", "1"))
    assert run("realm", "import", tenant_id, str(app)).sentence == "The member disabled must be true or false."
    assert "cannot be read" in run("realm", "import", tenant_id, str(tmp_path / "nowhere")).sentence


@pytest.mark.parametrize(
    ("text", "lets_in"),
    [
        ('{"disabled": false}', True),
        ('\ufeff{"name": "anon-user", "type": "anon-user", "disabled": true, "id": "7,}"}', False),
        ('{"disabled": true , }', False),
    ],
)
def test_files_that_say_it_are_read(text: str, lets_in: bool) -> None:
    assert parse_anonymous(text) is lets_in


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{,}", '{"disabled": "true"}', '{"type": "local-userpass", "disabled": false}', "{}"]
)
def test_files_that_say_something_else_are_refused(text: str) -> None:
    with pytest.raises(AppFileInvalid):
        parse_anonymous(text)
