"""Compare without demo runs, and nothing loaded in the background."""

import pytest
from support.page_fixtures import no_demo_runs, nothing_in_the_background  # noqa: F401


@pytest.fixture(autouse=True)
def alone(no_demo_runs):  # noqa: F811
    """No demo runs, and nothing loaded in the background."""
