"""Sweeps: what a file stands for, what is done when, and what survives failures and stops."""

import json
import os
from pathlib import Path

import pytest
from support.bases import build_tiny
from typer.testing import CliRunner

from peftcore import paths
from peftcore.cli import app
from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.sweeps import costs, execute, seed_shards
from peftcore.sweeps import spec as sweep_spec
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.engines.base import Shard, ShardOutcome
from peftcore.sweeps.engines.trainer_process import ShardTrainer
from peftcore.sweeps.spec import Sweep, SweepJob
from peftcore.training.planning import Estimate

TINY = {
    "bases": ["mine"],
    "tasks": ["miniworld_nli"],
    "methods": ["lora", {"method": "prefix_tuning", "settings": {"length": [2, 3]}}],
    "episodes": {"seeds": 3},
    "training": {"shots": 6, "dev": 2, "steps": 2, "batch": 1, "precision": "fp32"},
    "evaluation": {"limit": 3, "max_new_tokens": 2},
    "chunk": 2,
}


@pytest.fixture(autouse=True)
def own(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("models")
    base = build_tiny("t5")
    base.model.save_pretrained(folder / "mine")
    base.tokenizer.save_pretrained(folder / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(folder))


class Here:
    """An engine without processes: does parts in this one, or fails those it is told to."""

    def __init__(self, failing=(), most=99):
        self.trainer, self.failing, self.most, self.seen = ShardTrainer(), set(failing), most, []

    def run_shards(self, todo, stop):
        for work in todo:
            if stop() or len(self.seen) == self.most:
                return
            self.seen.append(work.spec.id)
            if work.spec.id in self.failing:
                run = RunStore(work.store_folder).create(work.spec, include_demos=False)
                run.write_status(state="failed", message="It broke.")
                yield ShardOutcome(run.id, "failed", "It broke.")
            else:
                yield self.trainer.train_shard(work, stop)


def carried(asked, engine, retry=False):
    work = SweepJob.create_own(asked)
    try:
        return execute.run_sweep(work, engine, RunStore(), retry)
    except BadInput:
        return work.status()


def test_lists_stand_for_several_cells_where_the_setting_takes_none():
    asked = Sweep.make(
        TINY
        | {
            "methods": [
                {"method": "lora", "settings": {"rank": [2, 4], "stacks": ["decoder"]}},
                {"method": "lora", "settings": {"stacks": [["encoder"], ["decoder"]]}},
            ],
            "training": {"learning_rate": [0.1, 0.2]},
        }
    )
    found = asked.specs()
    assert len(found) == 2 * 2 + 2 * 2
    assert {s.settings["rank"] for s in found} == {2, 4, 8}
    assert {tuple(s.settings["stacks"]) for s in found} == {("encoder",), ("decoder",)}


def test_equal_cells_are_one_and_know_their_parts():
    asked = Sweep.make(TINY | {"methods": ["lora", {"method": "lora", "settings": {"rank": 8}}]})
    [cell] = asked.cells()
    assert [p.population.seed_numbers() for p in cell.shards] == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"methods": ["lorra"]}, "lorra"),
        ({"bases": ["nobody"]}, "nobody"),
        ({"training": {"shots": 0}}, "shots must lie in"),
        ({"training": {"shot": 3}}, "shot"),
        ({"chunk": 0}, "chunk"),
        ({"taskes": ["x"]}, "taskes"),
        ({"methods": [{"method": "lora", "settings": {"rank": []}}]}, "empty list"),
        ({"methods": ["linear_probe"]}, "linear_probe on miniworld_nli with mine"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, sentence):
    with pytest.raises(BadInput, match=sentence):
        Sweep.make(TINY | change).specs()


def test_who_does_the_work_decides_nothing(tmp_path):
    asked = Sweep.make(TINY)
    assert asked.id == Sweep.make(TINY | {"where": {"engine": "ray", "processes": 3}}).id
    assert asked.id != Sweep.make(TINY | {"chunk": 1}).id
    file = tmp_path / "ask.json"
    file.write_text(json.dumps(asked.model_dump(mode="json")), "utf-8")
    assert sweep_spec.read(file).id == asked.id
    file.write_text("- a list", "utf-8")
    with pytest.raises(BadInput, match="names with values"):
        sweep_spec.read(file)
    file.write_text("a: [", "utf-8")
    with pytest.raises(BadInput, match="is not YAML"):
        sweep_spec.read(file)


def test_a_sweep_is_done_part_by_part_and_goes_on_where_it_was_stopped():
    asked, store = Sweep.make(TINY), RunStore()
    first = Here(most=3)
    assert carried(asked, first).state == "failed"  # an engine that gave up half-way
    states = sweep_status.cell_states(asked.cells(), store)
    assert [s.done for s in states] == [True, False, False]
    second = Here()
    status = carried(asked, second)
    assert (status.state, status.done, status.of) == ("done", 6, 6)
    assert not set(first.seen) & set(second.seen)
    assert len(first.seen) + len(second.seen) == 6
    whole = [s.run for s in sweep_status.cell_states(asked.cells(), store)]
    assert {run.spec.id for run in whole} == {s.id for s in asked.specs()}
    assert all(len(run.scores()["accuracy"]) == 3 for run in whole)
    assert {run.id for run in store.all(include_demos=False)} == {run.id for run in whole}
    third = Here()
    assert carried(asked, third).state == "done"
    assert third.seen == []
    store.delete(whole[0].id)
    assert carried(asked, third).state == "done"
    assert third.seen == []  # its parts are there still
    assert len(store.all(include_demos=False)) == 3


def test_failed_parts_are_listed_left_alone_and_retried_alone():
    asked = Sweep.make(TINY | {"methods": ["lora"]})
    bad = asked.cells()[0].shards[1].id
    status = carried(asked, Here([bad]))
    assert status.state == "failed"
    assert "1 parts failed" in status.message
    assert "It broke." in status.message
    again = Here()
    assert carried(asked, again).state == "failed"
    assert again.seen == []
    assert carried(asked, again, retry=True).state == "done"
    assert again.seen == [bad]


def test_a_run_that_cannot_be_put_together_does_not_hold_up_the_others():
    asked, store = Sweep.make(TINY), RunStore()
    first = asked.cells()[0].shards[0]
    carried(asked, Here(most=1))
    part = seed_shards.shard_store(store).open(first.id)
    part.write_manifest(part.manifest() | {"data_hash": "other"})
    status = carried(asked, Here())
    assert status.state == "failed"
    assert "1 runs could not be put together" in status.message
    assert "different data" in status.message
    assert [s.done for s in sweep_status.cell_states(asked.cells(), store)] == [False, True, True]


def test_a_preview_counts_what_is_left():
    asked = Sweep.make(TINY | {"episodes": {"seeds": 4}})
    cost = lambda spec: Estimate(1, 1, 1.0, 60.0 * spec.population.seeds, 0, "")
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


def test_cells_that_share_their_names_are_told_apart_by_what_was_varied():
    rows = sweep_status.status_table(sweep_status.cell_states(Sweep.make(TINY).cells(), RunStore()))
    assert [row["varied"] for row in rows] == ["", "length=2", "length=3"]
    assert {row["state"] for row in rows} == {"queued"}


@pytest.mark.slow
def test_the_command_sweeps_with_processes_of_its_own(tmp_path):
    file = tmp_path / "sweep.yaml"
    file.write_text(json.dumps(TINY | {"methods": ["lora"]}), "utf-8")
    arguments = ["sweep", str(file), "--processes", "2", "--device", "cpu", "--json"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["state"] == "done"
    entries = SweepJob.list_all()[0].entries()
    assert [e["state"] for e in entries] == ["done", "done"]
    assert all(e["by"] != f"process {os.getpid()}" for e in entries)


def test_the_command_previews_sweeps_and_compares(tmp_path, monkeypatch):
    monkeypatch.setattr("peftcore.cli.sweeps._engine", lambda *given: Here())
    file = tmp_path / "sweep.yaml"
    file.write_text(json.dumps(TINY | {"methods": ["lora"]}), "utf-8")
    call = lambda *words: CliRunner().invoke(app, [*words, str(file), "--json"])
    preview = json.loads(call("sweep", "preview").stdout)
    assert (preview["cells"], preview["parts"]) == (1, 2)
    assert preview["minutes"] > 0
    waiting = json.loads(call("sweep", "status").stdout)
    assert (waiting["state"], waiting["cells"][0]["state"]) == ("cancelled", "queued")
    assert not SweepJob.list_all()
    done = call("sweep")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["state"] == "done"
    [cell] = found["cells"]
    assert len(cell["scores"]["accuracy"]["seeds"]) == 3
    again, asked = tmp_path / "again", SweepJob.list_all()[0].request
    for work in asked.cells()[0].shards:
        ShardTrainer().train_shard(Shard(work, again / "parts"), lambda: False)
    execute._join_if_complete(asked.cells()[0], RunStore(again / "runs"))
    same = json.loads(call("sweep", "compare", "--against", str(again)).stdout)
    assert same["equal"]
    assert same["cells"][0]["adapters"]
    shipped = json.loads(call("ship", "sweep", "--out", str(tmp_path / "shipped")).stdout)
    assert shipped == {"runs": [cell["run"]]}
    there = RunStore(tmp_path / "shipped").open(cell["run"])
    assert there.scores()["accuracy"] == cell["scores"]["accuracy"]["seeds"]
    assert not (there.folder / "adapter.safetensors").exists()
    other = RunStore(again / "runs").open(cell["run"])
    other.write_scores({name: [0.5] * len(v) for name, v in other.scores().items()})
    differing = call("sweep", "compare", "--against", str(again))
    assert differing.exit_code == 1
    assert not json.loads(differing.stdout)["equal"]


def test_the_benchmark_at_full_protocol_is_forty_runs_of_sixty_episodes(monkeypatch, tmp_path):
    (Path(os.environ["PEFTCORE_MODELS"]) / "mine").rename(tmp_path / "t5-large")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    specs = paths.ASSETS / "specs"
    cells = sweep_spec.read(specs / "feb.yaml").cells()
    assert len(cells) == 4 * 10
    assert len({(cell.spec.task, cell.spec.method) for cell in cells}) == 40
    assert all(cell.spec.population.seed_numbers() == list(range(60)) for cell in cells)
    assert all(len(cell.shards) == 10 for cell in cells)
    small = sweep_spec.read(specs / "feb_miniworld.yaml").cells()
    assert [cell.spec.population.seeds for cell in small] == [60] * 6
    assert {cell.spec.task for cell in small} == {"miniworld_nli"}
