"""Numbers of the Landscape page: flatness, stochastic validation, and how many vertices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.figures import landscape_flatness as figures
from app.figures.compare import find_measure
from app.figures.landscape import facts_text
from app.labs.landscape import findings
from app.labs.landscape import selection as landscape_selection
from app.labs.landscape.selection import LAB, LandscapeSubject
from app.state import cache, run_catalog
from app.ui import charts, job_panel, widgets
from app.ui.frame import Frame
from app.ui.run_styles import styles_by_run
from app.ui.subject import Choice
from peftcore.analysis import change_sentences, flatness
from peftcore.analysis.comparison import interval, paired_difference, summarize_runs
from peftcore.errors import BadInput
from peftcore.jobs.queue import ensure_worker
from peftcore.labs.landscape import request
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.runs.store import Run

VERTEX_COUNTS = (1, 2, 3, 4, 6)  # vertices
SAME_AGREEMENT = 0.05  # rank agreements that differ by less are equal
COPY_COUNTS = (1, 2, 3, 5, 10, 20, 30)  # copies


def show_flatness(frame: Frame, subject: LandscapeSubject) -> None:
    """Flatness in numbers with intervals over seeds, and whether it goes with the score."""
    job_request = subject.job_request("flatness", seed=0)
    with frame.picture:
        _show_score_correlation(frame, job_request, subject.run)
    frame.explain(
        "How fast the loss rises around what each seed learnt: the smaller, the flatter. One point "
        "per run and seed; the interval draws whole runs anew, because seeds of one run are not "
        "independent, and a correlation over few runs of different methods proves no cause."
    )
    landscape = LandscapeJob.find(job_request)
    if landscape and landscape.plan():
        frame.say(findings.landscape_finding(landscape))

    def show(landscape: LandscapeJob) -> None:
        measures = landscape.measures()
        if measures.empty:
            return
        rows = figures.flatness_table(measures)
        widgets.table_with_download(
            rows,
            key=f"landscape.{landscape.id}.flatness",
            name=f"flatness-{landscape.id}",
            alt="Measures of flatness with means and 95 % intervals over seeds",
            column_config={
                name: st.column_config.NumberColumn(name, format="%.3g")
                for name in ("Mean", "Low", "High")
            },
        )
        facts = landscape.facts
        st.caption(
            widgets.escape_markdown(
                f"{facts_text(facts)}. Low and high: 95 % interval of other seeds on the same "
                "validation examples, which may pass where no value can lie; none where seeds fall "
                "into two groups. The rises are those "
                f"{facts['radius']:g} lengths of the adapter away from it."
            )
        )

    with frame.below:
        job_panel.show_job(LandscapeJob, job_request, show, "the flatness of every seed")


def _show_score_correlation(frame: Frame, job_request: LandscapeRequest, run: Run) -> None:
    """Show flatness against the test score, over the measured runs of this task."""
    metric = _main_metric(run)
    measured = _measured_rows(job_request, run, metric)
    if measured.empty:
        st.caption("No run of this task and base has been measured with these settings yet.")
        return
    names = [name for name in figures.MEASURE_TITLES if name in set(measured["measure"])]
    with frame.side:
        name = Choice(
            LAB,
            "measure",
            "Measure",
            names,
            first="rise" if "rise" in names else None,
            option_text=lambda n: figures.MEASURE_TITLES[n][0],
        ).as_list()
    rows = measured[measured["measure"] == name].reset_index(drop=True)
    runs = [cache.run_store().open(each) for each in rows["run"].unique()]
    correlation = flatness.rank_correlation(rows["value"], rows["score"], rows["run"])
    charts.picture(
        figures.score_against_flatness(rows, name, metric, styles_by_run(runs), correlation),
        key=f"landscape.question.{name}",
        name=f"flatness-{name.replace(' ', '-')}-against-score",
        alt=f"{figures.MEASURE_TITLES[name][0]} against test score over {len(runs)} runs: "
        f"{figures.correlation_in_words(correlation)}.",
        table=rows,
    )
    unmeasured_runs = [
        other_run
        for other_run in landscape_selection.candidate_runs()
        if _same_base_and_task(other_run, run) and other_run.id not in set(measured["run"])
    ]
    if unmeasured_runs:
        st.button(
            "Measure the other run of this task"
            if len(unmeasured_runs) == 1
            else f"Measure the other {len(unmeasured_runs)} runs of this task",
            key="landscape.rest",
            icon=":material/playlist_add:",
            on_click=_measure_all,
            args=(
                [
                    job_request.model_copy(update={"runs": (other_run.id,)})
                    for other_run in unmeasured_runs
                ],
            ),
            help="One after the other, in the background",
        )


def _measure_all(job_requests: Sequence[LandscapeRequest]) -> None:
    for job_request in job_requests:
        LandscapeJob.start(job_request)


def _same_base_and_task(one: Run, other: Run) -> bool:
    return (one.spec.base, one.spec.task) == (other.spec.base, other.spec.task)


def _main_metric(run: Run) -> str:
    scores, task = run.scores(), run_catalog.find_task(run.spec.task)
    return task.main_metric if task and task.main_metric in scores else next(iter(scores), "")


def _measured_rows(job_request: LandscapeRequest, run: Run, metric: str) -> pd.DataFrame:
    """run, seed, measure, value, score of everything measured in the same way."""
    keys = ("kind", "split", "examples", "radius", "normalisation")
    runs_by_id = {
        each.id: each
        for each in landscape_selection.candidate_runs()
        if _same_base_and_task(each, run)
    }
    rows: list[dict[str, Any]] = []
    for landscape in LandscapeJob.list_all():
        if landscape.request.runs[0] not in runs_by_id or any(
            getattr(landscape.request, key) != getattr(job_request, key) for key in keys
        ):
            continue
        measured_run, numbers = (
            runs_by_id[landscape.request.runs[0]],
            runs_by_id[landscape.request.runs[0]].spec.population.seed_numbers(),
        )
        scores = measured_run.scores().get(metric, [])
        for row in landscape.measures().to_dict("records"):
            seed_index = numbers.index(row["seed"])
            if seed_index < len(scores):
                rows.append(
                    {
                        "run": measured_run.id,
                        "seed": row["seed"],
                        "measure": row["measure"],
                        "value": row["value"],
                        "score": scores[seed_index],
                    }
                )
    return pd.DataFrame(rows, columns=["run", "seed", "measure", "value", "score"])


def show_validation(frame: Frame, subject: LandscapeSubject) -> None:
    """Show the validation loss at random points of the simplex against one value."""
    if subject.vertices == 1:
        with frame.picture:
            widgets.empty_state(
                "This run has one point only",
                "It trained a single adapter, so its validation loss is one number. A simplex has "
                "a whole distribution.",
                "train",
            )
        return
    frame.explain(
        "Validation can be read once, at the centroid, or at random points of the simplex: one for "
        "the whole sample, or one for each example. A copy reads the sample once at random points; "
        "the mean of R copies varies less than one."
    )

    def show(landscape: LandscapeJob) -> None:
        measures = landscape.measures()
        facts = dict(landscape.facts)
        facts.pop("normalisation", None)  # none is used here
        if measures.empty:
            return
        _show_spread(landscape, measures, facts, subject)
        _show_estimates(landscape, measures, facts)

    job_request = subject.job_request("validation", seed=0, copies=60)
    landscape = LandscapeJob.find(job_request)
    if landscape and landscape.plan():
        frame.say(findings.landscape_finding(landscape))
    with frame.picture:
        job_panel.show_job(LandscapeJob, job_request, show, "the validation distribution")


def _show_spread(
    landscape: LandscapeJob,
    measures: pd.DataFrame,
    facts: dict[str, Any],
    subject: LandscapeSubject,
) -> None:
    """Show the spread of validation losses at random points."""
    seed_number = subject.run.spec.population.seed_numbers()[subject.seed]
    seed_rows = measures[measures["seed"] == seed_number]
    row_by_look = {
        row["look"]: row for row in seed_rows.to_dict("records") if row["look"] != "step"
    }
    if set(row_by_look) != {"points", "copies"}:
        st.caption(f"Seed {seed_number} has not been measured yet.")
        return
    points, copies = row_by_look["points"]["values"], row_by_look["copies"]["values"]
    centroid, chart_facts = row_by_look["points"]["centroid"], facts | {"seed": seed_number}
    chart_facts.pop("seeds", None)
    charts.picture(
        figures.validation_histogram(points, copies, centroid, chart_facts),
        key=f"landscape.{landscape.id}.spread",
        name=f"validation-{landscape.id}",
        alt=figures.validation_histogram_alt(points, copies, centroid),
        table=pd.DataFrame({"One point for all": points, "A point each": copies}),
    ).caption(findings.quiet_line(landscape))
    errors = flatness.error_by_copies(copies, COPY_COUNTS)
    charts.picture(
        figures.copies_error_chart(errors, chart_facts),
        key=f"landscape.{landscape.id}.tight",
        name=f"validation-tightening-{landscape.id}",
        alt="Standard deviation of the mean of R copies: "
        + "; ".join(f"R {row.R}: {row.error:.4f}" for row in errors.itertuples()),
        table=errors,
    )
    st.caption(
        f"The {len(copies)} copies are cut into groups of R, and no copy is in two groups: points "
        "are standard deviations of the groups' means, with few groups at the right end. The line "
        "is one copy's, divided by √R; points off it say that copies are not independent. More "
        "copies steady the random points only: the validation examples stay the same, so what "
        "other examples would change is in neither."
    )


def _show_estimates(landscape: LandscapeJob, measures: pd.DataFrame, facts: dict[str, Any]) -> None:
    """Show which estimate orders checkpoints more as the test score does."""
    steps = measures[measures["look"] == "step"]
    st.subheader("Which estimate picks the better step?", anchor=False)
    if steps.empty:
        st.caption("This run kept no steps of its path, or they have not been measured yet.")
        return
    charts.picture(
        figures.estimates_by_step_chart(steps, facts),
        key=f"landscape.{landscape.id}.estimates",
        name=f"validation-estimates-{landscape.id}",
        alt="Mean losses over seeds at every kept step, by both estimates and on test.",
        table=steps.drop(columns=["look", "values"], errors="ignore"),
    )
    metric = str(facts["metric"])
    sign = 1 if find_measure(metric).better == "higher" else -1
    rows: list[tuple[Any, ...]] = []
    by_goal: dict[str, list[dict[int, float]]] = {}
    for column, words in (("stochastic", "Random points"), ("centroid", "Centroid")):
        for target, goal, way in (
            ("test_score", f"Test {find_measure(metric).title.lower()}", sign),
            ("test_loss", "Test loss", -1),
        ):
            by_seed = {
                int(str(number)): flatness.kendall_tau(-seed[column], way * seed[target])
                for number, seed in steps.groupby("seed")
            }
            agreements = {n: math.nan if a is None else a for n, a in by_seed.items()}
            by_goal.setdefault(goal, []).append(agreements)
            agreement = interval(agreements.values(), (-1.0, 1.0))
            rows.append((words, goal, agreement.mean, agreement.low, agreement.high, agreement.n))
    table = pd.DataFrame(rows, columns=["Judged by", "Against", "Kendall", "Low", "High", "Seeds"])
    widgets.table_with_download(
        table.round(3),
        key=f"landscape.{landscape.id}.ranks",
        name=f"validation-ranks-{landscape.id}",
        alt="Rank agreement of both estimates with test, means and intervals over seeds",
    )
    for goal, (random_points, centroid) in by_goal.items():
        gap = paired_difference(centroid, random_points, (-2.0, 2.0))
        verdict = change_sentences.change_in_words(gap, ".2f", SAME_AGREEMENT)
        st.markdown(f"{goal}: random points against the centroid, {verdict}.")
    st.caption(
        "Kendall's rank agreement over the kept steps of each seed, 1 for the same order. "
        "Verdicts are on its difference, paired by seed; 95 % intervals are about other seeds on "
        "the same examples."
    )


def show_vertex_ablation(frame: Frame, subject: LandscapeSubject) -> None:
    """Show the same run with other numbers of vertices, and offer to train those missing."""
    counts = " and ".join(", ".join(map(str, VERTEX_COUNTS)).rsplit(", ", 1))
    frame.explain(
        f"The same run with {counts} vertices: does a larger simplex score higher? A bar is the "
        "95 % interval of other seeds on the same test examples; large marks are means."
    )
    try:
        specs = request.specs_by_vertices(subject.run.spec, VERTEX_COUNTS)
    except BadInput as error:
        with frame.picture:
            st.info(widgets.escape_markdown(str(error)))
        return
    runs = {spec.population.vertices: cache.run_store().find(spec) for spec in specs}
    states = {vertices: run.status().label if run else "" for vertices, run in runs.items()}
    missing = [s for s in specs if states[s.population.vertices] in ("", "cancelled", "failed")]
    if missing:
        missing_counts = ", ".join(str(spec.population.vertices) for spec in missing)
        frame.side.button(
            f"Train with {missing_counts} vertices",
            type="primary",
            icon=":material/model_training:",
            key="landscape.ablate",
            on_click=_train_all,
            args=(missing,),
            help="Everything else stays as this run has it; one run after the other",
        )
    table = pd.DataFrame(
        {
            "Vertices": list(runs),
            "State": [widgets.state_name(s) if s else "Not trained" for s in states.values()],
            "Run": [f"/runs?run={run.id}" if run else None for run in runs.values()],
        }
    )
    frame.below.dataframe(
        table,
        hide_index=True,
        alt="State of the run with each number of vertices",
        column_config={"Run": st.column_config.LinkColumn(display_text=r"run=(\w+)")},
    )
    done = [run for vertices, run in runs.items() if run and states[vertices] == "done"]
    if len(done) < 2:
        frame.picture.caption("Two finished runs make a chart.")
    else:
        with frame.picture:
            _show_scores_by_vertices(frame, subject.run, done)


def _show_scores_by_vertices(frame: Frame, run: Run, runs: Sequence[Run]) -> None:
    """Show the score of runs by their number of vertices."""
    metric = _main_metric(run)
    table = summarize_runs(cache.run_store().table(runs), metric)
    vertices = {each.id: each.spec.population.vertices for each in runs}
    table["vertices"] = table["run"].map(vertices)
    table = table.sort_values("vertices", ignore_index=True)
    best = table.loc[table["mean"].idxmax()]
    frame.say(
        f"{find_measure(metric).title} by number of vertices: most with {best['vertices']}, "
        f"{best['mean']:.3f}; the intervals say whether that is more than chance.",
        f"{len(table)} runs, {run.spec.population.seeds} seeds",
    )
    charts.picture(
        figures.score_by_vertices_chart(table, metric),
        key="landscape.ablation",
        name=f"vertices-{run.id}",
        alt="; ".join(f"{row.vertices} vertices: {row.mean:.3f}" for row in table.itertuples()),
        table=table,
    )


def _train_all(specs: Sequence[Any]) -> None:
    """Queue runs, and start a worker for them."""
    queue = cache.job_queue()
    jobs = [queue.submit(spec) for spec in specs]
    if any(job.active for job in jobs):
        ensure_worker(queue=queue)
