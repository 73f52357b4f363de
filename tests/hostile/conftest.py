"""A gateway that conceals logins and has the limits that it has by default."""

from collections.abc import Iterator

import pytest

from tests.databases import Databases
from tests.worlds import World, open_world


@pytest.fixture(scope="session")
def discreet(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(databases, tmp_path_factory.mktemp("discreet"), conceal_logins="true") as opened:
        yield opened
