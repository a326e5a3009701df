"""Runs varied around one: what changes, what stays, and which of them there are."""

import pytest
from support.runs import make_run

from peftcore.errors import BadInput
from peftcore.jobs.queue import Queue
from peftcore.runs.store import RunStore
from peftcore.sweeps.grid import RunGrid, Variation, axis, find_run, vary
from peftcore.training.planning import build_spec


def lora(**settings):
    return build_spec(
        "tiny-t5", "miniworld_nli", "lora", settings, {"seeds": 3}, {"learning_rate": 0.03}
    )


@pytest.fixture
def store(tmp_path):
    """The runs of this test alone."""
    return RunStore(demo_folder=tmp_path)


def made(spec):
    return make_run(spec.method, **spec.model_dump(exclude={"method"}))


def test_more_combinations_than_can_be_trained_are_counted_and_not_made(monkeypatch):
    made = []
    monkeypatch.setattr("peftcore.sweeps.grid.vary", lambda *given: made.append(given))
    rates = axis("training.learning_rate", tuple(n / 1000 for n in range(1, 101)), "{}")
    with pytest.raises(BadInput, match=r"100 × 100 × .* make 1,000,000,000,000 cells; at most"):
        RunGrid.around(lora(), *[rates] * 6)
    assert not made


def test_a_grid_has_every_combination_the_last_axis_fastest():
    ranks = axis("settings.rank", (2, 4), "rank {}", "rank")
    shots = axis("training.shots", (6, 12), "{} shots")
    grid = RunGrid.around(lora(), ranks, shots)
    names = ["rank 2, 6 shots", "rank 2, 12 shots", "rank 4, 6 shots", "rank 4, 12 shots"]
    assert [cell.name for cell in grid.cells] == names
    assert [spec.settings["rank"] for spec in grid.specs] == [2, 2, 4, 4]
    assert [spec.training.shots for spec in grid.specs] == [6, 12, 6, 12]
    assert [dict(cell.labels) for cell in grid.cells] == [{"rank": 2}] * 2 + [{"rank": 4}] * 2


def test_a_grid_without_axes_is_its_base():
    assert RunGrid.around(lora()).specs == [lora()]


def test_what_is_not_changed_stays():
    changed = {"settings.alpha": 4, "population.vertices": 3, "evaluation.limit": 10}
    varied, spec = vary(lora(rank=2), changed), lora(rank=2)
    assert varied.settings == spec.settings | {"alpha": 4.0}
    assert varied.population == spec.population.model_copy(update={"vertices": 3})
    assert varied.evaluation.limit == 10
    assert varied.training == spec.training
    assert vary(spec, {}) == spec


def test_another_method_keeps_the_rate_and_the_settings_that_it_has():
    spec = lora(rank=2, components=["cross.value"])
    varied = vary(spec, {"method": "atoms"})
    assert varied.settings["components"] == ["cross.value"]
    assert "rank" not in varied.settings
    assert varied.training.learning_rate == 0.03
    own = vary(spec, {"method": "atoms", "training.learning_rate": None})
    assert own.training.learning_rate == 0.01


def test_a_start_may_be_a_cell_that_is_still_to_be_trained(home):
    direct = lora()
    started = vary(direct, {"start": direct.id})
    assert started.start == direct.id
    assert vary(started, {"start": ""}) == direct
    with pytest.raises(BadInput, match=f"no run '{direct.id}'"):
        vary(started, {"training.shots": 6})  # a start that stays must be there


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "lorra"}, "did you mean 'lora'"),
        ({"settings.ranks": 3}, "did you mean 'rank'"),
        ({"training.shots": 0}, "shots must lie in"),
        ({"task": "miniworld_nl"}, "miniworld_nli"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(changes, words):
    with pytest.raises(BadInput, match=words):
        RunGrid.around(lora(), [Variation("", changes)])


def test_runs_are_done_missing_startable_or_on_their_way(store):
    grid = RunGrid.around(lora(), axis("settings.rank", (1, 2, 3, 4), "rank {}"))
    done, failed, waiting, _ = grid.specs
    made(done)
    store.create(failed).write_status(state="failed")
    store.create(waiting)
    found = grid.find_runs(store)
    assert [(cell.name, run.id) for cell, run in found.done] == [("rank 1", done.id)]
    assert [cell.name for cell in found.missing] == ["rank 2", "rank 3", "rank 4"]
    assert [cell.name for cell in found.startable] == ["rank 2", "rank 4"]
    assert [run.id for run in found.unfinished] == [waiting.id]
    few = found.only(lambda spec: spec.settings["rank"] < 3)
    assert [(cell.name, run.id) for cell, run in few.pairs] == [
        ("rank 1", done.id),
        ("rank 2", failed.id),
    ]
    jobs = found.queue(Queue(store=store))
    assert [job.run_id for job in jobs] == [grid.specs[1].id, grid.specs[3].id]


def test_a_finished_run_counts_before_one_that_is_not(tmp_path):
    own, other = (RunStore(tmp_path / name, tmp_path / "none") for name in ("own", "other"))
    assert find_run(lora(), own, other) is None
    run = own.create(lora())
    run.write_status(state="cancelled")
    assert find_run(lora(), own, other).folder == run.folder
    done = other.create(lora())
    done.write_status(state="done")
    assert find_run(lora(), own, other).folder == done.folder


def test_the_table_has_a_row_for_every_finished_seed_with_labels_and_scores(store):
    grid = RunGrid.around(lora(), axis("settings.rank", (1, 2), "rank {}", "rank"))
    assert grid.find_runs(store).table().empty
    assert grid.find_runs(store).scores("accuracy").empty
    run = made(grid.specs[1])
    table = grid.find_runs(store).table()
    assert list(table["seed"]) == [0, 1, 2]
    assert set(table["name"]) == {"rank 2"}
    assert set(table["rank"]) == {2}
    assert set(table["run"]) == {run.id}
    assert list(table["accuracy"]) == run.scores()["accuracy"]
    assert grid.find_runs(store).scores("bleu_of_nobody").empty
