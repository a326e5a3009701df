"""Kills by signal 9 in training, answering, writing a checkpoint, rating, a sweep and a landscape.

What was killed is resumed until it is done, and must then be what an undisturbed one is, byte for
byte; of ratings, whatever was acknowledged must be there, once.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from peftcore import rating
from peftcore.benchmarks.bench_rating import create_rating_project
from peftcore.benchmarks.soak import children, homes
from peftcore.benchmarks.soak.children import Acknowledge, Child
from peftcore.benchmarks.soak.homes import Campaign, Reference, Row
from peftcore.labs.landscape.compute import run_landscape_job
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps import execute
from peftcore.sweeps.engines.local import LocalEngine
from peftcore.sweeps.spec import Sweep, SweepJob
from peftcore.sweeps.status import cell_states
from peftcore.system import atomic_files

KILLS_OF_A_RUN = 4  # before it may come to its end
STAGES = ("torn", "whole", "named")  # of a checkpoint that is being written


def kill_runs(campaign: Campaign, phase: str, reference: Reference) -> Row:
    """Kill workers at random moments of a phase, or of writing a checkpoint."""
    row, spec = Row(f"in {phase}", "kill -9 of the worker"), homes.small_spec()
    finished = 0
    while row.times < campaign.times:
        with campaign.home() as home:
            homes.submit(home, spec)
            run = homes.open_run(home, spec)
            for _ in range(min(KILLS_OF_A_RUN, campaign.times - row.times)):
                if not _strike(campaign, home, run, phase, reference):
                    break
                row.times += 1
                if run.status().state == "done":  # killed between its last file and its row
                    break
                if run.status().state != "lost":
                    row.wrong.append(f"reads {run.status().state} after its worker was killed")
                homes.resume(home, run.id)
            if run.status().state != "done":
                homes.start_worker(campaign, home).wait()
            row.wrong += homes.differences(run, reference.results)
            finished += 1
    row.found = f"{finished} runs resumed to equal bytes"
    return row


def _strike(campaign: Campaign, home: Path, run: Run, phase: str, reference: Reference) -> bool:
    """Start a worker and kill it; False if it came to its end before."""
    if phase == "writing a checkpoint":
        nth, stage = campaign.rng.randint(1, 3), campaign.rng.choice(STAGES)
        share = campaign.rng.random()
        child = homes.start_worker(campaign, home, lambda: die_in_checkpoint(nth, stage, share))
        while child.running():
            time.sleep(children.POLL_SECONDS)
        return child.status is not None and os.WIFSIGNALED(child.status)
    delay = campaign.rng.uniform(0, 0.9 * reference.seconds[phase])
    child = homes.start_worker(campaign, home)
    homes.wait_for_phase(child, run, phase)
    time.sleep(delay)
    child.kill()
    return child.status is not None and os.WIFSIGNALED(child.status)


def die_in_checkpoint(nth: int, stage: str, share: float) -> None:
    """Let this process kill itself while it writes its nth checkpoint.

    stage: "torn" leaves a share of the new file, "whole" all of it without its name, and "named"
    gives it its name and dies before the folder is on the disk.
    """
    count, move = itertools.count(1), atomic_files.move_into_place

    def move_or_die(part: Path, path: Path) -> None:
        if path.name == "checkpoint.safetensors" and next(count) == nth:
            if stage == "torn":
                os.truncate(part, int(share * part.stat().st_size))
            if stage == "named":
                os.replace(part, path)
            os.kill(os.getpid(), signal.SIGKILL)
        move(part, path)

    atomic_files.move_into_place = move_or_die


def rate_items(url: str, token: str, acknowledge: Acknowledge) -> None:
    """Rate as one rater until nothing is left, acknowledging every act that came back."""
    store = rating.RatingStore(url)
    who = rating.sign_in(store, token)
    judgement = rating.Judgement(verdict="weak yes")
    while (shown := rating.next_item(store, who)) is not None:
        rating.submit_answer(store, who, shown.lease, "yes", f"a{shown.lease}")
        acknowledge(f"answer {shown.lease}")
        rating.submit_rating(store, who, shown.lease, judgement, f"r{shown.lease}", 1.0)
        acknowledge(f"rate {shown.lease}")


def missing_ratings(url: str, project: str, acknowledged: set[str], unsure: int) -> list[str]:
    """Name what is wrong: ratings that are not there, twice there, or were made by nobody."""
    store = rating.RatingStore(url)
    table = rating.verdict_table(store, rating.experimenter("bench"), project, history=True)
    store.close()
    wrong = []
    if len(table) < len(acknowledged):
        wrong.append(f"{len(acknowledged)} ratings were acknowledged, {len(table)} are there")
    if len(table) > len(acknowledged) + unsure:
        wrong.append(f"{len(table)} ratings are there, {len(acknowledged)} were acknowledged")
    if table.duplicated(["item", "rater"]).any():
        wrong.append("a rating is there twice")
    return wrong


def kill_raters(campaign: Campaign, url: str, kind: str) -> Row:
    """Kill an app at random moments while it saves ratings, and let the rater go on."""
    row = Row("in saving a rating", f"kill -9 of the app, {kind}")
    with campaign.home() as home:
        url = url or f"sqlite:///{home}/lab.sqlite"
        items = max(64, 8 * campaign.times)  # more than can be rated before the first kill
        made = children.call(
            home, lambda: ":".join(project_and_token(url, items)), "what makes a project"
        )
        project, token = made.split(":", 1)
        acknowledged: set[str] = set()
        while row.times < campaign.times:
            child = children.fork(home, lambda say: rate_items(url, token, say), "a rater")
            while child.running() and not child.read(0.05):
                pass
            time.sleep(campaign.rng.uniform(0, 0.15))
            child.kill()
            acknowledged |= {line for line in child.lines if line.startswith("rate ")}
            if not os.WIFSIGNALED(child.status or 0):
                break
            row.times += 1
        rest = children.fork(home, lambda say: rate_items(url, token, say), "a rater").wait()
        acknowledged |= {line for line in rest if line.startswith("rate ")}
        unsure = row.times
        row.wrong += children.call(
            home,
            lambda: "\n".join(missing_ratings(url, project, acknowledged, unsure)),
            "what counts ratings",
        ).splitlines()
        row.found = f"{len(acknowledged)} ratings acknowledged, 0 lost" if not row.wrong else ""
    return row


def project_and_token(url: str, items: int) -> tuple[str, str]:
    """Make a project with one rater; return its id and the rater's secret."""
    store = rating.RatingStore(url)
    project, tokens = create_rating_project(store, 1, items)
    return project, tokens[0]


def kill_sweeps(campaign: Campaign) -> Row:
    """Kill a sweep, a process that trains for it, or both at once, at random moments."""
    row = Row("in a sweep", "kill -9 of the sweep, of what trains for it, or of both")
    sweep = small_sweep()
    with campaign.home() as home:
        began = time.monotonic()
        _start_sweep(home, sweep).wait()
        whole, reference = time.monotonic() - began, sweep_results(home, sweep)
    finished = 0
    while row.times < campaign.times:
        with campaign.home() as home:
            started = []
            for _ in range(min(KILLS_OF_A_RUN, campaign.times - row.times)):
                child = _start_sweep(home, sweep)
                started.append(child)
                time.sleep(campaign.rng.uniform(0.1, 0.9) * whole)
                victim = campaign.rng.choice(("sweep", "trainer", "both"))
                if victim == "trainer" and child.kill_child():
                    row.times += 1
                    child.wait()  # which starts another and goes on by itself
                    break
                child.kill(family=victim == "both")
                row.times += os.WIFSIGNALED(child.status or 0)
            _wait_for_orphans(home, sweep)
            for each in started:  # a forked trainer keeps its own pipe open, and would wait on
                each.end_family()
            _start_sweep(home, sweep).wait()
            if sweep_results(home, sweep) != reference:
                row.wrong.append("the runs of a sweep differ from those of an undisturbed one")
            finished += 1
    row.found = f"{finished} sweeps of {len(sweep.cells())} runs resumed to equal bytes"
    return row


def small_sweep() -> Sweep:
    """Return a sweep of two runs in two parts each."""
    training = homes.small_spec().training.model_dump(mode="json")
    sizes = ("shots", "dev", "steps", "batch", "evaluate_every", "precision")
    return Sweep.make(
        {
            "bases": [homes.BASE],
            "tasks": [homes.TASK],
            "methods": [{"method": homes.METHOD, "settings": {"rank": [1, 2]}}],
            "episodes": {"seeds": 2},
            "training": {name: training[name] for name in sizes} | {"learning_rate": 0.01},
            "evaluation": {"limit": 12},
            "chunk": 1,
        }
    )


def _start_sweep(home: Path, sweep: Sweep) -> Child:
    """Start a sweep with one process that trains."""

    def work(acknowledge: Acknowledge) -> None:
        fork_trainers()
        job = SweepJob.create_own(sweep)
        execute.run_sweep(job, LocalEngine(processes=1), RunStore(), retry=True)

    return children.fork(home, work, "a sweep")


def fork_trainers() -> None:
    """Let processes that train for a sweep be forked: they have the libraries in memory.

    Started anew, as a sweep otherwise does, each takes ten seconds to import them.
    """
    context = multiprocessing.get_context
    multiprocessing.get_context = lambda method=None: context("fork")  # type: ignore


def _wait_for_orphans(home: Path, sweep: Sweep) -> None:
    """Wait until what trained for a killed sweep has noticed and ended."""
    deadline = time.monotonic() + children.PATIENCE_SECONDS
    while time.monotonic() < deadline:
        statuses = children.call(home, lambda: _states(sweep), "what looks at a sweep")
        if "running" not in statuses:
            return
        time.sleep(0.1)


def _states(sweep: Sweep) -> list[str]:
    """List the states of a sweep's parts."""
    return [part.state for cell in cell_states(sweep.cells(), RunStore()) for part in cell.shards]


def sweep_results(home: Path, sweep: Sweep) -> dict[str, dict[str, bytes]]:
    """Return the bytes of each run of a sweep."""
    store = RunStore(home / "runs")
    return {spec.id: homes.results_of(store.open(spec.id)) for spec in sweep.specs()}


def kill_landscapes(campaign: Campaign) -> Row:
    """Kill the measurement of a landscape at random moments."""
    row = Row("in a landscape", "kill -9 of what measures it")
    base = campaign.load_base()
    template = campaign.new_home()
    template.mkdir(mode=0o700)
    spec = homes.small_spec(vertices=3)
    homes.submit(template, spec)
    homes.start_worker(campaign, template).wait()
    request = LandscapeRequest.make({"runs": (spec.id,), "steps": 8, "examples": 8, "metric": True})

    def measure(acknowledge: Acknowledge) -> None:
        run_landscape_job(LandscapeJob.create(request), preloaded_base=base)

    def values(home: Path) -> bytes:
        job = LandscapeJob(home / LandscapeJob.FOLDER_NAME / request.id, request)
        return homes.as_json([job.plan(), job.table().to_dict("records"), job.status().state])

    try:
        with campaign.home(like=template) as home:
            began = time.monotonic()
            children.fork(home, measure, "a landscape").wait()
            whole, reference = time.monotonic() - began, values(home)
        finished = 0
        while row.times < campaign.times:
            with campaign.home(like=template) as home:
                row.times += _kill_repeatedly(campaign, row.times, home, measure, whole)
                children.fork(home, measure, "a landscape").wait()
                if values(home) != reference:
                    row.wrong.append("losses or scores differ from the undisturbed ones")
                finished += 1
        row.found = f"{finished} landscapes of {_points(reference)} points resumed to equal numbers"
    finally:
        shutil.rmtree(template.parent)
    return row


def _kill_repeatedly(
    campaign: Campaign,
    done: int,
    home: Path,
    work: Callable[[Acknowledge], None],
    whole: float,
) -> int:
    """Start some work and kill it, a few times over; return how often it was killed."""
    killed = 0
    for _ in range(min(KILLS_OF_A_RUN, campaign.times - done)):
        child = children.fork(home, work, "what is killed")
        time.sleep(campaign.rng.uniform(0.05, 0.95) * whole)
        child.kill()
        if not os.WIFSIGNALED(child.status or 0):
            break
        killed += 1
    return killed


def _points(values: bytes) -> Any:
    """Count the points of a landscape's numbers."""
    return len(json.loads(values)[1])
