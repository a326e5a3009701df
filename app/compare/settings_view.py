"""Settings of all runs side by side, and runs grouped by one of them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from app.compare import tables
from app.compare.selection import Comparison
from app.figures import compare, verdicts
from app.figures.theme import NEUTRAL, SYMBOLS, RunStyle
from app.ui import pickers
from app.ui.charts import chart
from app.ui.run_styles import setting_name, setting_value
from app.ui.widgets import download, escape_markdown
from peftcore.analysis import judgement, settings_table
from peftcore.analysis.comparison import summarize_runs

DIFFERING, ALL = "Those that differ", "All"


def show_settings(chosen: Comparison) -> None:
    """Every setting of every run, those that differ first and marked."""
    table = settings_table.tabulate_settings(chosen.runs)
    differing = int(table["differs"].sum())
    shown_settings = pickers.pick_in_url("Settings", [DIFFERING, ALL], "compare.all_settings")
    st.markdown(f"These runs differ in **{differing}** of {len(table)} settings.")
    shown = table if shown_settings == ALL else table[table["differs"]]
    words = pd.DataFrame(
        {
            "Differs": ["≠" if differs else "" for differs in shown["differs"]],
            "Setting": [setting_name(name) for name in shown["setting"]],
            "Part": [name.rpartition(".")[0] or "run" for name in shown["setting"]],
        }
    )
    for run in chosen.runs:
        words[chosen.names[run.id]] = [_value(value) for value in shown[run.id]]
    st.dataframe(
        words,
        hide_index=True,
        alt=f"Settings of {len(chosen.runs)} runs; {differing} differ.",
        column_config={"Differs": st.column_config.TextColumn("≠", width=30)},
    )
    download(words, key="compare.settings", name=f"{chosen.runs[0].spec.task}-settings")
    st.caption("A dash stands for a setting that the run's method does not have.")


def _value(value: Any) -> str:
    return "–" if value is None else setting_value(value)


def show_groups(chosen: Comparison) -> None:
    """Runs grouped by a setting: mean and interval by value, and verdicts between values."""
    table = settings_table.tabulate_settings(chosen.runs)
    differing = table.loc[table["differs"], "setting"].tolist()
    if not differing:
        st.info("These runs have equal settings, so there is nothing to group them by.")
        return
    # The rows are in order: settings that every run has come before those of some methods.
    first = next((name for name in differing if name != "method"), differing[0])
    setting = pickers.pick_from_list(
        "Group by", differing, "compare.group", _setting_title, first=first
    )
    groups = settings_table.group_by_setting(chosen.runs, setting)
    grouped = tables.judge_groups(
        chosen.runs, chosen.metric, chosen.margin, chosen.population, setting
    )
    if not grouped.tables:
        st.info("None of these runs has this metric; choose another one.")
        return
    styles = _group_styles(groups, setting)
    seeds = pd.DataFrame(
        [
            {"run": name, "seed": seed, chosen.metric: value}
            for name, values in grouped.tables.items()
            for seed, value in zip(values.seeds, values.seed_values(), strict=True)
        ]
    ).assign(base="", task="", method="", trainable=0.0, seconds=0.0)
    summary = judgement.with_estimates(summarize_runs(seeds, chosen.metric), grouped)
    names = {name: style.name for name, style in styles.items()}
    bold = {name: f"**{escape_markdown(text)}**" for name, text in names.items()}
    st.markdown(f"{judgement.headline(grouped, bold)} {judgement.count_in_words(grouped)}")
    chart(
        compare.score_intervals(summary, seeds, chosen.metric, styles),
        key="compare.groups",
        name=f"{chosen.file_stem}-by-{setting}",
        alt=compare.score_intervals_alt(summary, chosen.metric, styles),
        table=verdicts.verdict_table(grouped, styles),
    )
    st.caption(
        "Each run counts once in its group; dots are seeds, means over the group's runs. Runs in "
        "two groups may differ in more than this setting: the Settings view has all of them."
    )


def _group_styles(groups: dict[Any, list[str]], setting: str) -> dict[str, RunStyle]:
    """Return how each group is drawn, named by its value and number of runs."""
    name = setting_name(setting)
    return {
        repr(value): RunStyle(
            f"{name} {'not there' if value is None else setting_value(value)} · "
            f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}",
            NEUTRAL,
            SYMBOLS[nth % len(SYMBOLS)],
        )
        for nth, (value, runs) in enumerate(groups.items())
    }


def _setting_title(name: str) -> str:
    """Return a setting in words, with its part where that says more."""
    return setting_name(name).capitalize()
