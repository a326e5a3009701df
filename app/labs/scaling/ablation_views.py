"""The views of the Scaling page that set runs side by side: ablations, lengths, shots, transfer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from app.figures import compare, verdicts
from app.figures import scaling_ablations as figures
from app.figures.theme import RunStyle, style_of_method
from app.labs.scaling import findings
from app.labs.scaling.selection import LAB, ScalingSubject
from app.state import cache
from app.state.run_catalog import task_title
from app.state.score_estimates import judged_runs
from app.ui import errors, widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.population import population_caption
from app.ui.run_styles import styles_by_run
from app.ui.subject import several
from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.analysis import change_sentences, comparison, judgement
from peftcore.jobs.queue import ensure_worker
from peftcore.labs.scaling import ablations as prompt_ablations
from peftcore.labs.scaling.ablations import PLAIN_METHOD, SCALED_METHOD
from peftcore.models import catalog
from peftcore.runs.store import Run
from peftcore.sweeps.grid import RunGrid

BUSY_STATES = ("queued", "running")


def show_ablations(frame: Frame, subject: ScalingSubject) -> None:
    """Show what is trained, what shares a scale and where it stands, side by side."""
    frame.explain(
        "Everything but the one change is as in the run above, the learning rate included; "
        "bars are 95 % intervals of other seeds on the same test examples. “Scale fixed at one” is "
        "prompt tuning."
    )
    _show_side_by_side(
        frame,
        subject,
        _build_ablation("variants", subject),
        prompt_ablations.FIXED_SCALE,
        lambda name: PLAIN_METHOD if name == prompt_ablations.FIXED_SCALE else SCALED_METHOD,
    )


def show_templates(frame: Frame, subject: ScalingSubject) -> None:
    """Show the run's task asked by each template it offers, side by side."""
    frame.explain(
        "The same texts in other words and another order, trained and answered so; everything else "
        "is as in the run above. Bars are 95 % intervals of other seeds on the same test examples."
    )
    grid = _build_ablation("templates", subject)
    _show_side_by_side(frame, subject, grid, grid.cells[0].name, lambda _: subject.run.spec.method)


def show_explanations(frame: Frame, subject: ScalingSubject) -> None:
    """Show training on the examples' own explanations and on wrong ones, side by side."""
    frame.explain(
        "In training an explanation is its own, its words in another order, its first third, or "
        "that of another example of the same or of another label. Labels, validation and test "
        "examples stay. Bars are 95 % intervals of other seeds on the same test examples."
    )
    grid = _build_ablation("explanations", subject)
    _show_side_by_side(frame, subject, grid, grid.cells[0].name, lambda _: subject.run.spec.method)


def _show_side_by_side(
    frame: Frame,
    subject: ScalingSubject,
    grid: RunGrid,
    reference: str,
    method_of: Callable[[str], str],
) -> None:
    """Show the scores of a grid's runs and verdicts against one of them, and queue the rest."""
    metric = _main_metric(subject.run.spec.task)
    scores = grid.scores(metric)
    if not scores.empty:
        run_table = cache.run_store().table([run for run in grid.runs if run])
        runs = dict(zip(scores["run"], scores["name"], strict=True))
        styles = {
            run: style_of_method(method_of(name), "").variant(nth, name)
            for nth, (run, name) in enumerate(runs.items())
        }
        shown_table = run_table[run_table["run"].isin(runs)]
        summary = comparison.summarize_runs(
            shown_table, metric, lowest_first=compare.find_measure(metric).better == "lower"
        )
        frame.say(*findings.scores_finding(scores, "name", metric))
        with frame.picture:
            picture(
                compare.score_intervals(summary, shown_table, metric, styles),
                key="scaling.ablations",
                name=f"{subject.run.id}-{grid.name}",
                alt=compare.score_intervals_alt(summary, metric, styles),
                table=scores[["name", "seed", metric]],
            ).caption(
                findings.quiet_line(subject, f"experiment scaling {subject.run.id} {grid.name}")
            )
        with frame.below:
            shown = [run for run in grid.runs if run and run.id in runs]
            _show_differences(shown, metric, styles, runs, reference)
    with frame.below:
        _show_runs(grid, subject)


def _show_differences(
    shown: list[Run],
    metric: str,
    styles: dict[str, RunStyle],
    runs: dict[str, str],
    reference_name: str,
) -> None:
    """Verdicts on every other variant against the one of this name, where it was run."""
    reference = next((run for run, name in runs.items() if name == reference_name), None)
    judged = judged_runs(shown, metric, "this task")
    if reference is None or reference not in judged.tables or len(judged.tables) < 2:
        return
    rows = verdicts.differences_to(judged, reference)
    names = {run: f"**{widgets.escape_markdown(name)}**" for run, name in runs.items()}
    found = [judgement.pair_in_words(row, names, metric, judged.margin) for row in rows]
    st.markdown(f"{'; '.join(found)}.")
    picture(
        verdicts.difference_forest(rows, judged, styles),
        key="scaling.against",
        name="differences",
        alt=verdicts.difference_forest_alt(rows, judged, styles),
        table=verdicts.verdict_table(judged, styles),
    )
    estimates = judged.estimates.values()
    st.caption(
        population_caption(
            judged.population,
            [each.seeds for each in estimates],
            [] if judged.limits else [each.items for each in estimates],
        )
        + f" Holm's correction counts all {len(judged.verdicts)} pairs of variants."
    )


def show_lengths(frame: Frame, subject: ScalingSubject) -> None:
    """Scores by prompt length, with and without scales."""
    _show_by_value("lengths", frame, subject, "Prompt length (tokens)")


def show_shots(frame: Frame, subject: ScalingSubject) -> None:
    """Scores by number of training examples, with and without scales."""
    _show_by_value("shots", frame, subject, "Training examples of a seed")


def _show_by_value(name: str, frame: Frame, subject: ScalingSubject, axis: str) -> None:
    """Show scores against the value that the runs vary."""
    ablation = _build_ablation(name, subject)
    metric = _main_metric(subject.run.spec.task)
    scores = ablation.scores(metric)
    if not scores.empty:
        styles = {
            METHODS[method].title: style_of_method(method, METHODS[method].title)
            for method in (SCALED_METHOD, PLAIN_METHOD)
        }
        frame.say(*findings.scores_finding(scores, "name", metric))
        with frame.picture:
            picture(
                figures.scores_by_value_chart(scores, metric, styles, axis),
                key=f"scaling.{name}",
                name=f"{subject.run.id}-{name}",
                alt=figures.scores_by_value_alt(scores, metric, axis),
                table=scores[["line", "place", "seed", metric]],
            ).caption(findings.quiet_line(subject))
    frame.explain(
        "Everything else is as in the run above, the learning rate included. Where the intervals "
        "of the two overlap widely, the scales made no difference that these seeds can show."
    )
    with frame.below:
        _show_runs(ablation, subject)


def show_stability(frame: Frame, subject: ScalingSubject) -> None:
    """Show how far the seeds of every comparable run scatter."""
    runs = prompt_ablations.comparable_runs(cache.run_store().all(), subject.run)
    metric = _main_metric(subject.run.spec.task)
    run_table = cache.run_store().table(runs)
    if metric not in run_table or figures.seed_spreads(run_table, metric).empty:
        frame.picture.info("Scatter needs runs with two seeds or more.")
        return
    styles = styles_by_run(runs)
    spreads = figures.seed_spreads(run_table, metric)
    spreads["run"] = [styles[run].name for run in spreads["run"]]
    frame.say(
        f"The seeds of {len(spreads)} comparable runs scatter by this much.",
        "no interval: none covers where seeds are skewed or one of them fails",
    )
    with frame.picture:
        picture(
            figures.seed_spread_chart(run_table, metric, styles),
            key="scaling.stability",
            name=f"{subject.run.id}-stability",
            alt=figures.seed_spread_alt(run_table, metric, styles),
            table=spreads,
        ).caption(findings.quiet_line(subject))
    frame.explain(
        "All finished runs with this run's task, data, examples and seeds. Large marks are "
        "standard deviations, small ones the seeds: look at those before calling a run steadier."
    )
    with frame.side:
        widgets.page_link("train", "Train another method on this task")


def show_transfer(frame: Frame, subject: ScalingSubject) -> None:
    """Source task × target task: what starting from another task's prompt adds."""
    own_task, other_tasks = subject.run.spec.task, _tasks_for_base(subject.run.spec.base)
    with frame.side:
        task_names = several(
            LAB,
            "tasks",
            "Tasks",
            list(dict.fromkeys([own_task, *other_tasks])),
            first=_default_tasks(subject, other_tasks),
            format_func=task_title,
            help="Each is trained directly, and from what every other one taught.",
        )
    frame.explain(
        "Difference between training on the target from the source's prompt and from scratch, "
        "paired by seed, with its 95 % interval of other seeds on the same examples. Blue: it "
        "helped, orange: it hurt. The diagonal trains on the same task twice: what longer training "
        "alone is worth."
    )
    if len(task_names) < 2:
        frame.picture.info("Choose two tasks or more.")
        return
    ablation = _build_ablation("transfer", subject, task_names)
    metrics = {name: tasks.find_task(name).main_metric for name in task_names}
    fields = prompt_ablations.transfer_gains(ablation, metrics)
    gains = {(field.source, field.target): field.gain for field in fields}
    titles = {name: task_title(name) for name in task_names}
    if any(field.gain.n for field in fields):
        rows = [
            {"source": field.source, "target": field.target, "metric": metrics[field.target]}
            | {"directly": field.direct, "from source": field.started, "gain": field.gain.mean}
            | {
                "low": field.gain.low,
                "high": field.gain.high,
                "verdict": transfer_verdict(field.gain, metrics[field.target]),
                "p": field.gain.p,
                "pairs": field.gain.n,
            }
            for field in fields
        ]
        verdicts_found = [str(row["verdict"]) for row in rows]
        frame.say(_transfer_finding(verdicts_found), findings.transfer_guard(fields, titles))
        with frame.picture:
            picture(
                figures.transfer_heatmap(gains, task_names, titles, metrics),
                key="scaling.transfer",
                name=f"{subject.run.id}-transfer",
                alt=figures.transfer_heatmap_alt(gains, titles, metrics),
                table=pd.DataFrame(rows),
            ).caption(findings.quiet_line(subject))
    with frame.below:
        _show_runs(ablation, subject)


def transfer_verdict(gain: comparison.PairedDifference, metric: str) -> str:
    """Return the verdict on starting from another task's prompt, with the usual margin."""
    measure = compare.find_measure(metric)
    margin = judgement.DEFAULT_MARGIN / judgement.points_scale(metric)
    return change_sentences.change_verdict(gain, margin, measure.better == "lower")


def _transfer_finding(found: list[str]) -> str:
    """Say on how many fields starting from another prompt helps, and where seeds cannot say."""
    counts = {verdict: found.count(verdict) for verdict in ("ahead", "behind", "equal")}
    open_fields = len(found) - sum(counts.values())
    return (
        f"Of {len(found)} pairs of tasks, starting from the source's prompt is ahead in "
        f"{counts['ahead']}, behind in {counts['behind']}, and equal within "
        f"{judgement.DEFAULT_MARGIN:g} points in {counts['equal']}; in {open_fields} these seeds "
        "cannot tell. The fields are not corrected for how many there are."
    )


def _tasks_for_base(base: str) -> list[str]:
    """Return the tasks with local data that this base can do."""
    encoder = base in catalog.base_names() and catalog.describe_base(base).kind == "encoder"
    at_hand = [task for task in cache.list_tasks() if task.available()]
    return [task.name for task in at_hand if task.labels or not encoder]


def _default_tasks(subject: ScalingSubject, task_names: Sequence[str]) -> list[str]:
    """The run's task and those of runs that started from it or led to it; else one other."""
    own_task = subject.run.spec.task
    store = cache.run_store()
    linked = [
        run.spec.task
        for run in store.all()
        if run.spec.base == subject.run.spec.base
        and run.spec.method == subject.run.spec.method
        and run.spec.start
    ]
    others = [name for name in dict.fromkeys(linked) if name != own_task and name in task_names]
    return [own_task, *(others or [name for name in task_names if name != own_task][:1])]


def _build_ablation(name: str, subject: ScalingSubject, task_names: Sequence[str] = ()) -> RunGrid:
    return prompt_ablations.build_ablation(name, subject.run.spec, cache.run_store(), task_names)


def _main_metric(task: str) -> str:
    return tasks.find_task(task).main_metric


def _show_runs(ablation: RunGrid, subject: ScalingSubject) -> None:
    """Show which runs of an ablation exist, and the button that queues the rest."""
    rows = [
        {
            "Run": cell.name,
            "State": widgets.state_name(run.status().label) if run else "Not run yet",
            "Open": f"/runs?run={run.id}" if run else "",
        }
        for cell, run in ablation.pairs
    ]
    missing, done_count = len(ablation.startable), len(ablation.done)
    with st.expander(
        f"Runs of this study: {done_count} of {len(ablation.cells)} are done", expanded=missing > 0
    ):
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            alt="Every run of this study with its state",
            column_config={"Open": st.column_config.LinkColumn(display_text="Open")},
        )
        if missing:
            _queue_button(ablation, subject, missing)
    _watch_runs(ablation)


def _queue_button(ablation: RunGrid, subject: ScalingSubject, missing_count: int) -> None:
    """The button, with what it will take judged by this run."""
    run_seconds = subject.run.status().seconds
    if st.button(
        f"Queue {missing_count} missing run{'s' * (missing_count > 1)}",
        type="primary",
        icon=":material/playlist_add:",
        key=f"scaling.queue.{ablation.name}",
    ):
        ablation.queue(cache.job_queue())
        ensure_worker(queue=cache.job_queue())
        st.rerun()
    if run_seconds:
        st.caption(
            f"This run took {widgets.format_duration(run_seconds)}: at its pace about "
            f"{widgets.format_duration(run_seconds * missing_count)} in all."
        )


def _watch_runs(ablation: RunGrid) -> None:
    """Draw the page again when a run that is under way changes its state."""
    states_before = [run.status().state for run in ablation.unfinished]
    if not set(states_before) & set(BUSY_STATES):
        return

    @st.fragment(run_every=3.0)
    @errors.guarded
    def watch_runs() -> None:
        states = [run.status().state for run in ablation.unfinished]
        if states != states_before:
            st.rerun()
        st.caption(f"{len(states_before)} runs are under way; the chart grows as they finish.")

    watch_runs()
