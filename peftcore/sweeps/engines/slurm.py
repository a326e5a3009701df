"""Train shards of a sweep on a Slurm cluster: one array job, one task for each shard.

The nodes share the workspace, the data and the Python of whoever submits, as clusters do; shards
are trained where they belong, so nothing is sent and nothing is brought back. An outcome beside
the array's file says how a shard ended. What Slurm loses (a node that dies, memory that runs out,
time that is over) begins again from its checkpoint, by Slurm itself or in a new array. Arrays
outlive the process that follows them: a sweep that is started again takes up those it finds.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peftcore.errors import BadInput
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps.engines import slurm_part, slurm_programs
from peftcore.sweeps.engines.base import Shard, ShardOutcome, mark_failed
from peftcore.sweeps.engines.slurm_programs import SlurmSite, TaskId, TaskState

MAX_TASKS = 1000  # out at once: most clusters refuse a longer array
MAX_ATTEMPTS = 2  # of a shard that ends without any progress
POLL_SECONDS = 5.0  # between two looks; many people ask the same controller
SETTLE_SECONDS = 30.0  # that a shared disk may take to show what a node wrote
SILENT_SECONDS = 900.0  # without an answer, after which Slurm counts as gone
SHUTDOWN_SECONDS = 120.0  # that tasks have to end their step once they are asked to
ARRAYS = "slurm"  # the folder of arrays in that of a sweep


@dataclass
class _Task:
    """A shard that was submitted."""

    shard: Shard
    attempts: int = 1
    step: int = 0  # that it had reached when it was submitted
    ended: float | None = None  # when Slurm was first found to have ended it


@dataclass
class SlurmEngine:
    """Engine of a Slurm cluster that shares this disk."""

    folder: Path  # of the sweep's job
    site: SlurmSite = field(default_factory=SlurmSite)
    processes: int | None = None
    device: str = "auto"
    say: Callable[[str], None] = lambda text: None
    pause: Callable[[float], None] = time.sleep
    _tasks: dict[TaskId, _Task] = field(default_factory=dict)
    _heard: float = 0.0  # when Slurm answered last
    _line: str = ""  # how it stands, as it was passed on last

    def run_shards(
        self, shards: Sequence[Shard], stop: Callable[[], bool]
    ) -> Iterator[ShardOutcome]:
        """Yield each shard's outcome; after `stop` only of those that were being trained."""
        self._heard, stopping = time.monotonic(), False
        self._take_up_earlier()
        taken = {task.shard.spec.id for task in self._tasks.values()}
        waiting = [_Task(shard) for shard in shards if shard.spec.id not in taken]
        try:
            while waiting or self._tasks:
                if stop() and not stopping:
                    slurm_programs.withdraw(self._names())
                    stopping = True
                if stopping:
                    waiting = []
                self._submit(waiting)
                yield from self._collect(waiting, stopping)
                if self._tasks:
                    self.pause(POLL_SECONDS)
        finally:
            self._end_what_is_left()

    def _names(self) -> set[str]:
        return {name for name, _ in self._tasks}

    def _array_folder(self, name: str) -> Path:
        return self.folder / ARRAYS / name

    def _take_up_earlier(self) -> None:
        """Follow the tasks that an earlier process submitted and that are still to end."""
        folders = {path.name: path for path in (self.folder / ARRAYS).glob("*/")}
        states = slurm_programs.task_states(folders) if folders else {}
        for name, index in sorted(task for task, state in states.items() if state.alive):
            shards = slurm_part.read_parts(folders[name])
            if index < len(shards):
                self._tasks[name, index] = _Task(shards[index])

    def _submit(self, waiting: list[_Task]) -> None:
        """Submit waiting shards as one array while there is room; a limit at once is for all."""
        room = 0 if self.processes and self._tasks else MAX_TASKS - len(self._tasks)
        batch = waiting[:room]
        if not batch or (len(batch) < len(waiting) and room < MAX_TASKS // 2):
            return
        del waiting[: len(batch)]
        name = f"peftcore-{self.folder.name}-{secrets.token_hex(4)}"
        folder = self._array_folder(name)
        folder.mkdir(mode=0o700, parents=True)
        slurm_part.write_parts(folder, [task.shard for task in batch])
        device = "cpu" if self.device == "auto" and not self.site.gpus else self.device
        text = slurm_programs.script(self.site, name, len(batch), self.processes, device)
        (folder / "array.sbatch").write_text(text, "utf-8")
        slurm_programs.submit(folder)
        for index, task in enumerate(batch):
            task.step, task.ended = _step(task.shard), None
            self._tasks[name, index] = task

    def _collect(self, waiting: list[_Task], stopping: bool) -> Iterator[ShardOutcome]:
        """Yield the outcomes of shards that have ended; those that were lost wait again."""
        states = self._ask_states()
        if states is None:
            return
        self._say_how_it_stands(states)
        for key, task in list(self._tasks.items()):
            outcome = slurm_part.read_outcome(self._array_folder(key[0]), key[1])
            state = states.get(key, TaskState("COMPLETED" if outcome else "GONE"))
            alive = state.alive and state.state != "GONE"
            if outcome and (outcome.state != "cancelled" or not alive):
                pass
            elif alive:
                task.ended = None
                continue
            elif not (stopping and state.state == "CANCELLED") and not self._has_settled(task):
                continue
            del self._tasks[key]
            if outcome and (outcome.state != "cancelled" or stopping):
                yield outcome
            else:
                yield from self._lost(key, task, waiting, "" if stopping else state.state)

    def _ask_states(self) -> dict[TaskId, TaskState] | None:
        """Ask Slurm how tasks stand; None while it is silent, BadInput once that is long."""
        try:
            states = slurm_programs.task_states(self._names())
        except BadInput as error:
            if time.monotonic() - self._heard > SILENT_SECONDS:
                raise BadInput(f"Slurm is silent: {error}; start the sweep again later") from None
            return None
        self._heard = time.monotonic()
        return states

    def _has_settled(self, task: _Task) -> bool:
        """Return whether a task has been over for as long as its files may take to be seen."""
        now = time.monotonic()
        task.ended = task.ended or now
        return now - task.ended >= SETTLE_SECONDS

    def _lost(
        self, key: TaskId, task: _Task, waiting: list[_Task], state: str
    ) -> Iterator[ShardOutcome]:
        """Let a shard that Slurm ended wait again, or yield that it is over; state "": stopped."""
        run, shard_id = _run(task.shard), task.shard.spec.id
        if run and run.status().state == "done":
            yield ShardOutcome(shard_id, "done")
            return
        if state in ("GONE", "COMPLETED"):
            state = slurm_programs.end_state(key) or state
        if state in ("", "CANCELLED"):
            if run:
                message = "Cancelled in Slurm; it can be resumed." if state else "Stopped."
                run.write_status(state="cancelled", message=message)
                yield ShardOutcome(shard_id, "cancelled", message if state else "")
            return
        task.attempts = 1 if _step(task.shard) > task.step else task.attempts + 1
        if task.attempts <= MAX_ATTEMPTS:
            waiting.append(task)
            return
        log = self._array_folder(key[0]) / f"{key[1]}.log"
        message = (
            f"Slurm ended it {MAX_ATTEMPTS} times ({state}); ask for more memory or time, or "
            f"choose a smaller chunk. Its log is {log}"
        )
        mark_failed(task.shard, message)
        yield ShardOutcome(shard_id, "failed", message)

    def _say_how_it_stands(self, states: dict[TaskId, TaskState]) -> None:
        """Say how many tasks wait, and why, and how many run; only where that changed."""
        own = [states[key] for key in self._tasks if key in states and states[key].alive]
        pending = [each for each in own if each.state == "PENDING"]
        reasons = Counter(each.reason for each in pending if each.reason not in ("", "None"))
        why = f" ({', '.join(reasons)})" if reasons else ""
        text = f"Slurm: {len(own) - len(pending)} at work, {len(pending)} waiting{why}"
        if text != self._line:
            self._line = text
            self.say(text)

    def _end_what_is_left(self) -> None:
        """Let what is still out end its step, then end it; it goes on from its checkpoint."""
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        with contextlib.suppress(BadInput):  # Slurm may be what has failed
            if self._tasks:
                slurm_programs.withdraw(self._names())
            while self._tasks and time.monotonic() < deadline:
                for _ in self._collect([], True):
                    pass
                self.pause(POLL_SECONDS if self._tasks else 0)
            slurm_programs.cancel(self._names())
        self._tasks.clear()


def _run(shard: Shard) -> Run | None:
    """Return a shard's run, if it has begun."""
    return RunStore(shard.store_folder).find(shard.spec)


def _step(shard: Shard) -> int:
    """Return the step that a shard's run has reached."""
    run = _run(shard)
    return run.status().done if run else 0
