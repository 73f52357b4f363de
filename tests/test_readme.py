"""README.md, as a newcomer takes it: every block of its tour is pasted into a shell, and what it shows must come."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.documents import ROOT, Block, blocks_of, read_document
from tests.gateways import Gateway

MARK = "--- next block ---"
README = "README.md"


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway at its first start, as the tour finds it."""
    with Gateway.start(tmp_path_factory.mktemp("newcomer")) as running:
        yield running


def tour() -> list[Block]:
    return [block for block in blocks_of(read_document(README)) if block.heading == "A tour of five minutes"]


def run_shell(script: str, gateway: Gateway) -> str:
    """What a script prints that is run where a newcomer would be, with `./ostiary` as it is once installed."""
    environment = os.environ | {"OSTIARY_DATA_DIR": str(gateway.data_folder)}
    installed = script.replace("./ostiary ", f'"{sys.executable}" -m gateway ')
    done = subprocess.run(
        ["sh", "-c", installed], check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.server
def test_every_command_of_the_tour_prints_what_the_readme_shows(newcomer: Gateway) -> None:
    if shutil.which("curl") is None:
        pytest.skip("The tour speaks to the gateway by curl, which is not installed here: apt-get install curl")
    first, *blocks = tour()
    assert first.text.startswith("gateway=http://127.0.0.1:8000\n")
    given = [
        f"gateway={newcomer.address}",
        f"analyst_password={newcomer.logins['flights', 'analyst'].password}",
        f"root_password={newcomer.logins['flights', 'root'].password}",
    ]
    commands = [block.text for block in blocks if block.language == "sh"]

    output = run_shell("set -e\n" + "\n".join(given) + "\n" + f"\necho '{MARK}'\n".join(commands), newcomer)

    printed = dict(enumerate(output.split(MARK)))
    for number, shown in shown_after_commands(blocks):
        assert json.loads(printed[number]) == json.loads(shown), commands[number]
    assert 'from "public"."airports"' in printed[len(commands) - 1]


def shown_after_commands(blocks: list[Block]) -> list[tuple[int, str]]:
    """The answers that are shown, each with the number of the command before it."""
    shown: list[tuple[int, str]] = []
    number = -1
    for block in blocks:
        number += block.language == "sh"
        if block.language == "json":
            shown.append((number, block.text))
    return shown


def test_the_tour_shows_what_its_questions_are_answered() -> None:
    assert len(shown_after_commands(tour())) == 7


@pytest.mark.server
def test_a_database_becomes_a_tenant_beside_the_running_gateway(newcomer: Gateway, database: str) -> None:
    (block,) = [block for block in blocks_of(read_document(README)) if block.heading == "Your own database"]
    written = "postgresql://user:password@db.example.org/shop"
    assert written in block.text

    output = run_shell(block.text.replace(written, f"'{database}'"), newcomer)

    assert "shop" in output
    assert "root" in output


def test_the_settings_of_a_deployment_are_settings() -> None:
    (block,) = [block for block in blocks_of(read_document(README)) if block.heading == "Deploy"]
    assignments = block.text.splitlines()

    names = [line.partition("=")[0] for line in assignments]
    script = "set -a\n" + block.text + f'"{sys.executable}" -c "from gateway.settings import load_settings as s; s()"'
    foreign = ("OSTIARY_", "DATABASE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(["sh", "-c", script], check=False, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert len(names) == 6
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "name", [README, "CHANGELOG.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
)
def test_every_link_within_the_repository_leads_somewhere(name: str) -> None:
    text = read_document(name)
    targets = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]

    missing = [target for target in targets if not ((ROOT / name).parent / target).exists()]
    assert missing == []


def test_the_picture_is_small_enough_for_a_slow_line() -> None:
    picture = ROOT / "docs" / "graphiql.png"

    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 300_000
