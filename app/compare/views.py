"""The views of the Compare page but for the answers: table, scores, curves, size, labels, tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from app.compare import answers as compare_answers
from app.compare import latex
from app.compare.selection import Comparison, task_title
from app.figures import compare, curves, labels
from app.ui.charts import chart
from app.ui.widgets import csv, duration, plain
from peftcore.analysis import comparison
from peftcore.rating import HumanScore

MARKS = {
    "circle": "●",
    "diamond": "◆",
    "square": "■",
    "triangle-up": "▲",
    "x": "✖",
    "cross": "✚",
    "star": "★",
    "hexagon": "⬢",
}


def headline(chosen: Comparison) -> None:
    """The result in one sentence, with what keeps it from being more than that."""
    rows = chosen.summary.dropna(subset=["mean"])
    if rows.empty:
        st.info("None of these runs has this metric; choose another one.")
        return
    best, form, kind = rows.iloc[0], compare.digits(chosen.metric), compare.measure(chosen.metric)
    words = f"{plain(kind.title)}: **{plain(chosen.looks[best['run']].name)}** has the "
    words += f"{'lowest' if kind.better == 'lower' else 'highest'} mean, **{best['mean']:{form}}**"
    if pd.notna(best["low"]):
        words += f" (95 % interval {best['low']:{form}} to {best['high']:{form}})"
    words += "." if len(rows) < 2 else _lead(chosen, best["run"], rows.iloc[1]["run"])
    st.markdown(words)
    spec, answered = chosen.runs[0].spec, chosen.runs[0].answers()
    asked = f"{answered['example'].nunique()} examples of the split {spec.evaluation.split}, "
    st.caption(
        plain(
            f"{spec.base}, {spec.training.shots} training examples per seed, "
            f"{asked if len(answered) else ''}{_seeds(spec.population.numbers())}; intervals are "
            "Student's t over seeds: another draw to train on, the same examples to answer. "
            f"{kind.note}"
        )
    )


def _lead(chosen: Comparison, best: str, second: str) -> str:
    """How far the best is ahead of the next, and whether that may be chance."""
    form = compare.digits(chosen.metric)
    found = comparison.run_difference(chosen.table, chosen.metric, best, second)
    if found.mean is None:
        return "."
    name, ahead = plain(chosen.looks[second].name), f"{abs(found.mean):{form}}"
    if found.low is None or found.high is None:
        return f", {ahead} ahead of {name}; one seed says nothing about others."
    ends = sorted((abs(found.low), abs(found.high)))
    if found.low * found.high > 0:
        return f", {ahead} ahead of {name} (95 % interval {ends[0]:{form}} to {ends[1]:{form}})."
    limits = f"{found.low:+{form}} to {found.high:+{form}}"
    return f". That it differs from {name} may be chance: {found.mean:+{form}} ({limits})."


def _seeds(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"seed {numbers[0]}"
    return f"seeds {numbers[0]} to {numbers[-1]}"


def summary_table(chosen: Comparison) -> None:
    """The table of runs, with downloads as CSV and LaTeX."""
    shown = _shown(chosen)
    colours = [chosen.looks[run].colour for run in chosen.summary["run"]]
    styled = shown.style.apply(lambda _: [f"color: {c}" for c in colours], subset=["Key"])
    form, title = compare.digits(chosen.metric), compare.measure(chosen.metric).title
    number = f"%{form}"
    st.dataframe(
        styled,
        hide_index=True,
        alt=compare.scores_alt(chosen.summary, chosen.metric, chosen.looks),
        placeholder="–",
        column_config={
            "Key": st.column_config.TextColumn(width=50),
            "Run": st.column_config.TextColumn(width="medium"),
            title: st.column_config.NumberColumn(format=number),
            "Trainable parameters": st.column_config.NumberColumn(format="localized"),
            "Human score": st.column_config.TextColumn(
                help="Mean verdict on its explanations, 0 to 1: yes 1, weak yes 2/3, weak no 1/3, "
                "no 0; with its 95 % interval over examples and raters. Agreement is on the "
                "Ratings page.",
            ),
        },
    )
    if chosen.human:
        st.caption(_of_which(list(chosen.human.values())))
    name = f"{chosen.file}-summary"
    with st.container(horizontal=True, gap="small"):
        for label, text, ending, mime in (
            ("CSV", csv(_exported(chosen)), "csv", "text/csv"),
            ("LaTeX", _latex(chosen), "tex", "text/x-tex"),
        ):
            st.download_button(
                label,
                text,
                f"{name}.{ending}",
                mime,
                key=f"compare.download.{ending}",
                icon=":material/download:",
                on_click="ignore",
                help=f"The table above as {label}",
            )


def _shown(chosen: Comparison) -> pd.DataFrame:
    """The summary in a reader's words."""
    rows, form = chosen.summary, compare.digits(chosen.metric)
    looks = [chosen.looks[run] for run in rows["run"]]
    limits = [
        "one seed" if pd.isna(low) else f"{low:{form}} to {high:{form}}"
        for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    shown = pd.DataFrame(
        {
            "Key": [MARKS[look.symbol] for look in looks],
            "Run": [look.name for look in looks],
            compare.measure(chosen.metric).title: [
                float(f"{mean:{form}}") for mean in rows["mean"]
            ],
            "95 % interval": limits,
            "Seeds": rows["n"],
            "Trainable parameters": rows["trainable"],
            "Time, all seeds": [
                "" if pd.isna(seconds) else duration(seconds) for seconds in rows["seconds"]
            ],
        }
    )
    if chosen.human:
        found = [chosen.human.get(run) for run in rows["run"]]
        place = shown.columns.get_loc("Seeds") + 1
        shown.insert(place, "Human score", [_people(each) if each else None for each in found])
        shown.insert(place + 1, "Rated", [_rested(each) if each else "" for each in found])
    return shown


def _of_which(scores: Sequence[HumanScore]) -> str:
    """What human scores beside one another have in common, and what not."""
    if len({score.projects for score in scores}) > 1:
        return (
            "Human scores are from different rating projects, so of other examples or other "
            "raters; the Ratings page compares within one."
        )
    if all(score.right == 1 for score in scores):
        return "Human scores are of explanations of right answers only, as in FEB."
    return "Human scores are of explanations of right and wrong answers alike; FEB's of right ones."


def _people(score: HumanScore) -> str:
    """What people gave, with its 95 % interval."""
    if score.low is None or score.high is None:
        return f"{score.score:.2f}"
    return f"{score.score:.2f} ({score.low:.2f} to {score.high:.2f})"


def _rested(score: HumanScore) -> str:
    """The n of a human score; simulated raters are never called people."""
    who = "simulated" if score.simulated else "raters"
    return f"n = {score.items}, {score.raters} {who}"


def _exported(chosen: Comparison) -> pd.DataFrame:
    """The summary as numbers, names first."""
    rows = chosen.summary.copy()
    rows.insert(0, "name", [chosen.looks[run].name for run in rows["run"]])
    rows.insert(5, "metric", chosen.metric)
    if chosen.human:
        found = [chosen.human.get(run) for run in rows["run"]]
        rows["human_score"] = [each.score if each else None for each in found]
        rows["human_low"] = [each.low if each else None for each in found]
        rows["human_high"] = [each.high if each else None for each in found]
        rows["human_items"] = [each.items if each else 0 for each in found]
        rows["human_raters"] = [each.raters if each else 0 for each in found]
        rows["human_simulated"] = [each.simulated if each else None for each in found]
    return rows


def _latex(chosen: Comparison) -> str:
    spec = chosen.runs[0].spec
    names = {run: look.name for run, look in chosen.looks.items()}
    title = compare.measure(chosen.metric).title
    caption = (
        f"{title} on {task_title(spec.task)} with {spec.training.shots} training examples on "
        f"{spec.base}: mean and half width of the 95 % interval over seeds."
    )
    return latex.table(chosen.summary, names, title, compare.digits(chosen.metric), caption)


def scores(chosen: Comparison) -> None:
    """Mean, interval and every seed."""
    asked = (chosen.summary, chosen.table, chosen.metric, chosen.looks)
    seeds = chosen.table[["run", "seed", chosen.metric]].copy()
    seeds["run"] = [chosen.looks[run].name for run in seeds["run"]]
    chart(
        compare.scores(*asked, references=_references(chosen)),
        key="compare.scores",
        name=f"{chosen.file}-scores",
        alt=compare.scores_alt(chosen.summary, chosen.metric, chosen.looks),
        table=seeds,
    )
    st.caption(
        "Small dots are seeds: another draw of examples, another order, another start. "
        "The bar is the 95 % interval of the mean."
    )


def _references(chosen: Comparison) -> dict[str, float]:
    """Where guessing ends up, for metrics where that is known."""
    labels = chosen.task.labels if chosen.task else ()
    if chosen.metric == "accuracy" and labels:
        return {f"Guessing among {len(labels)} labels": 1 / len(labels)}
    return {"Guessing": 0.0} if chosen.metric == "matthews" else {}


def learning(chosen: Comparison) -> None:
    """Training and validation loss side by side."""
    histories = {run.id: run.history() for run in chosen.runs}
    for column, value in zip(st.columns(2), ("dev_loss", "train_loss"), strict=True):
        with column:
            chart(
                curves.learning(histories, chosen.looks, value),  # type: ignore[arg-type]
                key=f"compare.{value}",
                name=f"{chosen.runs[0].spec.task}-{value}",
                alt=curves.learning_alt(histories, chosen.looks, value),  # type: ignore[arg-type]
                table=curves.table(histories, chosen.looks, value),  # type: ignore[arg-type]
            )
    st.caption(
        "Thick: mean over seeds. Band: its 95 % interval. Thin: single seeds. "
        "The adapter kept for each seed is the one of its lowest validation loss."
    )


def size(chosen: Comparison) -> None:
    """Score against the number of trained parameters."""
    if chosen.summary.dropna(subset=["mean", "trainable"]).empty:
        st.info("These runs do not record how many parameters they trained.")
        return
    asked = (chosen.summary, chosen.metric, chosen.looks)
    chart(
        compare.score_by_parameters(*asked),
        key="compare.size",
        name=f"{chosen.file}-by-parameters",
        alt=compare.score_by_parameters_alt(*asked),
        table=_exported(chosen)[["name", "trainable", "mean", "low", "high", "n"]],
    )
    st.caption(
        "Higher and further left is better. Whiskers are 95 % intervals of the mean over seeds."
    )


def confusions(chosen: Comparison) -> None:
    """What was answered to which label, a matrix per run."""
    known = chosen.task.labels if chosen.task else ()
    if not known:
        st.info("This task asks for free text, so there are no labels to count.")
        return
    columns = st.columns(2)
    for place, run in enumerate(chosen.runs):
        look, answers = chosen.looks[run.id], run.answers()
        counts = labels.count(answers, known)
        with columns[place % 2]:
            chart(
                labels.confusion(counts, look.name, look.colour),
                key=f"compare.labels.{run.id}",
                name=f"{chosen.runs[0].spec.task}-{run.id}-labels",
                alt=labels.confusion_alt(counts, look.name),
                table=counts.rename_axis("gold").reset_index(),
            )


def tests(chosen: Comparison) -> None:
    """Paired differences to a reference, with what so few seeds can show at all."""
    ids = [run.id for run in chosen.runs]
    if len(ids) < 2:
        st.info("Choose a second run to test differences.")
        return
    reference: str = st.selectbox(
        "Reference",
        ids,
        index=_baseline(chosen),
        format_func=lambda run: chosen.looks[run].name,
        key="compare.reference",
        help="Every other run is compared with this one, seed by seed.",
    )
    found = comparison.differences_from_reference(chosen.table, chosen.metric, reference)
    asked = (found, chosen.metric, chosen.looks, reference)
    table = found.drop(columns="smallest_p")
    table["run"] = [chosen.looks[run].name for run in table["run"]]
    chart(
        compare.gaps(*asked),
        key="compare.gaps",
        name=f"{chosen.file}-differences",
        alt=compare.gaps_alt(*asked),
    )
    st.dataframe(
        table.rename(columns=TEST_WORDS),
        hide_index=True,
        alt=compare.gaps_alt(*asked),
        column_config={word: st.column_config.NumberColumn(format="%.4f") for word in TEST_NUMBERS},
    )
    _what_p_can_say(found)


TEST_WORDS = {
    "run": "Run",
    "difference": "Difference",
    "low": "95 % from",
    "high": "to",
    "p": "p",
    "holm": "p, Holm",
    "n": "Pairs of seeds",
}
TEST_NUMBERS = ("Difference", "95 % from", "to", "p", "p, Holm")


def _baseline(chosen: Comparison) -> int:
    """The linear probe if there is one, otherwise the run that scores worst."""
    methods = [run.spec.method for run in chosen.runs]
    if "linear_probe" in methods:
        return methods.index("linear_probe")
    scored = chosen.summary.dropna(subset=["mean"])["run"].tolist()
    return [run.id for run in chosen.runs].index(scored[-1]) if scored else 0


def _what_p_can_say(found: pd.DataFrame) -> None:
    """The smallest p these seeds could reach, and how many seeds would do."""
    reachable = found["smallest_p"].min()
    if pd.isna(reachable):
        return
    text = (
        "Intervals: Student's t over the differences of paired seeds. p: exact two-sided "
        "sign-flip test over pairs of seeds; Holm corrects for the "
        f"{len(found)} comparison{'s' * (len(found) > 1)} shown. "
        f"The smallest p that {found['n'].max()} pairs can reach is {reachable:.3g}"
    )
    if reachable * len(found) > 0.05:
        enough = comparison.seeds_for_significance(0.05, len(found))
        text += f"; after the correction, 0.05 can be reached from {enough} seeds on"
    st.caption(plain(f"{text}."))


VIEWS: dict[str, Callable[[Comparison], None]] = {
    "Scores": scores,
    "Curves": learning,
    "Size": size,
    "Answers": compare_answers.side_by_side,
    "Labels": confusions,
    "Tests": tests,
}
