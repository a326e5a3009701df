"""`bench soak`: kills, full disks, crowds and moves at random moments, and what was lost by them.

Each part works on workspaces of its own in a temporary folder. The moments are random and depend on
the seed alone, as far as a machine's own pace allows. Exit status 1 where anything was wrong.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from peftcore.benchmarks import postgres_server
from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.benchmarks.soak import disks, homes, kills, moves, ray_node, together
from peftcore.benchmarks.soak.homes import Campaign, Reference, Row
from peftcore.errors import BadInput, unknown_name
from peftcore.system import printing

Part = Callable[[Campaign, Callable[[], Reference], bool], Iterator[Row]]


def _writes(campaign: Campaign, reference: Callable[[], Reference], short: bool) -> Iterator[Row]:
    """Write from eight processes, and rate by twenty raters."""
    writes = 24 if short else 200
    yield together.write_from_many(campaign, "", "SQLite", writes)
    if not short:
        yield _on_postgres(
            lambda url: together.write_from_many(campaign, url, "PostgreSQL", writes)
        )
        yield together.rate_at_once(campaign, 20, 10)


def _on_postgres(make: Callable[[str], Row]) -> Row:
    """Make a row on a new PostgreSQL database, or say why there is none."""
    if reason := postgres_server.reason_without():
        return Row("on PostgreSQL", f"left out: {reason}")
    return make(postgres_server.new_database())


def _runs(campaign: Campaign, reference: Callable[[], Reference], short: bool) -> Iterator[Row]:
    """Kill workers in each phase of a run."""
    for phase in ("training", "answering", "writing a checkpoint"):
        yield kills.kill_runs(campaign, phase, reference())


def _ratings(campaign: Campaign, reference: Callable[[], Reference], short: bool) -> Iterator[Row]:
    """Kill what saves ratings."""
    yield kills.kill_raters(campaign, "", "SQLite")
    if not short:
        yield _on_postgres(lambda url: kills.kill_raters(campaign, url, "PostgreSQL"))


def _sweeps(campaign: Campaign, reference: Callable[[], Reference], short: bool) -> Iterator[Row]:
    """Kill sweeps and landscapes."""
    if not short:
        yield kills.kill_sweeps(campaign)
        yield kills.kill_landscapes(campaign)


def _apps(campaign: Campaign, reference: Callable[[], Reference], short: bool) -> Iterator[Row]:
    """Kill apps, and serve one workspace twice."""
    if not short:
        yield together.kill_apps(campaign, reference())
        yield together.restart_by_app(campaign, reference())
        yield together.work_together(campaign, 6)


def _disks(campaign: Campaign, reference: Callable[[], Reference], short: bool) -> Iterator[Row]:
    """Fill the disk."""
    yield disks.fill_in_training(campaign, reference())
    yield disks.fill_in_rating(campaign)


def _moves(campaign: Campaign, reference: Callable[[], Reference], short: bool) -> Iterator[Row]:
    """Move the workspace, and set the clock back."""
    yield moves.set_clock_back(campaign, reference())
    if not short:
        yield moves.move_home(campaign, reference())
        yield moves.move_to_another_machine(campaign, reference())


def _ray(campaign: Campaign, reference: Callable[[], Reference], short: bool) -> Iterator[Row]:
    """Kill a node of a Ray cluster."""
    if not short:
        yield ray_node.kill_node(campaign)


PARTS: dict[str, Part] = {
    "writes": _writes,
    "runs": _runs,
    "ratings": _ratings,
    "sweeps": _sweeps,
    "apps": _apps,
    "disks": _disks,
    "moves": _moves,
    "ray": _ray,
}


@bench.command("soak")
def soak(
    part: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(PARTS)}; repeat it for more.")
    ] = None,
    times: Annotated[int, typer.Option(min=1, help="Kills, or full disks, of each sort.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Decides the moments.")] = 0,
    short: Annotated[
        bool, typer.Option("--short", help="One of each sort that needs no server, for CI.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Kill, fill the disk, crowd and move at random moments; say what was lost."""
    unknown = [name for name in part or () if name not in PARTS]
    if unknown:
        raise unknown_name("part", unknown[0], PARTS)
    os.environ["PEFTCORE_THREADS"] = "1"  # a process has a core of its own
    began, times = time.monotonic(), 1 if short else times
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        campaign = Campaign(Path(folder), times, random.Random(seed))
        references: list[Reference] = []

        def reference() -> Reference:
            """Return the undisturbed run, trained once."""
            if not references:
                references.append(homes.make_reference(campaign, homes.small_spec()))
            return references[0]

        for name in part or PARTS:
            for row in _timed(_rows(name, PARTS[name](campaign, reference, short))):
                homes.remark(f"{row.what}: {row.times} times, {len(row.wrong)} wrong")
                rows.append(row)
    seconds = time.monotonic() - began
    value = {"seed": seed, "seconds": round(seconds), "wrong": sum(len(row.wrong) for row in rows)}

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        heads = ["what", "how", "times", "wrong", "found", "seconds"]
        cells = [tuple(row.as_record().values())[:6] for row in rows]
        yield from printing.format_table(heads, cells)
        yield from (f"wrong: {row.what}: {each}" for row in rows for each in row.wrong)

    records = [row.as_record() for row in rows]
    printing.print_result(with_machine_info(value | {"rows": records}), as_json, lines)
    if value["wrong"]:
        raise typer.Exit(1)


def _rows(name: str, rows: Iterator[Row]) -> Iterator[Row]:
    """Yield the rows of a part, and where it breaks off a row that says so."""
    try:
        yield from rows
    except BadInput as error:
        yield Row(f"part {name}", "broken off", 1, [str(error)])


def _timed(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield rows with the seconds that each took."""
    began = time.monotonic()
    for row in rows:
        row.seconds = time.monotonic() - began
        yield row
        began = time.monotonic()
