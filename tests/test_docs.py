"""The pages of docs/: their lists are complete and true, and every example in them is executed."""

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from starlette.routing import Route

import db
import gateway as gateway_package
import schema
from db.errors import PublicError
from gateway.app import routes
from gateway.auth.refusals import AuthError
from gateway.errors import RequestError, graphql_status
from gateway.settings import Settings, variable_of
from schema.query.errors import DocumentError
from tests.documents import ROOT, Block, blocks_of, read_document, table_rows
from tests.gateways import Gateway


def test_the_page_of_settings_is_that_of_the_code() -> None:
    documented = table_rows(read_document("docs/settings.md"))

    expected = [
        (f"`{variable_of(name)}`", "below" if field.default_factory else default_text(field.default), field.description)
        for name, field in Settings.model_fields.items()
    ]
    assert sorted(documented) == sorted(expected)


def default_text(value: object) -> str:
    match value:
        case SecretStr():
            return default_text(value.get_secret_value())
        case None | "" | ():
            return "-"
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return f"`{','.join(value)}`"
        case _:
            return f"`{value}`"


def test_the_page_of_errors_has_each_class_with_its_code_and_status() -> None:
    documented = table_rows(read_document("docs/errors.md"))
    only_for_commands = [name for _, status, name, _ in documented if status == "-"]

    expected = [
        (
            f"`{error.code}`",
            "-" if f"`{error.__name__}`" in only_for_commands else status_of(error),
            f"`{error.__name__}`",
        )
        for error in every_error()
    ]

    assert sorted(tuple(row[:3]) for row in documented) == sorted(expected)
    assert all(meaning for _, _, _, meaning in documented)


def every_error() -> set[type[PublicError]]:
    """PublicError and all that descends from it in the three packages."""
    for package in (db, schema, gateway_package):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            # The first would run Alembic, the other the gateway.
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return {error for error in descendants(PublicError) if error.__module__.partition(".")[0] != "tests"}


def descendants(error: type[PublicError]) -> Iterator[type[PublicError]]:
    yield error
    for child in error.__subclasses__():
        yield from descendants(child)


def status_of(error: type[PublicError]) -> str:
    """The status that `graphql_status` gives an error of this class."""
    if issubclass(error, AuthError | RequestError):
        return str(error.status)
    return str(graphql_status(DocumentError.__new__(error) if issubclass(error, DocumentError) else PublicError("")))


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway at its first start, whose demo data no other test has changed."""
    with Gateway.start(tmp_path_factory.mktemp("untouched")) as running:
        yield running


PAGES = [f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.server
@pytest.mark.parametrize("page", PAGES)
def test_every_example_is_answered_as_it_is_shown(untouched: Gateway, page: str) -> None:
    """A block `graphql` begins with a comment that says who asks where: `# analyst of flights at /query`."""
    for asked, shown in examples(page):
        assert ask(untouched, asked.text) == json.loads(shown.text), asked.text


def examples(page: str) -> list[tuple[Block, Block]]:
    """The questions of a page with their answers. A question without one is a fault of the page."""
    blocks = list(blocks_of(read_document(page)))
    pairs = [(block, blocks[place + 1]) for place, block in enumerate(blocks) if block.language == "graphql"]
    assert all(answer.language == "json" for _, answer in pairs)
    return pairs


def ask(gateway: Gateway, document: str) -> dict[str, object]:
    first, _, _ = document.partition("\n")
    who, _, path = first.removeprefix("# ").partition(" at ")
    login, _, tenant = who.partition(" of ")
    token = gateway.anonymous(tenant) if login == "visitor" else gateway.access(tenant, login)
    return gateway.ask(token, document, path=path)


def test_there_are_examples() -> None:
    assert sum(len(examples(page)) for page in PAGES) >= 10


def test_the_page_of_the_wire_has_every_address() -> None:
    rows = [row for row in table_rows(read_document("docs/wire.md")) if row[0].startswith("`/")]

    paths = {route.path for route in routes(Settings(metrics=True)) if isinstance(route, Route)}

    assert {row[0].strip("`") for row in rows} == {path for path in paths if "{" not in path}


def test_the_picture_of_the_rooms_shows_each_module_and_no_other() -> None:
    (picture,) = [block for block in blocks_of(read_document("docs/architecture.md")) if block.heading == "The rooms"]

    files = {
        str(path.relative_to(ROOT))
        for package in ("db", "schema", "gateway")
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".sql"} and "versions" not in path.parts and not path.name.startswith("__")
    }

    assert set(pictured(picture.text)) == files


def pictured(text: str) -> Iterator[str]:
    """The paths of the files in a tree that is drawn with two characters for each level."""
    folders: list[str] = []
    for line in text.splitlines():
        found = re.match(r"([│├└ ]*)([\w.]+)(/?)", line)
        assert found is not None, line
        depth = len(found[1]) // 2
        folders = folders[:depth]
        if found[3]:
            folders.append(found[2])
        else:
            yield "/".join([*folders, found[2]])
