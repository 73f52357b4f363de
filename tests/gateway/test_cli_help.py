"""The command `ostiary`: what it says of itself, and what an operator does with it beside a running gateway."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from gateway.cli import app
from tests.commands import ostiary
from tests.gateways import Gateway


def commands() -> Iterator[tuple[str, ...]]:
    """The command, and every command below it."""
    root = typer.main.get_command(app)
    yield ()
    for name, command in getattr(root, "commands", {}).items():
        yield (name,)
        for below in getattr(command, "commands", {}):
            yield (name, below)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_each_command_explains_itself_and_all_that_it_takes(tmp_path: Path, command: tuple[str, ...]) -> None:
    shown = ostiary(*command, "--help", data_folder=tmp_path)
    lines = [line.strip("│ ").strip() for line in shown.out.splitlines() if line.startswith("│")]

    assert shown.code == 0
    assert lines
    for line in lines:
        # A name, perhaps a type, and then words that say something.
        assert re.search(r"\s{2,}(<\S+>\s+)?[A-Z][^.]+\S", line), line


@pytest.mark.server
def test_a_plan_is_shown_by_names_and_with_its_sql(gateway: Gateway) -> None:
    document = "{ flights(limit: 1) { flight airline { name } } }"

    shown = ostiary("explain", "1", document, "--login", "analyst", data_folder=gateway.data_folder)

    assert shown.code == 0
    assert "entity: flights\n" in shown.out
    assert "relation: airline\n" in shown.out
    assert 'from "public"."flights"' in shown.out
    assert len(shown.out.splitlines()) < 60


@pytest.mark.server
@pytest.mark.parametrize("text", ["{", "[]", "1"])
def test_variables_that_are_no_object_are_told_in_one_sentence(gateway: Gateway, text: str) -> None:
    refused = ostiary("explain", "1", "{ a }", "--variables", text, data_folder=gateway.data_folder)

    assert refused.sentence == "The variables must be a JSON object, as in --variables '{\"limit\": 10}'."


@pytest.mark.server
def test_a_role_is_added_and_logs_in_beside_the_running_gateway(gateway: Gateway) -> None:
    tenant_id = gateway.logins["flights", "root"].tenant_id
    added = ostiary("role", "add", str(tenant_id), "newcomer", data_folder=gateway.data_folder)
    given = ostiary("role", "password", str(tenant_id), "newcomer", data_folder=gateway.data_folder)
    passwords = [re.findall(r"[0-9a-f]{6}(?:-[0-9a-f]{6}){3}", shown.out)[0] for shown in (added, given)]

    with gateway.client() as client:
        statuses = [
            client.post(
                "/auth?schema=none", json={"tenantid": tenant_id, "login": "newcomer", "password": password}
            ).status_code
            for password in passwords
        ]

    assert statuses == [403, 200]
