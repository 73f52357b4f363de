"""Random policies before three judges: Ostiary, PostgreSQL's own row-level security, and a row-by-row evaluator."""

import asyncio

import pytest

from tests.databases import Databases
from tests.oracle.cases import cases
from tests.oracle.dice import SeededDice
from tests.oracle.explore import POLICIES, SHAPES, explore
from tests.oracle.ground import make_reader, open_ground
from tests.oracle.shapes import a_shape
from tests.oracle.trial import try_case

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(0)]


@pytest.mark.parametrize("seed", range(SHAPES))
def test_ostiary_answers_as_the_rules_say(databases: Databases, server_dsn: str, seed: int) -> None:
    shape = a_shape(SeededDice(seed))
    dsn = databases.create()
    with asyncio.Runner() as runner:
        runner.run(make_reader(server_dsn))
        opening = open_ground(dsn, shape)
        ground = runner.run(opening.__aenter__())
        try:
            explore(cases(shape), lambda case: runner.run(try_case(ground, case)), POLICIES, seed)
        finally:
            runner.run(opening.__aexit__(None, None, None))
    databases.drop(dsn)
