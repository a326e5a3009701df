"""The answer of the page: which run, by how much, how sure; and differences to one run."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.compare import tables
from app.compare.selection import Comparison
from app.figures import compare, verdicts
from app.ui import pickers, population
from app.ui.charts import chart
from app.ui.run_styles import setting_name, setting_value
from app.ui.widgets import escape_markdown
from peftcore.analysis import best_steps, draws, judgement, settings_table
from peftcore.runs import zero_shot


def show_headline(chosen: Comparison) -> None:
    """The result in one sentence, with how many pairs differ."""
    judged = chosen.judgement
    names = {run: f"**{escape_markdown(name)}**" for run, name in chosen.names.items()}
    sentence = judgement.headline(judged, names)
    if not sentence:
        st.info("None of these runs has this metric; choose another one.")
        return
    parts = [sentence, judgement.count_in_words(judged), _floor_text(chosen)]
    st.markdown(" ".join(filter(None, parts)))


def show_basis(chosen: Comparison) -> None:
    """Whom intervals speak of, what the runs rest on, and what they share."""
    judged, spec = chosen.judgement, chosen.runs[0].spec
    estimates = judged.estimates.values()
    counts = [each.items for each in estimates]
    words = [
        population.population_caption(judged.population, [each.seeds for each in estimates], counts)
        if judged.limits == ""
        else f"{judged.limits}."
    ]
    if len(judged.verdicts) > 1:
        words.append(f"Verdicts are corrected for all {len(judged.verdicts)} pairs (Holm).")
    words += [
        f"{spec.base}, {spec.training.shots} training examples per seed, "
        f"split {spec.evaluation.split}, {_seeds_text(spec.population.seed_numbers())}.",
        compare.find_measure(chosen.metric).description,
        *_untouched_text(chosen),
        _overlap_text(chosen),
        tables.tries_in_words(chosen.runs, chosen.names) if len(chosen.runs) > 1 else "",
    ]
    st.caption(escape_markdown(" ".join(filter(None, words))))
    for note in best_steps.notes(chosen.runs, chosen.names):
        st.caption(f":material/flag: {escape_markdown(note)}")


def _untouched_text(chosen: Comparison) -> list[str]:
    """Say what the bases score without an adapter, or how that is measured."""
    if chosen.untouched:
        form = compare.value_format(chosen.metric)
        return [each.in_words(form) for each in chosen.untouched]
    if not chosen.task or not chosen.task.labels or not zero_shot.key_of_run(chosen.runs[0]):
        return []
    if zero_shot.of_run(chosen.runs[0]) is not None:  # it has no answer that this metric counts
        return []
    return [
        "What the base answers by itself was not measured with these runs; the command python -m "
        f"peftcore zero-shot {chosen.runs[0].id} does that."
    ]


def _overlap_text(chosen: Comparison) -> str:
    """Say how many training rows two seeds share, where that is much."""
    shots = chosen.runs[0].spec.training.shots
    found = tables.training_overlap(chosen.task, shots)
    if found is None or found[0] <= draws.NOTABLE:
        return ""
    share, rows = found
    return (
        f"Two seeds share {100 * share:.0f} % of their training examples, as {shots} of {rows:,} "
        "are drawn, so these intervals say little about fresh training data."
    )


def _seeds_text(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"seed {numbers[0]}"
    return f"seeds {numbers[0]} to {numbers[-1]}"


def _floor_text(chosen: Comparison) -> str:
    """Say so where even the best run is not above what guessing or its base alone scores."""
    means = [each.mean for each in chosen.judgement.estimates.values() if each.mean is not None]
    form = compare.value_format(chosen.metric)
    for words, level in chosen.chance_levels.items():
        if means and means[0] <= level:
            return f"No run is above {words[:1].lower()}{words[1:]} ({level:{form}})."
    for each in chosen.untouched:
        if means and means[0] <= each.mean:
            return (
                f"No run scores more than {each.base} without an adapter does, asked in words "
                f"that it knows ({each.mean:{form}})."
            )
    return ""


def show_scores(chosen: Comparison) -> None:
    """Every seed of every run, with mean and interval."""
    if chosen.summary.dropna(subset=["mean"]).empty:
        return

    if chosen.facet:
        _show_panels(chosen)
        return

    def seeds() -> pd.DataFrame:
        table = chosen.table[["run", "seed", chosen.metric]].copy()
        table["run"] = [chosen.names[run] for run in table["run"]]
        return table

    figure = compare.score_intervals(
        chosen.summary,
        chosen.table,
        chosen.metric,
        chosen.styles,
        references=chosen.reference_levels,
        bands=[(each.low, each.high) for each in chosen.untouched],
    )
    chart(
        figure,
        key="compare.scores",
        name=f"{chosen.file_stem}-scores",
        alt=" ".join(
            [
                compare.score_intervals_alt(chosen.summary, chosen.metric, chosen.styles),
                *_untouched_text(chosen),
            ]
        ),
        table=seeds,
    )


def _show_panels(chosen: Comparison) -> None:
    """A panel of the dot plot for each value of a setting, all on one axis."""
    groups = settings_table.group_by_setting(chosen.runs, chosen.facet)
    span = compare.score_range(chosen.summary, chosen.table, chosen.metric)
    columns = st.columns(min(2, len(groups)))
    for nth, (value, runs) in enumerate(groups.items()):
        rows = chosen.summary[chosen.summary["run"].isin(runs)]
        if rows["mean"].isna().all():
            continue
        words = "not there" if value is None else setting_value(value)
        figure = compare.score_intervals(
            rows,
            chosen.table[chosen.table["run"].isin(runs)],
            chosen.metric,
            chosen.styles,
            references=chosen.reference_levels,
            title=f"{setting_name(chosen.facet).capitalize()}: {words}",
        )
        figure.update_xaxes(range=span)
        with columns[nth % len(columns)]:
            chart(
                figure,
                key=f"compare.scores.{nth}",
                name=f"{chosen.file_stem}-scores-{nth}",
                alt=compare.score_intervals_alt(rows, chosen.metric, chosen.styles),
                table=rows,
            )


def show_matrix(chosen: Comparison) -> None:
    """Every run against every other; two runs have their verdict in the sentence above."""
    judged = chosen.judgement
    if len(judged.tables) < 3:
        return
    chart(
        verdicts.verdict_matrix(judged, chosen.styles),
        key="compare.verdicts",
        name=f"{chosen.file_stem}-verdicts",
        alt=verdicts.verdict_matrix_alt(judged, chosen.styles),
        table=lambda: verdicts.verdict_table(judged, chosen.styles),
    )
    st.caption(f"{verdicts.LEGEND}. The margin is {judged.margin:g} points.")


def show_reference(chosen: Comparison) -> None:
    """Differences of all other runs to one that the reader chooses."""
    judged = chosen.judgement
    if len(judged.tables) < 2:
        st.info("Choose a second run to see differences.")
        return
    reference = pickers.pick_from_list(
        "Reference",
        list(judged.tables),
        "compare.reference",
        chosen.names.__getitem__,
        first=_first_reference(chosen),
        help="Every other run is compared with this one, by seeds and items.",
    )
    rows = verdicts.differences_to(judged, reference)
    alt = verdicts.difference_forest_alt(rows, judged, chosen.styles)
    table = verdicts.verdict_table(judged, chosen.styles)
    name = chosen.names[reference]
    chart(
        verdicts.difference_forest(rows, judged, chosen.styles),
        key="compare.gaps",
        name=f"{chosen.file_stem}-differences",
        alt=alt,
        table=table[(table["run"] == name) | (table["against"] == name)],
    )
    st.caption(
        "Lines are 95 % intervals of the difference, paired by seeds and test examples. A run is "
        "equal where its line lies within the band for sure."
    )


def _first_reference(chosen: Comparison) -> str:
    """The linear probe if there is one, otherwise the run that scores worst."""
    probes = [run.id for run in chosen.runs if run.spec.method == "linear_probe"]
    judged = list(chosen.judgement.tables)
    return next((run for run in probes if run in judged), judged[-1])
