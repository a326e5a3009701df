"""`bench store`: first paint and switches of pages with very many runs, against an empty store.

The runs are made up, small, and of all methods; both stores are served and timed in one call, so
that the difference is theirs and not the machine's. Then the memory of a server with the many runs
while visitors have its pages open, each in a tab.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import psutil
import typer

from peftcore.adapters.base import METHODS
from peftcore.benchmarks import bench_app, bench_compare
from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.errors import BadInput
from peftcore.runs.spec import Members
from peftcore.runs.store import RunStore
from peftcore.system import printing

ITEMS, SEEDS = 12, 2  # of each run: what is timed is their number
PAGES = ("compare", "runs", "train", "playground", "attention", "ratings")


@bench.command("store")
def time_store(
    runs: Annotated[int, typer.Option(min=1, help="Finished runs in the store.")] = 2000,
    rounds: Annotated[int, typer.Option(min=1, help="Times each thing is done.")] = 5,
    visitors: Annotated[int, typer.Option(min=1, help="Visitors at once, for the memory.")] = 20,
    as_json: printing.AsJson = False,
) -> None:
    """Time first paint and switches of pages on a store of many runs and on an empty one."""
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as home:
        make_runs(Path(home) / "runs", runs)
        few = dict(_time_pages(empty, rounds))
        many = dict(_time_pages(home, rounds))
        memory = measure_memory(home, visitors)
    rows: list[dict[str, Any]] = [
        {
            "page": page,
            "action": action,
            "empty_ms": round(statistics.median(few[page, action])),
            "median_ms": round(statistics.median(times)),
            "slowest_ms": round(max(times)),
        }
        for (page, action), times in many.items()
    ]

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        heads = ["page", "action", "empty, ms", f"{runs:,} runs, ms", "slowest ms"]
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])
        yield f"memory of the server with {visitors} visitors: {memory:.0f} MiB"

    last = {"page": "all", "action": f"{visitors} visitors at once", "memory_mib": memory}
    value = {"runs": runs, "rounds": rounds, "rows": [*rows, last]}
    printing.print_result(with_machine_info(value), as_json, lines)


def make_runs(folder: Path, count: int) -> None:
    """Write so many small finished runs, the methods in turn, each with seeds of its own."""
    store, hard = RunStore(folder), np.random.default_rng(0).normal(0, 0.25, ITEMS)
    methods = list(METHODS)
    for nth in range(count):
        turn, method = divmod(nth, len(methods))
        members = Members(seeds=SEEDS, first_seed=SEEDS * turn)
        bench_compare.make_run(store, methods[method], 0.5, members, hard)


def _time_pages(home: str, rounds: int) -> Iterator[tuple[tuple[str, str], list[float]]]:
    """Yield page and action with their times in milliseconds."""
    with bench_app.serve_app(home=home) as address, bench_app.browser_page() as page:
        first: Any = [bench_app.time_picture(page, address, "h1")]
        yield ("home", "first paint of a new server"), first
        bench_app.watch_until_drawn(page)
        # Each page once before: what a server reads once is not a switch.
        for name, _, times in bench_app.time_switches(page, PAGES, 1):
            yield (name, "first switch to it"), times[:1]
        for name, action, times in bench_app.time_switches(page, PAGES, rounds):
            typer.echo(f"{home}: {name} {statistics.median(times):.0f} ms", err=True)
            yield (name, action), times


def measure_memory(home: str, visitors: int) -> float:
    """Return the memory of a server, in MiB, while so many visitors have its pages open."""
    with bench_app.serve_app(home=home) as address, bench_app.browser_page() as page:
        tabs = [page, *(page.context.new_page() for _ in range(visitors - 1))]
        for nth, tab in enumerate(tabs):
            tab.goto(f"{address}/{PAGES[nth % len(PAGES)]}")
            bench_app.watch_until_drawn(tab)
        return _server_memory(address)


def _server_memory(address: str) -> float:
    """Return what the process that listens at an address holds, in MiB."""
    port = int(address.rpartition(":")[2])
    for child in psutil.Process().children():
        listens = [c.laddr.port for c in child.net_connections("tcp") if c.status == "LISTEN"]
        if port in listens:
            return float(child.memory_info().rss / 2**20)
    raise BadInput(f"no process of this one listens at {address}")
