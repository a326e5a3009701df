"""Commands about the queue: worker, jobs, cancel, resume, and its list (`queue`)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated, Any

import psutil
import typer

from peftcore.cli import app, options
from peftcore.cli.groups import DefaultGroup
from peftcore.errors import BadInput
from peftcore.jobs import queue as run_queue
from peftcore.jobs import queue_list
from peftcore.jobs.background import all_jobs, find_job, open_job
from peftcore.jobs.worker import Worker
from peftcore.system import printing, rights

queue = typer.Typer(cls=DefaultGroup)
app.add_typer(queue, name="queue", help="List what is at work and waits; move, pause, watch.")

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
def cancel(
    job: JobId,
    force: Annotated[
        bool, typer.Option("--force", help="End its process, where a stop led to nothing.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Stop a job within one step; what was done is kept, and it can be resumed."""
    found = find_job(job)
    if force:
        ended = queue_list.end_by_force(run_queue.Queue(), found)
        forced = {"run": job, "ended": ended, "state": found.status().state}
        printing.print_result(forced, as_json, lambda: iter([f"{job} is ended by force"]))
        return
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
    jobs_queue, found = run_queue.Queue(), find_job(job)
    if found.KIND == "train":
        jobs_queue.resume(job, device=device)
        run_queue.ensure_worker(device, jobs_queue)
    else:
        found.launch()
    row = jobs_queue.job_for(job)
    value = {"run": job, "job": row.id if row else None, "state": found.status().state}
    printing.print_result(value, as_json, lambda: iter([f"{found.KIND} {job} waits for a worker"]))


@queue.command("list")
def list_queue(as_json: printing.AsJson = False) -> None:
    """List what is at work and what waits, in order, with the workers."""
    jobs_queue = run_queue.Queue()
    rows, waiting = [], queue_list.active_jobs(jobs_queue)
    owners = rights.owners([job.called for job in waiting])
    for place, row in enumerate(waiting):
        left = open_job(row.kind, row.run_id).status().left if row.state == "running" else None
        rows.append(
            {
                "place": place,
                "job": row.id,
                "kind": row.kind,
                "id": row.run_id,
                "state": row.state,
                "device": row.device,
                "priority": row.priority,
                "who": owners.get(row.called, ""),
                "seconds_left": None if left is None else round(left),
            }
        )
    workers = [_worker_row(each) for each in queue_list.list_workers(jobs_queue)]
    value = {"paused": jobs_queue.paused, "jobs": rows, "workers": workers}

    def lines() -> Iterator[str]:
        if jobs_queue.paused:
            yield "Paused: nothing new begins until `queue continue`."
        if rows:
            yield from printing.format_table(list(rows[0]), [tuple(r.values()) for r in rows])
        else:
            yield "Nothing is at work and nothing waits."
        yield from (
            f"worker of {each['device']} on {each['host']} ({each['pid']}): {each['state']}, "
            f"{each['job'] or 'idle'}"
            for each in workers
        )

    printing.print_result(value, as_json, lines)


def _worker_row(worker: queue_list.WorkerState) -> dict[str, Any]:
    return {
        "device": worker.device,
        "host": worker.identity.host,
        "pid": worker.identity.pid,
        "state": "alive" if worker.alive else "hung" if worker.hung else "gone",
        "job": worker.job.run_id if worker.job else None,
    }


@queue.command()
def move(
    job: JobId,
    down: Annotated[bool, typer.Option("--down", help="One place later, not earlier.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Move a waiting job one place up."""
    jobs_queue = run_queue.Queue()
    ordered = [each.run_id for each in queue_list.move_job(jobs_queue, _row(job).id, not down)]
    printing.print_result(ordered, as_json, lambda: iter(ordered))


@queue.command()
def priority(
    job: JobId,
    value: Annotated[int, typer.Argument(min=-1000, max=1000, help="Higher comes first.")],
    as_json: printing.AsJson = False,
) -> None:
    """Set the priority of a waiting job."""
    row = run_queue.Queue().set_priority(_row(job).id, value)
    found = {"run": job, "priority": row.priority}
    printing.print_result(found, as_json, lambda: iter([f"{job} has priority {row.priority}"]))


def _row(job: str) -> run_queue.QueueJob:
    """Return the row of a job; BadInput if it has none."""
    row = run_queue.Queue().job_for(job)
    if row is None:
        raise BadInput(f"{job[:40]!r} is not in the queue")
    return row


@queue.command()
def pause(as_json: printing.AsJson = False) -> None:
    """Let workers begin nothing new; what is at work goes on."""
    run_queue.Queue().pause()
    printing.print_result({"paused": True}, as_json, lambda: iter(["The queue is paused."]))


@queue.command("continue")
def unpause(as_json: printing.AsJson = False) -> None:
    """Let workers begin what waits again."""
    jobs_queue = run_queue.Queue()
    jobs_queue.unpause()
    started = run_queue.restart_missing_workers(jobs_queue)
    value = {"paused": False, "workers_started": started}
    printing.print_result(value, as_json, lambda: iter(["The queue goes on."]))


@queue.command()
def watch(
    process: Annotated[
        int | None, typer.Option(help="End with the process of this number.")
    ] = None,
    as_json: printing.AsJson = False,
) -> None:
    """Start the workers that waiting jobs miss, until Ctrl+C; `app` does it by itself."""

    def is_wanted() -> bool:
        """Return whether the process that this one serves is still there."""
        return process is None or psutil.pid_exists(process)

    started = 0
    with contextlib.suppress(KeyboardInterrupt):
        started = queue_list.look_after_workers(run_queue.Queue(), is_wanted)
    printing.print_result({"started": started}, as_json, lambda: iter([f"started {started}"]))
