"""A private PostgreSQL server for tests: one for all files, and a database of its own for each."""

import pytest

from peftcore.benchmarks import postgres_server


@pytest.fixture(scope="module")
def postgres():
    """Return the address of a new, empty database."""
    if reason := postgres_server.reason_without():
        pytest.skip(reason)
    return postgres_server.new_database()
