"""What the tests of faults share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.folders import cluster_folder


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """A data folder to be, where the embedded server's account may pass."""
    with cluster_folder() as parent:
        yield parent / "data"
