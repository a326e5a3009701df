"""Settings of runs side by side, and runs grouped by one of them."""

import numpy as np
from support.runs import make_run

from peftcore.analysis import settings_table
from peftcore.analysis.inference import SeedItemTable


def test_settings_that_differ_come_first_and_gaps_are_none():
    lora, spt = make_run("lora", settings={"rank": 4}), make_run("spt")
    found = settings_table.tabulate_settings([lora, spt])
    differing = found[found["differs"]]["setting"].tolist()
    assert found["setting"].tolist()[: len(differing)] == differing
    assert {"method", "settings.rank"} <= set(differing)
    assert "training.shots" not in differing
    row = found.set_index("setting").loc["settings.rank"]
    assert (row[lora.id], row[spt.id]) == (4, None)


def test_runs_are_grouped_by_a_value_in_order():
    runs = [make_run("lora", training={"learning_rate": rate}) for rate in (0.1, 0.01)]
    runs.append(make_run("spt", training={"learning_rate": 0.1}))
    groups = settings_table.group_by_setting(runs, "training.learning_rate")
    assert list(groups) == [0.01, 0.1]
    assert groups[0.1] == [runs[0].id, runs[2].id]
    lists = settings_table.group_by_setting(
        [make_run("lora", settings={"x": ["a", "b"]})], "settings.x"
    )
    assert list(lists) == [("a", "b")]


def test_the_mean_of_runs_is_over_what_they_share():
    one = SeedItemTable((0, 1), ("a", "b"), np.array([[1.0, 0.0], [1.0, 1.0]])[..., None])
    two = SeedItemTable((1, 2), ("b", "c"), np.array([[0.0, 1.0], [1.0, 1.0]])[..., None])
    found = settings_table.mean_table([one, two])
    assert (found.seeds, found.items) == ((1,), ("b",))
    assert found.influence().tolist() == [[0.5]]
