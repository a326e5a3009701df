"""What a sweep will cost."""

import pytest
from support.sweeps import TINY, Here, carried

from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.sweeps import costs
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.spec import Sweep
from peftcore.training.planning import CostEstimate

pytestmark = pytest.mark.usefixtures("mine")


def test_a_preview_counts_what_is_left():
    asked = Sweep.make(TINY | {"episodes": {"seeds": 4}})
    cost = lambda spec: CostEstimate(1, 1, 1.0, 60.0 * spec.population.seeds, 0, "")
    before = costs.preview_cost(sweep_status.cell_states(asked.cells(), RunStore()), cost, 2)
    assert (before.cells, before.done, before.parts, before.minutes) == (3, 0, 6, 6.0)
    carried(asked, Here(most=3))
    after = costs.preview_cost(sweep_status.cell_states(asked.cells(), RunStore()), cost, 2)
    assert (after.done, after.parts, after.minutes) == (1, 3, 3.0)
    wrong = costs.preview_cost(
        sweep_status.cell_states(asked.cells(), RunStore()), lambda spec: BadInput("too long"), 2
    )
    assert wrong.minutes is None
    assert wrong.problems == ("prefix_tuning on miniworld_nli with mine: too long",)
