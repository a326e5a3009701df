"""Commands about the queue: worker, jobs, cancel, resume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from peftcore.cli import app, options
from peftcore.cli.results import RunId
from peftcore.errors import BadInput
from peftcore.jobs import queue as run_queue
from peftcore.jobs.worker import Worker
from peftcore.system import printing


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="End when the queue is empty.")] = False,
    idle_seconds: Annotated[
        float, typer.Option(min=0, help="End after so long without work.")
    ] = 900.0,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Work off the queue; the app starts this by itself."""
    worked = Worker(device=device).run(once=once, idle_seconds=idle_seconds)
    printing.print_result({"jobs": worked}, as_json, lambda: iter([f"worked on {worked} jobs"]))


@app.command()
def jobs(as_json: printing.AsJson = False) -> None:
    """List what is being worked on, what waits, and what was."""
    names = ["job", "run", "state", "device", "priority", "message"]
    rows = [
        (job.id, job.run_id, job.state, job.device, job.priority, job.message)
        for job in run_queue.Queue().jobs()
    ]

    def lines() -> Iterator[str]:
        yield from (
            printing.format_table(names, rows)
            if rows
            else ("No jobs yet; `train --queue` adds one.",)
        )

    printing.print_result([dict(zip(names, row, strict=True)) for row in rows], as_json, lines)


@app.command()
def cancel(run: RunId, as_json: printing.AsJson = False) -> None:
    """Stop a run within one step; what was learnt is kept, and it can be resumed."""
    queue = run_queue.Queue()
    queue.store.open(run)
    job = queue.job_for(run)
    if job is None:
        raise BadInput(f"run {run} is not in the queue; press Ctrl+C where it is being trained")
    job = queue.cancel(job.id)
    say = "is asked to stop" if job.active else "is cancelled"
    value = {"run": run, "job": job.id, "state": job.state, "cancel": job.cancel}
    printing.print_result(value, as_json, lambda: iter([f"run {run} {say}"]))


@app.command()
def resume(run: RunId, device: options.Device = "auto", as_json: printing.AsJson = False) -> None:
    """Queue a run that was lost, cancelled or failed; it goes on from its checkpoint."""
    queue = run_queue.Queue()
    job = queue.resume(run, device=device)
    run_queue.ensure_worker(device, queue)
    value = {"run": run, "job": job.id, "state": job.state}
    printing.print_result(value, as_json, lambda: iter([f"run {run} waits for a worker"]))
