"""Whether the judges would notice: the usual mistakes, each planted in Ostiary or in a judge, and found."""

import asyncio
from collections.abc import Generator

import pytest

from tests.databases import Databases
from tests.oracle import trial
from tests.oracle.cases import a_case
from tests.oracle.dice import SeededDice
from tests.oracle.evaluator import Evaluator
from tests.oracle.ground import Ground, make_reader, open_ground
from tests.oracle.mistakes import MISTAKES, MISTAKES_OF_A_JUDGE
from tests.oracle.shapes import a_shape
from tests.oracle.trial import Disagreement, ask_native, ask_ostiary

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(0)]

#: From so many cases a mistake may hide. They are random, and the same each time.
MOST = 1000

World = tuple[asyncio.Runner, Ground]


@pytest.fixture(scope="module")
def world(databases: Databases, server_dsn: str) -> Generator[World]:
    shape = a_shape(SeededDice(3))
    dsn = databases.create()
    with asyncio.Runner() as runner:
        runner.run(make_reader(server_dsn))
        opening = open_ground(dsn, shape)
        yield runner, runner.run(opening.__aenter__())
        runner.run(opening.__aexit__(None, None, None))
    databases.drop(dsn)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_ostiary_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    runner, ground = world
    MISTAKES[mistake](monkeypatch)

    assert runner.run(first_noticed(ground)) is not None


@pytest.mark.parametrize("mistake", MISTAKES_OF_A_JUDGE)
def test_a_mistake_of_a_judge_is_noticed_by_another(
    world: World, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    runner, ground = world
    MISTAKES_OF_A_JUDGE[mistake](monkeypatch)

    assert runner.run(first_noticed(ground, by_native=True)) is not None


async def first_noticed(ground: Ground, *, by_native: bool = False) -> int | None:
    """The number of the first case that tells of a mistake."""
    for number in range(MOST):
        case = a_case(SeededDice(number), ground.shape, questions=6)
        await ground.fill(case.state)
        try:
            if not by_native:
                await ask_ostiary(ground, case)
            elif case.choice == "add_up":
                answers = [
                    trial.expected(
                        Evaluator(ground.shape, case.rules, case.choice, case.state, case.people[person]), question
                    )
                    for person, question in case.questions
                ]
                await ask_native(ground, case, answers)
        except Disagreement:
            return number
    return None
