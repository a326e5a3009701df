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
from peftcore.labs.toys.recipes import Recipe, find_recipe
from peftcore.system import atomic_files, processes

if TYPE_CHECKING:
    from peftcore.labs.toys.training import StageProgress

HEARTBEAT_TIMEOUT_SECONDS = (
    300.0  # seconds without a word after which a process that is there counts as hung
)


@dataclass(frozen=True)
class ToyRunStatus:
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
        return find_recipe(self.number, self.size)

    @property
    def busy(self) -> bool:
        """Whether a living process is at it."""
        if self.state not in ("starting", "training") or self.process is None:
            return False
        return processes.ProcessIdentity(**self.process).is_alive(
            time.time() - self.updated, HEARTBEAT_TIMEOUT_SECONDS
        )


def _path(recipe: Recipe) -> Path:
    return results.own_folder().parent / f"{recipe.size}-{recipe.number}.json"


def read_status(recipe: Recipe) -> ToyRunStatus | None:
    """The last start of this experiment, if there was one."""
    stored = atomic_files.read_json(_path(recipe))
    return ToyRunStatus(**stored) if stored else None


def start_experiment(recipe: Recipe, seeds: Sequence[int]) -> ToyRunStatus:
    """Train an experiment in a process that outlives this one; BadInput if one is at work."""
    previous = read_status(recipe)
    if previous and previous.busy:
        raise BadInput(f"experiment {recipe.number} is being trained already; wait or cancel it")
    first, count = seeds[0], len(seeds)
    arguments = ["-m", "peftcore", "toys", recipe.number, "--recipe", recipe.size]
    arguments += ["--seeds", str(count), "--first-seed", str(first), "--json"]
    path = _path(recipe)
    path.with_suffix(".stop").unlink(missing_ok=True)
    identity = asdict(
        processes.start_python(arguments, paths.workspace_folder() / "toys" / "log.txt")
    )
    now = time.time()
    new_status = ToyRunStatus(
        recipe.number, recipe.size, list(seeds), started=now, updated=now, process=identity
    )
    _write(path, new_status)
    return new_status


def cancel_experiment(recipe: Recipe) -> None:
    """Ask the process to stop after its current step; finished stages are kept."""
    _path(recipe).with_suffix(".stop").touch()


def _write(path: Path, run_status: ToyRunStatus) -> None:
    atomic_files.replace_file(
        path, json.dumps(atomic_files.to_jsonable(asdict(run_status))).encode()
    )


class ProgressWriter:
    """The trainer's side: writes how far it is, and looks whether it should stop."""

    def __init__(self, recipe: Recipe, seeds: Sequence[int]) -> None:
        self.recipe, self.path = recipe, _path(recipe)
        self.path.with_suffix(".stop").unlink(missing_ok=True)
        self._checked_at, self._reported_at = 0.0, 0.0
        finished_stages = [
            stage.name for stage, _ in results.completed_stages(results.own_folder(), recipe, seeds)
        ]
        self._steps_before = sum(
            stage.steps for stage in recipe.stages if stage.name in finished_stages
        )
        self._total_steps = sum(stage.steps for stage in recipe.stages)
        self.now: dict[str, Any] = {
            "number": recipe.number,
            "size": recipe.size,
            "seeds": list(seeds),
            "state": "training",
            "started": time.time(),
            "losses": {},
            "process": asdict(processes.current_process()),
        }
        self._save()

    def report(self, progress: StageProgress) -> None:
        """Write a step down."""
        curve = self.now["losses"].setdefault(progress.stage, [])
        curve.append([progress.step, progress.losses])
        self.now |= {"stage": progress.stage, "step": progress.step, "steps": progress.steps}
        self.now["done"] = (self._steps_before + progress.step) / self._total_steps
        if progress.step == progress.steps:
            self._steps_before += progress.steps
        self._save()
        if progress.step == progress.steps:
            mean = sum(progress.losses) / len(progress.losses)
            sys.stderr.write(f"{progress.stage}: {progress.steps} steps, loss {mean:.3f}\n")

    def stop(self) -> bool:
        """Whether somebody asked for the end; looks at the disk at most twice a second."""
        if time.monotonic() - self._checked_at < 0.5:
            return False
        self._checked_at = time.monotonic()
        return self.path.with_suffix(".stop").exists()

    def end(self, state: str) -> None:
        """Write how it ended."""
        self.now |= {"state": state, "process": None}
        self._save()

    def _save(self) -> None:
        _write(self.path, ToyRunStatus(**self.now | {"updated": time.time()}))
