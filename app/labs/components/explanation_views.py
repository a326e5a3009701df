"""The Explanations view of the Components page: what is wrong with what runs wrote as reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from app.compare import selection
from app.compare.selection import task_title
from app.figures import components as figures
from app.figures.compare import measure
from app.labs.components import selection as components_selection
from app.state import cache
from app.theme import Look
from app.ui import widgets
from app.ui.charts import chart
from app.ui.run_styles import method_title, styles_by_run
from peftcore import paths
from peftcore.analysis import explanations
from peftcore.analysis.explanations import FLAGS
from peftcore.labs.components import explanation_quality, grid
from peftcore.labs.components.explanation_quality import GOLD_SIMILARITY, ExplanationQuality
from peftcore.runs.store import Run

SILENT = "no explanation learnt"  # how assets/reported.csv says it
SHOWN = 8  # examples on a page
SCALES = {"chrf": 100, "cosine": 1, "bertscore": 100}
WIDE = """<style>
.st-key-components-wide {overflow-x: auto}
.st-key-components-wide > :has([data-testid="stPlotlyChart"]) {min-width: 48rem}
</style>"""  # nine columns want this much; a phone moves them sideways


@st.cache_data(max_entries=64, show_spinner="Reading the explanations…")
def _quality(run_id: str, home: str, stamp: float) -> ExplanationQuality:
    return explanation_quality.evaluate_explanations(_known()[run_id])


@st.cache_data(max_entries=16, show_spinner=False)
def _gold(task: str, data: str) -> dict[str, float]:
    return explanation_quality.gold_flag_shares(task)


def _known() -> dict[str, Run]:
    """Finished runs that explain, those of the shipped grid too."""
    runs = [*cache.run_store().all(), *grid.shipped_store().all()]
    return {
        run.id: run
        for run in reversed(runs)
        if explanation_quality.has_explanations(run.spec) and run.status().state == "done"
    }


def quality(run: Run) -> ExplanationQuality:
    """The explanations of a run, read once."""
    return _quality(run.id, str(paths.workspace_folder()), run.status().updated)


def show() -> None:
    """Flags by run, what the scores are made of, and examples."""
    known = _known()
    if not known:
        widgets.empty_state(
            "No run has explained anything yet",
            "Train on a task that asks for a label and a reason, such as entailment.",
            "train",
        )
        return
    names = list(dict.fromkeys(run.spec.task for run in known.values()))
    names.sort(key=lambda name: name != "miniworld_nli")
    task = st.selectbox("Task", names, format_func=task_title, key="components.explained")
    runs = [run for run in known.values() if run.spec.task == task]
    drawn = _looks(runs)
    picked = st.multiselect(
        "Runs",
        [run.id for run in runs],
        default=_usual(runs),
        format_func=lambda run: drawn[run].name,
        key=f"components.runs.{task}",
        placeholder="Choose one or more",
    )
    chosen = {run: quality(known[run]) for run in picked}
    if not chosen:
        st.info("Choose one run or more.")
        return
    _flags(task, chosen, drawn)
    _parts(chosen, drawn)
    _reported()
    _examples(chosen, drawn)


def _looks(runs: Sequence[Run]) -> dict[str, Look]:
    """What runs are called and drawn with; those of SparseFit by what of the base they train."""
    drawn = styles_by_run(runs)
    called = {
        run.id: f"{method_title(run.spec.method)} · {what}"
        for run in runs
        if run.spec.method == grid.METHOD and (what := components_selection.name(run))
    }
    often = Counter(called.values())
    for run, name in called.items():
        drawn[run] = replace(drawn[run], name=f"{name} · {run}" if often[name] > 1 else name)
    return drawn


def _usual(runs: Sequence[Run]) -> list[str]:
    """The newest run of each method, and the grid of the paper's configurations."""
    sparse = [run for run in runs if run.spec.method == grid.METHOD]
    others = [run for run in runs if run.spec.method != grid.METHOD]
    newest = {components_selection.name(run): run.id for run in sparse}
    of_grid = [newest[name] for name in grid.SHIPPED_PRESETS if name in newest]
    return [run.id for run in selection.suggest_runs(others)] + of_grid


def _flags(task: str, chosen: Mapping[str, ExplanationQuality], drawn: Mapping[str, Look]) -> None:
    st.header("Flags", anchor=False)
    shares = {drawn[run].name: found.shares for run, found in chosen.items()}
    counts = {drawn[run].name: len(found.answers) for run, found in chosen.items()}
    gold = _gold(task, str(paths.data_folder()))
    wrong = _contradicting(chosen)
    rows = pd.DataFrame(
        [
            {"run": drawn[run].name, "answers": len(found.answers), **found.shares}
            | {"label_wrong_where_contradicting": wrong.get(run)}
            for run, found in chosen.items()
        ]
    )
    st.html(WIDE)
    with st.container(key="components-wide"):
        chart(
            figures.flags(shares, counts),
            key="components.flags",
            name=f"{task}-flags",
            alt=figures.flags_alt(shares),
            table=rows,
        )
    alarms = {FLAGS[name].title: gold[name] for name in FLAGS if gold[name]}
    told = ", ".join(f"{title} {share:.1%}" for title, share in alarms.items())
    st.caption(
        "Every rule is mechanical. False alarms on the task's own gold explanations: "
        f"{widgets.escape_markdown(told or 'none')}."
        + ("" if all(f.reads_labels for f in chosen.values()) else " " + UNREADABLE)
    )
    if wrong:
        low, high = (f"{bound:.0%}" for bound in (min(wrong.values()), max(wrong.values())))
        st.caption(
            "Where label and explanation disagree, either may be at fault. The label is wrong in "
            f"{widgets.escape_markdown(low if low == high else f'{low} to {high}')} of these "
            "answers; the "
            "table has the share of each run."
        )
    with st.expander("When a flag is raised", icon=":material/flag:"):
        for flag in FLAGS.values():
            st.markdown(f"**{flag.title}.** {widgets.escape_markdown(flag.rule)}")


def _contradicting(chosen: Mapping[str, ExplanationQuality]) -> dict[str, float]:
    """Run → in which share of its contradictions the label is wrong, not the explanation."""
    found = {}
    for run, held in chosen.items():
        odd = held.answers[held.answers["contradicts"]]
        if len(odd):
            found[run] = 1 - float(odd["correct"].astype(bool).mean())
    return found


UNREADABLE = (
    "Gold wording does not tell the labels of this task apart, so contradictions are not looked "
    "for."
)


def _parts(chosen: Mapping[str, ExplanationQuality], drawn: Mapping[str, Look]) -> None:
    """Accuracy, score of right answers, and the normalised score that is their product."""
    st.header("What a normalised score hides", anchor=False)
    kinds = [
        kind for kind in SCALES if any(f"ratio_{kind}" in found.scores for found in chosen.values())
    ]
    if not kinds:
        st.info("These runs have no explanation score.")
        return
    kind = kinds[0]
    if len(kinds) > 1:
        kind = st.segmented_control(
            "Explanation score",
            kinds,
            default=kinds[0],
            required=True,
            format_func=lambda name: measure(f"explanation_{name}").title,
            key="components.score",
        )
    table = pd.DataFrame(
        [
            {
                "run": run,
                "accuracy": found.scores["accuracy"],
                "ratio": found.scores[f"ratio_{kind}"] / SCALES[kind],
                "normalised": found.scores[f"normalised_{kind}"] / SCALES[kind],
            }
            for run, found in chosen.items()
            if f"ratio_{kind}" in found.scores
        ]
    )
    titles = {
        "accuracy": "Accuracy",
        "ratio": "Score of right answers (ratio)",
        "normalised": "Normalised score",
    }
    chart(
        figures.parts(table, titles, drawn),
        key="components.parts",
        name=f"explanations-{kind}",
        alt=figures.parts_alt(table, titles, drawn),
        table=table.assign(run=[drawn[run].name for run in table["run"]]),
    )
    st.caption(
        "The normalised score is the accuracy times the score of right answers. So it can be high "
        "because labels are right, whatever the explanations are worth; the ratio cannot."
    )


@st.cache_data(max_entries=1, show_spinner=False)
def _published(path: str) -> pd.DataFrame:
    return explanations.score_ratios(pd.read_csv(path))


def _reported() -> None:
    """The trap in the paper's own result files."""
    found = _published(str(paths.ASSETS / "reported.csv"))
    with st.expander(
        "The same in the paper's result files: high accuracy and no explanation",
        icon=":material/visibility_off:",
    ):
        chart(
            figures.reported(found, SILENT),
            key="components.reported",
            name="published-ratios",
            alt=figures.reported_alt(found, SILENT),
            table=found,
        )
        st.caption(
            "Result files of the official repository of arXiv:2305.13235. Unscaled BERTScore gives "
            "even a placeholder most of its points, so runs that never explained anything stand at "
            "the floor of their task, at any accuracy; their normalised score alone looks fine."
        )


def _examples(chosen: Mapping[str, ExplanationQuality], drawn: Mapping[str, Look]) -> None:
    """Best and worst explanations, or those that raise a flag."""
    st.header("Examples", anchor=False)
    left, right = st.columns(2)
    run = left.selectbox(
        "Run",
        list(chosen),
        format_func=lambda name: drawn[name].name,
        key="components.example.run",
    )
    answers = chosen[run].answers
    raised = [name for name in FLAGS if answers[name].any()]
    options = ["best", "worst", *raised]
    which = right.selectbox(
        "Which",
        options,
        format_func=lambda name: _option(name, answers),
        key=f"components.which.{run}",
    )
    rows = _picked(answers, which)
    st.dataframe(
        rows,
        hide_index=True,
        alt=f"{len(rows)} answers: {_option(which, answers)}",
        column_config={GOLD_SIMILARITY: st.column_config.NumberColumn("chrF", format="%.1f")},
    )
    widgets.download(
        _picked(answers, which, len(answers)), key="components.examples", name=f"{run}-{which}"
    )


def _option(name: str, answers: pd.DataFrame) -> str:
    words = {
        "best": "Right label, explanation nearest to gold",
        "worst": "Right label, explanation furthest from gold",
    }
    return words.get(name) or f"{FLAGS[name].title} ({int(answers[name].sum())})"


def _picked(answers: pd.DataFrame, which: str, count: int = SHOWN) -> pd.DataFrame:
    """The answers asked for, in a reader's words."""
    if which in ("best", "worst"):
        right = answers[answers["correct"].astype(bool)]
        sound = right[right["flags"] == ""]
        right = sound if which == "best" and len(sound) else right
        kept = right.sort_values(GOLD_SIMILARITY, ascending=which == "worst", kind="stable")
    else:
        kept = answers[answers[which]]
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
