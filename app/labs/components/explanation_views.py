"""The Explanations view of the Components page: what is wrong with what runs wrote as reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from app.figures import components as figures
from app.figures.compare import find_measure
from app.figures.theme import RunStyle
from app.labs.components import selection as components_selection
from app.labs.components.selection import LAB
from app.state import cache, run_catalog
from app.state.run_catalog import method_title, task_title
from app.ui import widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.run_styles import styles_by_run
from app.ui.subject import Choice, several
from peftcore import paths
from peftcore.analysis import explanations
from peftcore.analysis.explanations import FLAGS
from peftcore.labs.components import explanation_quality, grid
from peftcore.labs.components.explanation_quality import GOLD_SIMILARITY, ExplanationQuality
from peftcore.runs.store import Run

NEVER_EXPLAINED = "no explanation learnt"  # how assets/reported.csv says it
MAX_EXAMPLES = 8  # examples on a page
SCORE_RANGES = {"chrf": 100, "cosine": 1, "bertscore": 100}
SCROLL_STYLE = """<style>
.st-key-components-wide {overflow-x: auto}
.st-key-components-wide > :has([data-testid="stPlotlyChart"]) {min-width: 34rem}
</style>"""  # nine columns want this much; a phone moves them sideways


@st.cache_data(max_entries=64, show_spinner="Reading the explanations…")
def _load_quality(run_id: str, home: str, stamp: float) -> ExplanationQuality:
    return explanation_quality.evaluate_explanations(_explaining_runs()[run_id])


@st.cache_data(max_entries=16, show_spinner=False)
def _gold_shares(task: str, data: str) -> dict[str, float]:
    return explanation_quality.gold_flag_shares(task)


def _explaining_runs() -> dict[str, Run]:
    """Finished runs that explain, those of the shipped grid too."""
    runs = [*cache.run_store().all(), *grid.shipped_store().all()]
    return {
        run.id: run
        for run in reversed(runs)
        if explanation_quality.has_explanations(run.spec) and run.status().state == "done"
    }


def load_quality(run: Run) -> ExplanationQuality:
    """The explanations of a run, read once."""
    return _load_quality(run.id, str(paths.workspace_folder()), run.status().updated)


def show(frame: Frame) -> None:
    """Flags by run, what the scores are made of, and examples."""
    runs_by_id = _explaining_runs()
    if not runs_by_id:
        with frame.picture:
            widgets.empty_state(
                "No run has explained anything yet",
                "Train on a task that asks for a label and a reason, such as entailment.",
                "train",
            )
        return
    task_names = list(dict.fromkeys(run.spec.task for run in runs_by_id.values()))
    task_names.sort(key=lambda name: name != "miniworld_nli")
    with frame.bar:
        task = Choice(LAB, "task", "Task", task_names, option_text=task_title).as_list(
            label_visibility="collapsed", width=280
        )
    runs = [run for run in runs_by_id.values() if run.spec.task == task]
    styles = _styles_by_run(runs)
    frame.explain(
        "A row is a run, a column a fault that a mechanical rule finds in its explanations, a cell "
        "the share of answers that have it. Behind More stands when a flag is raised."
    )
    with frame.more():
        run_ids = several(
            LAB,
            "explaining",
            "Runs",
            [run.id for run in runs],
            first=_default_run_ids(runs),
            format_func=lambda run: styles[run].name,
            placeholder="Choose one or more",
        )
        for flag in FLAGS.values():
            st.markdown(f"**{flag.title}.** {widgets.escape_markdown(flag.rule)}")
    qualities = {run: load_quality(runs_by_id[run]) for run in run_ids}
    if not qualities:
        frame.picture.info("Choose one run or more.")
        return
    frame.say(*_flags_finding(qualities, styles))
    with frame.picture:
        _show_flags(task, qualities, styles)
    with frame.below:
        _show_score_parts(qualities, styles)
        _show_published()
        _show_examples(qualities, styles)


def _flags_finding(
    qualities: Mapping[str, ExplanationQuality], styles: Mapping[str, RunStyle]
) -> tuple[str, str]:
    """The fault that is most common, and in which run."""
    share, name, run = max(
        (share, name, run)
        for run, quality in qualities.items()
        for name, share in quality.shares.items()
        if name in FLAGS
    )
    answers = [len(quality.answers) for quality in qualities.values()]
    return (
        f"The most common fault is “{FLAGS[name].title}”: {share:.0%} of the answers of "
        f"{styles[run].name}.",
        f"{len(qualities)} runs, {min(answers):,} to {max(answers):,} answers each; rules are "
        "mechanical and raise false alarms",
    )


def _styles_by_run(runs: Sequence[Run]) -> dict[str, RunStyle]:
    """Return how runs are drawn; those of SparseFit are called by the weights they train."""
    styles = styles_by_run(runs)
    names = {
        run.id: f"{method_title(run.spec.method)} · {weights_title}"
        for run in runs
        if run.spec.method == grid.METHOD
        and (weights_title := components_selection.trained_weights_title(run))
    }
    name_counts = Counter(names.values())
    for run, name in names.items():
        styles[run] = replace(
            styles[run], name=f"{name} · {run}" if name_counts[name] > 1 else name
        )
    return styles


def _default_run_ids(runs: Sequence[Run]) -> list[str]:
    """The newest run of each method, and the grid of the paper's configurations."""
    sparsefit_runs = [run for run in runs if run.spec.method == grid.METHOD]
    other_runs = [run for run in runs if run.spec.method != grid.METHOD]
    newest_by_name = {
        components_selection.trained_weights_title(run): run.id for run in sparsefit_runs
    }
    of_grid = [newest_by_name[name] for name in grid.SHIPPED_PRESETS if name in newest_by_name]
    return [run.id for run in run_catalog.suggest_runs(other_runs)] + of_grid


def _show_flags(
    task: str, qualities: Mapping[str, ExplanationQuality], styles: Mapping[str, RunStyle]
) -> None:
    """Show how often each fault occurs in the explanations of each run."""
    shares = {styles[run].name: quality.shares for run, quality in qualities.items()}
    counts = {styles[run].name: len(quality.answers) for run, quality in qualities.items()}
    gold_shares = _gold_shares(task, str(paths.data_folder()))
    label_wrong_shares = _label_wrong_shares(qualities)
    rows = pd.DataFrame(
        [
            {"run": styles[run].name, "answers": len(quality.answers), **quality.shares}
            | {"label_wrong_where_contradicting": label_wrong_shares.get(run)}
            for run, quality in qualities.items()
        ]
    )
    st.html(SCROLL_STYLE)
    with st.container(key="components-wide"):
        picture(
            figures.flag_heatmap(shares, counts),
            key="components.flags",
            name=f"{task}-flags",
            alt=figures.flag_heatmap_alt(shares),
            table=rows,
        )
    false_alarms = {FLAGS[name].title: gold_shares[name] for name in FLAGS if gold_shares[name]}
    alarms_text = ", ".join(f"{title} {share:.1%}" for title, share in false_alarms.items())
    st.caption(
        "Every rule is mechanical. False alarms on the task's own gold explanations: "
        f"{widgets.escape_markdown(alarms_text or 'none')}."
        + ("" if all(f.reads_labels for f in qualities.values()) else " " + UNREADABLE_LABELS_NOTE)
    )
    if label_wrong_shares:
        low, high = (
            f"{bound:.0%}"
            for bound in (min(label_wrong_shares.values()), max(label_wrong_shares.values()))
        )
        st.caption(
            "Where label and explanation disagree, either may be at fault. The label is wrong in "
            f"{widgets.escape_markdown(low if low == high else f'{low} to {high}')} of these "
            "answers; the "
            "table has the share of each run."
        )


def _label_wrong_shares(qualities: Mapping[str, ExplanationQuality]) -> dict[str, float]:
    """Run → in which share of its contradictions the label is wrong, not the explanation."""
    shares = {}
    for run, quality in qualities.items():
        contradicting = quality.answers[quality.answers["contradicts"]]
        if len(contradicting):
            shares[run] = 1 - float(contradicting["correct"].astype(bool).mean())
    return shares


UNREADABLE_LABELS_NOTE = (
    "Gold wording does not tell the labels of this task apart, so contradictions are not looked "
    "for."
)


def _show_score_parts(
    qualities: Mapping[str, ExplanationQuality], styles: Mapping[str, RunStyle]
) -> None:
    """Accuracy, score of right answers, and the normalised score that is their product."""
    st.subheader("What a normalised score hides", anchor=False)
    kinds = [
        kind
        for kind in SCORE_RANGES
        if any(f"ratio_{kind}" in quality.scores for quality in qualities.values())
    ]
    if not kinds:
        st.info("These runs have no explanation score.")
        return
    kind = kinds[0]
    if len(kinds) > 1:
        kind = Choice(
            LAB,
            "score",
            "Explanation score",
            kinds,
            option_text=lambda name: find_measure(f"explanation_{name}").title,
        ).as_buttons()
    table = pd.DataFrame(
        [
            {
                "run": run,
                "accuracy": quality.scores["accuracy"],
                "ratio": quality.scores[f"ratio_{kind}"] / SCORE_RANGES[kind],
                "normalised": quality.scores[f"normalised_{kind}"] / SCORE_RANGES[kind],
            }
            for run, quality in qualities.items()
            if f"ratio_{kind}" in quality.scores
        ]
    )
    titles = {
        "accuracy": "Accuracy",
        "ratio": "Score of right answers (ratio)",
        "normalised": "Normalised score",
    }
    picture(
        figures.score_parts_chart(table, titles, styles),
        key="components.parts",
        name=f"explanations-{kind}",
        alt=figures.score_parts_alt(table, titles, styles),
        table=table.assign(run=[styles[run].name for run in table["run"]]),
    )
    st.caption(
        "The normalised score is the accuracy times the score of right answers. So it can be high "
        "because labels are right, whatever the explanations are worth; the ratio cannot."
    )


@st.cache_data(max_entries=1, show_spinner=False)
def _published_ratios(path: str) -> pd.DataFrame:
    return explanations.score_ratios(pd.read_csv(path))


def _show_published() -> None:
    """The trap in the paper's own result files."""
    ratios = _published_ratios(str(paths.ASSETS / "reported.csv"))
    with st.expander(
        "The same in the paper's result files: high accuracy and no explanation",
        icon=":material/visibility_off:",
    ):
        picture(
            figures.published_ratios_chart(ratios, NEVER_EXPLAINED),
            key="components.reported",
            name="published-ratios",
            alt=figures.published_ratios_alt(ratios, NEVER_EXPLAINED),
            table=ratios,
        )
        st.caption(
            "Result files of the official repository of arXiv:2305.13235. Unscaled BERTScore gives "
            "even a placeholder most of its points, so runs that never explained anything stand at "
            "the floor of their task, at any accuracy; their normalised score alone looks fine."
        )


def _show_examples(
    qualities: Mapping[str, ExplanationQuality], styles: Mapping[str, RunStyle]
) -> None:
    """Best and worst explanations, or those that raise a flag."""
    st.subheader("Examples", anchor=False)
    left, right = st.columns(2)
    with left:
        run = Choice(
            LAB, "of", "Run", list(qualities), option_text=lambda name: styles[name].name
        ).as_list()
    answers = qualities[run].answers
    raised_flags = [name for name in FLAGS if answers[name].any()]
    options = ["best", "worst", *raised_flags]
    with right:
        answer_filter = Choice(
            LAB,
            "which",
            "Which",
            options,
            option_text=lambda name: _filter_title(name, answers),
        ).as_list()
    rows = _filter_answers(answers, answer_filter)
    st.dataframe(
        rows,
        hide_index=True,
        alt=f"{len(rows)} answers: {_filter_title(answer_filter, answers)}",
        column_config={GOLD_SIMILARITY: st.column_config.NumberColumn("chrF", format="%.1f")},
    )
    widgets.download(
        _filter_answers(answers, answer_filter, len(answers)),
        key="components.examples",
        name=f"{run}-{answer_filter}",
    )


def _filter_title(name: str, answers: pd.DataFrame) -> str:
    """Return the title of a filter, of flags with their number."""
    titles = {
        "best": "Right label, explanation nearest to gold",
        "worst": "Right label, explanation furthest from gold",
    }
    return titles.get(name) or f"{FLAGS[name].title} ({int(answers[name].sum())})"


def _filter_answers(
    answers: pd.DataFrame, answer_filter: str, count: int = MAX_EXAMPLES
) -> pd.DataFrame:
    """The answers asked for, in a reader's words."""
    if answer_filter in ("best", "worst"):
        correct = answers[answers["correct"].astype(bool)]
        unflagged = correct[correct["flags"] == ""]
        correct = unflagged if answer_filter == "best" and len(unflagged) else correct
        kept = correct.sort_values(
            GOLD_SIMILARITY, ascending=answer_filter == "worst", kind="stable"
        )
    else:
        kept = answers[answers[answer_filter]]
    kept = kept.head(count)
    return pd.DataFrame(
        {
            "Answer": kept["text"],
            "Gold": kept["target"],
            GOLD_SIMILARITY: kept[GOLD_SIMILARITY],
            "Flags": kept["flags"],
            "Seed": kept["seed"],
            "Input": kept["source"],
        }
    )
