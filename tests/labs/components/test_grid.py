"""Grids around a run: which subsets they hold, and which runs there are."""

import pytest
from support.runs import make_run, write_adapter

from peftcore.adapters import component_map
from peftcore.errors import BadInput
from peftcore.labs.components import grid as component_grid
from peftcore.labs.components.grid import SHIPPED_PRESETS, build_subset_grid, subset_spec
from peftcore.runs.ship import SHIPPED_FILES
from peftcore.runs.store import RunStore
from peftcore.sweeps import execute
from peftcore.sweeps.engines.base import ShardOutcome
from peftcore.sweeps.spec import SweepJob
from peftcore.training.planning import build_spec


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The runs of this test alone."""
    monkeypatch.setattr(
        component_grid, "shipped_store", lambda: RunStore(tmp_path / "x", tmp_path / "y")
    )
    return RunStore(demo_folder=tmp_path)


def around(**settings):
    return subset_spec("tiny-t5", "miniworld_nli", settings, {"seeds": 2}, None, {"limit": 24})


def made(wanted):
    whole = wanted.model_dump(exclude={"base", "task", "method"})
    return make_run(wanted.method, wanted.task, wanted.base, **whole)


def test_presets_differ_only_in_what_is_trained(store):
    found = build_subset_grid("presets", around(), store)
    assert [one.name for one in found.cells] == list(SHIPPED_PRESETS)
    assert len({one.spec.id for one in found.cells}) == len(SHIPPED_PRESETS)
    assert len({one.spec.model_copy(update={"settings": {}}).id for one in found.cells}) == 1


def test_combinations_are_every_union_of_some_components(store):
    known = component_grid.components_of("tiny-t5")
    names = known[:3]
    found = build_subset_grid("combinations", around(), store, names)
    assert [one.name for one in found.cells] == [
        *names,
        *(f"{a} + {b}" for a, b in ((names[0], names[1]), (names[0], names[2]), names[1:])),
        " + ".join(names),
    ]
    tiny = component_map.shipped_map("tiny-t5")
    counts = [tiny.count(tiny.trained_cells(one.spec.settings)) for one in found.cells]
    assert len({one.spec.id for one in found.cells}) == 7
    assert counts[3] == counts[0] + counts[1]
    with pytest.raises(BadInput, match="component of tiny-t5"):
        build_subset_grid("combinations", around(), store, ["attention.qerry"])
    with pytest.raises(BadInput, match="1 to 5 components"):
        build_subset_grid("combinations", around(), store, known[:6])


def test_each_component_alone_makes_up_the_base(store):
    found, tiny = build_subset_grid("kinds", around(), store), component_map.shipped_map("tiny-t5")
    counts = {one.name: tiny.count(tiny.trained_cells(one.spec.settings)) for one in found.cells}
    tied = counts.pop("head")
    assert tied == counts["embeddings"]
    assert sum(counts.values()) == tiny.total


def test_layers_alone_and_without_complement_each_other(store):
    whole = component_map.shipped_map("tiny-t5")
    found = build_subset_grid("layers", around(components=("layernorm", "attention.query")), store)
    assert [one.name for one in found.cells][:3] == [
        component_grid.ALL_WEIGHTS,
        "Encoder layer 1 alone",
        "Encoder layer 1 without",
    ]
    assert len(found.cells) == 1 + 2 * 7
    everything = whole.count(whole.trained_cells(found.cells[0].spec.settings))
    for alone, without in zip(found.cells[1::2], found.cells[2::2], strict=True):
        parts = [whole.count(whole.trained_cells(one.spec.settings)) for one in (alone, without)]
        assert sum(parts) == everything


def test_runs_that_exist_are_found_and_the_rest_is_one_job(store):
    there = made(build_subset_grid("presets", around(), store).cells[1].spec)
    found = build_subset_grid("presets", around(), store)
    assert [run and run.id for run in found.runs] == [None, there.id, None, None, None]
    table = found.table()
    assert table["name"].tolist() == [SHIPPED_PRESETS[1]] * 2
    assert {"accuracy", "ratio_chrf", "broken", "trainable"} <= set(table)
    work = component_grid.grid_job(found)
    assert not work.folder.exists()  # looking begins nothing
    trained = []

    class Engine:
        """Trains the first two and is stopped then."""

        def run_shards(self, todo, stop):
            for each in todo[:2]:
                trained.append(made(each.spec).id)
                yield ShardOutcome(each.spec.id, "done")
            if len(todo) > 2:
                own.stop()

    own = SweepJob.create_own(work.request)
    assert execute.run_sweep(own, Engine(), store).state == "cancelled"
    assert (own.status().done, own.status().of) == (3, 5)
    again = build_subset_grid("presets", around(), store)
    assert component_grid.grid_job(again).id == work.id
    assert trained == [found.cells[0].spec.id, found.cells[2].spec.id]
    assert [one.name for one in again.missing] == list(SHIPPED_PRESETS[3:])
    assert execute.run_sweep(own, Engine(), store).state == "done"
    assert not build_subset_grid("presets", around(), store).missing


@pytest.mark.parametrize("kind", component_grid.SHIPPED_KINDS)
def test_the_job_trains_the_very_runs_of_the_grid(store, kind):
    found = build_subset_grid(kind, around(components=("layernorm", "attention.query")), store)
    asked = component_grid.grid_sweep(found)
    assert [one.id for one in asked.specs()] == [one.spec.id for one in found.cells]


def test_starting_again_tries_what_failed_once_more(store, monkeypatch):
    found = build_subset_grid("presets", around(), store)
    broken = store.create(found.cells[0].spec)
    broken.write_status(state="failed", message="memory")
    launched = []
    monkeypatch.setattr(SweepJob, "launch", lambda work: launched.append(work.id))
    work = component_grid.grid_job(found)
    component_grid.start_grid_job(work, store)
    assert launched == [work.id]
    assert broken.status().state == "cancelled"
    assert SweepJob.find(work.request).status().state == "cancelled"


def test_shipped_runs_stand_in_for_those_that_are_missing(tmp_path, monkeypatch):
    shipped = RunStore(tmp_path / "own", tmp_path / "shipped")
    wanted = build_subset_grid("presets", around(), RunStore(demo_folder=tmp_path)).cells[0].spec
    run = make_run(
        wanted.method,
        store=RunStore(tmp_path / "shipped"),
        base="tiny-t5",
        **wanted.model_dump(exclude={"base", "task", "method"}),
    )
    monkeypatch.setattr(component_grid, "shipped_store", lambda: shipped)
    found = build_subset_grid("presets", around(), RunStore(demo_folder=tmp_path))
    assert found.runs[0].id == run.id
    assert found.runs[0].demo
    assert wanted.id not in [one.id for one in component_grid.grid_sweep(found).specs()]


def test_what_ships_is_the_run_without_its_adapter(store, tmp_path):
    run = made(build_subset_grid("presets", around(), store).cells[0].spec)
    write_adapter(run)
    (shipped,) = component_grid.ship_grid_runs(
        build_subset_grid("presets", around(), store), tmp_path / "shelf"
    )
    assert {file.name for file in shipped.folder.iterdir()} <= set(SHIPPED_FILES)
    again = RunStore(tmp_path / "none", tmp_path / "shelf").open(run.id)
    assert again.scores() == run.scores()
    assert again.answers().equals(run.answers())


def test_the_shipped_grid_says_what_training_the_head_is_for():
    """Norms and queries leave the model unable to spell the labels; its head can learn to."""
    shipped = RunStore(component_grid.SHIPPED_FOLDER / "none", component_grid.SHIPPED_FOLDER)
    planned = build_subset_grid("presets", subset_spec("tiny-t5", "miniworld_nli", {}), shipped)
    assert not planned.missing
    assert planned.table().groupby("name")["seed"].count().eq(4).all()
    assert not list(component_grid.SHIPPED_FOLDER.rglob("*.safetensors"))
    assert component_grid.grid_sweep(planned) is None  # nothing is left to train
    broken = planned.table().groupby("name")["broken"].mean()
    assert broken["LayerNorm"] > broken["LayerNorm + Query"] > 0.3
    assert broken["LM head + LayerNorm + Query"] < 0.1


def test_the_shipped_layers_tell_that_none_of_them_does_it_alone():
    shipped = RunStore(component_grid.SHIPPED_FOLDER / "none", component_grid.SHIPPED_FOLDER)
    usual = component_map.shipped_map("tiny-t5").presets["LayerNorm + Query"]
    planned = build_subset_grid("layers", subset_spec("tiny-t5", "miniworld_nli", usual), shipped)
    assert not planned.missing
    table = planned.table()
    assert table.groupby("name")["seed"].count().eq(4).all()
    means = table.groupby("way")["accuracy"].mean()
    assert means["alone"] < 0.05 < means["without"]


def test_what_cannot_be_a_grid_is_refused(store):
    with pytest.raises(BadInput, match="did you mean 'presets'"):
        build_subset_grid("preset", around(), store)
    with pytest.raises(BadInput, match="was made by lora"):
        build_subset_grid("presets", build_spec("tiny-t5", "miniworld_nli", "lora"), store)
    with pytest.raises(BadInput, match="no configuration of tiny-t5 'Querry'"):
        build_subset_grid("presets", around(), store, ["Querry"])
