"""`bench rating`: many raters at once, as threads on one store or each in a browser.

As threads every rater answers, saves a draft, rates and goes on without a pause, so the times are
those of the worst crowd; in browsers they are what a rater waits for. Afterwards the store is
counted: no rating may be lost, doubled or over the overlap.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from peftcore import rating
from peftcore.benchmarks.browsers import rate_in_browsers
from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.errors import BadInput
from peftcore.rating.creation import save_project
from peftcore.rating.item_sampling import RatingItem
from peftcore.system import printing
from peftcore.system.option_groups import grouped

OPTIONS = ("yes", "no")
OVERLAP = 3  # raters of an item


@dataclass(frozen=True)
class CrowdLoad:
    """The number of raters, their items, and their pace."""

    raters: Annotated[int, typer.Option(min=1, help="Raters at once.")] = 20
    items: Annotated[int, typer.Option(min=1, help="Items each of them rates.")] = 30
    think: Annotated[float, typer.Option(min=0, help="Seconds between two acts.")] = 0.0


@bench.command("rating")
@grouped
def rating_crowd(
    load: CrowdLoad,
    database: Annotated[
        str, typer.Option(help="Address of an empty database; a new SQLite file otherwise.")
    ] = "",
    browsers: Annotated[
        int, typer.Option(min=0, help="Raters in browsers on a served app, instead of threads.")
    ] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="4 raters, 5 items.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Time each act while many raters rate at once; nothing may be lost or doubled."""
    raters, items, think = load.raters, load.items, load.think
    if quick:
        raters, items, browsers = 4, 5, min(browsers, 4)
    began, processor = time.perf_counter(), time.process_time()
    if browsers:
        raters = browsers
        times, ratings = rate_in_browsers(
            lambda rating_store: create_rating_project(rating_store, raters, items), items, think
        )
        _check_ratings(ratings, raters * items, min(OVERLAP, raters))
    else:
        with tempfile.TemporaryDirectory() as folder:
            times = rate_in_threads(
                database or f"sqlite:///{folder}/crowd.sqlite", raters, items, think
            )
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    rows: list[dict[str, Any]] = [
        {"act": act, "calls": len(each), "median_ms": _ms(statistics.median(each))}
        | {"p95_ms": _ms(sorted(each)[int(0.95 * (len(each) - 1))]), "worst_ms": _ms(max(each))}
        for act, each in times.items()
    ]
    value: dict[str, Any] = {
        "raters": raters,
        "items": items,
        "think": think,
        "seconds": round(seconds, 2),
    }
    value |= {"browsers": bool(browsers), "processor_seconds": round(processor, 2)}
    value |= {"ratings": raters * items, "rows": rows}

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        yield f"{raters} raters, {items} items each, none lost, none doubled"
        if not browsers:
            yield f"{seconds:.1f} s, of which the processor worked {processor:.1f} s"
        heads = ["act", "calls", "median ms", "95 % ms", "worst ms"]
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])

    printing.print_result(with_machine_info(value), as_json, lines)


def rate_in_threads(url: str, raters: int, items: int, think: float) -> dict[str, list[float]]:
    """Return act → seconds of every call; BadInput if the store has not exactly what was rated."""
    rating_store = rating.RatingStore(url)
    project, tokens = create_rating_project(rating_store, raters, items)
    actors = [rating.sign_in(rating_store, token) for token in tokens]
    times: dict[str, list[float]] = defaultdict(list)
    faults: list[BaseException] = []
    threads = [
        threading.Thread(
            target=_collecting_faults,
            args=(_rate_all_items, faults, rating_store, who, times, think),
        )
        for who in actors
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    ratings = rating.verdict_table(
        rating_store, rating.experimenter("bench"), project, history=True
    )
    rating_store.close()
    _check_ratings(ratings, len(times["rate"]), min(OVERLAP, raters))
    return dict(times)


def create_rating_project(rating_store: Any, raters: int, items: int) -> tuple[str, list[str]]:
    """A new project, by id, that has so many items for each of so many raters; and their links."""
    overlap = min(OVERLAP, raters)
    # Enough that the last rater, too, finds an item that is open and that they have not rated.
    count = -(-raters * items // overlap) + items
    settings = rating.ProjectSettings.make(
        {"overlap": overlap, "items_per_rater": items, "checks": 0, "training": 0}
    )
    listed = [_item(RatingItem, number) for number in range(count)]
    project, me = (
        save_project(rating_store, "bench", "bench", settings, listed, {}),
        rating.experimenter("bench"),
    )
    links = [rating.invite(rating_store, me, project.id, f"rater {n}").token for n in range(raters)]
    return project.id, links


def _check_ratings(ratings: Any, acknowledged: int, overlap: int) -> None:
    """Raise BadInput if a rating was lost or doubled, or an item went to too many raters."""
    if len(ratings) != acknowledged or ratings.duplicated(["item", "rater"]).any():
        raise BadInput(f"{acknowledged} ratings were acknowledged, {len(ratings)} are there")
    most = ratings.groupby("item").size().max()
    if most > overlap:
        raise BadInput(f"an item has {most} raters where {overlap} are allowed")


def _item(kind: Any, number: int) -> Any:
    """Build an item of this number."""
    fields = (("text", f"text {number}"),)
    return kind("rating", str(number), "yes", fields, OPTIONS, (("yes", f"reason {number}"),))


def _collecting_faults(
    action: Callable[..., None], faults: list[BaseException], *arguments: Any
) -> None:
    """Collect a thread's exception, to be raised where the threads are joined."""
    try:
        action(*arguments)
    except BaseException as fault:
        faults.append(fault)


def _rate_all_items(
    rating_store: Any, who: Any, times: dict[str, list[float]], think: float
) -> None:
    """One rater from the first item to the last."""

    def timed(act: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """Time one act, then wait as long as a rater thinks."""
        began = time.perf_counter()
        result = call(rating_store, who, *arguments)
        times[act].append(time.perf_counter() - began)
        time.sleep(think)
        return result

    judgement = rating.Judgement(verdict="weak yes")
    while (shown := timed("next item", rating.next_item)) is not None:
        lease = shown.lease
        timed("answer", rating.submit_answer, lease, "yes", f"a{lease}")
        timed("draft", rating.save_draft, lease, {"verdict": "weak yes"}, 1)
        timed("rate", rating.submit_rating, lease, judgement, f"r{lease}", 1.0)


def _ms(seconds: float) -> float:
    """Convert seconds to milliseconds."""
    return round(1000 * seconds, 1)
