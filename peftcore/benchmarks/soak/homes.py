"""What the campaign works on: the smallest run, its undisturbed results, and how they compare."""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peftcore.benchmarks.soak import children
from peftcore.benchmarks.soak.children import Acknowledge, Child
from peftcore.jobs.queue import Queue
from peftcore.jobs.worker import Worker
from peftcore.models import base_model
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.training import planning

BASE, TASK, METHOD = "tiny-bert", "miniworld_nli", "lora"
RESULTS = ("adapter.safetensors", "answers.parquet", "scores.json")
STEPS = 18


@dataclass
class Row:
    """One part of the campaign: its counts, and its faults."""

    what: str
    how: str
    times: int = 0
    wrong: list[str] = field(default_factory=list)
    found: str = ""
    seconds: float = 0.0

    def as_record(self) -> dict[str, Any]:
        """Return the row as JSON, with the first few things that were wrong."""
        return {
            "what": self.what,
            "how": self.how,
            "times": self.times,
            "wrong": len(self.wrong),
            "found": self.found,
            "seconds": round(self.seconds, 1),
            "first_wrong": self.wrong[:3],
        }


@dataclass
class Campaign:
    """The share of all parts: repetitions, the random numbers of moments, a folder."""

    folder: Path
    times: int
    rng: random.Random
    base: Any = None

    def load_base(self) -> Any:
        """Return the base, loaded once, so that forked processes have it."""
        self.base = self.base or base_model.load(BASE)
        return self.base

    def new_home(self) -> Path:
        """Return a new, empty workspace."""
        return Path(tempfile.mkdtemp(prefix="home-", dir=self.folder)) / "workspace"

    @contextmanager
    def home(self, like: Path | None = None) -> Iterator[Path]:
        """Yield a new workspace, or a copy of one, and delete it afterwards."""
        home = self.new_home()
        if like is None:
            home.mkdir(mode=0o700)
        else:
            shutil.copytree(like, home)
        try:
            yield home
        finally:
            shutil.rmtree(home.parent, ignore_errors=True)


def small_spec(first_seed: int = 0, vertices: int = 1) -> RunSpec:
    """Return the spec of a run that takes a second or two."""
    sizes: dict[str, Any] = {"shots": 8, "dev": 4, "steps": STEPS, "batch": 2, "evaluate_every": 3}
    sizes |= {"precision": "fp32", "learning_rate": 0.01, "patience": 0}
    members = {"seeds": 2, "first_seed": first_seed, "vertices": vertices}
    return planning.build_spec(BASE, TASK, METHOD, {"rank": 2}, members, sizes, {"limit": 80})


def start_worker(
    campaign: Campaign, home: Path, prepare: Callable[[], None] | None = None
) -> Child:
    """Start a worker that works off the queue of a workspace; `prepare` is done in it before."""
    base = campaign.load_base()

    def work(acknowledge: Acknowledge) -> None:
        if prepare:
            prepare()
        Worker(Queue(), "cpu", load_base=lambda name, device: base).run(once=True)

    return children.fork(home, work, "a worker")


def wait_for_phase(child: Child, run: Run, phase: str) -> None:
    """Wait until a run is in a phase; BadInput if its worker failed before."""
    while child.running() and run.stored_status().label != phase:
        time.sleep(children.POLL_SECONDS)
    if not child.running():
        child.wait()


def submit(home: Path, *specs: RunSpec) -> None:
    """Queue runs, as an app would."""

    def work() -> None:
        queue = Queue()
        for spec in specs:
            queue.submit(spec)

    children.call(home, work, "what queues runs")


def resume(home: Path, run_id: str) -> None:
    """Resume a lost run, as an app would."""
    children.call(home, lambda: Queue().resume(run_id), "what resumes a run")


def open_run(home: Path, spec: RunSpec) -> Run:
    """Return the run of a spec in a workspace."""
    return RunStore(home / "runs").open(spec.id)


def results_of(run: Run) -> dict[str, bytes]:
    """Return the bytes that two equal runs share: results, and the curve without its clock."""
    found = {name: (run.folder / name).read_bytes() for name in RESULTS}
    curve = run.history().drop(columns="seconds")
    return found | {"history.jsonl": curve.to_json(orient="records", double_precision=15).encode()}


def differences(run: Run, reference: dict[str, bytes]) -> list[str]:
    """Name the files of a finished run that are not those of the undisturbed one."""
    if run.status().state != "done":
        return [f"run {run.id} is {run.status().state}: {run.status().message}"]
    found = results_of(run)
    return [f"{name} differs" for name, content in reference.items() if found[name] != content]


@dataclass(frozen=True)
class Reference:
    """An undisturbed run: its results, and how long each of its phases took."""

    results: dict[str, bytes]
    seconds: dict[str, float]


def make_reference(campaign: Campaign, spec: RunSpec) -> Reference:
    """Train a run without any disturbance, watching its phases."""
    with campaign.home() as home:
        submit(home, spec)
        run, child = open_run(home, spec), start_worker(campaign, home)
        began: dict[str, float] = {}
        while child.running():
            began.setdefault(run.stored_status().label, time.monotonic())
            time.sleep(children.POLL_SECONDS)
        child.wait()
        ended = time.monotonic()
        answering = began.get("answering", ended)
        seconds = {
            "training": answering - began.get("training", answering),
            "answering": ended - answering,
        }
        return Reference(results_of(run), seconds)


def remark(text: str) -> None:
    """Say on standard error what is being done."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def as_json(value: Any) -> bytes:
    """Return a value as JSON with sorted keys, for comparisons."""
    return json.dumps(value, sort_keys=True).encode()
