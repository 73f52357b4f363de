"""Random filters on rows of extremes: answered or refused, never a bug, and never other for a row that policy hides."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from db.errors import InvalidValue, StatementTimedOut
from schema.errors import OperationError
from schema.expression.totality import can_raise
from schema.principal import Principal
from schema.query.plan import Read
from tests.databases import Databases
from tests.vaults import OWNER, ROOT, Vaults, open_vaults

pytestmark = pytest.mark.postgres

NUMBERS = ["id", "zero", "big", "exact", "real", "owner.id", "coin_collection.exact", "tag_collection.real", "small"]
MOMENTS = ["day", "endless", "local", "moment", "now()", "current_date", "clock"]
TEXTS = ["name", "pattern", "code", "short", "owner.nick", "mood", "single"]
OTHERS = ["span", "flag", "key", "facts", "tags", "$_PRINCIPAL.roleid", "$_PRINCIPAL.classes", "null", "true"]
LITERALS = ["0", "1", "-7", "2.5", "1e3", "1e300", "9" * 30, "'x'", "'%'", "'1 day'", "'2024-01-01'", "'7'", "'t'"]
OPERATORS = ["+", "-", "*", "/", "%", "^", "&", "|", "#", "<<", ">>"]
CALLS = ["lower", "upper", "length", "abs", "round", "coalesce", "concat", "trim", "avg", "count", "max", "min", "sum"]


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(lambda parts: f"({' '.join(parts)})"),
        st.tuples(st.sampled_from(CALLS), inner).map(lambda parts: f"{parts[0]}({parts[1]})"),
        st.tuples(st.sampled_from(["coalesce", "concat", "round", "trim"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"
        ),
        inner.map("-({})".format),
    )


# Numbers alone, as they nearly always fit together, or whatever there is.
numbers = st.recursive(st.sampled_from([*NUMBERS, "0", "1", "-7", "2.5", "1e300"]), nested, max_leaves=5)
anything = st.recursive(st.sampled_from([*NUMBERS, *MOMENTS, *TEXTS, *OTHERS, *LITERALS]), nested, max_leaves=4)
values = st.one_of(numbers, anything)
comparisons = st.one_of(
    st.tuples(values, st.sampled_from(["=", "!=", "<", ">="]), values).map(" ".join),
    st.tuples(values, st.sampled_from(["in", "not in"]), st.lists(values, max_size=3)).map(
        lambda parts: f"{parts[0]} {parts[1]} [{', '.join(parts[2])}]"
    ),
    st.tuples(values, st.sampled_from(["like", "not ilike"]), values).map(" ".join),
    values.map("{} = null".format),
)
filters = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" and ", " or "]), inner).map("".join), inner.map("not ({})".format)
    ),
    max_leaves=3,
)


@pytest.fixture(scope="module")
def hidden(databases: Databases) -> Iterator[Vaults]:
    with open_vaults(databases, with_hidden=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def absent(databases: Databases) -> Iterator[Vaults]:
    with open_vaults(databases, with_hidden=False) as opened:
        yield opened


def answer(vaults: Vaults, principal: Principal, document: str) -> object:
    """The body of the reply, or the class of a refusal. Raises whatever else there is."""
    try:
        return vaults.answer(principal, document)
    except (OperationError, InvalidValue, StatementTimedOut) as error:
        return type(error)


def is_fenced(vaults: Vaults, document: str) -> bool:
    try:
        read = vaults.compile(ROOT, document).plan.outputs[0].node
    except (OperationError, InvalidValue):
        return False
    assert isinstance(read, Read)
    return read.filter is not None and can_raise(read.filter)


@settings(max_examples=400, deadline=None)
@given(filters)
@example("exact * exact = 1")
@example("name like pattern or big = 1")
def test_any_filter_is_answered_or_refused_and_tells_nothing_of_hidden_rows(
    hidden: Vaults, absent: Vaults, text: str
) -> None:
    document = f'{{ vault(filter: {json.dumps(text)}, ordering: "id") {{ id }} }}'

    assert answer(hidden, OWNER, document) == answer(absent, OWNER, document)
    if not is_fenced(hidden, document):
        # What is total fails for its own values, or on no row at all.
        fails = [isinstance(answer(vaults, ROOT, document), type) for vaults in (hidden, absent)]
        assert fails[0] == fails[1]
