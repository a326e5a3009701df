"""A sweep on several real Ray nodes, one of which is killed: every part arrives, once."""

import os
import threading
from functools import partial

import pytest
from support.bases import build_tiny

from peftcore.runs.store import RunStore
from peftcore.sweeps import execute, seed_shards
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.engines import folder_transfer
from peftcore.sweeps.engines import ray as ray_engine
from peftcore.sweeps.engines.base import Shard
from peftcore.sweeps.engines.ray import RayEngine
from peftcore.sweeps.engines.trainer_process import ShardTrainer
from peftcore.sweeps.spec import Sweep, SweepJob

ASKED = {
    "bases": ["mine"],
    "tasks": ["miniworld_nli"],
    "methods": ["lora", {"method": "prefix_tuning", "settings": {"length": [2, 3]}}],
    "episodes": {"seeds": 6},
    "training": {"shots": 6, "dev": 2, "steps": 60, "batch": 2, "precision": "fp32"},
    "evaluation": {"limit": 6, "max_new_tokens": 4},
    "chunk": 2,
}
QUICK = {"period_ms": 500, "timeout_ms": 1000, "failure_threshold": 2}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three nodes of one processor each on this machine; the driver joins the first."""
    pytest.importorskip("ray")
    before = dict(os.environ)
    os.environ |= {f"RAY_health_check_{name}": str(value) for name, value in QUICK.items()}
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "TMPDIR": str(tmp_path_factory.mktemp("t"))}
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 150 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **memory})
    for _ in range(2):
        made.add_node(num_cpus=1, **memory)
    yield made
    import ray

    ray.shutdown()
    made.shutdown()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def own(tmp_path, monkeypatch):
    base = build_tiny("t5")
    base.model.save_pretrained(tmp_path / "mine")
    base.tokenizer.save_pretrained(tmp_path / "mine")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_node_is_killed_and_every_part_arrives_once(own, cluster, monkeypatch, tmp_path):
    import ray

    monkeypatch.setattr("tempfile.tempdir", None)  # read TMPDIR again
    workers = {node.node_id[:8]: node for node in cluster.worker_nodes}
    killed, write_progress = [], ray_engine._write_progress

    def spy(works, news):
        write_progress(works, news)
        workers.pop(ray.get_runtime_context().get_node_id()[:8], None)  # which the driver needs
        for part, found in news.items():
            node = workers.get(found["node"].removeprefix("node "))
            if node and not killed and found["phase"] == "training":
                killed.append((node.node_id[:8], part))
                kill = partial(cluster.remove_node, node, allow_graceful=False)
                threading.Thread(target=kill).start()

    monkeypatch.setattr(ray_engine, "_write_progress", spy)
    asked, store = Sweep.make(ASKED), RunStore()
    work = SweepJob.create_own(asked)
    status = execute.run_sweep(work, RayEngine(cluster.address), store)
    assert (status.state, status.done, status.of) == ("done", 9, 9), status
    assert killed
    entries = work.entries()
    assert len(entries) == 9
    assert len({entry["run"] for entry in entries}) == 9
    [struck] = [entry for entry in entries if entry["run"] == killed[0][1]]
    assert struck["state"] == "done"
    assert killed[0][0] not in struck["by"]
    assert len({entry["by"] for entry in entries}) > 1
    assert (
        len(list(folder_transfer.transfer_root().glob("[0-9a-f]*"))) == 1
    )  # the base, once on this machine
    part = asked.cells()[0].shards[0]
    there = RunStore(tmp_path / "alone")
    ShardTrainer().train_shard(Shard(part, there.folder), lambda: False)
    arrived = seed_shards.shard_store(store).open(part.id)
    read = lambda run: (run.folder / "adapter.safetensors").read_bytes()
    assert read(arrived) == read(there.open(part.id))
    assert arrived.scores() == there.open(part.id).scores()
    whole = [state.run for state in sweep_status.cell_states(asked.cells(), store)]
    assert all(len(run.scores()["accuracy"]) == 6 for run in whole)
    assert execute.run_sweep(work, RayEngine(cluster.address), store).state == "done"
    assert len(work.entries()) == 9


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_stop_brings_back_what_was_learnt_and_it_goes_on_from_there(own, cluster, monkeypatch):
    write_progress = ray_engine._write_progress
    asked = Sweep.make(
        ASKED | {"methods": ["lora"], "training": ASKED["training"] | {"steps": 3000}}
    )
    asked = asked.model_copy(update={"training": asked.training | {"evaluate_every": 20}})
    work, store = SweepJob.create_own(asked), RunStore()

    def spy(works, news):
        write_progress(works, news)
        if any(found["step"] > 20 for found in news.values()):
            work.stop()

    monkeypatch.setattr(ray_engine, "_write_progress", spy)
    engine = RayEngine(cluster.address, processes=1)
    assert execute.run_sweep(work, engine, store).state == "cancelled"
    shard_runs = seed_shards.shard_store(store)
    cut = [run for run in shard_runs.all(include_demos=False) if run.status().step > 20]
    assert cut
    assert {run.status().state for run in shard_runs.all(include_demos=False)} == {"cancelled"}
    reached = cut[0].status().step
    assert reached < 3000
    assert (cut[0].folder / "checkpoint.safetensors").is_file()
    assert (cut[0].folder / "adapter.safetensors").is_file()
    assert execute.run_sweep(work, engine, store).state == "cancelled"
    assert cut[0].status().step > reached
    assert f"Resumed at step {reached}" in cut[0].log()
