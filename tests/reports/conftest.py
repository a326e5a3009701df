"""Made-up runs, compared."""

import pytest
from support.runs import make_runs

from peftcore.reports.groups import ReportOptions, group_runs


@pytest.fixture
def runs(home):
    """Four methods on entailment, four seeds and 24 examples each."""
    return make_runs()


@pytest.fixture
def group(runs):
    """Those four as a group, by accuracy."""
    return group_runs(runs, ReportOptions()).groups[0]
