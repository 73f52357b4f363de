"""Two databases that differ only in what is hidden from a caller, who must not be able to tell them apart by a byte."""

import asyncio
import json
from collections.abc import Generator
from contextlib import contextmanager
from difflib import unified_diff

import pytest

from gateway.tenancy import LoadedTenant
from tests.databases import Databases
from tests.oracle.dice import SeededDice
from tests.oracle.explore import PAIRS, PAIRS_OF_CATALOGS, SHAPES, explore
from tests.oracle.ground import Answer, Ground, answer, make_reader, open_ground
from tests.oracle.pairs import (
    HIDDEN_NAMES,
    PRYING,
    Pair,
    must_be_equal,
    pairs,
    with_hidden,
    with_hidden_rows,
    with_lists,
)
from tests.oracle.policy import Person
from tests.oracle.questions import Change, Pages, Question, document_of
from tests.oracle.shape import Shape
from tests.oracle.shapes import a_shape
from tests.oracle.trial import canonical_answer, unwrapped

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(0)]


class TellsApart(AssertionError):
    """The answers of two worlds that must be the same."""

    def __init__(self, pair: Pair, document: str, one: object, other: object) -> None:
        super().__init__(f"{document}\n  by     {pair.person}\n  one    {one}\n  other  {other}")


@contextmanager
def two_grounds(
    databases: Databases, server_dsn: str, one: Shape, other: Shape
) -> Generator[tuple[asyncio.Runner, Ground, Ground]]:
    dsns = [databases.create() for _ in range(2)]
    with asyncio.Runner() as runner:
        runner.run(make_reader(server_dsn))
        openings = [open_ground(dsn, shape) for dsn, shape in zip(dsns, (one, other), strict=True)]
        grounds = [runner.run(opening.__aenter__()) for opening in openings]
        try:
            yield runner, grounds[0], grounds[1]
        finally:
            for opening in openings:
                runner.run(opening.__aexit__(None, None, None))
    for dsn in dsns:
        databases.drop(dsn)


@pytest.mark.parametrize("seed", range(SHAPES))
def test_rows_and_values_that_are_hidden_change_no_byte(databases: Databases, server_dsn: str, seed: int) -> None:
    shape = a_shape(SeededDice(seed))
    with two_grounds(databases, server_dsn, shape, shape) as (runner, one, other):
        explore(pairs(shape), lambda pair: runner.run(compare_worlds(one, other, pair)), PAIRS, seed)


@pytest.mark.parametrize("seed", range(SHAPES))
def test_tables_and_columns_that_are_hidden_change_no_byte(databases: Databases, server_dsn: str, seed: int) -> None:
    shape = a_shape(SeededDice(seed))
    with two_grounds(databases, server_dsn, shape, with_hidden(shape)) as (runner, one, other):
        explore(pairs(shape), lambda pair: runner.run(compare_catalogs(one, other, pair)), PAIRS_OF_CATALOGS, seed)


async def compare_worlds(one: Ground, other: Ground, pair: Pair) -> None:
    """Nothing, when nobody could tell. Raises TellsApart."""
    grounds = ((one, pair.state), (other, pair.other))
    tenants = [ground.tenant(pair.rules, pair.choice) for ground, _ in grounds]
    is_filled = False
    for question in pair.questions:
        if not is_filled:
            for ground, state in grounds:
                await ground.fill(state, anew=True)
            is_filled = True
        document, variables = document_of(question, one.shape)
        told = [await ask_all(tenant, pair.person, question, document, variables) for tenant in tenants]
        if isinstance(question, Change):
            is_filled = False
        if not are_alike(one.shape, question, *told) and must_be_equal(pair, one.shape, question):
            raise TellsApart(pair, f"{document} {variables}", told[0], told[1])


def are_alike(shape: Shape, question: Question, one: list[Answer], other: list[Answer]) -> bool:
    """Whether the answers are the same bytes; but for the order of rows in lists for which nobody has asked any, as
    PostgreSQL gives them in whatever order its plan finds them."""
    if one == other or isinstance(question, Pages) or [each.code for each in one] != [each.code for each in other]:
        return one == other
    if one[0].code is not None or len(one[0].body) != len(other[0].body):
        return False
    found = [canonical_answer(shape, question, unwrapped(question, each[0].data)) for each in (one, other)]
    return bool(found[0] == found[1])


async def compare_catalogs(one: Ground, other: Ground, pair: Pair) -> None:
    """Nothing, when nobody could tell which of the catalogs has more. Raises TellsApart."""
    rules = with_lists(pair.rules, one.shape)
    await one.fill(pair.state, anew=True)
    await other.fill(with_hidden_rows(pair.state, other.shape), anew=True)
    tenants = [ground.tenant(rules, pair.choice) for ground in (one, other)]
    person = pair.person.stored()
    if pair.person.bypasses:
        return
    texts = [tenant.schema_text(person) for tenant in tenants]
    if texts[0] != texts[1]:
        raise TellsApart(pair, "the schema", *_differing(texts[0].body, texts[1].body))
    documents = [document_of(question, one.shape) for question in pair.questions if not isinstance(question, Change)]
    documents += [document_of(question, one.shape) for question in pair.questions if isinstance(question, Change)][:1]
    asked = {document_of(question, one.shape)[0]: question for question in pair.questions}
    documents = [
        (prying.format(table=table.name, hidden=hidden), {})
        for number, prying in enumerate(PRYING)
        for table in [one.shape.tables[(number + len(rules)) % len(one.shape.tables)]]
        for hidden in [HIDDEN_NAMES[(number + len(pair.state[table.name])) % len(HIDDEN_NAMES)]]
    ] + documents
    for document, variables in documents:
        told = [await answer(tenant, pair.person, document, variables) for tenant in tenants]
        question = asked.get(document)
        if question is None or isinstance(question, Pages):
            alike = told[0] == told[1]
        else:
            alike = are_alike(one.shape, question, *([each] for each in told))
        if not alike:
            raise TellsApart(pair, f"{document} {variables}", told[0].body, told[1].body)


def _differing(one: bytes, other: bytes) -> list[list[str]]:
    """The lines of each text that the other has not, or has elsewhere."""
    lines = [json.dumps(json.loads(text), indent=1).replace("\\n", "\n").split("\n") for text in (one, other)]
    changes = list(unified_diff(*lines, lineterm="", n=1))[:40]
    return [[line for line in changes if line[0] != "+"], [line for line in changes if line[0] != "-"]]


async def ask_all(
    tenant: LoadedTenant, person: Person, question: Question, document: str, variables: dict[str, object]
) -> list[Answer]:
    """The answer; of pages each, cursors and all."""
    found = [await answer(tenant, person, document, variables)]
    while isinstance(question, Pages) and found[-1].code is None:
        info = found[-1].data["Aggregates"][question.ask.table]["page_info"]
        if not info["has_next_page"]:
            break
        found.append(await answer(tenant, person, document, {**variables, "after": info["end_cursor"]}))
    return found
