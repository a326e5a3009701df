"""What the Ratings page is about: one project, its verdicts, and whose text each of them was about.

A source is a run, or where there is none a method (`gold` is the data set's own explanations).
Statistics are those of `peftcore.analysis`; they are kept until a verdict is added.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd
import streamlit as st

from app.compare import selection
from app.state import cache, heavy_imports
from app.state.rating_store import book, me
from app.theme import NEUTRAL, Look, look
from app.ui.run_styles import looks, title
from peftcore import rating
from peftcore.analysis import agreement, preference
from peftcore.errors import BadInput
from peftcore.metrics import per_item
from peftcore.rating import Project, questions

GOLD = "gold"


@dataclass(frozen=True)
class Results:
    """A project's current verdicts, one row each, and the key to them, one row per source."""

    project: Project
    said: pd.DataFrame  # as rating.verdicts
    key: pd.DataFrame  # as rating.key, with a column source
    items: pd.DataFrame  # as rating.items, those that count

    @cached_property
    def scored(self) -> pd.DataFrame:
        """Verdicts beside whose text they were about; a text of two sources has two rows."""
        return self.said.merge(self.key, on="item")

    @cached_property
    def about(self) -> pd.DataFrame:
        """The key beside the example and the right label of each item."""
        return self.key.merge(self.items[["item", "example", "label"]], on="item")

    @property
    def mode(self) -> rating.Mode:
        """Single, pairwise or likert."""
        return self.project.settings.mode

    @cached_property
    def looks(self) -> dict[str, Look]:
        """Source → what it is called and drawn with; the data set's own comes last."""
        pairs = self.key.drop_duplicates("source")[["source", "run", "method"]]
        stored = cache.store()
        runs = []
        for run in pairs["run"]:
            try:
                runs += [stored.open(run)] if run else []
            except BadInput:
                continue  # deleted since; its method still has a name
        known = looks(runs)
        found = {}
        for row in pairs.itertuples():
            plain = look(row.method, title(row.method))
            found[row.source] = known.get(row.run, plain)
        if GOLD in found:
            found[GOLD] = Look("The data set's own", NEUTRAL, "square")
        return dict(sorted(found.items(), key=lambda pair: pair[0] == GOLD))

    @property
    def names(self) -> dict[str, str]:
        """Source → name."""
        return {source: each.name for source, each in self.looks.items()}

    @property
    def stamp(self) -> tuple[str, int, int]:
        """Changes with every verdict."""
        last = self.said["rating"].max() if len(self.said) else 0
        return self.project.id, len(self.said), int(last)

    @property
    def file(self) -> str:
        """How files saved from this page are called."""
        return f"ratings-{self.project.id}"

    @cached_property
    def raters(self) -> dict[str, str]:
        """Rater → name, in the order in which they were invited."""
        said = set(self.said["rater"])
        invited = rating.raters(book(), me(), self.project.id)
        return {row.id: row.name for row in invited if row.id in said}

    @cached_property
    def right(self) -> float | None:
        """In which share of the methods' explanations the answer is right; None if not told."""
        told = self.key.loc[self.key["source"] != GOLD, "correct"].dropna()
        return float(told.mean()) if len(told) else None

    def counts(self) -> str:
        """What the numbers rest on, in words."""
        kind = "simulated rater" if self.project.simulated else "rater"
        verdicts, raters = counted(len(self.said), "verdict"), counted(len(self.raters), kind)
        return f"{verdicts} on {counted(self.said['item'].nunique(), 'item')} by {raters}"

    def intervals(self) -> str:
        """What the intervals of scores and rankings draw anew, in a sentence."""
        if len(self.raters) == 1:
            return "Intervals draw examples anew; one rater says nothing about other people."
        few = f"; with {len(self.raters)} raters their part in it is rough" * (len(self.raters) < 5)
        return f"Intervals draw examples and raters anew{few}."


def results(project: Project, login: str = "") -> Results:
    """The project's verdicts as they are now."""
    who = me(login)
    key = rating.key(book(), who, project.id)
    source = rating.sources(key["run"], key["method"])
    said = rating.verdicts(book(), who, project.id)
    items = rating.items(book(), who, project.id)
    return Results(project, said, key.assign(source=source), items[items["kind"] == "rating"])


def only_careful(found: Results) -> Results:
    """The same without raters who failed an attention check, if the reader wants that."""
    careless = rating.failed(book(), me(), found.project.id)
    if not careless:
        return found
    who = "the rater" if len(careless) == 1 else f"the {len(careless)} raters"
    if not st.toggle(
        f"Leave out {who} who failed an attention check",
        key="ratings.careful",
        help="The Raters view says who; the Compare page counts everybody.",
        persist_state="session",
    ):
        return found
    return replace(found, said=found.said[~found.said["rater"].isin(careless)])


def scores(found: Results, dimension: str = "") -> pd.DataFrame:
    """The human score of each source, as `preference.scores`; on one dimension if it is named."""
    return _scores((*found.stamp, dimension), _on(found, dimension))


def _on(found: Results, dimension: str) -> pd.DataFrame:
    rows = found.scored
    if not dimension:
        return rows
    return rows.assign(score=rating.step_score(rows[dimension].astype(float)))


@st.cache_data(max_entries=16, show_spinner="Drawing the resamples…")
def _scores(stamp: tuple[object, ...], _rows: pd.DataFrame) -> pd.DataFrame:
    return preference.score_methods(_rows, "source")


def differences(found: Results, reference: str, dimension: str = "") -> pd.DataFrame:
    """How much higher each source scores than another, as `preference.differences`."""
    rows = _on(found, dimension)
    return _differences((*found.stamp, reference, dimension), rows, reference)


@st.cache_data(max_entries=16, show_spinner="Drawing the resamples…")
def _differences(stamp: tuple[object, ...], _rows: pd.DataFrame, reference: str) -> pd.DataFrame:
    return preference.score_differences(_rows, reference, "source")


def compared(found: Results) -> pd.DataFrame:
    """Pairs as `preference.ranking` wants them: first and second are sources."""
    rows = found.said.assign(outcome=questions.outcomes(found.said))
    sides = found.key.drop_duplicates(["item", "place"]).pivot(
        index="item", columns="place", values="source"
    )
    ends = sides.loc[rows["item"]].to_numpy() if len(rows) else [[None, None]][:0]
    return rows.assign(
        first=[pair[0] for pair in ends],
        second=[pair[1] for pair in ends],
    )[["item", "example", "rater", "first", "second", "outcome", "seconds"]]


def ranking(found: Results) -> preference.Ranking:
    """Strengths of the sources of a pairwise project."""
    return _ranking(found.stamp, compared(found))


@st.cache_data(max_entries=16, show_spinner="Fitting the ranking…")
def _ranking(stamp: tuple[str, int, int], _rows: pd.DataFrame) -> preference.Ranking:
    return preference.rank_methods(_rows)


def agreed(
    found: Results, question: str, source: str | None
) -> tuple[list[agreement.AgreementStatistic], pd.DataFrame]:
    """Coefficients of all raters, and weighted Cohen of each two, on the items of a source.

    `question` is one of `questions.BY_MODE`.
    """
    words, order = questions.categories(found.said, found.mode, question)
    rows = found.said.assign(category=words)
    if source is not None:
        of_source = set(found.key.loc[found.key["source"] == source, "item"])
        rows = rows[rows["item"].isin(of_source)]
    stamp = *found.stamp, question, source or ""
    coefficients, pairs = _agreed(stamp, rows, order, list(found.raters))
    named = {end: pairs[end].map(found.raters) for end in ("first", "second")}
    return coefficients, pairs.assign(**named)


@st.cache_data(max_entries=32, show_spinner="Drawing the resamples…")
def _agreed(
    stamp: tuple[object, ...], _rows: pd.DataFrame, order: list[str], raters: list[str]
) -> tuple[list[agreement.AgreementStatistic], pd.DataFrame]:
    table = agreement.pivot_verdicts(_rows, item="item", rater="rater", verdict="category")
    table = table[[rater for rater in raters if rater in table]]
    about = dict(zip(_rows["item"], _rows["example"], strict=True))
    found = agreement.agreement_statistics(table, order, examples=about)
    return found, agreement.cohen_kappas(table, order, examples=about)


def effects(found: Results) -> pd.DataFrame:
    """Habits of each rater, as `preference.rater_effects`, with their names and checks."""
    rows = found.said
    if found.mode == "pairwise":  # how often the left side won: nobody's text, a habit
        rows = rows.assign(score=rows["verdict"].map({"left": 1.0, "tie": 0.5, "right": 0.0}))
    made = _effects(found.stamp, rows)
    made = made.set_index("rater")
    made = made.loc[[rater for rater in found.raters if rater in made.index]].reset_index()
    checked = rating.checks(book(), me(), found.project.id).set_index("rater")
    return made.assign(name=made["rater"].map(found.raters)).join(
        checked[["checks", "checks_passed", "answers_correct", "ratings"]], on="rater"
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _effects(stamp: tuple[str, int, int], _rows: pd.DataFrame) -> pd.DataFrame:
    return preference.rater_effects(_rows)


def beside_metrics(found: Results, with_models: bool) -> pd.DataFrame:
    """One row per item with its human score and automatic ones; BadInput if there are none."""
    means = found.said.groupby("item")["score"].mean().rename("human")
    measured = _measured((*found.stamp, with_models), found.about, _references(found), with_models)
    about = found.about.drop_duplicates("item")[["item", "example", "source", "explanation"]]
    return measured.merge(means.dropna(), on="item").merge(about, on="item")


@st.cache_data(max_entries=8, show_spinner="Scoring the explanations…")
def _measured(
    stamp: tuple[object, ...],
    _key: pd.DataFrame,
    _references: Mapping[str, list[str]],
    with_models: bool,
) -> pd.DataFrame:
    if with_models:
        heavy_imports.load()
    return per_item.of_items(_key, _references, with_models)


def _references(found: Results) -> dict[str, list[str]]:
    task = selection.find_task(found.project.task)
    if task is None:
        return per_item.references(found.about, None)
    name = task.name
    return per_item.references(found.about, lambda split: cache.rows(name, split).examples)


def correlations(table: pd.DataFrame) -> dict[str, preference.Correlation]:
    """How the human score goes with each automatic metric of `beside_metrics`."""
    names = [name for name in per_item.TITLES if name in table]
    human, about = table["human"], table["example"]
    return {name: preference.human_metric_correlation(human, table[name], about) for name in names}


def counted(number: int, what: str) -> str:
    """So many of something, with its plural."""
    return f"{number} {what}{'s' * (number != 1)}"


def limits(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The ends of an interval, each None where it is missing."""
    return known(row["low"]), known(row["high"])


def known(value: Any) -> float | None:
    """A number of a table, None where it is missing."""
    return None if pd.isna(value) else float(value)


def because(reason: object) -> str:
    """Why something is missing, to follow other words."""
    return f"; {reason}" if reason else ""
