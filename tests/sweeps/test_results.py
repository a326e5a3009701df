"""Finished sweeps compared with the same sweep done elsewhere."""

import json

import pytest
from support.runs import make_run, write_adapter

from peftcore.runs.store import RunStore
from peftcore.sweeps import results
from peftcore.sweeps.spec import SweepCell


@pytest.fixture
def stores(tmp_path):
    """Two stores with the same finished run, and the cell it is of."""
    found = [RunStore(tmp_path / name, tmp_path / "demos") for name in ("here", "there")]
    runs = [make_run("lora", store=store) for store in found]
    for run in runs:
        write_adapter(run)
    return *found, SweepCell(runs[0].spec, (runs[0].spec,))


def test_equal_runs_are_equal_in_scores_and_in_every_number(stores):
    here, there, cell = stores
    (row,) = results.compare_stores([cell], here, there)
    assert (row.run, row.method, row.seeds) == (cell.spec.id, "lora", 4)
    assert (row.largest, row.adapters) == (0.0, True)


def test_the_largest_difference_of_a_score_is_named(stores):
    here, there, cell = stores
    run = there.open(cell.spec.id)
    scores = run.scores()
    scores["accuracy"][2] += 0.25
    run.write_scores(scores)
    write_adapter(run, b"others")
    (row,) = results.compare_stores([cell], here, there)
    assert row.largest == pytest.approx(0.25)
    assert not row.adapters


def test_a_number_against_none_is_as_different_as_can_be(stores):
    here, there, cell = stores
    path = there.open(cell.spec.id).folder / "scores.json"
    scores = json.loads(path.read_text())
    scores["accuracy"][0] = None
    path.write_text(json.dumps(scores))
    assert results.compare_stores([cell], here, there)[0].largest == float("inf")


def test_what_was_done_in_one_place_only_has_no_difference(stores, tmp_path):
    here, _, cell = stores
    empty = RunStore(tmp_path / "empty", tmp_path / "demos")
    (row,) = results.compare_stores([cell], here, empty)
    assert (row.largest, row.adapters) == (None, False)
