"""A toy experiment at work in a process of its own: started, watched, cancelled by any page.

The process that trains writes one small file, `workspace/toys/<experiment>.json`, after every few
steps, and stops when a file `….stop` appears beside it.  Needs no torch.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import Recipe, recipe
from peftcore.system import atomic_files, processes

if TYPE_CHECKING:
    from peftcore.labs.toys.training import Told

SILENCE = 300.0  # seconds without a word after which a process that is there counts as hung


@dataclass(frozen=True)
class Live:
    """How far an experiment is that was started on this machine."""

    number: str
    size: str
    seeds: list[int]
    state: str = "starting"  # starting, training, done, cancelled, failed
    stage: str = ""
    step: int = 0
    steps: int = 0  # of this stage
    done: float = 0.0  # share of all steps
    losses: dict[str, list[list[Any]]] = field(default_factory=dict)
    started: float = 0.0
    updated: float = 0.0
    process: dict[str, Any] | None = None

    @property
    def recipe(self) -> Recipe:
        """What is being done."""
        return recipe(self.number, self.size)

    @property
    def busy(self) -> bool:
        """Whether a living process is at it."""
        if self.state not in ("starting", "training") or self.process is None:
            return False
        return processes.Identity(**self.process).alive(time.time() - self.updated, SILENCE)


def _path(recipe: Recipe) -> Path:
    return results.own().parent / f"{recipe.size}-{recipe.number}.json"


def status(recipe: Recipe) -> Live | None:
    """The last start of this experiment, if there was one."""
    stored = atomic_files.read_json(_path(recipe))
    return Live(**stored) if stored else None


def start(recipe: Recipe, seeds: Sequence[int]) -> Live:
    """Train an experiment in a process that outlives this one; BadInput if one is at work."""
    there = status(recipe)
    if there and there.busy:
        raise BadInput(f"experiment {recipe.number} is being trained already; wait or cancel it")
    first, count = seeds[0], len(seeds)
    words = ["-m", "peftcore", "toys", recipe.number, "--recipe", recipe.size]
    words += ["--seeds", str(count), "--first-seed", str(first), "--json"]
    path = _path(recipe)
    path.with_suffix(".stop").unlink(missing_ok=True)
    signed = asdict(processes.start(words, paths.home() / "toys" / "log.txt"))
    now = time.time()
    begun = Live(recipe.number, recipe.size, list(seeds), started=now, updated=now, process=signed)
    _write(path, begun)
    return begun


def cancel(recipe: Recipe) -> None:
    """Ask the process to stop after its current step; finished stages are kept."""
    _path(recipe).with_suffix(".stop").touch()


def _write(path: Path, live: Live) -> None:
    atomic_files.replace(path, json.dumps(atomic_files.plain(asdict(live))).encode())


class Teller:
    """The trainer's side: writes how far it is, and looks whether it should stop."""

    def __init__(self, recipe: Recipe, seeds: Sequence[int]) -> None:
        self.recipe, self.path = recipe, _path(recipe)
        self.path.with_suffix(".stop").unlink(missing_ok=True)
        self._asked, self._told = 0.0, 0.0
        there = [stage.name for stage, _ in results.found(results.own(), recipe, seeds)]
        self._before = sum(s.steps for s in recipe.stages if s.name in there)
        self._whole = sum(s.steps for s in recipe.stages)
        self.now: dict[str, Any] = {
            "number": recipe.number,
            "size": recipe.size,
            "seeds": list(seeds),
            "state": "training",
            "started": time.time(),
            "losses": {},
            "process": asdict(processes.current()),
        }
        self._keep()

    def report(self, told: Told) -> None:
        """Write a step down."""
        curve = self.now["losses"].setdefault(told.stage, [])
        curve.append([told.step, told.losses])
        self.now |= {"stage": told.stage, "step": told.step, "steps": told.steps}
        self.now["done"] = (self._before + told.step) / self._whole
        if told.step == told.steps:
            self._before += told.steps
        self._keep()
        if told.step == told.steps:
            mean = sum(told.losses) / len(told.losses)
            sys.stderr.write(f"{told.stage}: {told.steps} steps, loss {mean:.3f}\n")

    def stop(self) -> bool:
        """Whether somebody asked for the end; looks at the disk at most twice a second."""
        if time.monotonic() - self._asked < 0.5:
            return False
        self._asked = time.monotonic()
        return self.path.with_suffix(".stop").exists()

    def end(self, state: str) -> None:
        """Write how it ended."""
        self.now |= {"state": state, "process": None}
        self._keep()

    def _keep(self) -> None:
        _write(self.path, Live(**self.now | {"updated": time.time()}))
