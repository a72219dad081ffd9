"""What tests are given."""

from collections.abc import Iterator

import pytest
from instance import World


@pytest.fixture
def world() -> Iterator[World]:
    """An instance of a test's own; whatever happens, nothing is left behind."""
    made = World()
    with made.ends:
        yield made
