"""`sweep` and `lr-search`."""

import json
import os

import pytest
from support.commands import RANDOM, SHORT, printed, refused
from support.sweeps import TINY, Here
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.runs.store import RunStore
from peftcore.sweeps import execute
from peftcore.sweeps.engines.base import Shard
from peftcore.sweeps.engines.trainer_process import ShardTrainer
from peftcore.sweeps.spec import SweepJob


@pytest.mark.slow
@pytest.mark.usefixtures("mine")
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


@pytest.mark.usefixtures("mine")
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


def test_a_cluster_is_asked_for_by_options_and_only_where_it_takes_jobs(tmp_path, monkeypatch):
    file, made = tmp_path / "sweep.yaml", []
    file.write_text(json.dumps(TINY | {"bases": ["tiny-t5"], "methods": ["lora"]}), "utf-8")
    monkeypatch.setattr("peftcore.cli.sweeps.train_sweep", lambda *given: made.append(given))
    monkeypatch.setattr("peftcore.sweeps.engines.slurm_programs.found", lambda: True)
    asked = ("--engine", "slurm", "--partition", "long", "--memory", "8G", "--processes", "3")
    CliRunner().invoke(app, ["sweep", str(file), *asked])
    [(job, engine, _)] = made
    assert (engine.folder, engine.processes) == (job.folder, 3)
    assert (engine.site.partition, engine.site.memory) == ("long", "8G")
    assert "--memory is for --engine slurm" in refused("sweep", str(file), "--memory", "8G")
    wrong = refused("sweep", str(file), "--engine", "slurm", "--time", "1h")
    assert "time: is written as 90 (minutes)" in wrong
    monkeypatch.setattr("peftcore.sweeps.engines.slurm_programs.found", lambda: False)
    assert "no sbatch on this machine" in refused("sweep", str(file), "--engine", "slurm")


def test_lr_search_picks_the_lowest_dev_loss(models, home):
    found = printed("lr-search", *RANDOM, "--method", "lora", *SHORT, "--rates", "1e-9,0.01,0.02")
    losses = {row["learning_rate"]: row["dev_loss"] for row in found["rates"]}
    assert set(losses) == {1e-9, 0.01, 0.02}
    assert found["best"] == min(losses, key=losses.get)
    asked = ("lr-search", *RANDOM, "--method", "lora", "--rates", "fast")
    assert "rates are numbers" in refused(*asked)
