"""Commands about the queue: worker, jobs, cancel, resume."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from peftcore.cli import app, options
from peftcore.errors import BadInput
from peftcore.jobs import queue as run_queue
from peftcore.jobs.background import all_jobs, find_job
from peftcore.jobs.worker import Worker
from peftcore.system import printing

JobId = Annotated[str, typer.Argument(metavar="JOB", help="Id of a run, a measurement or a sweep.")]


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
    """List running, queued and finished jobs: runs, measurements and sweeps."""
    queued = run_queue.Queue().jobs()
    latest = {row.run_id: row for row in sorted(queued, key=lambda row: row.id)}
    order = {row.run_id: n for n, row in enumerate(row for row in queued if row.active)}
    names = ["job", "kind", "run", "state", "device", "priority", "message"]
    rows: list[tuple[Any, ...]] = []
    for job in sorted(all_jobs(), key=lambda job: order.get(job.id, len(order))):
        status, row = job.status(), latest.get(job.id)
        place = (row.device, row.priority) if row else ("", None)
        number = row.id if row else None
        rows.append((number, job.KIND, job.id, status.state, *place, status.message))

    def lines() -> Iterator[str]:
        yield from (
            printing.format_table(names, rows)
            if rows
            else ("No jobs yet; `train --queue` adds one.",)
        )

    printing.print_result([dict(zip(names, row, strict=True)) for row in rows], as_json, lines)


@app.command()
def cancel(job: JobId, as_json: printing.AsJson = False) -> None:
    """Stop a job within one step; what was done is kept, and it can be resumed."""
    found = find_job(job)
    state = found.status().state
    if state not in ("queued", "running", "lost"):
        raise BadInput(f"{found.KIND} {job} is {state} already")
    found.stop()
    status, row = found.status(), run_queue.Queue().job_for(job)
    say = "is asked to stop" if status.active else "is cancelled"
    value = {"run": job, "job": row.id if row else None, "state": status.state}
    value["cancel"] = found.stop_requested()
    printing.print_result(value, as_json, lambda: iter([f"{found.KIND} {job} {say}"]))


@app.command()
def resume(job: JobId, device: options.Device = "auto", as_json: printing.AsJson = False) -> None:
    """Queue a job that was lost, cancelled or failed; it goes on from where it stopped."""
    queue, found = run_queue.Queue(), find_job(job)
    if found.KIND == "train":
        queue.resume(job, device=device)
        run_queue.ensure_worker(device, queue)
    else:
        found.launch()
    row = queue.job_for(job)
    value = {"run": job, "job": row.id if row else None, "state": found.status().state}
    printing.print_result(value, as_json, lambda: iter([f"{found.KIND} {job} waits for a worker"]))
