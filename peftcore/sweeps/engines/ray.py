"""Parts of a sweep on a Ray cluster, one task each; imported only where it is asked for.

The nodes need Ray, this project's requirements and nothing else: code, bases and data travel with
the sweep, each once to a machine, and a finished run folder comes back to the store of whoever
asked.  A task whose node dies is begun again on another one; a part counts when its folder has
arrived, and what arrives a second time changes nothing.  A board, one small actor beside the
driver, carries progress to it, and back the wish to stop.
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
from peftcore.sweeps.engines.base import Outcome, Work

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.sweeps.engines.trainer_process import Hands

RETRIES = 5  # beginnings after deaths of nodes or processes
LOOK = 1.0  # seconds between two looks at the board
GRACE = 120.0  # seconds tasks have to end their step once they are asked to stop
AHEAD = 2  # tasks that wait at the cluster beyond those it has room for
NOT_KEPT = ("lock",)
PROGRESS = ("step", "steps", "seconds", "message", "seeds", "trainable")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PEFTCORE_THREADS": "1",  # a task is given one processor
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True)
class Errand:
    """What a task is told: the part, and where its base and data are to be had."""

    spec: dict[str, Any]
    base: tuple[str, Any]  # digest of its parcel and a reference to it; empty: by name
    data: tuple[str, Any]
    before: dict[str, bytes]  # what an earlier sitting left


class Line:
    """The driver's end of the board; it never waits for an answer, for the board may be gone."""

    def __init__(self, ray: Any) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        # On the driver's own node: those that die must not take it along.
        home = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        actor = ray.remote(Board).options(
            num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=home
        )
        self.ray, self.board = ray, actor.remote()
        self._asked: Any = None

    def news(self, stop: bool) -> dict[str, dict[str, Any]]:
        """What nodes told since the last time, as far as it has come in; passes `stop` on."""
        found: dict[str, dict[str, Any]] = {}
        if self._asked is not None and self.ray.wait([self._asked], timeout=0)[0]:
            with contextlib.suppress(self.ray.exceptions.RayError):
                found = self.ray.get(self._asked)
            self._asked = None
        if self._asked is None:
            self._asked = self.board.exchange.remote(stop)
        return found


class Board:
    """What nodes tell the driver, and what the driver tells them."""

    def __init__(self) -> None:
        self._stop = False
        self._news: dict[str, dict[str, Any]] = {}

    def look(self, part: str, news: dict[str, Any]) -> bool:
        """Leave the news of a part; whether it should stop."""
        self._news[part] = news
        return self._stop

    def exchange(self, stop: bool) -> dict[str, dict[str, Any]]:
        """The news since the last time; from now on `stop` is what nodes are told."""
        self._stop = stop
        news, self._news = self._news, {}
        return news


def connect(address: str = "", processes: int | None = None) -> bool:
    """Join the cluster at an address, or start one on this machine; False if joined already."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = _ray()
    if ray.is_initialized():
        return False
    here = {} if address else {"num_cpus": processes or len(os.sched_getaffinity(0))}
    if not address:
        here["include_dashboard"] = False
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env=travelling(),
            **here,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise BadInput(f"no Ray cluster answers at {address or 'this machine'}: {first}") from None
    return True


def travelling() -> dict[str, Any]:
    """The code and environment that go with every task."""
    return {"py_modules": [str(paths.ROOT / "peftcore")], "env_vars": dict(ENVIRONMENT)}


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise BadInput(
            "the ray engine needs Ray: pip install -r requirements-extra.txt, or --engine local"
        ) from None
    return ray


@dataclass
class RayEngine:
    """A cluster; a part takes one processor, or one GPU where there are any."""

    address: str = ""
    processes: int | None = None
    device: str = "auto"
    _parcels: dict[str, tuple[str, Any]] = field(default_factory=dict)

    def work(self, todo: Sequence[Work], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Each part's end as it arrives; after `stop` only those that were at work."""
        if not todo:
            return
        own = connect(self.address, self.processes)
        ray = _ray()
        line = Line(ray)
        waiting, flying = list(todo), dict[Any, Work]()
        try:
            while flying or (waiting and not stop()):
                while waiting and len(flying) < self._room(ray) and not stop():
                    work = waiting.pop(0)
                    flying[self._submit(ray, line.board, work)] = work
                yield from self._arrivals(ray, line, flying, stop())
        finally:
            self._land(ray, line, flying)
            self._parcels.clear()
            if own:
                ray.shutdown()

    def _room(self, ray: Any) -> int:
        """Tasks that may be out: nodes can come and go."""
        found = ray.cluster_resources()
        slots = int(found.get("GPU", 0) if self._gpus(ray) else found.get("CPU", 0))
        return (self.processes or max(1, slots)) + AHEAD

    def _gpus(self, ray: Any) -> bool:
        return self.device != "cpu" and ray.cluster_resources().get("GPU", 0) >= 1

    def _submit(self, ray: Any, board: Any, work: Work) -> Any:
        run = RunStore(work.store).create(work.spec, demo=False)
        errand = Errand(
            work.spec.model_dump(mode="json"),
            self._parcel(ray, f"base {work.spec.base}", lambda: _base_files(work.spec.base)),
            self._parcel(ray, f"data {work.spec.task}", lambda: _data_files(work.spec.task)),
            _kept(run) if (run.folder / "checkpoint.safetensors").is_file() else {},
        )
        run.claim()
        gpus = 1 if self._gpus(ray) else 0
        task = ray.remote(do).options(
            num_cpus=1, num_gpus=gpus, max_retries=RETRIES, name=f"part {run.id}"
        )
        return task.remote(errand, board, "cuda" if gpus else "cpu")

    def _parcel(self, ray: Any, key: str, files: Callable[[], dict[str, Any]]) -> tuple[str, Any]:
        """Digest and reference of what is sent under this key, put into the cluster once."""
        if key not in self._parcels:
            packed = files()
            # In a list: a reference alone would be fetched for every task that is given it.
            self._parcels[key] = (
                (folder_transfer.digest(packed), [ray.put(packed)]) if packed else ("", [])
            )
        return self._parcels[key]

    def _arrivals(
        self, ray: Any, line: Line, flying: dict[Any, Work], stop: bool
    ) -> Iterator[Outcome]:
        ready, _ = ray.wait(list(flying), num_returns=1, timeout=LOOK)
        _tell(flying.values(), line.news(stop))
        for reference in ready:
            yield self._arrived(ray, reference, flying.pop(reference))

    def _arrived(self, ray: Any, reference: Any, work: Work) -> Outcome:
        run = RunStore(work.store).create(work.spec, demo=False)
        try:
            files, node = ray.get(reference)
        except ray.exceptions.RayError as error:
            kind = type(error).__name__
            message = f"The cluster lost it {RETRIES + 1} times ({kind}); try a smaller chunk."
            if run.status().state != "done":
                run.append_log(f"{message}\n{error}")
                run.write_status(state="failed", message=message)
            return Outcome(run.id, "failed", message)
        if run.status().state != "done":
            store_arrival(run, files)
        status = run.status()
        state = status.state if status.state in ("done", "failed") else "stopped"
        return Outcome(run.id, state, status.message if state != "done" else "", by=node)

    def _land(self, ray: Any, line: Line, flying: dict[Any, Work]) -> None:
        """Let what is still out end its step, and keep what it learnt."""
        if not flying:
            return
        until = time.monotonic() + GRACE
        while flying and time.monotonic() < until:
            for _ in self._arrivals(ray, line, flying, True):
                pass
        for reference, work in flying.items():
            ray.cancel(reference, force=True)
            run = RunStore(work.store).create(work.spec, demo=False)
            run.write_status(state="cancelled", message="Stopped; it can be resumed.")


def _tell(works: Any, news: dict[str, dict[str, Any]]) -> None:
    """Write what nodes told into the runs of this store, signed by this process."""
    for work in works:
        found = news.get(work.spec.id)
        if found is None:
            continue
        run = RunStore(work.store).create(work.spec, demo=False)
        state = found["state"] if found["state"] in ("training", "answering") else "training"
        run.write_status(state=state, **{name: found[name] for name in PROGRESS})


def store_arrival(run: Run, files: dict[str, bytes]) -> None:
    """Put an arrived folder in place of what there is; its status comes last."""
    with run.hold():
        run.clear()
        last = {name: files[name] for name in files if name == "status.json"}
        folder_transfer.write(run.folder, {n: f for n, f in files.items() if n not in last})
        folder_transfer.write(run.folder, last)


def _base_files(name: str) -> dict[str, Any]:
    where = catalog.locate(name)
    return {} if isinstance(where, str) else folder_transfer.pack(where)


def _data_files(name: str) -> dict[str, Any]:
    """A data set's folder or an imported table; nothing where a generator makes the data."""
    if (paths.data() / name).is_dir():
        return folder_transfer.pack(paths.data() / name, name)
    folder = getattr(tasks.find(name), "folder", None)
    return folder_transfer.pack(folder, f"tables/{folder.name}") if folder else {}


def _kept(run: Run) -> dict[str, bytes]:
    return {
        str(path.relative_to(run.folder)): path.read_bytes()
        for path in sorted(run.folder.rglob("*"))
        if path.is_file() and path.name not in NOT_KEPT
    }


# What follows runs on the nodes.

_HANDS: dict[tuple[str, str], Hands] = {}  # kept by a node's process from task to task


def do(errand: Errand, board: Any, device: str) -> tuple[dict[str, bytes], str]:
    """One part, from its parcels to the files of its run, and the node that did it."""
    spec = RunSpec.make(errand.spec)
    if errand.data[0]:
        folder = str(folder_transfer.unpacked(_fetching(errand.data)))
        os.environ |= {"PEFTCORE_DATA": folder, "PEFTCORE_HOME": folder}
    with tempfile.TemporaryDirectory(prefix="run-", dir=folder_transfer.root()) as place:
        run = RunStore(Path(place)).create(spec, demo=False)
        folder_transfer.write(run.folder, errand.before)
        _hands(errand, device).do(Work(spec, Path(place)), _Watch(board, run))
        return _kept(run), _node()


class _Watch:
    """Asks the board now and then whether to stop, without waiting for its answer."""

    def __init__(self, board: Any, run: Run) -> None:
        self.board, self.run = board, run
        self.asked, self.last, self.stop = None, 0.0, False

    def __call__(self) -> bool:
        import ray

        if self.asked is not None and ray.wait([self.asked], timeout=0)[0]:
            with contextlib.suppress(ray.exceptions.RayError):
                self.stop = ray.get(self.asked)
            self.asked = None
        if self.asked is None and time.monotonic() - self.last > LOOK:
            self.last = time.monotonic()
            self.asked = self.board.look.remote(self.run.id, self._news())
        return self.stop

    def _news(self) -> dict[str, Any]:
        return asdict(self.run.status()) | {"node": _node()}


def _node() -> str:
    import ray

    return f"node {ray.get_runtime_context().get_node_id()[:8]}"


def _hands(errand: Errand, device: str) -> Hands:
    from peftcore.sweeps.engines.trainer_process import Hands

    key = (errand.base[0], device)
    if key not in _HANDS:
        _HANDS.clear()  # one base at a time: a node's memory is its own business
        _HANDS[key] = Hands(device, lambda name, place: _load(errand, name, place))
    return _HANDS[key]


def _load(errand: Errand, name: str, device: str) -> BaseModel:
    from peftcore.models.base_model import load

    if not errand.base[0]:
        return load(name, device)
    return replace(load(str(folder_transfer.unpacked(_fetching(errand.base))), device), name=name)


def _fetching(sent: tuple[str, Any]) -> folder_transfer.Parcel:
    import ray

    digest, reference = sent
    return folder_transfer.Parcel(digest, lambda: ray.get(reference[0]))
