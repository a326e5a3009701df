"""What landscapes were asked for, how far they are, and what is known of them: folders on disk.

| file | holds |
| --- | --- |
| ask.json | what was asked; its hash names the folder |
| plan.json | every point with its place in the picture, and the facts that stand on the figure |
| values.jsonl | losses and scores as they come in; only appended to, so a stop loses nothing |
| status.json | state, how much is done, which process is at it |
| bend.safetensors | the trained corner of a curve |

Needs no torch: pages read what `surveying` computes in a process of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from peftcore import files, places, processes
from peftcore.errors import BadInput
from peftcore.settings import Settings
from peftcore.spec import RunSpec

Kind = Literal[
    "face", "scan", "cuts", "vertices", "random", "path", "plane", "curve", "flatness", "validation"
]
KINDS: dict[Kind, str] = {
    "face": "Loss over a face of the simplex: three vertices, or the centroid (c) and two",
    "scan": "Loss in the middle of every face, to find those worth looking at",
    "cuts": "Loss along every edge, and from the centroid to every vertex",
    "vertices": "Loss on the plane in which the vertices spread most",
    "random": "Loss on a plane along two random directions through the adapter",
    "path": "Loss on the plane in which the training path spreads most, with the path on it",
    "plane": "Loss on the plane through three adapters of equal shape",
    "curve": "Loss between two adapters: straight, and along a trained curve",
    "flatness": "How flat the ground around an adapter is, in numbers, for every seed",
    "validation": "What random points of the simplex say of the validation set",
}
STATES = ("waiting", "working", "done", "stopped", "failed", "lost")
SILENCE = 300.0  # seconds without a sign of life after which a process counts as hung
ID = re.compile(r"[0-9a-f]{12}")
PART = re.compile(r"([0-9a-f]{12})(?:@(\d+))?(?:/(\d+))?")


@dataclass(frozen=True)
class Part:
    """One adapter by run, step of its path (None: the result) and seed (None: the asked one)."""

    run: str
    step: int | None = None
    seed: int | None = None

    @classmethod
    def read(cls, text: str) -> Part:
        """RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED; BadInput otherwise."""
        found = PART.fullmatch(text)
        if not found:
            raise BadInput(
                f"an adapter is named RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED; got {text[:40]!r}"
            )
        run, step, seed = found.groups()
        return cls(run, None if step is None else int(step), None if seed is None else int(seed))


class Ask(Settings):
    """Everything that decides a landscape; equal asks are computed once."""

    kind: Kind = Field("face", description="What is looked at")
    runs: tuple[str, ...] = Field(
        min_length=1,
        max_length=3,
        description="Run, or adapters as RUN, RUN@STEP, RUN/SEED or RUN@STEP/SEED",
    )
    seed: int = Field(0, ge=0, le=63, description="Which seed of the run, counted from 0")
    split: Literal["dev", "train", "validation", "test"] = Field(
        "dev", description="Examples: the seed's own validation or training draw, or a whole split"
    )
    examples: int = Field(24, ge=0, le=5000, description="Examples read at every point; 0: all")
    steps: int = Field(15, ge=2, le=60, description="Steps of the grid along a side")
    beyond: int = Field(1, ge=0, le=20, description="Steps of the grid past the face or the edge")
    face: tuple[str, str, str] = Field(
        ("0", "1", "2"),
        description="Corners of the face: vertices by number, or c for the centroid",
    )
    metric: bool = Field(False, description="Let every point answer, too, and score the answers")
    normalisation: Literal["filter", "tensor", "none"] = Field(
        "filter",
        description="Random directions get the length of what they change, each vector "
        "or each tensor",
    )
    radius: float = Field(
        0.5, gt=0, le=10, description="How far random directions reach, in lengths of the adapter"
    )
    draw: int = Field(0, ge=0, le=10**6, description="Number that random directions depend on")
    bend_steps: int = Field(60, ge=1, le=5000, description="Training steps of a curve")
    copies: int = Field(30, ge=2, le=400, description="Random copies or points looked at")

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits: equal asks have equal ids."""
        # Without defaults: a field that is added later leaves the ids of older asks alone.
        given = self.model_dump(mode="json", exclude_defaults=True)
        whole = json.dumps(given, sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()[:12]

    def parts(self) -> list[Part]:
        """The adapters by run, step and seed."""
        return [Part.read(text) for text in self.runs]

    def words(self) -> list[str]:
        """The arguments of the command that computes this."""
        given = self.model_dump(mode="json", exclude={"kind", "runs"}, exclude_defaults=True)
        sets = [
            f"{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in given.items()
        ]
        return [*self.runs, "--kind", self.kind, *(w for each in sets for w in ("--set", each))]


@dataclass(frozen=True)
class Status:
    """How far a landscape is."""

    state: str = "stopped"
    done: int = 0
    of: int = 0
    message: str = ""
    seconds: float = 0.0  # of work so far
    updated: float = 0.0
    process: dict[str, Any] | None = None

    @property
    def busy(self) -> bool:
        """Whether a living process is at it, or waits for its turn."""
        return self.state in ("waiting", "working")

    @property
    def left(self) -> float | None:
        """Seconds that it will still take, by the speed so far."""
        return self.seconds / self.done * (self.of - self.done) if self.done else None


@dataclass(frozen=True)
class Landscape:
    """The folder of one ask; shipped ones lie among the assets and cannot be changed."""

    folder: Path
    ask: Ask
    shipped: bool = False

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits."""
        return self.folder.name

    def status(self) -> Status:
        """The state as it is now: what claims to work but has no living process is "lost"."""
        stored = files.read_json(self.folder / "status.json")
        known = {part.name for part in fields(Status)}
        status = Status(**{k: v for k, v in stored.items() if k in known})
        if self.shipped or not status.busy or status.process is None:
            return status
        alive = processes.Identity(**status.process).alive(time.time() - status.updated, SILENCE)
        return status if alive else replace(status, state="lost")

    def plan(self) -> dict[str, Any]:
        """Facts and rows as `surveying` wrote them; empty before it has begun."""
        return files.read_json(self.folder / "plan.json")

    @property
    def facts(self) -> dict[str, Any]:
        """What stands on the figure: examples, seed, data hash, normalisation and so on."""
        found: dict[str, Any] = self.plan().get("facts", {})
        return found

    def entries(self) -> list[dict[str, Any]]:
        """Everything that was measured, in the order it came in."""
        return files.read_lines(self.folder / "values.jsonl")

    def table(self) -> pd.DataFrame:
        """One row per point: line, t, x, y, mark, weights, and loss and score where known."""
        rows = self.plan().get("rows", [])
        table = pd.DataFrame(rows, columns=["line", "t", "x", "y", "mark", "weights"])
        table = table.astype({"t": float, "x": float, "y": float})
        for name in ("loss", "score"):
            known = {
                i: v
                for e in self.entries()
                if e.get("what") == name
                for i, v in zip(e["at"], e["values"], strict=True)
            }
            table[name] = [known.get(i) for i in range(len(table))]
            table[name] = table[name].astype(float)
        return table

    def measures(self) -> pd.DataFrame:
        """What has been measured beside points: one row per entry, columns as they were written."""
        return pd.DataFrame([e for e in self.entries() if e.get("what") not in ("loss", "score")])

    def clear(self) -> None:
        """Forget everything but the ask."""
        for name in ("plan.json", "values.jsonl", "bend.safetensors"):
            (self.folder / name).unlink(missing_ok=True)

    def keep(self, entry: Mapping[str, Any]) -> None:
        """Add one line of values."""
        files.append(self.folder / "values.jsonl", json.dumps(files.plain(entry)) + "\n")

    def write_plan(self, facts: Mapping[str, Any], rows: list[dict[str, Any]]) -> None:
        """Replace the plan."""
        whole = json.dumps(files.plain({"facts": facts, "rows": rows}))
        files.replace(self.folder / "plan.json", whole.encode())

    def write_status(self, **changes: Any) -> Status:
        """Change some fields of the status."""
        stored = files.read_json(self.folder / "status.json")
        now = stored | changes | {"updated": time.time()}
        files.replace(self.folder / "status.json", json.dumps(files.plain(now)).encode())
        return self.status()

    def stop(self) -> None:
        """Ask the process to stop; what was measured is kept."""
        if self.shipped:
            return
        (self.folder / "stop").touch()
        if self.status().state == "lost":
            self.write_status(state="stopped", process=None)

    def stop_asked(self) -> bool:
        """Whether somebody asked the process to stop."""
        return (self.folder / "stop").exists()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Keep every other process from working on this one; BadInput if one already does."""
        with (self.folder / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BadInput(f"{self.id} is being computed already") from None
            yield


def home() -> Path:
    """Where landscapes of this workspace lie."""
    return places.home() / "landscapes"


def shipped() -> Path:
    """Where those that come with the project lie."""
    return places.ASSETS / "landscapes"


def create(ask: Ask) -> Landscape:
    """The folder of an ask, made if there is none; a shipped one that is done will do."""
    there = find(ask)
    if there and (there.status().state == "done" or not there.shipped):
        return there
    return own(ask)


def own(ask: Ask) -> Landscape:
    """The folder of an ask in this workspace, made if there is none."""
    folder = home() / ask.id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.replace(folder / "ask.json", json.dumps(ask.model_dump(mode="json")).encode())
    return Landscape(folder, ask)


def find(ask: Ask) -> Landscape | None:
    """The landscape of an ask, if it was ever begun; the workspace's own comes first."""
    for root, given in ((home(), False), (shipped(), True)):
        if (root / ask.id / "ask.json").is_file():
            return Landscape(root / ask.id, ask, given)
    return None


def every() -> list[Landscape]:
    """All landscapes that were begun here or come with the project."""
    found: dict[str, Landscape] = {}
    for root, given in ((home(), False), (shipped(), True)):
        for path in sorted(root.glob("*/ask.json")):
            if not ID.fullmatch(path.parent.name) or path.parent.name in found:
                continue
            try:
                ask = Ask.make(files.read_json(path))
            except BadInput:  # of another version
                continue
            found[path.parent.name] = Landscape(path.parent, ask, given)
    return list(found.values())


def start(ask: Ask) -> Landscape:
    """Compute a landscape in a process that outlives this one; nothing if one is at it or done."""
    landscape = create(ask)
    launch(landscape, ["landscape", *ask.words()])
    return landscape


def launch(landscape: Landscape, words: Sequence[str]) -> None:
    """Run the command that computes it in a process that outlives this one, unless it is done."""
    status = landscape.status()
    if landscape.shipped or status.busy or status.state == "done":
        return
    (landscape.folder / "stop").unlink(missing_ok=True)
    command = [sys.executable, "-m", "peftcore", *words, "--json"]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PEFTCORE_HOME": str(places.home()),
        "PEFTCORE_DATA": str(places.data()),
    }
    with (landscape.folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=places.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, daemon=True).start()  # so that it never stays a zombie
    signed = asdict(processes.identify(process.pid))
    landscape.write_status(state="waiting", message="Starting", process=signed)


@contextmanager
def turn(landscape: Landscape) -> Iterator[None]:
    """One landscape at a time on a machine; InterruptedError if stopped while waiting."""
    with (home() / "lock").open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if landscape.stop_asked():
                    raise InterruptedError from None
                landscape.write_status(state="waiting", message="Waits for another one to finish")
                time.sleep(0.5)
        yield


def by_vertices(spec: RunSpec, counts: Sequence[int] = (1, 2, 3, 4, 6)) -> list[RunSpec]:
    """The same run with each of these numbers of vertices."""
    from peftcore import planning

    return [
        planning.plan(
            spec.base,
            spec.task,
            spec.method,
            spec.settings,
            spec.population.model_dump() | {"vertices": count},
            spec.training,
            spec.evaluation,
            spec.start,
        )
        for count in counts
    ]
