"""Numbers of the Landscape page: flatness, stochastic validation, and how many vertices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.compare import selection
from app.figures import landscape_flatness as figures
from app.figures.compare import measure
from app.figures.landscape import said
from app.labs.landscape import selection as landscape_selection
from app.labs.landscape.selection import Subject
from app.state import cache
from app.ui import charts, job_panel, widgets
from app.ui.run_styles import styles_by_run
from peftcore.analysis import flatness
from peftcore.analysis.comparison import interval, summarize_runs
from peftcore.errors import BadInput
from peftcore.jobs.queue import ensure_worker
from peftcore.labs.landscape import request
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.runs.store import Run

COUNTS = (1, 2, 3, 4, 6)  # vertices
SIZES_R = (1, 2, 3, 5, 10, 20, 40)  # copies


def flat(subject: Subject) -> None:
    """Flatness in numbers with intervals over seeds, and whether it goes with the score."""
    ask = subject.ask("flatness", seed=0)

    def show(found: LandscapeJob) -> None:
        measures = found.measures()
        if measures.empty:
            return
        rows = figures.flatness_table(measures)
        widgets.table_with_download(
            rows,
            key=f"landscape.{found.id}.flatness",
            name=f"flatness-{found.id}",
            alt="Measures of flatness with means and 95 % intervals over seeds",
            column_config={
                name: st.column_config.NumberColumn(name, format="%.3g")
                for name in ("Mean", "Low", "High")
            },
        )
        facts = found.facts
        st.caption(
            widgets.escape_markdown(
                f"{said(facts)}. Low and high: 95 % interval over seeds, Student's t, which may "
                "pass where no value can lie. The rises are those "
                f"{facts['radius']:g} lengths of the adapter away from it."
            )
        )

    st.caption(
        "How fast the loss rises around what each seed learnt: the smaller the numbers, the "
        "flatter the ground."
    )
    job_panel.show_job(LandscapeJob, ask, show, "the flatness of every seed")
    _question(ask, subject.run)


def _question(ask: LandscapeRequest, run: Run) -> None:
    """Does flatness go with the test score?  Over the runs of this task that were measured."""
    st.subheader("Do flatter adapters score higher?", anchor=False)
    metric = _metric(run)
    table = _gathered(ask, run, metric)
    if table.empty:
        st.caption("No run of this task and base has been measured with these settings yet.")
        return
    names = [name for name in figures.MEASURES if name in set(table["measure"])]
    name = st.selectbox(
        "Measure",
        names,
        format_func=lambda n: figures.MEASURES[n][0],
        index=names.index("rise") if "rise" in names else 0,
        key="landscape.measure",
        width=260,
    )
    rows = table[table["measure"] == name].reset_index(drop=True)
    runs = [cache.run_store().open(each) for each in rows["run"].unique()]
    found = flatness.rank_correlation(rows["value"], rows["score"], rows["run"])
    charts.chart(
        figures.against_score(rows, name, metric, styles_by_run(runs), found),
        key=f"landscape.question.{name}",
        name=f"flatness-{name.replace(' ', '-')}-against-score",
        alt=f"{figures.MEASURES[name][0]} against test score over {len(runs)} runs: "
        f"{figures.correlation_words(found)}.",
        table=rows,
    )
    st.caption(
        "One point per run and seed. The interval draws whole runs anew, because seeds of one run "
        "are not independent; a correlation over few runs of different methods proves no cause."
    )
    waiting_for = [
        r
        for r in landscape_selection.candidates()
        if _alike(r, run) and r.id not in set(table["run"])
    ]
    if waiting_for:
        st.button(
            "Measure the other run of this task"
            if len(waiting_for) == 1
            else f"Measure the other {len(waiting_for)} runs of this task",
            key="landscape.rest",
            icon=":material/playlist_add:",
            on_click=_measure_all,
            args=([ask.model_copy(update={"runs": (r.id,)}) for r in waiting_for],),
            help="One after the other, in the background",
        )


def _measure_all(asks: Sequence[LandscapeRequest]) -> None:
    for ask in asks:
        LandscapeJob.start(ask)


def _alike(one: Run, other: Run) -> bool:
    return (one.spec.base, one.spec.task) == (other.spec.base, other.spec.task)


def _metric(run: Run) -> str:
    scores, task = run.scores(), selection.find_task(run.spec.task)
    return task.main_metric if task and task.main_metric in scores else next(iter(scores), "")


def _gathered(ask: LandscapeRequest, run: Run, metric: str) -> pd.DataFrame:
    """run, seed, measure, value, score of everything measured in the same way."""
    keys = ("kind", "split", "examples", "radius", "normalisation")
    known = {each.id: each for each in landscape_selection.candidates() if _alike(each, run)}
    rows: list[dict[str, Any]] = []
    for found in LandscapeJob.list_all():
        if found.request.runs[0] not in known or any(
            getattr(found.request, key) != getattr(ask, key) for key in keys
        ):
            continue
        here, numbers = (
            known[found.request.runs[0]],
            known[found.request.runs[0]].spec.population.seed_numbers(),
        )
        scores = here.scores().get(metric, [])
        for row in found.measures().to_dict("records"):
            place = numbers.index(row["seed"])
            if place < len(scores):
                rows.append(
                    {
                        "run": here.id,
                        "seed": row["seed"],
                        "measure": row["measure"],
                        "value": row["value"],
                        "score": scores[place],
                    }
                )
    return pd.DataFrame(rows, columns=["run", "seed", "measure", "value", "score"])


def validation(subject: Subject) -> None:
    """What random points of the simplex say of the validation draw, against one value."""
    if subject.vertices == 1:
        widgets.empty_state(
            "This run has one point only",
            "It trained a single adapter, so its validation loss is one number. A simplex has a "
            "whole distribution.",
            "train",
        )
        return

    def show(found: LandscapeJob) -> None:
        measures = found.measures()
        facts = {k: v for k, v in found.facts.items() if k != "normalisation"}  # none is used here
        if measures.empty:
            return
        _spread(found, measures, facts, subject)
        _estimates(found, measures, facts)

    st.caption(
        "Validation can be read once, at the centroid, or at random points of the simplex: one for "
        "the whole draw, or one for each example. A copy is the draw read once at random points; "
        "the mean of R copies strays less than one. Every seed and kept step is measured."
    )
    ask = subject.ask("validation", seed=0, copies=60)
    job_panel.show_job(LandscapeJob, ask, show, "the validation distribution")


def _spread(
    found: LandscapeJob, measures: pd.DataFrame, facts: dict[str, Any], subject: Subject
) -> None:
    number = subject.run.spec.population.seed_numbers()[subject.seed]
    mine = measures[measures["seed"] == number]
    by = {row["look"]: row for row in mine.to_dict("records") if row["look"] != "step"}
    if set(by) != {"points", "copies"}:
        st.caption(f"Seed {number} has not been measured yet.")
        return
    points, copies = by["points"]["values"], by["copies"]["values"]
    centroid, here = by["points"]["centroid"], facts | {"seed": number}
    here.pop("seeds", None)
    charts.chart(
        figures.spread(points, copies, centroid, here),
        key=f"landscape.{found.id}.spread",
        name=f"validation-{found.id}",
        alt=figures.spread_alt(points, copies, centroid),
        table=pd.DataFrame({"One point for all": points, "A point each": copies}),
    )
    sizes = [size for size in SIZES_R if size <= len(copies)]
    tight = flatness.error_by_copies(copies, sizes)
    charts.chart(
        figures.tightening(tight, here),
        key=f"landscape.{found.id}.tight",
        name=f"validation-tightening-{found.id}",
        alt="Standard deviation of the mean of R copies: "
        + "; ".join(f"R {row.R}: {row.error:.4f}" for row in tight.itertuples()),
        table=tight,
    )


def _estimates(found: LandscapeJob, measures: pd.DataFrame, facts: dict[str, Any]) -> None:
    """Does the stochastic estimate order checkpoints more like the test score does?"""
    steps = measures[measures["look"] == "step"]
    st.subheader("Which estimate picks the better step?", anchor=False)
    if steps.empty:
        st.caption("This run kept no steps of its path, or they have not been measured yet.")
        return
    charts.chart(
        figures.estimates(steps, facts),
        key=f"landscape.{found.id}.estimates",
        name=f"validation-estimates-{found.id}",
        alt="Mean losses over seeds at every kept step, by both estimates and on test.",
        table=steps.drop(columns=["look", "values"], errors="ignore"),
    )
    metric = str(facts["metric"])
    sign = 1 if measure(metric).better == "higher" else -1
    rows = []
    for column, words in (("stochastic", "Random points"), ("centroid", "Centroid")):
        for target, goal, way in (
            ("test_score", f"Test {measure(metric).title.lower()}", sign),
            ("test_loss", "Test loss", -1),
        ):
            agreements = [
                flatness.kendall_tau(-seed[column], way * seed[target])
                for _, seed in steps.groupby("seed")
            ]
            over = interval([math.nan if a is None else a for a in agreements])
            rows.append((words, goal, over.mean, over.low, over.high, over.n))
    table = pd.DataFrame(rows, columns=["Judged by", "Against", "Kendall", "Low", "High", "Seeds"])
    widgets.table_with_download(
        table.round(3),
        key=f"landscape.{found.id}.ranks",
        name=f"validation-ranks-{found.id}",
        alt="Rank agreement of both estimates with test, means and intervals over seeds",
    )
    st.caption(
        "Kendall's rank agreement over the kept steps of each seed, 1 for the same order, with a "
        "95 % interval over seeds: Student's t, which may pass 1, as no agreement can. Where the "
        "two intervals overlap, this run decides nothing."
    )


def ablation(subject: Subject) -> None:
    """The same run with other numbers of vertices, all at once."""
    run = subject.run
    counts = " and ".join(", ".join(map(str, COUNTS)).rsplit(", ", 1))
    st.caption(f"The same run with {counts} vertices: does a larger simplex score higher?")
    try:
        specs = request.specs_by_vertices(run.spec, COUNTS)
    except BadInput as error:
        st.info(widgets.escape_markdown(str(error)))
        return
    found = {spec.population.vertices: cache.run_store().find(spec) for spec in specs}
    states = {v: r.status().state if r else "" for v, r in found.items()}
    missing = [s for s in specs if states[s.population.vertices] in ("", "cancelled", "failed")]
    done = {v: r for v, r in found.items() if r and r.status().state == "done"}
    if missing:
        lacking = ", ".join(str(spec.population.vertices) for spec in missing)
        st.button(
            f"Train with {lacking} vertices",
            type="primary",
            icon=":material/model_training:",
            key="landscape.ablate",
            on_click=_train_all,
            args=(missing,),
            help="Everything else stays as this run has it; one run after the other",
        )
    st.dataframe(
        pd.DataFrame(
            {
                "Vertices": list(found),
                "State": [widgets.state_name(s) if s else "Not trained" for s in states.values()],
                "Run": [f"/runs?run={r.id}" if r else None for r in found.values()],
            }
        ),
        hide_index=True,
        alt="State of the run with each number of vertices",
        column_config={"Run": st.column_config.LinkColumn(display_text=r"run=(\w+)")},
    )
    if len(done) < 2:
        st.caption("Two finished runs make a chart.")
        return
    metric = _metric(run)
    table = summarize_runs(cache.run_store().table(list(done.values())), metric)
    table["vertices"] = [next(v for v, r in done.items() if r.id == each) for each in table["run"]]
    table = table.sort_values("vertices", ignore_index=True)
    charts.chart(
        figures.ablation(table, metric),
        key="landscape.ablation",
        name=f"vertices-{run.id}",
        alt="; ".join(f"{r.vertices} vertices: {r.mean:.3f}" for r in table.itertuples()),
        table=table,
    )


def _train_all(specs: Sequence[Any]) -> None:
    queue = cache.job_queue()
    jobs = [queue.submit(spec) for spec in specs]
    if any(job.active for job in jobs):
        ensure_worker(queue=queue)
