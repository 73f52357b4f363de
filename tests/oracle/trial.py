"""try_case: one case before all judges; the first difference is a Disagreement."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.tenancy import LoadedTenant
from tests.oracle.cases import Case
from tests.oracle.evaluator import Evaluator, Outcome
from tests.oracle.ground import Answer, Ground, answer, canonical_state
from tests.oracle.native import Native
from tests.oracle.policy import Person
from tests.oracle.questions import (
    Ask,
    Change,
    Create,
    Delete,
    Pages,
    Question,
    Tally,
    Update,
    Write,
    canonical,
    canonical_rows,
    document_of,
    flat,
)
from tests.oracle.shape import Kind, Shape
from tests.oracle.sight import UNSEEN, Refused


class Disagreement(AssertionError):
    """Ostiary answers otherwise than a judge."""

    def __init__(self, judge: str, question: Question, person: Person, document: str, wanted: object, found: object):
        super().__init__(
            f"{judge}\n  asks    {person}\n  what    {question}\n  as      {document}"
            f"\n  wanted  {wanted}\n  found   {found}"
        )


async def try_case(ground: Ground, case: Case) -> None:
    """Nothing, when all judges agree. Raises Disagreement."""
    await ground.fill(case.state)
    wanted = await ask_ostiary(ground, case)
    if case.choice == "add_up":
        await ask_native(ground, case, wanted)


async def ask_native(ground: Ground, case: Case, answers: Sequence[Any]) -> None:
    """Row-level security beside the evaluator, as far as it knows what is asked."""
    shape = ground.shape
    async with Native(ground, case.rules) as native:
        for (number, question), wanted in zip(case.questions, answers, strict=True):
            person = case.people[number]

            def disagree(wanted: object, found: object) -> Disagreement:
                return Disagreement("native", question, person, "", wanted, found)  # noqa: B023

            if isinstance(wanted, Refused) and not isinstance(question, Change):
                continue
            await native.as_person(person)
            match question:
                case Ask() | Pages():
                    ask = question.ask if isinstance(question, Pages) else question
                    found = json.loads(await native.ask(ask), parse_float=Decimal)
                    told = canonical_rows(shape, ask, wanted)
                    if told != (heard := canonical_rows(shape, ask, found)):
                        raise disagree(told, heard)
                case Tally():
                    found = json.loads(await native.tally(question), parse_float=Decimal)
                    told = canonical_answer(shape, question, wanted)
                    if told != (heard := canonical_answer(shape, question, found)):
                        raise disagree(told, heard)
                case Change():
                    if native.may_judge(question) and wanted is not UNSEEN:
                        await _change_natively(ground, native, question, wanted, disagree)


async def _change_natively(ground: Ground, native: Native, change: Change, wanted: Any, disagree: Any) -> None:
    point = native.plain.transaction()
    await point.start()
    code = await native.change(change)
    stored = await native.stored(ground) if code is None else {}
    await point.rollback()
    if isinstance(wanted, Refused):
        if code not in wanted.codes:
            raise disagree(sorted(wanted.codes), code)
    elif code is not None:
        raise disagree("done", code)
    elif stored != (told := canonical_state(ground.shape, wanted.state)):
        raise disagree(told, stored)


async def ask_ostiary(ground: Ground, case: Case) -> list[Any]:
    """What the evaluator says, when Ostiary says the same."""
    tenant = ground.tenant(case.rules, case.choice)
    shape = ground.shape
    answers: list[Any] = []
    for number, question in case.questions:
        person = case.people[number]
        evaluator = Evaluator(shape, case.rules, case.choice, case.state, person)
        document, variables = document_of(question, shape)

        def disagree(judge: str, wanted: object, found: object) -> Disagreement:
            return Disagreement(judge, question, person, f"{document} {variables}", wanted, found)  # noqa: B023

        wanted = expected(evaluator, question)
        answers.append(wanted)
        if isinstance(question, Pages) and not isinstance(wanted, Refused):
            found: Any = await _walk(tenant, person, question, document, variables)
        else:
            found = await answer(tenant, person, document, variables)
        if isinstance(wanted, Refused):
            assert isinstance(found, Answer)
            if found.code not in wanted.codes:
                raise disagree("evaluator", f"refused: {sorted(wanted.codes)}", found.body)
        elif isinstance(found, Answer) and found.code is not None:
            raise disagree("evaluator", wanted, found.body)
        else:
            data = found.data if isinstance(found, Answer) else found
            told = canonical_answer(shape, question, wanted.data if isinstance(wanted, Outcome) else wanted)
            heard = canonical_answer(shape, question, unwrapped(question, data))
            if told != heard:
                raise disagree("evaluator", told, heard)
        if isinstance(question, Change):
            await _compare_tables(ground, case, wanted, disagree)
    return answers


def expected(evaluator: Evaluator, question: Question) -> Any:
    """The answer by the evaluator: rows, an Outcome, or the Refused that it raised."""
    try:
        return evaluator.change(question) if isinstance(question, Change) else evaluator.answer(question)
    except Refused as refused:
        return refused


async def _compare_tables(ground: Ground, case: Case, wanted: Any, disagree: Any) -> None:
    stored = await ground.stored()
    told = canonical_state(ground.shape, wanted.state if isinstance(wanted, Outcome) else case.state)
    if stored != told:
        raise disagree("evaluator, of the tables", told, stored)
    if isinstance(wanted, Outcome):
        await ground.fill(case.state)


async def _walk(
    tenant: LoadedTenant, person: Person, pages: Pages, document: str, variables: Mapping[str, object]
) -> Any:
    """The rows of all pages, one after the other."""
    rows: list[Any] = []
    after = None
    table = pages.ask.table
    while True:
        found = await answer(tenant, person, document, {**variables, "after": after})
        if found.code is not None:
            return found
        page = found.data["Aggregates"][table]
        assert len(page["nodes"]) <= pages.size
        rows += page["nodes"]
        info = page["page_info"]
        if not info["has_next_page"]:
            assert info["total"] == len(rows), (info, rows)
            return {table: rows}
        assert len(page["nodes"]) == pages.size
        after = info["end_cursor"]


def unwrapped(question: Question, data: Any) -> Any:
    """What the data of an answer holds for the question."""
    match question:
        case Ask(table):
            return data[table]
        case Tally(table):
            return data["Aggregates"][table]
        case Pages(ask):
            return data[ask.table]
        case Change(writes):
            return [data[f"w{number}"] for number in range(len(writes))]


def canonical_answer(shape: Shape, question: Question, data: Any) -> Any:
    match question:
        case Ask():
            return canonical_rows(shape, question, data)
        case Pages(ask):
            return canonical_rows(shape, ask, data)
        case Tally():
            return _canonical_tally(shape, question, data)
        case Change(writes):
            return [_canonical_write(shape, write, each) for write, each in zip(writes, data, strict=True)]


def _canonical_write(shape: Shape, write: Write, data: Any) -> Any:
    ask = flat(write.table, write.returning)
    if isinstance(write, Create | Update | Delete):
        return None if data is None else canonical_rows(shape, ask, [data])
    return data["affected_rows"], canonical_rows(shape, ask, data["returning"])


def _canonical_tally(shape: Shape, tally: Tally, data: Any) -> Any:
    kinds: dict[str, Kind] = {column.name: column.kind for column in shape.by_name[tally.table].columns}

    def measures(part: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"count": int(part["count"])}
        for name in tally.counted:
            found |= {f"{letter}_{name}": int(part[f"{letter}_{name}"]) for letter in "nd"}
        for function, names in (("min", tally.extremes), ("max", tally.extremes), ("sum", tally.summed)):
            if names:
                found[function] = {name: canonical(kinds[name], part[function][name]) for name in names}
        if tally.summed:
            # PostgreSQL gives a mean at least sixteen digits.
            found["avg"] = {
                name: None if part["avg"][name] is None else f"{float(part['avg'][name]):.10g}" for name in tally.summed
            }
        return found

    found = measures(data)
    if tally.group is not None:
        group = tally.group
        found["groups"] = sorted(
            ({"key": canonical(kinds[group], each["key"][group]), **measures(each)} for each in data["groups"]),
            key=repr,
        )
    return found
