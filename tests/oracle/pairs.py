"""pairs: two worlds that differ only in what is hidden from whoever asks, and what is asked in both."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from tests.oracle.cases import a_question, some_people, some_rules
from tests.oracle.dice import Dice, DrawnDice, chance, one_of
from tests.oracle.evaluator import Evaluator, Outcome
from tests.oracle.policy import CAPABILITIES, Grants, Person
from tests.oracle.questions import Change, Question
from tests.oracle.rights import RuleChoice
from tests.oracle.shape import Column, Reference, Row, Shape, State, Table
from tests.oracle.shapes import a_row, a_state, a_value, clashes
from tests.oracle.sight import Refused


@dataclass(frozen=True)
class Pair:
    person: Person
    rules: tuple[Grants, ...]
    choice: RuleChoice
    state: State
    other: State
    questions: tuple[Question, ...]


def pairs(shape: Shape, questions: int = 4) -> st.SearchStrategy[Pair]:
    """Two states of one database."""

    @st.composite
    def drawn(draw: Any) -> Pair:
        return a_pair(DrawnDice(draw), shape, questions)

    return drawn()


def a_pair(dice: Dice, shape: Shape, questions: int) -> Pair:
    person = one_of(dice, [person for person in some_people(dice) if not person.bypasses] or some_people(dice))
    rules = some_rules(dice, shape)
    choice: RuleChoice = "most_specific" if chance(dice, 10) else "add_up"
    state = a_state(dice, shape)
    evaluator = Evaluator(shape, rules, choice, state, person)
    other = evaluator
    for _ in range(8):
        changed = _changed(dice, other)
        if changed is not None and is_alike(evaluator, changed):
            other = changed
    asked = tuple(a_question(dice, evaluator) for _ in range(questions))
    return Pair(person, rules, choice, state, other.state, asked)


def _changed(dice: Dice, evaluator: Evaluator) -> Evaluator | None:
    """The same with another row somewhere, with one less, or with another value; None where that cannot be."""
    shape, state = evaluator.shape, evaluator.state
    table = one_of(dice, shape.tables)
    rows = state[table.name]
    match dice.below(4):
        case 0:
            new = a_row(dice, table, state)
            if new is None or clashes(table, rows, new):
                return None
            place = dice.below(len(rows) + 1)
            changed = [*rows[:place], new, *rows[place:]]
        case 1 if rows:
            gone = one_of(dice, rows)
            changed = [row for row in rows if row is not gone]
        case _ if rows:
            column = one_of(dice, table.columns)
            old = one_of(dice, rows)
            value = a_value(dice, column)
            changed = [{**row, column.name: value} if row is old else row for row in rows]
        case _:
            return None
    other = evaluator.at({**state, table.name: changed})
    return None if other.faults(other.state) else other


def is_alike(one: Evaluator, other: Evaluator) -> bool:
    """Whether all that the person can select, change or delete is the same in both worlds, by the evaluator."""
    return all(list(_reach(one, table)) == list(_reach(other, table)) for table in one.shape.tables)


def _reach(evaluator: Evaluator, table: Table) -> Iterator[Any]:
    try:
        yield [
            tuple(seen[name] for name in evaluator.visible_columns(table.name))
            for _, seen in evaluator.seen(table.name)
        ]
    except Refused:
        yield None
    for capability in CAPABILITIES:
        for part in evaluator.all_parts(table.name, capability):
            rows = [row for row in evaluator.state[table.name] if evaluator.satisfies(part.filter, table.name, row)]
            # A rule for reading that lists a key shows by it which of its rows there are.
            yield [table.key_of(row) if capability == "select" else _values(row) for row in rows]


def _values(row: Row) -> tuple[Any, ...]:
    return tuple(row.values())


def must_be_equal(pair: Pair, shape: Shape, question: Question) -> bool:
    """Whether the answers in both worlds must be the same bytes.

    A list always. A change may be stopped by what is hidden: by a key that is taken or referred to, and by a rule whose
    own filter looks there. Where the evaluator says that it ends in both worlds in the same way, it must be told alike.
    """
    if not isinstance(question, Change):
        return True
    one, other = (_ending(shape, pair, state, question) for state in (pair.state, pair.other))
    return bool(one == other)


def _ending(shape: Shape, pair: Pair, state: State, change: Change) -> Any:
    evaluator = Evaluator(shape, pair.rules, pair.choice, state, pair.person)
    try:
        found = evaluator.change(change)
    except Refused as refused:
        return sorted(refused.codes), sorted(refused.details)
    assert isinstance(found, Outcome)
    return found.data


# Worlds of which one has tables and columns that the other has not

HIDDEN_TABLE = "zone"
HIDDEN_COLUMN = "x1"


def with_hidden(shape: Shape) -> Shape:
    """The shape with one more table that leads to two others, and one more column in each."""
    more = tuple(replace(table, columns=(*table.columns, Column(HIDDEN_COLUMN, "text"))) for table in shape.tables)
    columns = [Column("id", "int", nullable=False), Column("secret", "text")]
    references: list[Reference] = []
    for target in shape.tables[:2]:
        own = [Column(f"{target.name}_{name}", target.by_name[name].kind) for name in target.key]
        columns += own
        own_pairs = tuple((column.name, name) for column, name in zip(own, target.key, strict=True))
        references.append(Reference(target.name, own_pairs))
    return Shape((*more, Table(HIDDEN_TABLE, tuple(columns), ("id",), tuple(references))))


def with_hidden_rows(state: State, shape: Shape) -> State:
    """The state with values in the hidden columns, and with a row of the hidden table that leads nowhere."""
    found: State = {
        table: [{**row, HIDDEN_COLUMN: f"hidden {number}"} for number, row in enumerate(rows)]
        for table, rows in state.items()
    }
    found[HIDDEN_TABLE] = [{"secret": "s", **dict.fromkeys(shape.by_name[HIDDEN_TABLE].by_name), "id": 1}]
    return found


def with_lists(rules: tuple[Grants, ...], shape: Shape) -> tuple[Grants, ...]:
    """The rules, each about one table, with lists of columns: so what is not in the shape is in none."""
    found: list[Grants] = []
    for rule in rules:
        for target in rule.targets:
            columns = tuple(shape.by_name[target].by_name)
            found.append(
                replace(
                    rule,
                    number=len(found) + 1,
                    targets=(target,),
                    read_columns=rule.read_columns or columns,
                    write_columns=rule.write_columns or columns,
                )
            )
    return tuple(found)


PRYING = (
    "{{ {table} {{ {hidden} }} }}",
    '{{ {table}(filter: "{hidden} = 1") {{ __typename }} }}',
    '{{ {table}(filter: "{hidden}.secret = 1 and false") {{ __typename }} }}',
    '{{ {table}(filter: "max({hidden}) > 1") {{ __typename }} }}',
    '{{ {table}(ordering: ["{hidden}"]) {{ __typename }} }}',
    '{{ {table}(ordering: ["{hidden}.secret"]) {{ __typename }} }}',
    "{{ {table}(where: {{ {hidden}: {{ _is_null: true }} }}) {{ __typename }} }}",
    "{{ {table}(order_by: {{ {hidden}: asc }}) {{ __typename }} }}",
    "{{ {table}(distinct_on: [{hidden}]) {{ __typename }} }}",
    "{{ {hidden} {{ id }} }}",
    "{{ Aggregates {{ {table} {{ max {{ {hidden} }} count(columns: [{hidden}]) }} }} }}",
    "{{ Aggregates {{ {table} {{ groups(by: {{ {hidden}: value }}) {{ count }} }} {hidden} {{ count }} }} }}",
    '{{ Aggregates {{ count(subquery: "{{ {hidden} {{ id }} }}") }} }}',
    '{{ Aggregates {{ count(subquery: "{{ {table} {{ {hidden} }} }}") }} }}',
    'mutation {{ create_{table}(input: {{ {hidden}: "a" }}) {{ __typename }} }}',
    'mutation {{ update_{table}_where(set: {{ {hidden}: "a" }}) {{ affected_rows }} }}',
    "mutation {{ insert_{table}(objects: [{{ {hidden}: {{ create: [] }} }}]) {{ affected_rows }} }}",
    "mutation {{ create_{hidden}(input: {{ id: 1 }}) {{ __typename }} }}",
    "mutation {{ delete_{hidden}(id: 1) {{ __typename }} }}",
    '{{ __type(name: "{hidden}") {{ name }} }}',
    '{{ __type(name: "{hidden}_where") {{ name }} }}',
    "{{ __schema {{ types {{ name fields {{ name }} inputFields {{ name }} enumValues {{ name }} }} }} }}",
)
HIDDEN_NAMES = (HIDDEN_TABLE, f"{HIDDEN_TABLE}_collection", HIDDEN_COLUMN)
