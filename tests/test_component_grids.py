"""Grids around a run: which subsets they hold, and which runs there are."""

import pytest
from fabricated import make_run

from peftcore import component_grids, component_map
from peftcore.component_grids import FEW, grid, spec
from peftcore.errors import BadInput
from peftcore.jobs import Queue
from peftcore.planning import plan
from peftcore.runs import RunStore


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The runs of this test alone."""
    monkeypatch.setattr(component_grids, "shelf", lambda: RunStore(tmp_path / "x", tmp_path / "y"))
    return RunStore(demos=tmp_path)


def around(**settings):
    return spec("tiny-t5", "miniworld_nli", settings, {"seeds": 2}, None, {"limit": 24})


def made(wanted):
    whole = wanted.model_dump(exclude={"base", "task", "method"})
    return make_run(wanted.method, wanted.task, wanted.base, **whole)


def test_presets_differ_only_in_what_is_trained(store):
    found = grid("presets", around(), store)
    assert [one.name for one in found.subsets] == list(FEW)
    assert len({one.spec.id for one in found.subsets}) == len(FEW)
    assert len({one.spec.model_copy(update={"settings": {}}).id for one in found.subsets}) == 1


def test_each_component_alone_makes_up_the_base(store):
    found, tiny = grid("kinds", around(), store), component_map.of_shipped("tiny-t5")
    counts = {one.name: tiny.count(tiny.chosen(one.spec.settings)) for one in found.subsets}
    tied = counts.pop("head")
    assert tied == counts["embeddings"]
    assert sum(counts.values()) == tiny.total


def test_layers_alone_and_without_complement_each_other(store):
    whole = component_map.of_shipped("tiny-t5")
    found = grid("layers", around(components=("layernorm", "attention.query")), store)
    assert [one.name for one in found.subsets][:3] == [
        component_grids.WHOLE,
        "Encoder layer 1 alone",
        "Encoder layer 1 without",
    ]
    assert len(found.subsets) == 1 + 2 * 7
    everything = whole.count(whole.chosen(found.subsets[0].spec.settings))
    for alone, without in zip(found.subsets[1::2], found.subsets[2::2], strict=True):
        parts = [whole.count(whole.chosen(one.spec.settings)) for one in (alone, without)]
        assert sum(parts) == everything


def test_runs_that_exist_are_found_and_the_rest_is_queued_once(store):
    there = made(grid("presets", around(), store).subsets[1].spec)
    found = grid("presets", around(), store)
    assert [run and run.id for run in found.runs] == [None, there.id, None, None, None]
    table = found.table()
    assert table["name"].tolist() == [FEW[1]] * 2
    assert {"accuracy", "ratio_chrf", "broken", "trainable"} <= set(table)
    queue = Queue(store=store)
    assert len(component_grids.queue_missing(found, queue)) == 4
    again = grid("presets", around(), store)
    assert not again.missing
    assert [run.status().state for run in again.unfinished] == ["queued"] * 4


def test_shipped_runs_stand_in_for_those_that_are_missing(tmp_path, monkeypatch):
    shelf = RunStore(tmp_path / "own", tmp_path / "shelf")
    wanted = grid("presets", around(), RunStore(demos=tmp_path)).subsets[0].spec
    run = make_run(
        wanted.method,
        store=RunStore(tmp_path / "shelf"),
        base="tiny-t5",
        **wanted.model_dump(exclude={"base", "task", "method"}),
    )
    monkeypatch.setattr(component_grids, "shelf", lambda: shelf)
    found = grid("presets", around(), RunStore(demos=tmp_path))
    assert found.runs[0].id == run.id
    assert found.runs[0].demo


def test_what_ships_is_the_run_without_its_adapter(store, tmp_path):
    run = made(grid("presets", around(), store).subsets[0].spec)
    (run.folder / "adapter.safetensors").touch()
    (to,) = component_grids.ship(grid("presets", around(), store), tmp_path / "shelf")
    assert {file.name for file in to.iterdir()} <= set(component_grids.KEPT)
    again = RunStore(tmp_path / "none", tmp_path / "shelf").open(run.id)
    assert again.scores() == run.scores()
    assert again.answers().equals(run.answers())


def test_the_shipped_grid_says_what_training_the_head_is_for():
    """Norms and queries leave the model unable to spell the labels; its head can learn to."""
    shelf = RunStore(component_grids.SHIPPED / "none", component_grids.SHIPPED)
    planned = grid("presets", spec("tiny-t5", "miniworld_nli", {}), shelf)
    assert not planned.missing
    assert planned.table().groupby("name")["seed"].count().eq(4).all()
    assert not list(component_grids.SHIPPED.rglob("*.safetensors"))
    broken = planned.table().groupby("name")["broken"].mean()
    assert broken["LayerNorm"] > broken["LayerNorm + Query"] > 0.3
    assert broken["LM head + LayerNorm + Query"] < 0.1


def test_what_cannot_be_a_grid_is_refused(store):
    with pytest.raises(BadInput, match="did you mean 'presets'"):
        grid("preset", around(), store)
    with pytest.raises(BadInput, match="was made by lora"):
        grid("presets", plan("tiny-t5", "miniworld_nli", "lora"), store)
    with pytest.raises(BadInput, match="no configuration of tiny-t5 'Querry'"):
        grid("presets", around(), store, ["Querry"])
