"""Many at once: writers on both databases, raters, and two apps on one workspace."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from peftcore import paths, rating
from peftcore.benchmarks.bench_rating import create_rating_project, rate_in_threads
from peftcore.benchmarks.soak import children, homes
from peftcore.benchmarks.soak.homes import Campaign, Reference, Row
from peftcore.benchmarks.soak.kills import missing_ratings, rate_items
from peftcore.errors import BadInput
from peftcore.jobs.queue import Queue
from peftcore.jobs.worker import Worker
from peftcore.runs.spec import RunSpec

WRITERS = 8
WRITES_OF_A_RATING = 3  # the lease, the answer, the rating
P95_SECONDS = 1.0  # of a saved rating: the limit of the campaign


def write_from_many(campaign: Campaign, url: str, kind: str, writes: int) -> Row:
    """Let eight processes write at once, so many times each, and count what is there."""
    row = Row(f"{WRITERS} × {writes} writes at once", kind)
    with campaign.home() as home:
        url = url or f"sqlite:///{home}/lab.sqlite"
        items = -(-writes // WRITES_OF_A_RATING)

        def make() -> str:
            project, tokens = create_rating_project(rating.RatingStore(url), WRITERS, items)
            return "\n".join([project, *tokens])

        project, *tokens = children.call(home, make, "what makes a project").splitlines()

        def rating_with(token: str) -> Callable[[children.Acknowledge], None]:
            return lambda say: rate_items(url, token, say)

        raters = [children.fork(home, rating_with(token), "a writer") for token in tokens]
        with children.ending(*raters):
            lines = [line for rater in raters for line in rater.wait()]
        acknowledged = {line for line in lines if line.startswith("rate ")}
        row.times = len(lines) + len(acknowledged)  # each was leased first
        row.wrong += children.call(
            home, lambda: "\n".join(missing_ratings(url, project, acknowledged, 0))
        ).splitlines()
        row.found = f"{len(acknowledged)} ratings acknowledged, none lost, none twice"
    return row


def rate_at_once(campaign: Campaign, raters: int, items: int) -> Row:
    """Let many raters rate without a pause, and time a saved rating."""
    row = Row(f"{raters} raters at once", "threads on one store, without a pause", raters * items)
    with campaign.home() as home:

        def work() -> str:
            times = rate_in_threads(f"sqlite:///{home}/lab.sqlite", raters, items, 0.0)["rate"]
            p95 = statistics.quantiles(times, n=20)[-1]
            return f"{statistics.median(times)} {p95} {max(times)}"

        median, p95, worst = map(float, children.call(home, work, "raters at once").split())
        row.found = (
            f"a saved rating: median {1000 * median:.0f} ms, 95 % {1000 * p95:.0f} ms, "
            f"worst {1000 * worst:.0f} ms"
        )
        if p95 >= P95_SECONDS:
            row.wrong.append(f"95 % of saved ratings took up to {p95:.2f} s")
    return row


@contextmanager
def served_app(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start the app as the command does, with what looks after its workers; killed at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"PEFTCORE_HOME": str(home), "PEFTCORE_WARM": "0"}
    command = [sys.executable, "-m", "peftcore", "app", "--headless", "--port", str(port)]
    with (home.parent.parent / children.LOG_NAME).open("ab") as log:
        app = subprocess.Popen(
            command, env=environment, cwd=paths.ROOT, stdout=log, stderr=log, start_new_session=True
        )
    app.args = [str(port)]
    try:
        yield app
    finally:
        with contextlib.suppress(ProcessLookupError):
            app.send_signal(signal.SIGKILL)
        app.wait()


def wait_until_healthy(app: subprocess.Popen[bytes]) -> None:
    """Wait until an app answers; BadInput if it does not."""
    [port] = app.args if isinstance(app.args, list) else [""]
    deadline = time.monotonic() + children.PATIENCE_SECONDS
    while time.monotonic() < deadline and app.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise BadInput("the app did not answer")


def work_together(campaign: Campaign, runs: int) -> Row:
    """Serve one workspace by two apps and two workers, and see every run done once.

    One worker is started here; the other by the apps, which look after the queue.
    """
    row = Row("two apps and two workers", f"one workspace, {runs} runs", runs)
    specs = [homes.small_spec(first_seed=number) for number in range(runs)]
    base = campaign.load_base()

    def work(acknowledge: children.Acknowledge) -> None:
        """Work off the queue."""
        Worker(Queue(), "cpu", load_base=lambda n, d: base).run(once=True)

    with campaign.home() as home, served_app(home) as first, served_app(home) as second:
        wait_until_healthy(first)
        wait_until_healthy(second)
        homes.submit(home, *specs)
        worker = children.fork(home, work, "a worker")
        with children.ending(worker):
            _wait_until_done(home, specs)
            worker.wait()  # which writes the last row after the last file
        for spec in specs:
            run = homes.open_run(home, spec)
            done = run.log().count(" Done\n")
            if run.status().state != "done" or done != 1:
                row.wrong.append(f"run {run.id} is {run.status().state} and was done {done} times")
        states = children.call(home, lambda: " ".join(job.state for job in Queue().jobs()))
        if states.split() != ["done"] * runs:
            row.wrong.append(f"the queue says {states}")
        _end_workers(home)
    row.found = f"{runs} runs done, each once" if not row.wrong else ""
    return row


def _wait_until_done(home: Path, specs: list[RunSpec]) -> None:
    deadline = time.monotonic() + children.PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if all(homes.open_run(home, spec).status().state == "done" for spec in specs):
            return
        time.sleep(0.1)


def kill_apps(campaign: Campaign, reference: Reference) -> Row:
    """Kill the app, or the app and the worker at once, while a run is trained."""
    row = Row("the app, or app and worker", "kill -9, the app started again each time")
    spec, both = homes.small_spec(), 0
    while row.times < campaign.times:
        with campaign.home() as home:
            homes.submit(home, spec)
            run = homes.open_run(home, spec)
            child = homes.start_worker(campaign, home)
            for _ in range(min(3, campaign.times - row.times)):
                with served_app(home) as app, children.ending():
                    time.sleep(campaign.rng.uniform(0.2, 3.0))
                    app.send_signal(signal.SIGKILL)
                    row.times += 1
                    if campaign.rng.random() < 0.5 and child.running():
                        child.kill()
                        both += 1
                        if run.status().state == "done":  # between its last file and its row
                            continue
                        if run.status().state != "lost":
                            row.wrong.append(f"reads {run.status().state} after both were killed")
                        homes.resume(home, run.id)
                        child = homes.start_worker(campaign, home)
            with contextlib.suppress(BadInput):  # the last one may have been killed when done
                child.wait()
            row.wrong += homes.differences(run, reference.results)
            _end_workers(home)
    row.found = f"{both} of them with the worker; runs done, equal bytes" if not row.wrong else ""
    return row


def restart_by_app(campaign: Campaign, reference: Reference) -> Row:
    """Kill app and worker, queue the run again, and let nothing but a new app see to it."""
    row = Row("app and worker, then a new app alone", "kill -9, nobody opens a page", 1)
    spec = homes.small_spec()
    with campaign.home() as home:
        homes.submit(home, spec)
        run, child = homes.open_run(home, spec), homes.start_worker(campaign, home)
        homes.wait_for_phase(child, run, "training")
        child.kill()
        homes.resume(home, run.id)
        began = time.monotonic()
        with served_app(home):
            _wait_until_done(home, [spec])
            _end_workers(home)
        row.found = f"done {time.monotonic() - began:.0f} s later by a worker that the app started"
        row.wrong += homes.differences(run, reference.results)
    return row


def _end_workers(home: Path) -> None:
    """End the processes of a workspace that apps of this campaign have started."""
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("PEFTCORE_HOME") == str(home)
            if ours and process.pid != os.getpid():
                process.kill()
        except psutil.Error:
            continue
