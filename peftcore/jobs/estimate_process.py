"""Estimates of runs in a process of its own, so that none of their work is done in a server.

A trial holds a base, gradients and answers in memory, for seconds. The process reads a spec a line
and answers each with a line of JSON; it is started when it is first needed, has one thread and a
memory limit, and lets its base go when it has been idle for a minute. It ends with its starter,
whose pipe it reads, or after a quarter of an hour without work. Run by `EstimateProcess`:

    python -m peftcore.jobs.estimate_process
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import IO, Any

import psutil

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.jobs.worker import resolve_device
from peftcore.models.cache import BaseModelCache
from peftcore.runs.spec import RunSpec
from peftcore.system import malloc, processes, server_limits
from peftcore.training import planning
from peftcore.training.planning import CostEstimate

IDLE_SECONDS = 60.0  # without a request, after which the base is let go
END_SECONDS = 900.0  # without a request, after which the process ends
MIN_BYTES = 2e9  # of memory that the process may take at least
FREE_SHARE = 0.8  # of the free memory
POLL_SECONDS = 0.25  # between two looks at whether anybody still waits
ENDED_EARLY = (
    "the trial that estimates the cost ended early, most likely for want of memory: "
    "fewer seeds or a smaller batch need less"
)
COMMAND = (sys.executable, "-m", "peftcore.jobs.estimate_process")


class NotWanted(Exception):
    """Nobody waits for this estimate any more."""


class EstimateProcess:
    """The starter's side: one process at most, and one request at a time."""

    def __init__(self, command: tuple[str, ...] = COMMAND) -> None:
        self.command = command
        self._lock = threading.Lock()  # taken for a whole request
        self._child: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str] = queue.Queue()
        self._environment: dict[str, str] = {}

    def estimate(self, spec: RunSpec, wanted: Callable[[], bool] = lambda: True) -> CostEstimate:
        """Estimate a run; BadInput if it cannot work, NotWanted once nobody waits any more."""
        with self._lock:
            answer = self._ask(json.dumps({"spec": spec.model_dump(mode="json")}), wanted)
        if "estimate" in answer:
            return CostEstimate(**answer["estimate"])
        raise BadInput(answer["problem"])

    def start(self) -> None:
        """Start the process, if there is none, so that its packages are there when asked."""
        with self._lock:
            self._start()

    def close(self) -> None:
        """End the process; the next request starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    @property
    def pid(self) -> int | None:
        """The number of the process, None where there is none."""
        alive = self._child is not None and self._child.poll() is None
        return self._child.pid if alive and self._child else None

    def _start(self) -> None:
        """Start the process unless one is alive that reads the same folders."""
        environment = processes.python_environment()
        if self.pid is not None and environment == self._environment:
            return
        self.close()
        self._environment = environment
        self._lines = queue.Queue()
        self._child = subprocess.Popen(
            self.command,
            cwd=paths.ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._child.stdout is not None
        threading.Thread(
            target=_forward_lines, args=(self._child.stdout, self._lines), daemon=True
        ).start()

    def _ask(self, request: str, wanted: Callable[[], bool]) -> dict[str, Any]:
        """Send a request and wait for its answer; a process that ended is replaced once.

        It may have ended for being idle, or by somebody's hand; a run that it cannot try ends the
        second one, too.
        """
        problem = "the process that estimates costs cannot be started; see the server's log"
        for _ in range(2):
            self._start()
            assert self._child is not None
            assert self._child.stdin is not None
            try:
                self._child.stdin.write(f"{request}\n")
                self._child.stdin.flush()
            except OSError:
                self.close()
                continue
            if (answer := self._wait_for_answer(wanted)) is not None:
                return answer
            problem = ENDED_EARLY
        raise BadInput(problem)

    def _wait_for_answer(self, wanted: Callable[[], bool]) -> dict[str, Any] | None:
        """Return the answer, or None where the process ended instead."""
        while True:
            try:
                line = self._lines.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if not wanted():
                    self.close()  # it is in the middle of a trial
                    raise NotWanted from None
                continue
            if line:
                answer: dict[str, Any] = json.loads(line)
                return answer
            self.close()
            return None


def _forward_lines(source: IO[str], lines: queue.Queue[str]) -> None:
    """Put every line into the queue, and an empty one at the end."""
    with contextlib.suppress(ValueError, OSError):  # closed meanwhile
        for line in source:
            lines.put(line)
    lines.put("")


class EstimateServer:
    """The process's side: keeps the base of the last request while requests come."""

    def __init__(self) -> None:
        self._bases = BaseModelCache()
        self._load_seconds: dict[str, float] = {}

    def answer(self, request: str) -> dict[str, Any]:
        """Answer one request: an estimate, or what is wrong with its run."""
        try:
            return {"estimate": asdict(self._estimate(RunSpec.make(json.loads(request)["spec"])))}
        except BadInput as error:
            return {"problem": str(error)}
        except (MemoryError, RuntimeError) as error:  # torch has no other class for it on a CPU
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            return {
                "problem": "a trial of this run needs more memory than this machine has free: "
                "fewer seeds or a smaller batch need less"
            }

    def _estimate(self, spec: RunSpec) -> CostEstimate:
        from peftcore.training import estimate  # brings torch

        began = time.perf_counter()
        base = self._bases.get(spec.base, resolve_device("auto"))
        self._load_seconds.setdefault(spec.base, time.perf_counter() - began)
        planning.check_spec(spec, base)
        cost = estimate.estimate_cost(spec, base, load_seconds=self._load_seconds[spec.base])
        malloc.return_freed_memory()
        return cost

    def forget(self) -> None:
        """Let the bases go."""
        self._bases = BaseModelCache()
        malloc.return_freed_memory()

    def serve(self, requests: queue.Queue[str], write: Callable[[str], object]) -> None:
        """Answer requests until none has come for long."""
        idle = 0.0
        while idle < END_SECONDS:
            try:
                request = requests.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                idle += IDLE_SECONDS
                self.forget()
                continue
            idle = 0.0
            write(json.dumps(self.answer(request)))


def limit_memory() -> None:
    """Let this process fail, and not the machine, where a trial wants too much memory."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    free = FREE_SHARE * psutil.virtual_memory().available
    limit = int(max(MIN_BYTES, min(1e6 * server_limits.ESTIMATE_MEMORY.value, free)))
    resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.RLIM_INFINITY))


def _read_requests(source: IO[str], requests: queue.Queue[str]) -> None:
    """Put every request into the queue; the end of the pipe is the end of the starter."""
    for line in source:
        requests.put(line)
    os._exit(0)  # at once, whatever is being tried


def main() -> None:
    """Read requests from standard input and answer on standard output."""
    requests: queue.Queue[str] = queue.Queue()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    threading.Thread(target=_read_requests, args=(sys.stdin, requests), daemon=True).start()
    limit_memory()
    import torch  # noqa: F401  (here, so that the first request need not wait for it)

    import peftcore.training.estimate  # noqa: F401

    def write(answer: str) -> None:
        """Write one answer as a line."""
        answers.write(f"{answer}\n")
        answers.flush()

    EstimateServer().serve(requests, write)


if __name__ == "__main__":
    main()
