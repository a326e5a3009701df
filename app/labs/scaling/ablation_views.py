"""The views of the Scaling page that set runs side by side: ablations, lengths, shots, transfer."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.compare.selection import task_title
from app.figures import compare
from app.figures import scaling_ablations as figures
from app.labs.scaling.selection import Subject
from app.state import cache
from app.theme import Look, look
from app.ui import errors, widgets
from app.ui.charts import chart
from app.ui.run_styles import styles_by_run
from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.analysis import comparison
from peftcore.jobs.queue import ensure_worker
from peftcore.labs.scaling import ablations as prompt_ablations
from peftcore.labs.scaling.ablations import PLAIN_METHOD, SCALED_METHOD, PromptAblation
from peftcore.models import catalog

BUSY = ("queued", "training", "answering")


def ablations(subject: Subject) -> None:
    """What is trained, what shares a scale, where it stands: side by side."""
    found = _found("variants", subject)
    metric = _metric(subject.run.spec.task)
    scores = found.scores(metric)
    if not scores.empty:
        whole = cache.run_store().table([run for run in found.runs if run])
        runs = dict(zip(scores["run"], scores["name"], strict=True))
        drawn = {
            run: look(
                SCALED_METHOD if name != prompt_ablations.FIXED_SCALE else PLAIN_METHOD, ""
            ).again(nth, name)
            for nth, (run, name) in enumerate(runs.items())
        }
        shown = whole[whole["run"].isin(runs)]
        summary = comparison.summarize_runs(
            shown, metric, lowest_first=compare.measure(metric).better == "lower"
        )
        chart(
            compare.scores(summary, shown, metric, drawn),
            key="scaling.ablations",
            name=f"{subject.run.id}-ablations",
            alt=compare.scores_alt(summary, metric, drawn),
            table=scores[["name", "seed", metric]],
        )
        _against(shown, metric, drawn, runs)
    st.caption(
        "Everything but the one change is as in the run above, the learning rate included; "
        "bars are 95 % intervals over seeds. “Scale fixed at one” is prompt tuning."
    )
    _complete(found, subject)


def _against(
    shown: pd.DataFrame, metric: str, drawn: dict[str, Look], runs: dict[str, str]
) -> None:
    """Paired differences to prompt tuning, where it was run."""
    plain = next((run for run, name in runs.items() if name == prompt_ablations.FIXED_SCALE), None)
    if plain is None or len(runs) < 2:
        return
    asked = (comparison.differences_from_reference(shown, metric, plain), metric, drawn, plain)
    told = asked[0].assign(run=[runs[run] for run in asked[0]["run"]])
    chart(
        compare.gaps(*asked),
        key="scaling.against",
        name="differences-to-prompt-tuning",
        alt=compare.gaps_alt(*asked),
        table=told,
    )
    st.caption(
        f"Paired by seed; with {told['n'].max()} pairs p cannot fall below "
        f"{told['smallest_p'].min():.3g}."
    )


def lengths(subject: Subject) -> None:
    """Scores by prompt length, with and without scales."""
    _by_place("lengths", subject, "Prompt length (tokens)")


def shots(subject: Subject) -> None:
    """Scores by number of training examples, with and without scales."""
    _by_place("shots", subject, "Training examples of a seed")


def _by_place(name: str, subject: Subject, axis: str) -> None:
    found = _found(name, subject)
    metric = _metric(subject.run.spec.task)
    scores = found.scores(metric)
    if not scores.empty:
        drawn = {METHODS[m].title: look(m, METHODS[m].title) for m in (SCALED_METHOD, PLAIN_METHOD)}
        chart(
            figures.by_place(scores, metric, drawn, axis),
            key=f"scaling.{name}",
            name=f"{subject.run.id}-{name}",
            alt=figures.by_place_alt(scores, metric, axis),
            table=scores[["line", "place", "seed", metric]],
        )
    st.caption(
        "Everything else is as in the run above, the learning rate included. Where the intervals "
        "of the two overlap widely, the scales made no difference that these seeds can show."
    )
    _complete(found, subject)


def stability(subject: Subject) -> None:
    """How far the seeds of every comparable run scatter."""
    runs = prompt_ablations.comparable_runs(cache.run_store().all(), subject.run)
    metric = _metric(subject.run.spec.task)
    whole = cache.run_store().table(runs)
    if metric not in whole or figures.spreads(whole, metric).empty:
        st.info("Scatter needs runs with two seeds or more.")
        return
    drawn = styles_by_run(runs)
    told = figures.spreads(whole, metric)
    told["run"] = [drawn[run].name for run in told["run"]]
    chart(
        figures.steadiness(whole, metric, drawn),
        key="scaling.stability",
        name=f"{subject.run.id}-stability",
        alt=figures.steadiness_alt(whole, metric, drawn),
        table=told,
    )
    st.caption(
        "All finished runs with this run's task, data, examples and seeds. Bars are 95 % "
        "chi-square intervals, as for normal scores: with few seeds they are wide, and runs whose "
        "bars overlap cannot be told apart."
    )
    widgets.page_link("train", "Train another method on this task")


def transfer(subject: Subject) -> None:
    """Source task × target task: what starting from another task's prompt adds."""
    own, known = subject.run.spec.task, _tasks_for(subject.run.spec.base)
    among = st.multiselect(
        "Tasks",
        list(dict.fromkeys([own, *known])),
        default=_started(subject, known),
        format_func=task_title,
        key=f"scaling.tasks.{subject.run.id}",
        help="Each is trained directly, and from what every other one taught.",
    )
    if len(among) < 2:
        st.info("Choose two tasks or more.")
        return
    found = _found("transfer", subject, among)
    metrics = {name: tasks.find_task(name).main_metric for name in among}
    fields = prompt_ablations.transfer_gains(found, metrics)
    gains = {(field.source, field.target): field.gain for field in fields}
    titles = {name: task_title(name) for name in among}
    if any(field.gain.n for field in fields):
        rows = [
            {"source": f.source, "target": f.target, "metric": metrics[f.target]}
            | {"directly": f.direct, "from source": f.started, "gain": f.gain.mean}
            | {"low": f.gain.low, "high": f.gain.high, "p": f.gain.p, "pairs": f.gain.n}
            for f in fields
        ]
        chart(
            figures.matrix(gains, among, titles, metrics),
            key="scaling.transfer",
            name=f"{subject.run.id}-transfer",
            alt=figures.matrix_alt(gains, titles, metrics),
            table=pd.DataFrame(rows),
        )
    st.caption(
        "Difference between training on the target from the source's prompt and from scratch, "
        "paired by seed, with its 95 % interval. Orange: it helped, blue: it hurt, as a share of "
        "the measure's range. The diagonal trains on the same task twice: what longer training "
        "alone is worth, and the yardstick for the other fields."
    )
    _complete(found, subject)


def _tasks_for(base: str) -> list[str]:
    """Tasks whose data are at hand and that this base can do."""
    encoder = base in catalog.base_names() and catalog.describe_base(base).kind == "encoder"
    at_hand = [task for task in cache.list_tasks() if cache.has_local_data(task.name)]
    return [task.name for task in at_hand if task.labels or not encoder]


def _started(subject: Subject, known: Sequence[str]) -> list[str]:
    """The run's task and those of runs that started from it or led to it; else one other."""
    own = subject.run.spec.task
    store = cache.run_store()
    linked = [
        run.spec.task
        for run in store.all()
        if run.spec.base == subject.run.spec.base
        and run.spec.method == subject.run.spec.method
        and run.spec.start
    ]
    others = [name for name in dict.fromkeys(linked) if name != own and name in known]
    return [own, *(others or [name for name in known if name != own][:1])]


def _found(name: str, subject: Subject, among: Sequence[str] = ()) -> PromptAblation:
    return prompt_ablations.build_ablation(name, subject.run.spec, cache.run_store(), among)


def _metric(task: str) -> str:
    return tasks.find_task(task).main_metric


def _complete(found: PromptAblation, subject: Subject) -> None:
    """What of a study is there, and the button that queues the rest."""
    rows = [
        {
            "Run": cell.name,
            "State": widgets.state_name(run.status().state) if run else "Not run yet",
            "Open": f"/runs?run={run.id}" if run else "",
        }
        for cell, run in zip(found.cells, found.runs, strict=True)
    ]
    missing = len(found.missing)
    there = len(found.cells) - missing - len(found.unfinished)
    with st.expander(
        f"Runs of this study: {there} of {len(found.cells)} are done", expanded=missing > 0
    ):
        st.dataframe(
            pd.DataFrame(rows),
            hide_index=True,
            alt="Every run of this study with its state",
            column_config={"Open": st.column_config.LinkColumn(display_text="Open")},
        )
        if missing:
            _offer(found, subject, missing)
    _watch(found)


def _offer(found: PromptAblation, subject: Subject, missing: int) -> None:
    """The button, with what it will take judged by this run."""
    spent = subject.run.status().seconds
    if st.button(
        f"Queue {missing} missing run{'s' * (missing > 1)}",
        type="primary",
        icon=":material/playlist_add:",
        key=f"scaling.queue.{found.name}",
    ):
        prompt_ablations.queue_missing(found, cache.job_queue())
        ensure_worker(queue=cache.job_queue())
        st.rerun()
    if spent:
        st.caption(
            f"This run took {widgets.format_duration(spent)}: at its pace about "
            f"{widgets.format_duration(spent * missing)} in all."
        )


def _watch(found: PromptAblation) -> None:
    """Draw the page again when a run that is under way changes its state."""
    before = [run.status().state for run in found.unfinished]
    if not set(before) & set(BUSY):
        return

    @st.fragment(run_every=3.0)
    @errors.guarded
    def waiting() -> None:
        now = [run.status().state for run in found.unfinished]
        if now != before:
            st.rerun()
        st.caption(f"{len(before)} runs are under way; the chart grows as they finish.")

    waiting()
