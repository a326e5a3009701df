"""Train shards of a sweep in processes of this machine, one thread each.

Every process keeps its bases in memory and gets one shard after another. One that dies
(killed, out of memory) is replaced, and its shard tried once more from its checkpoint. Ctrl+C and
`stop` end every shard after its step; its checkpoint is kept.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from peftcore.sweeps.engines.base import Shard, ShardOutcome, mark_failed
from peftcore.sweeps.engines.trainer_process import ShardTrainer
from peftcore.system import malloc, thread_pool

POLL_SECONDS = 0.3  # seconds between two checks of `stop`
MAX_ATTEMPTS = 2  # of a part whose process dies
SHUTDOWN_SECONDS = 60.0  # seconds a process has to end its step once it is asked to stop


def default_processes(device: str) -> int:
    """Return one per core, since two processes beat two threads; on a GPU one."""
    return 1 if device != "cpu" else thread_pool.processors()


@dataclass
class _WorkerProcess:
    """A process and the shard it trains."""

    process: Any
    pipe: Connection
    shard: Shard | None = None


@dataclass
class LocalEngine:
    """Engine of this machine's processes."""

    processes: int = 1
    device: str = "cpu"
    trainer: Callable[[str], Any] | None = None  # made in every process; replaced in tests
    _stop: Any = None
    _workers: list[_WorkerProcess] = field(default_factory=list)

    def run_shards(
        self, shards: Sequence[Shard], stop: Callable[[], bool]
    ) -> Iterator[ShardOutcome]:
        """Yield each shard's outcome; after `stop` only of those that were being trained."""
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        waiting, attempts = deque(shards), dict[str, int]()
        try:
            while waiting or any(worker.shard for worker in self._workers):
                if stop():
                    self._stop.set()
                    waiting.clear()
                self._assign_shards(context, waiting)
                for worker in self._ready_workers():
                    outcome = self._receive_outcome(worker)
                    if outcome:
                        yield outcome
                    elif worker.shard:  # its process died
                        yield from self._retry_or_fail(worker, waiting, attempts)
        finally:
            self._shut_down()

    def _assign_shards(self, context: Any, waiting: deque[Shard]) -> None:
        """Give waiting shards to idle processes, starting new ones where allowed."""
        while waiting:
            idle = next((helper for helper in self._workers if helper.shard is None), None)
            if idle is None:
                if len(self._workers) >= self.processes:
                    return
                idle = self._start_worker(context)
            idle.shard = waiting.popleft()
            with contextlib.suppress(OSError):  # died while idle: noticed where it is heard
                idle.pipe.send(idle.shard)

    def _start_worker(self, context: Any) -> _WorkerProcess:
        """Start a process with its share of the cores."""
        own_pipe, child_pipe = context.Pipe()
        threads = max(1, thread_pool.processors() // self.processes)
        arguments = (child_pipe, self._stop, self.device, os.getpid(), threads, self.trainer)
        process = context.Process(target=_worker_main, args=arguments, daemon=True)
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")  # read when the new process imports torch
        process.start()
        child_pipe.close()
        worker = _WorkerProcess(process, own_pipe)
        self._workers.append(worker)
        return worker

    def _ready_workers(self) -> list[_WorkerProcess]:
        """Return the processes that sent something or died."""
        by_pipe = {helper.pipe: helper for helper in self._workers if helper.shard}
        return [
            by_pipe[pipe]
            for pipe in wait(list(by_pipe), timeout=POLL_SECONDS)
            if isinstance(pipe, Connection)
        ]

    def _receive_outcome(self, worker: _WorkerProcess) -> ShardOutcome | None:
        """Read a process's outcome, or remove the process if it died."""
        try:
            outcome: ShardOutcome = worker.pipe.recv()
        except (EOFError, OSError):
            worker.process.join(10.0)  # so that its exit status is known
            self._workers.remove(worker)
            return None
        worker.shard = None
        return outcome

    def _retry_or_fail(
        self, worker: _WorkerProcess, waiting: deque[Shard], attempts: dict[str, int]
    ) -> Iterator[ShardOutcome]:
        """Try the shard of a dead process once more, or yield that it failed."""
        assert worker.shard is not None
        shard_id = worker.shard.spec.id
        attempts[shard_id] = attempts.get(shard_id, 1) + 1
        if self._stop.is_set():
            return
        if attempts[shard_id] <= MAX_ATTEMPTS:
            waiting.appendleft(worker.shard)
            return
        message = (
            f"Its process died {MAX_ATTEMPTS} times (exit status {worker.process.exitcode}); "
            "out of memory? Choose a smaller chunk."
        )
        mark_failed(worker.shard, message)
        yield ShardOutcome(shard_id, "failed", message)

    def _shut_down(self) -> None:
        """End every process, after its step where it is training."""
        self._stop.set()
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.pipe.send(None)
        for worker in self._workers:
            worker.process.join(SHUTDOWN_SECONDS if worker.shard else 10.0)
            if worker.process.is_alive():
                worker.process.kill()
            worker.pipe.close()
        self._workers.clear()


def _worker_main(
    pipe: Connection,
    stop: Any,
    device: str,
    parent: int,
    threads: int,
    make_trainer: Callable[[str], Any] | None,
) -> None:
    """Train shards from a pipe until it closes, and send back how each ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    os.environ.setdefault("PEFTCORE_THREADS", str(threads))
    malloc.keep_freed_memory()
    if make_trainer is None:
        make_trainer = ShardTrainer
    trainer = make_trainer(device)

    def over() -> bool:
        """Return whether to stop: asked to, or the parent is gone."""
        return bool(stop.is_set()) or os.getppid() != parent

    while True:
        try:
            shard = pipe.recv()
        except EOFError:
            return
        if shard is None:
            return
        pipe.send(trainer.train_shard(shard, over, worker=f"process {os.getpid()}"))
