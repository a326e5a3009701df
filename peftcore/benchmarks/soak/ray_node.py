"""A sweep on a Ray cluster of three nodes on this machine, one of which is killed at work."""

from __future__ import annotations

import importlib.util
import os
import threading
from functools import partial
from typing import Any

from peftcore.benchmarks.soak import children, kills
from peftcore.benchmarks.soak.homes import Campaign, Row
from peftcore.runs.store import RunStore
from peftcore.sweeps import execute
from peftcore.sweeps.engines import ray as ray_engine
from peftcore.sweeps.engines.local import LocalEngine
from peftcore.sweeps.spec import Sweep, SweepJob

HEALTH = {"period_ms": 500, "timeout_ms": 1000, "failure_threshold": 2}  # deaths noticed soon
STORE_BYTES = 150 * 2**20


def kill_node(campaign: Campaign) -> Row:
    """Kill a node with all its processes while it trains; every part must arrive, once."""
    row = Row("a Ray node", "kill of a node of three at work")
    if importlib.util.find_spec("ray") is None:
        row.how = "left out: ray is not installed (requirements-extra.txt)"
        return row
    sweep = kills.small_sweep()
    with campaign.home() as home:
        children.fork(home, lambda say: _train_here(sweep), "a sweep").wait()
        reference = kills.sweep_results(home, sweep)
    with campaign.home() as home:
        [killed, parts] = (
            children.fork(home, lambda say: say(_train_on_cluster(sweep)), "a cluster")
            .wait()[-1]
            .split()
        )
        row.times = int(killed)
        if not row.times:
            row.wrong.append("no node was killed before the sweep was done")
        if int(parts) != sum(len(cell.shards) for cell in sweep.cells()):
            row.wrong.append(f"{parts} parts arrived")
        if kills.sweep_results(home, sweep) != reference:
            row.wrong.append("runs differ from those trained here")
    row.found = f"{parts} parts arrived, each once, equal bytes" if not row.wrong else ""
    return row


def _train_here(sweep: Sweep) -> None:
    """Train the sweep by processes of this machine."""
    kills.fork_trainers()
    execute.run_sweep(SweepJob.create_own(sweep), LocalEngine(processes=1), RunStore())


def _train_on_cluster(sweep: Sweep) -> str:
    """Train the sweep on three nodes; return how many were killed, and the parts that arrived."""
    os.environ |= {f"RAY_health_check_{name}": str(value) for name, value in HEALTH.items()}
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0"}
    import ray
    from ray.cluster_utils import Cluster

    memory: dict[str, Any] = {"object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **memory})
    for _ in range(2):
        cluster.add_node(num_cpus=1, **memory)
    try:
        killed = _kill_first_at_work(cluster, ray)
        job = SweepJob.create_own(sweep)
        execute.run_sweep(job, ray_engine.RayEngine(cluster.address), RunStore())
        done = [entry["run"] for entry in job.entries() if entry["state"] == "done"]
        return f"{len(killed)} {len(done) if len(set(done)) == len(done) else -1}"
    finally:
        ray.shutdown()
        cluster.shutdown()


def _kill_first_at_work(cluster: Any, ray: Any) -> list[str]:
    """Kill the first node that reports training; returns a list that its name is put into."""
    nodes = {node.node_id[:8]: node for node in cluster.worker_nodes}
    killed: list[str] = []
    write_progress = ray_engine._write_progress

    def watch(works: Any, news: dict[str, dict[str, Any]]) -> None:
        write_progress(works, news)
        nodes.pop(ray.get_runtime_context().get_node_id()[:8], None)  # which the driver needs
        for found in news.values():
            node = nodes.get(found["node"].removeprefix("node "))
            if node and not killed and found["phase"] == "training":
                killed.append(node.node_id)
                kill = partial(cluster.remove_node, node, allow_graceful=False)
                threading.Thread(target=kill).start()

    setattr(ray_engine, "_write_progress", watch)  # noqa: B010 (mypy knows its argument names)
    return killed
