"""The shipped model, loaded once for all tests that run it."""

import pytest

from engine import Engine


@pytest.fixture(scope="session")
def shipped() -> Engine:
    """An engine over the shipped model folder."""
    return Engine.open()
