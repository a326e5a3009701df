"""A sweep on three real Slurm nodes, one of which is killed: every part arrives, once."""

import os

import pytest
from support.slurm_cluster import SlurmCluster, can_be_made
from support.sweeps import TINY

from peftcore.runs.store import RunStore
from peftcore.sweeps import execute, seed_shards
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.engines import slurm
from peftcore.sweeps.engines.base import Shard
from peftcore.sweeps.engines.slurm import SlurmEngine
from peftcore.sweeps.engines.trainer_process import ShardTrainer
from peftcore.sweeps.spec import Sweep, SweepJob

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not can_be_made(), reason="needs slurm-wlm, munge and root"),
    pytest.mark.usefixtures("mine"),
]
STEPS = {"steps": 1500, "evaluate_every": 10}
ASKED = TINY | {
    "methods": ["lora"],
    "episodes": {"seeds": 4},
    "chunk": 1,
    "training": TINY["training"] | STEPS,
}


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    with SlurmCluster(tmp_path / "cluster") as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(slurm, "POLL_SECONDS", 0.5)
        monkeypatch.setattr(slurm, "SETTLE_SECONDS", 20.0)
        yield made


@pytest.mark.timeout(590)
def test_a_node_is_killed_and_every_part_arrives_once(cluster, tmp_path):
    asked, store, killed = Sweep.make(ASKED), RunStore(), []
    work = SweepJob.create_own(asked)
    engine = SlurmEngine(work.folder)

    def kill_a_node(seconds):
        slurm.time.sleep(seconds)
        for shard in asked.cells()[0].shards if not killed else []:
            run = seed_shards.shard_store(store).find(shard)
            if run and run.status().step > 10:
                rows = cluster.ask("squeue", "-h", "-a", "-r", "-o", "%K %N").splitlines()
                parts = dict(row.split() for row in rows if len(row.split()) == 2)
                index = str(asked.cells()[0].shards.index(shard))
                cluster.kill_node(parts[index])
                killed.append((shard.id, parts[index], run.status().step))
                return

    engine.pause = kill_a_node
    status = execute.run_sweep(work, engine, store)
    assert (status.state, status.done, status.of) == ("done", 4, 4), status
    assert killed
    part, node, step = killed[0]
    entries = {entry["run"]: entry for entry in work.entries()}
    assert len(entries) == len(work.entries()) == 4
    assert entries[part]["by"].startswith("node n")
    assert entries[part]["by"] != f"node {node}"
    assert len({entry["by"] for entry in entries.values()}) > 1
    arrived = seed_shards.shard_store(store).open(part)
    assert "Resumed at step" in arrived.log()
    assert arrived.status().step == STEPS["steps"] > step
    there = RunStore(tmp_path / "alone")
    ShardTrainer().train_shard(Shard(arrived.spec, there.folder), lambda: False)
    read = lambda run: (run.folder / "adapter.safetensors").read_bytes()
    assert read(arrived) == read(there.open(part))
    assert cluster.ask("squeue", "-h") == ""
    [whole] = [state.run for state in sweep_status.cell_states(asked.cells(), store)]
    assert len(whole.scores()["accuracy"]) == 4


@pytest.mark.timeout(590)
def test_a_stop_keeps_what_was_learnt_and_it_goes_on_from_there(cluster):
    asked, store = Sweep.make(ASKED | {"episodes": {"seeds": 2}}), RunStore()
    work = SweepJob.create_own(asked)
    parts = seed_shards.shard_store(store)

    def stop_once_learning(seconds):
        slurm.time.sleep(seconds)
        if any(run.status().step > 10 for run in parts.all(include_demos=False)):
            work.stop()

    engine = SlurmEngine(work.folder, pause=stop_once_learning)
    assert execute.run_sweep(work, engine, store).state == "cancelled"
    assert cluster.ask("squeue", "-h") == ""
    cut = [run for run in parts.all(include_demos=False) if run.status().step > 10]
    assert cut
    assert {run.status().state for run in cut} == {"cancelled"}
    reached = cut[0].status().step
    assert execute.run_sweep(work, SlurmEngine(work.folder), store).state == "done"
    assert f"Resumed at step {reached}" in cut[0].log()
    assert os.environ["SLURM_CONF"] == cluster.environment["SLURM_CONF"]
