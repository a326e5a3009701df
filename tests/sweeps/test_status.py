"""How far a sweep is, cell by cell."""

import pytest
from support.sweeps import TINY

from peftcore.runs.store import RunStore
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.spec import Sweep

pytestmark = pytest.mark.usefixtures("mine")


def test_cells_that_share_their_names_are_told_apart_by_what_was_varied():
    rows = sweep_status.status_table(sweep_status.cell_states(Sweep.make(TINY).cells(), RunStore()))
    assert [row["varied"] for row in rows] == ["", "length=2", "length=3"]
    assert {row["state"] for row in rows} == {"queued"}
