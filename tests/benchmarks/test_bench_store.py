"""The made-up store that pages are timed on: so many different runs, each whole."""

from peftcore.adapters.base import METHODS
from peftcore.benchmarks import bench_store
from peftcore.runs.store import RunStore


def test_so_many_runs_are_finished_and_none_is_damaged(tmp_path):
    count = len(list(METHODS)) + 2  # the first methods come round again, with other seeds
    bench_store.make_runs(tmp_path, count)
    store = RunStore(tmp_path)
    runs = store.all(include_demos=False)
    assert len({run.id for run in runs}) == len(runs) == count
    assert store.damaged() == {}
    assert {run.status().state for run in runs} == {"done"}
    assert {run.spec.population.first_seed for run in runs} == {0, bench_store.SEEDS}
    assert all(len(run.scores()["accuracy"]) == bench_store.SEEDS for run in runs)
