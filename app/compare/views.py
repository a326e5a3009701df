"""The views of the Compare page but for the answers: table, scores, curves, size, labels, tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from app.compare import answers as compare_answers
from app.compare import latex
from app.compare.selection import Comparison
from app.figures import compare, curves, labels
from app.state.run_catalog import task_title
from app.ui.charts import chart
from app.ui.widgets import csv_bytes, escape_markdown, format_duration
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


def show_headline(chosen: Comparison) -> None:
    """The result in one sentence, with what keeps it from being more than that."""
    rows = chosen.summary.dropna(subset=["mean"])
    if rows.empty:
        st.info("None of these runs has this metric; choose another one.")
        return
    best, form, kind = (
        rows.iloc[0],
        compare.value_format(chosen.metric),
        compare.find_measure(chosen.metric),
    )
    name = escape_markdown(chosen.styles[best["run"]].name)
    words = f"{escape_markdown(kind.title)}: **{name}** has the "
    words += f"{'lowest' if kind.better == 'lower' else 'highest'} mean, **{best['mean']:{form}}**"
    if pd.notna(best["low"]):
        words += f" (95 % interval {best['low']:{form}} to {best['high']:{form}})"
    if len(rows) < 2:
        words += f".{_floor_text(chosen, best['run'])}"
    else:
        words += _lead_text(chosen, best["run"], rows.iloc[1]["run"])
    st.markdown(words)
    spec, answers = chosen.runs[0].spec, chosen.runs[0].answers()
    examples_text = (
        f"{answers['example'].nunique()} examples of the split {spec.evaluation.split}, "
    )
    st.caption(
        escape_markdown(
            f"{spec.base}, {spec.training.shots} training examples per seed, "
            f"{examples_text if len(answers) else ''}"
            f"{_seeds_text(spec.population.seed_numbers())}; intervals are Student's t "
            "over seeds: other training examples, the same examples to answer. "
            f"{kind.description}"
        )
    )


def _lead_text(chosen: Comparison, best: str, second: str) -> str:
    """Say how far the best is ahead of the next, and whether that may be chance."""
    form = compare.value_format(chosen.metric)
    difference = comparison.run_difference(chosen.table, chosen.metric, best, second)
    if difference.mean is None:
        return "."
    name, ahead = escape_markdown(chosen.styles[second].name), f"{abs(difference.mean):{form}}"
    if float(ahead) == 0:
        return f"; {name} has the same mean.{_floor_text(chosen, best)}"
    if difference.low is None or difference.high is None:
        return (
            f", {ahead} ahead of {name}; one seed says nothing about others."
            f"{_floor_text(chosen, best)}"
        )
    ends = sorted((abs(difference.low), abs(difference.high)))
    if difference.low * difference.high > 0:
        return (
            f", {ahead} ahead of {name} (95 % interval {ends[0]:{form}} to {ends[1]:{form}})."
            f"{_floor_text(chosen, best)}"
        )
    limits = f"{difference.low:+{form}} to {difference.high:+{form}}"
    return (
        f". That it differs from {name} may be chance: {difference.mean:+{form}} ({limits})."
        f"{_floor_text(chosen, best)}"
    )


def _floor_text(chosen: Comparison, best: str) -> str:
    """Say so where even the best run is not above what guessing scores."""
    rows = chosen.summary[chosen.summary["run"] == best]
    mean = float(rows["mean"].iloc[0])
    for words, level in _chance_levels(chosen).items():
        if mean <= level:
            form = compare.value_format(chosen.metric)
            return f" No run is above {words[:1].lower()}{words[1:]} ({level:{form}})."
    return ""


def _seeds_text(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"seed {numbers[0]}"
    return f"seeds {numbers[0]} to {numbers[-1]}"


def show_summary(chosen: Comparison) -> None:
    """The table of runs, with downloads as CSV and LaTeX."""
    shown = _summary_in_words(chosen)
    colours = [chosen.styles[run].colour for run in chosen.summary["run"]]
    styled = shown.style.apply(lambda _: [f"color: {c}" for c in colours], subset=["Key"])
    form, title = compare.value_format(chosen.metric), compare.find_measure(chosen.metric).title
    number = f"%{form}"
    st.dataframe(
        styled,
        hide_index=True,
        alt=compare.score_intervals_alt(chosen.summary, chosen.metric, chosen.styles),
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
    if chosen.human_scores:
        st.caption(_human_score_note(list(chosen.human_scores.values())))
    name = f"{chosen.file_stem}-summary"
    with st.container(horizontal=True, gap="small"):
        for label, text, ending, mime in (
            ("CSV", csv_bytes(_summary_export(chosen)), "csv", "text/csv"),
            ("LaTeX", _latex_summary(chosen), "tex", "text/x-tex"),
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


def _summary_in_words(chosen: Comparison) -> pd.DataFrame:
    """The summary in a reader's words."""
    rows, form = chosen.summary, compare.value_format(chosen.metric)
    styles = [chosen.styles[run] for run in rows["run"]]
    limits = [
        "one seed" if pd.isna(low) else f"{low:{form}} to {high:{form}}"
        for low, high in zip(rows["low"], rows["high"], strict=True)
    ]
    shown = pd.DataFrame(
        {
            "Key": [MARKS[style.symbol] for style in styles],
            "Run": [style.name for style in styles],
            compare.find_measure(chosen.metric).title: [
                float(f"{mean:{form}}") for mean in rows["mean"]
            ],
            "95 % interval": limits,
            "Seeds": rows["n"],
            "Trainable parameters": rows["trainable"],
            "Time, all seeds": [
                "" if pd.isna(seconds) else format_duration(seconds) for seconds in rows["seconds"]
            ],
        }
    )
    if chosen.human_scores:
        human_scores = [chosen.human_scores.get(run) for run in rows["run"]]
        position = shown.columns.get_loc("Seeds") + 1
        shown.insert(
            position,
            "Human score",
            [_human_score_text(each) if each else None for each in human_scores],
        )
        shown.insert(
            position + 1, "Rated", [_human_score_n(each) if each else "" for each in human_scores]
        )
    return shown


def _human_score_note(scores: Sequence[HumanScore]) -> str:
    """Say what the human scores shown have in common, and what not."""
    if len({score.projects for score in scores}) > 1:
        return (
            "Human scores are from different rating projects, so of other examples or other "
            "raters; the Ratings page compares within one."
        )
    if all(score.correct_share == 1 for score in scores):
        return "Human scores are of explanations of right answers only, as in FEB."
    return "Human scores are of explanations of right and wrong answers alike; FEB's of right ones."


def _human_score_text(score: HumanScore) -> str:
    """Return a human score with its 95 % interval in words."""
    if score.low is None or score.high is None:
        return f"{score.score:.2f}"
    return f"{score.score:.2f} ({score.low:.2f} to {score.high:.2f})"


def _human_score_n(score: HumanScore) -> str:
    """The n of a human score; simulated raters are never called people."""
    rater_kind = "simulated" if score.simulated else "raters"
    return f"n = {score.items}, {score.raters} {rater_kind}"


def _summary_export(chosen: Comparison) -> pd.DataFrame:
    """The summary as numbers, names first."""
    rows = chosen.summary.copy()
    rows.insert(0, "name", [chosen.styles[run].name for run in rows["run"]])
    rows.insert(5, "metric", chosen.metric)
    if chosen.human_scores:
        human_scores = [chosen.human_scores.get(run) for run in rows["run"]]
        rows["human_score"] = [each.score if each else None for each in human_scores]
        rows["human_low"] = [each.low if each else None for each in human_scores]
        rows["human_high"] = [each.high if each else None for each in human_scores]
        rows["human_items"] = [each.items if each else 0 for each in human_scores]
        rows["human_raters"] = [each.raters if each else 0 for each in human_scores]
        rows["human_simulated"] = [each.simulated if each else None for each in human_scores]
    return rows


def _latex_summary(chosen: Comparison) -> str:
    """Return the summary as a LaTeX table with its caption."""
    spec = chosen.runs[0].spec
    names = {run: style.name for run, style in chosen.styles.items()}
    title = compare.find_measure(chosen.metric).title
    caption = (
        f"{title} on {task_title(spec.task)} with {spec.training.shots} training examples on "
        f"{spec.base}: mean and half width of the 95 % interval over seeds."
    )
    return latex.latex_table(
        chosen.summary, names, title, compare.value_format(chosen.metric), caption
    )


def show_scores(chosen: Comparison) -> None:
    """Mean, interval and every seed."""
    figure_args = (chosen.summary, chosen.table, chosen.metric, chosen.styles)
    seeds = chosen.table[["run", "seed", chosen.metric]].copy()
    seeds["run"] = [chosen.styles[run].name for run in seeds["run"]]
    chart(
        compare.score_intervals(*figure_args, references=_chance_levels(chosen)),
        key="compare.scores",
        name=f"{chosen.file_stem}-scores",
        alt=compare.score_intervals_alt(chosen.summary, chosen.metric, chosen.styles),
        table=seeds,
    )
    st.caption(
        "Small dots are seeds: other training examples, another order, another start. "
        "The bar is the 95 % interval of the mean."
    )


def _chance_levels(chosen: Comparison) -> dict[str, float]:
    """Return the score of guessing, for metrics where it is known."""
    labels = chosen.task.labels if chosen.task else ()
    if chosen.metric == "accuracy" and labels:
        return {f"Guessing among {len(labels)} labels": 1 / len(labels)}
    return {"Guessing": 0.0} if chosen.metric == "matthews" else {}


def show_learning_curves(chosen: Comparison) -> None:
    """Training and validation loss side by side."""
    histories = {run.id: run.history() for run in chosen.runs}
    for column, value in zip(st.columns(2), ("dev_loss", "train_loss"), strict=True):
        with column:
            chart(
                curves.learning_curves(histories, chosen.styles, value),  # type: ignore[arg-type]
                key=f"compare.{value}",
                name=f"{chosen.runs[0].spec.task}-{value}",
                alt=curves.learning_curves_alt(histories, chosen.styles, value),  # type: ignore[arg-type]
                table=curves.learning_curves_table(histories, chosen.styles, value),  # type: ignore[arg-type]
            )
    st.caption(
        "Thick: mean over seeds. Band: its 95 % interval. Thin: single seeds. "
        "The adapter kept for each seed is the one of its lowest validation loss."
    )


def show_size(chosen: Comparison) -> None:
    """Score against the number of trained parameters."""
    if chosen.summary.dropna(subset=["mean", "trainable"]).empty:
        st.info("These runs do not record how many parameters they trained.")
        return
    figure_args = (chosen.summary, chosen.metric, chosen.styles)
    chart(
        compare.score_by_parameters(*figure_args),
        key="compare.size",
        name=f"{chosen.file_stem}-by-parameters",
        alt=compare.score_by_parameters_alt(*figure_args),
        table=_summary_export(chosen)[["name", "trainable", "mean", "low", "high", "n"]],
    )
    st.caption(
        "Higher and further left is better. Whiskers are 95 % intervals of the mean over seeds."
    )


def show_confusions(chosen: Comparison) -> None:
    """Show a matrix of gold labels and answers for each run."""
    label_names = chosen.task.labels if chosen.task else ()
    if not label_names:
        st.info("This task asks for free text, so there are no labels to count.")
        return
    columns = st.columns(2)
    for index, run in enumerate(chosen.runs):
        style, answers = chosen.styles[run.id], run.answers()
        counts = labels.confusion_counts(answers, label_names)
        with columns[index % 2]:
            chart(
                labels.confusion_heatmap(counts, style.name, style.colour),
                key=f"compare.labels.{run.id}",
                name=f"{chosen.runs[0].spec.task}-{run.id}-labels",
                alt=labels.confusion_heatmap_alt(counts, style.name),
                table=counts.rename_axis("gold").reset_index(),
            )


def show_tests(chosen: Comparison) -> None:
    """Paired differences to a reference, with what so few seeds can show at all."""
    ids = [run.id for run in chosen.runs]
    if len(ids) < 2:
        st.info("Choose a second run to test differences.")
        return
    reference: str = st.selectbox(
        "Reference",
        ids,
        index=_reference_index(chosen),
        format_func=lambda run: chosen.styles[run].name,
        key="compare.reference",
        help="Every other run is compared with this one, seed by seed.",
    )
    differences = comparison.differences_from_reference(chosen.table, chosen.metric, reference)
    figure_args = (differences, chosen.metric, chosen.styles, reference)
    table = differences.drop(columns="smallest_p")
    table["run"] = [chosen.styles[run].name for run in table["run"]]
    chart(
        compare.difference_intervals(*figure_args),
        key="compare.gaps",
        name=f"{chosen.file_stem}-differences",
        alt=compare.difference_intervals_alt(*figure_args),
    )
    st.dataframe(
        table.rename(columns=TEST_TITLES),
        hide_index=True,
        alt=compare.difference_intervals_alt(*figure_args),
        column_config={word: st.column_config.NumberColumn(format="%.4f") for word in TEST_NUMBERS},
    )
    _p_value_note(differences)


TEST_TITLES = {
    "run": "Run",
    "difference": "Difference",
    "low": "95 % from",
    "high": "to",
    "p": "p",
    "holm": "p, Holm",
    "n": "Pairs of seeds",
}
TEST_NUMBERS = ("Difference", "95 % from", "to", "p", "p, Holm")


def _reference_index(chosen: Comparison) -> int:
    """The linear probe if there is one, otherwise the run that scores worst."""
    methods = [run.spec.method for run in chosen.runs]
    if "linear_probe" in methods:
        return methods.index("linear_probe")
    scored = chosen.summary.dropna(subset=["mean"])["run"].tolist()
    return [run.id for run in chosen.runs].index(scored[-1]) if scored else 0


def _p_value_note(differences: pd.DataFrame) -> None:
    """The smallest p these seeds could reach, and how many seeds would do."""
    reachable = differences["smallest_p"].min()
    if pd.isna(reachable):
        return
    text = (
        "Intervals: Student's t over the differences of paired seeds. p: exact two-sided "
        "sign-flip test over pairs of seeds; Holm corrects for the "
        f"{len(differences)} comparison{'s' * (len(differences) > 1)} shown. "
        f"The smallest p that {differences['n'].max()} pairs can reach is {reachable:.3g}"
    )
    if reachable * len(differences) > 0.05:
        enough = comparison.seeds_for_significance(0.05, len(differences))
        text += f"; after the correction, 0.05 can be reached from {enough} seeds on"
    st.caption(escape_markdown(f"{text}."))


VIEWS: dict[str, Callable[[Comparison], None]] = {
    "Scores": show_scores,
    "Curves": show_learning_curves,
    "Size": show_size,
    "Answers": compare_answers.show_answers,
    "Labels": show_confusions,
    "Tests": show_tests,
}
