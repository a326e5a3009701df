"""Sweeps of made-up cells: so many different ones, and every part goes through the engine."""

import pytest

from peftcore.benchmarks import bench_sweeps
from peftcore.sweeps.engines.base import Shard


def test_a_sweep_has_as_many_different_cells_as_asked_for():
    cells = bench_sweeps.sweep_of_size(2 * bench_sweeps.RANKS).cells()
    assert len({cell.spec.id for cell in cells}) == 2 * bench_sweeps.RANKS
    assert all(len(cell.shards) == 1 for cell in cells)


def test_each_thing_is_timed_and_training_shrinks_with_cards(monkeypatch):
    seen = []

    def collect(engine, shards):
        trainer = bench_sweeps.FakeTrainer()
        seen.extend(trainer.train_shard(shard, lambda: False).state for shard in shards)

    monkeypatch.setattr(bench_sweeps, "_collect", collect)  # processes are the engine's own test
    monkeypatch.setenv("PEFTCORE_MAX_SWEEP_CELLS", "1")  # so that it is put back afterwards
    rows = list(bench_sweeps._time_size(bench_sweeps.RANKS))
    assert seen == ["done"] * bench_sweeps.RANKS
    assert all(isinstance(row["seconds"], float) for row in rows)
    one, eight, many = (row["seconds"] for row in rows if "control_share" in row)
    assert one == pytest.approx(bench_sweeps.RANKS * bench_sweeps.SECONDS_OF_A_CELL)
    assert one > eight > many


def test_a_fake_trainer_names_the_shard(tmp_path):
    [cell, *_] = bench_sweeps.sweep_of_size(bench_sweeps.RANKS).cells()
    outcome = bench_sweeps.FakeTrainer().train_shard(
        Shard(cell.spec, tmp_path), lambda: False, "here"
    )
    assert (outcome.shard_id, outcome.worker) == (cell.spec.id, "here")
