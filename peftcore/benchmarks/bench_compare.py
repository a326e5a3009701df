"""`bench compare`: how long clicks on Compare take with many runs, seeds and test examples.

The runs are made up: a folder each with spec, answers and scores, as training would leave them. The
clock is that of `bench app`. Texts are the same few phrases, so that what is timed is the page; a
metric of texts is computed once for each different pair of text and reference.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from peftcore.adapters.base import METHODS
from peftcore.analysis import item_tables
from peftcore.benchmarks import bench_app
from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.runs.store import ANSWER_COLUMNS, Run, RunStore
from peftcore.system import printing

TASK, LABELS = "miniworld_nli", ("contradiction", "entailment", "neutral")
SCORED = ("accuracy", "f1", "broken")
VIEWS = {  # of the page by group, the first of each as the group opens
    "Scores": ("Table", "Metrics", "Against one"),
    "Examples": ("Flips", "Slices", "Answers", "Labels"),
    "Costs": ("Pareto", "Curves", "Power"),
    "Settings": ("All settings", "Groups"),
}
WARM_UP_MS = (
    10_000  # a new server imports torch beside its first page, which is not Compare's doing
)
A_GROUP = "Costs"  # stands on no other row of buttons than that of the groups
PHRASES = ("it does not say where", "the two are the same", "one is inside and one outside")


@bench.command("compare")
def time_compare(
    methods: Annotated[int, typer.Option(min=3, max=12, help="Methods.")] = 12,
    seeds: Annotated[int, typer.Option(min=2, max=64, help="Seeds of each.")] = 60,
    items: Annotated[int, typer.Option(min=30, help="Test examples.")] = 1000,
    rounds: Annotated[int, typer.Option(min=1, help="Times each thing is done.")] = 5,
    as_json: printing.AsJson = False,
) -> None:
    """Time clicks on Compare until the last change on the page, on made-up runs."""
    rows = []
    with tempfile.TemporaryDirectory() as home:
        runs = make_store(Path(home) / "runs", methods, seeds, items)
        for action, times in _time_clicks(home, runs, rounds):
            rows.append(
                {
                    "action": action,
                    "median_ms": round(statistics.median(times)),
                    "slowest_ms": round(max(times)),
                    "n": len(times),
                }
            )
            typer.echo(f"{action}, {rows[-1]['median_ms']} ms", err=True)

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        heads = ["action", "median ms", "slowest ms", "n"]
        yield from printing.format_table(heads, [tuple(row.values()) for row in rows])

    size = {"methods": methods, "seeds": seeds, "items": items, "rounds": rounds}
    printing.print_result(with_machine_info(size | {"rows": rows}), as_json, lines)


def _time_clicks(home: str, runs: list[Run], rounds: int) -> Iterator[tuple[str, list[float]]]:
    """Yield an action and its times in milliseconds, the first time of each apart."""
    with bench_app.serve_app(home=home) as address, bench_app.browser_page() as page:
        page.goto(f"{address}/compare?runs={','.join(run.id for run in runs)}")
        page.locator(bench_app.CHART).first.wait_for(timeout=bench_app.TIMEOUT_MS)
        bench_app.watch_until_drawn(page)
        page.wait_for_timeout(WARM_UP_MS)
        home_group = bench_app.choose_option(A_GROUP, "Scores")(page)
        to_table: list[float] = []
        for group, (first, *others) in VIEWS.items():
            open_group = bench_app.choose_option(A_GROUP, group)(page)
            if first != "Table":
                times = yield from _time_view(page, first, (open_group, home_group), rounds)
                to_table += times
                bench_app.time_steps(page, [open_group], 1)
            back = bench_app.choose_option(first, first)(page)
            for name in others:
                there = bench_app.choose_option(first, name)(page)
                times = yield from _time_view(page, name, (there, back), rounds)
                to_table += times if first == "Table" else []
            bench_app.time_steps(page, [home_group], 1)
        yield "view Table", to_table
        page.get_by_role("button", name="Runs and margin").click()
        up, down = (bench_app.number_step("Equal within", way)(page) for way in ("Up", "Down"))
        yield "another margin, for the first time", bench_app.time_steps(page, [up], 1)
        bench_app.time_steps(page, [down], 1)
        yield "another margin", bench_app.time_steps(page, [up, down], rounds)


def _time_view(
    page: Any, name: str, steps: tuple[Callable[[], None], Callable[[], None]], rounds: int
) -> Generator[tuple[str, list[float]], None, list[float]]:
    """Yield the times of a view, the first apart; steps: there and back. Return those back."""
    there, back = steps
    yield f"view {name}, for the first time", bench_app.time_steps(page, [there], 1)
    bench_app.time_steps(page, [back], 1)
    times = bench_app.time_steps(page, [there, back], rounds)
    yield f"view {name}", times[::2]
    return times[1::2]


def make_store(folder: Path, methods: int, seeds: int, items: int) -> list[Run]:
    """Write so many finished runs with made-up answers, each method a little better."""
    store = RunStore(folder)
    hard = np.random.default_rng(0).normal(0, 0.25, items)
    return [
        make_run(store, method, 0.4 + 0.04 * nth, Members(seeds=seeds), hard)
        for nth, method in enumerate(list(METHODS)[:methods])
    ]


def make_run(store: RunStore, method: str, skill: float, members: Members, hard: Any) -> Run:
    """Write one finished run; hard (i,) is how hard each test example is."""
    spec = RunSpec(
        base="tiny-t5",
        task=TASK,
        method=method,
        population=members,
        training=Training(learning_rate=0.01),
        evaluation=Evaluation(limit=len(hard)),
    )
    run = store.create(spec, include_demos=False)
    answers = _make_answers(spec, skill, hard)
    scores = {}
    for metric in SCORED:
        table = item_tables.table_of_answers(answers, metric)
        assert table is not None
        scores[metric] = table.seed_values().tolist()
    run.write_answers(answers)
    run.write_scores(scores)
    run.write_manifest({"data_hash": "made up", "base": {"fingerprint": "made up"}})
    run.write_status(state="done", step=200, steps=200, seconds=60.0, trainable=1007)
    return run


def _make_answers(spec: RunSpec, skill: float, hard: Any) -> pd.DataFrame:
    """Return answers of every seed; an example is right where skill and luck exceed it."""
    rng = np.random.default_rng(int(spec.id, 16))
    seeds, items = spec.population.seeds, len(hard)
    luck = rng.normal(0, 0.1, (seeds, 1)) + rng.normal(0, 0.3, (seeds, items))
    right = (skill + luck > 0.5 + hard).ravel()
    gold = np.tile(np.arange(items) % len(LABELS), seeds)
    predicted = np.where(right, gold, (gold + 1) % len(LABELS))
    number = np.tile(np.arange(items), seeds)
    names = np.array(LABELS, dtype=object)
    phrases = np.array(PHRASES, dtype=object)[(number + predicted) % len(PHRASES)]
    because = np.full(len(number), " because ", dtype=object)
    target = names[gold] + because + np.array(PHRASES, dtype=object)[number % len(PHRASES)]
    sources = np.array(
        [f"hypothesis {n % 37} premise {'word ' * (n % 23)}{n}" for n in range(items)], dtype=object
    )
    values = {
        "seed": np.repeat(spec.population.seed_numbers(), items),
        "example": np.array([f"test/{n}" for n in range(items)], dtype=object)[number],
        "source": sources[number],
        "target": target,
        "references": [[text] for text in target],
        "label": names[gold],
        "text": names[predicted] + because + phrases,
        "predicted": names[predicted],
        "explanation": phrases,
        "correct": right,
    }
    return pd.DataFrame(values)[ANSWER_COLUMNS]
