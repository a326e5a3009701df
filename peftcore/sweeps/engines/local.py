"""Parts of a sweep on the processes of this machine, one thread each.

Every process keeps its bases warm and is given one part after another.  One that dies (killed, out
of memory) is replaced, and its part tried once more from its checkpoint.  Ctrl+C and `stop` end
every part within a step; what was learnt is kept.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from peftcore.sweeps.engines.base import Outcome, Work
from peftcore.system import malloc, thread_pool

LOOK = 0.3  # seconds between two looks at `stop`
TRIES = 2  # of a part whose process dies
GRACE = 60.0  # seconds a process has to end its step once it is asked to stop


def default_processes(device: str) -> int:
    """One for each core we may use: two processes beat two threads; on a GPU one."""
    return 1 if device != "cpu" else thread_pool.processors()


@dataclass
class _Helper:
    """A process and what it is at."""

    process: Any
    pipe: Connection
    work: Work | None = None


@dataclass
class LocalEngine:
    """Processes of this machine."""

    processes: int = 1
    device: str = "cpu"
    hands: Callable[[str], Any] | None = None  # made in every process; replaced in tests
    _stop: Any = None
    _helpers: list[_Helper] = field(default_factory=list)

    def work(self, todo: Sequence[Work], stop: Callable[[], bool]) -> Iterator[Outcome]:
        """Each part's end as it comes; after `stop` only those that were at work."""
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        waiting, tries = list(todo), dict[str, int]()
        try:
            while waiting or any(helper.work for helper in self._helpers):
                if stop():
                    self._stop.set()
                    waiting = []
                self._hand_out(context, waiting)
                for helper in self._heard():
                    outcome = self._hear(helper)
                    if outcome:
                        yield outcome
                    elif helper.work:  # its process died
                        yield from self._again(helper, waiting, tries)
        finally:
            self._dismiss()

    def _hand_out(self, context: Any, waiting: list[Work]) -> None:
        while waiting:
            idle = next((helper for helper in self._helpers if helper.work is None), None)
            if idle is None:
                if len(self._helpers) >= self.processes:
                    return
                idle = self._hire(context)
            idle.work = waiting.pop(0)
            with contextlib.suppress(OSError):  # died while idle: noticed where it is heard
                idle.pipe.send(idle.work)

    def _hire(self, context: Any) -> _Helper:
        here, there = context.Pipe()
        share = max(1, thread_pool.processors() // self.processes)
        arguments = (there, self._stop, self.device, os.getpid(), share, self.hands)
        process = context.Process(target=_help, args=arguments, daemon=True)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")  # read when the new process imports torch
        process.start()
        there.close()
        helper = _Helper(process, here)
        self._helpers.append(helper)
        return helper

    def _heard(self) -> list[_Helper]:
        """Helpers that said something or died."""
        by = {helper.pipe: helper for helper in self._helpers if helper.work}
        return [by[pipe] for pipe in wait(list(by), timeout=LOOK) if isinstance(pipe, Connection)]

    def _hear(self, helper: _Helper) -> Outcome | None:
        try:
            outcome: Outcome = helper.pipe.recv()
        except (EOFError, OSError):
            helper.process.join(10.0)  # so that its exit status is known
            self._helpers.remove(helper)
            return None
        helper.work = None
        return outcome

    def _again(
        self, helper: _Helper, waiting: list[Work], tries: dict[str, int]
    ) -> Iterator[Outcome]:
        assert helper.work is not None
        part = helper.work.spec.id
        tries[part] = tries.get(part, 1) + 1
        if self._stop.is_set():
            return
        if tries[part] <= TRIES:
            waiting.insert(0, helper.work)
            return
        message = (
            f"Its process died {TRIES} times (exit status {helper.process.exitcode}); "
            "out of memory? Choose a smaller chunk."
        )
        _mark_failed(helper.work, message)
        yield Outcome(part, "failed", message)

    def _dismiss(self) -> None:
        """End every process, after its step where one is at work."""
        self._stop.set()
        for helper in self._helpers:
            with contextlib.suppress(OSError):
                helper.pipe.send(None)
        for helper in self._helpers:
            helper.process.join(GRACE if helper.work else 10.0)
            if helper.process.is_alive():
                helper.process.kill()
            helper.pipe.close()
        self._helpers.clear()


def _mark_failed(work: Work, message: str) -> None:
    """Write down for a part what its dead process could not."""
    from peftcore.runs.store import RunStore

    run = RunStore(work.store).create(work.spec, demo=False)
    run.append_log(message)
    run.write_status(state="failed", message=message)


def _help(
    pipe: Connection,
    stop: Any,
    device: str,
    parent: int,
    share: int,
    make: Callable[[str], Any] | None,
) -> None:
    """The life of a helper: take a part, do it with its share of threads, say how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us passes it on
    os.environ.setdefault("PEFTCORE_THREADS", str(share))
    malloc.hold()
    if make is None:
        from peftcore.sweeps.engines.trainer_process import Hands

        make = Hands
    hands = make(device)

    def over() -> bool:
        return bool(stop.is_set()) or os.getppid() != parent

    while True:
        try:
            work = pipe.recv()
        except EOFError:
            return
        if work is None:
            return
        pipe.send(hands.do(work, over, by=f"process {os.getpid()}"))
