"""Train shards of a sweep on a Ray cluster, one task each; imported only where it is used.

The nodes need Ray, this project's requirements and nothing else: code, bases and data travel with
the sweep, each once to a machine, and a finished run folder comes back to the caller's store. A
task whose node dies is started again on another one; a shard counts when its folder has arrived,
and what arrives a second time changes nothing. One small actor beside the driver carries progress
to it, and its wish to stop back to the nodes.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peftcore import paths, tasks
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps.engines import folder_transfer
from peftcore.sweeps.engines.base import Shard, ShardOutcome
from peftcore.sweeps.engines.trainer_process import ShardTrainer

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.sweeps.engines.trainer_process import ShardTrainer

MAX_RETRIES = 5  # beginnings after deaths of nodes or processes
POLL_SECONDS = 1.0  # seconds between two polls
SHUTDOWN_SECONDS = 120.0  # seconds tasks have to end their step once they are asked to stop
EXTRA_TASKS = 2  # tasks that wait at the cluster beyond those it has room for
EXCLUDED_FILES = ("lock",)
PROGRESS_FIELDS = ("phase", "done", "of", "seconds", "message", "seeds", "trainable")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PEFTCORE_THREADS": "1",  # a task is given one processor
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True)
class RemoteShard:
    """The argument of a task: the shard, and where to fetch its base and data."""

    spec: dict[str, Any]
    base: tuple[str, Any]  # digest of its parcel and a reference to it; empty: by name
    data: tuple[str, Any]
    before: dict[str, bytes]  # what an earlier sitting left


class ProgressChannel:
    """The driver's side of the progress actor; it never waits, for the actor may be gone."""

    def __init__(self, ray: Any) -> None:
        """Start the actor on the driver's own node."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # On the driver's own node: those that die must not take it along.
        home = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        actor = ray.remote(ProgressActor).options(
            num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=home
        )
        self.ray, self.board = ray, actor.remote()
        self._pending: Any = None

    def latest_progress(self, stop: bool) -> dict[str, dict[str, Any]]:
        """Return the progress that has arrived since the last call; passes `stop` on."""
        progress: dict[str, dict[str, Any]] = {}
        if self._pending is not None and self.ray.wait([self._pending], timeout=0)[0]:
            with contextlib.suppress(self.ray.exceptions.RayError):
                progress = self.ray.get(self._pending)
            self._pending = None
        if self._pending is None:
            self._pending = self.board.exchange.remote(stop)
        return progress


class ProgressActor:
    """Actor that holds the nodes' progress and the driver's wish to stop."""

    def __init__(self) -> None:
        """Start without progress and without a wish to stop."""
        self._stop = False
        self._progress: dict[str, dict[str, Any]] = {}

    def look(self, part: str, progress: dict[str, Any]) -> bool:
        """Store a shard's progress, and return whether it should stop."""
        self._progress[part] = progress
        return self._stop

    def exchange(self, stop: bool) -> dict[str, dict[str, Any]]:
        """Return the progress since the last call; nodes are sent `stop` from now on."""
        self._stop = stop
        progress, self._progress = self._progress, {}
        return progress


def connect(address: str = "", processes: int | None = None) -> bool:
    """Join the cluster at an address, or start one here; False if joined already."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = _ray()
    if ray.is_initialized():
        return False
    local_options = {} if address else {"num_cpus": processes or len(os.sched_getaffinity(0))}
    if not address:
        local_options["include_dashboard"] = False
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env=runtime_environment(),
            **local_options,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise BadInput(f"no Ray cluster answers at {address or 'this machine'}: {first}") from None
    return True


def runtime_environment() -> dict[str, Any]:
    """Return the code and environment that go with every task."""
    return {"py_modules": [str(paths.ROOT / "peftcore")], "env_vars": dict(ENVIRONMENT)}


def _ray() -> Any:
    """Import Ray; BadInput says how to install it."""
    try:
        import ray
    except ImportError:
        raise BadInput(
            "the ray engine needs Ray: pip install -r requirements-extra.txt, or --engine local"
        ) from None
    return ray


@dataclass
class RayEngine:
    """Engine of a cluster; a shard takes one processor, or one GPU where there are any."""

    address: str = ""
    processes: int | None = None
    device: str = "auto"
    _snapshots: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def run_shards(
        self, shards: Sequence[Shard], stop: Callable[[], bool]
    ) -> Iterator[ShardOutcome]:
        """Yield each shard's outcome; after `stop` only of those that were being trained."""
        if not shards:
            return
        started_here = connect(self.address, self.processes)
        ray = _ray()
        channel = ProgressChannel(ray)
        waiting, running = list(shards), dict[Any, Shard]()
        try:
            while running or (waiting and not stop()):
                while waiting and len(running) < self._max_tasks(ray) and not stop():
                    shard = waiting.pop(0)
                    running[self._submit(ray, channel.board, shard)] = shard
                yield from self._collect_outcomes(ray, channel, running, stop())
        finally:
            self._stop_running(ray, channel, running)
            self._snapshots.clear()
            if started_here:
                ray.shutdown()

    def _max_tasks(self, ray: Any) -> int:
        """Return how many tasks may be out; a few more than slots, since nodes come and go."""
        resources = ray.cluster_resources()
        slots = int(resources.get("GPU", 0) if self._has_gpus(ray) else resources.get("CPU", 0))
        return (self.processes or max(1, slots)) + EXTRA_TASKS

    def _has_gpus(self, ray: Any) -> bool:
        """Return whether the cluster has GPUs and they are wanted."""
        return self.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1

    def _submit(self, ray: Any, board: Any, shard: Shard) -> Any:
        """Send a shard, with its checkpoint if it has one, to the cluster."""
        run = RunStore(shard.store_folder).create(shard.spec, include_demos=False)
        remote_shard = RemoteShard(
            shard.spec.model_dump(mode="json"),
            self._snapshot(ray, f"base {shard.spec.base}", lambda: _base_files(shard.spec.base)),
            self._snapshot(ray, f"data {shard.spec.task}", lambda: _data_files(shard.spec.task)),
            _run_files(run) if (run.folder / "checkpoint.safetensors").is_file() else {},
        )
        run.claim()
        gpus = 1 if self._has_gpus(ray) else 0
        task = ray.remote(train_remote_shard).options(
            num_cpus=1, num_gpus=gpus, max_retries=MAX_RETRIES, name=f"part {run.id}"
        )
        return task.remote(remote_shard, board, "cuda" if gpus else "cpu")

    def _snapshot(self, ray: Any, key: str, files: Callable[[], dict[str, Any]]) -> tuple[str, Any]:
        """Return digest and reference of a content, put into the cluster once per key."""
        if key not in self._snapshots:
            packed = files()
            # In a list: a reference alone would be fetched for every task that is given it.
            self._snapshots[key] = (
                (folder_transfer.hash_files(packed), [ray.put(packed)]) if packed else ("", [])
            )
        return self._snapshots[key]

    def _collect_outcomes(
        self, ray: Any, channel: ProgressChannel, running: dict[Any, Shard], stop: bool
    ) -> Iterator[ShardOutcome]:
        """Yield the outcomes of tasks that have ended, and store the others' progress."""
        ready, _ = ray.wait(list(running), num_returns=1, timeout=POLL_SECONDS)
        _write_progress(running.values(), channel.latest_progress(stop))
        for reference in ready:
            yield self._collect_outcome(ray, reference, running.pop(reference))

    def _collect_outcome(self, ray: Any, reference: Any, shard: Shard) -> ShardOutcome:
        """Store a finished task's run folder and return its outcome."""
        run = RunStore(shard.store_folder).create(shard.spec, include_demos=False)
        try:
            files, node = ray.get(reference)
        except ray.exceptions.RayError as error:
            kind = type(error).__name__
            message = f"The cluster lost it {MAX_RETRIES + 1} times ({kind}); try a smaller chunk."
            if run.status().state != "done":
                run.append_log(f"{message}\n{error}")
                run.write_status(state="failed", message=message)
            return ShardOutcome(run.id, "failed", message)
        if run.status().state != "done":
            store_returned_files(run, files)
        status = run.status()
        state = status.state if status.state in ("done", "failed") else "cancelled"
        return ShardOutcome(run.id, state, status.message if state != "done" else "", worker=node)

    def _stop_running(self, ray: Any, channel: ProgressChannel, running: dict[Any, Shard]) -> None:
        """Let what is still out end its step, and keep its checkpoint."""
        if not running:
            return
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        while running and time.monotonic() < deadline:
            for _ in self._collect_outcomes(ray, channel, running, True):
                pass
        for reference, shard in running.items():
            ray.cancel(reference, force=True)
            run = RunStore(shard.store_folder).create(shard.spec, include_demos=False)
            run.write_status(state="cancelled", message="Stopped; it can be resumed.")


def _write_progress(shards: Any, progress: dict[str, dict[str, Any]]) -> None:
    """Write progress from nodes into the runs of this store, signed by this process."""
    for shard in shards:
        shard_progress = progress.get(shard.spec.id)
        if shard_progress is None:
            continue
        run = RunStore(shard.store_folder).create(shard.spec, include_demos=False)
        run.write_status(
            state="running", **{name: shard_progress[name] for name in PROGRESS_FIELDS}
        )


def store_returned_files(run: Run, files: dict[str, bytes]) -> None:
    """Replace a run's folder by the one that arrived; its status comes last."""
    with run.lock():
        run.reset()
        last = {name: files[name] for name in files if name == "status.json"}
        folder_transfer.write_files(run.folder, {n: f for n, f in files.items() if n not in last})
        folder_transfer.write_files(run.folder, last)


def _base_files(name: str) -> dict[str, Any]:
    """Read a base's files; none for one that every node gets from the hub."""
    where = catalog.locate_base(name)
    return {} if isinstance(where, str) else folder_transfer.read_folder(where)


def _data_files(name: str) -> dict[str, Any]:
    """Read the files of a data set or an imported table; none where a generator makes them."""
    if (paths.data_folder() / name).is_dir():
        return folder_transfer.read_folder(paths.data_folder() / name, name)
    folder = getattr(tasks.find_task(name), "folder", None)
    return folder_transfer.read_folder(folder, f"tables/{folder.name}") if folder else {}


def _run_files(run: Run) -> dict[str, bytes]:
    """Read the files of a run, as they travel."""
    return {
        str(path.relative_to(run.folder)): path.read_bytes()
        for path in sorted(run.folder.rglob("*"))
        if path.is_file() and path.name not in EXCLUDED_FILES
    }


# What follows runs on the nodes.

_TRAINERS: dict[tuple[str, str], ShardTrainer] = {}  # kept by a node's process from task to task


def train_remote_shard(
    remote_shard: RemoteShard, board: Any, device: str
) -> tuple[dict[str, bytes], str]:
    """Train a shard on this node: return its run's files and the node's name."""
    spec = RunSpec.make(remote_shard.spec)
    if remote_shard.data[0]:
        folder = str(folder_transfer.unpack_snapshot(_remote_snapshot(remote_shard.data)))
        os.environ |= {"PEFTCORE_DATA": folder, "PEFTCORE_HOME": folder}
    with tempfile.TemporaryDirectory(
        prefix="run-", dir=folder_transfer.transfer_root()
    ) as run_folder:
        run = RunStore(Path(run_folder)).create(spec, include_demos=False)
        folder_transfer.write_files(run.folder, remote_shard.before)
        _shard_trainer(remote_shard, device).train_shard(
            Shard(spec, Path(run_folder)), _RemoteStop(board, run)
        )
        return _run_files(run), _node_name()


class _RemoteStop:
    """Asks the actor now and then whether to stop, without waiting for its answer."""

    def __init__(self, board: Any, run: Run) -> None:
        """Ask for one run."""
        self.board, self.run = board, run
        self.pending, self.last_asked, self.stop = None, 0.0, False

    def __call__(self) -> bool:
        """Return whether to stop, by the last answer that has arrived."""
        import ray

        if self.pending is not None and ray.wait([self.pending], timeout=0)[0]:
            with contextlib.suppress(ray.exceptions.RayError):
                self.stop = ray.get(self.pending)
            self.pending = None
        if self.pending is None and time.monotonic() - self.last_asked > POLL_SECONDS:
            self.last_asked = time.monotonic()
            self.pending = self.board.look.remote(self.run.id, self._progress())
        return self.stop

    def _progress(self) -> dict[str, Any]:
        """Return the run's status and this node's name."""
        return asdict(self.run.status()) | {"node": _node_name()}


def _node_name() -> str:
    """Return a short name of this node."""
    import ray

    return f"node {ray.get_runtime_context().get_node_id()[:8]}"


def _shard_trainer(remote_shard: RemoteShard, device: str) -> ShardTrainer:
    """Return the trainer of a base, kept between tasks of this process."""
    key = (remote_shard.base[0], device)
    if key not in _TRAINERS:
        _TRAINERS.clear()  # one base at a time: a node's memory is its own business
        _TRAINERS[key] = ShardTrainer(
            device, lambda name, load_device: _load_base(remote_shard, name, load_device)
        )
    return _TRAINERS[key]


def _load_base(remote_shard: RemoteShard, name: str, device: str) -> BaseModel:
    """Load a base from the hub, or from the files that were sent."""
    from peftcore.models.base_model import load

    if not remote_shard.base[0]:
        return load(name, device)
    return replace(
        load(str(folder_transfer.unpack_snapshot(_remote_snapshot(remote_shard.base))), device),
        name=name,
    )


def _remote_snapshot(sent: tuple[str, Any]) -> folder_transfer.FolderSnapshot:
    """Return the snapshot of a sent digest and reference."""
    import ray

    digest, reference = sent
    return folder_transfer.FolderSnapshot(digest, lambda: ray.get(reference[0]))
