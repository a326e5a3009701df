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

from app.figures.theme import NEUTRAL, RunStyle, style_of_method
from app.state import cache, heavy_imports, run_catalog
from app.state.rating_store import current_experimenter, rating_store
from app.state.run_catalog import method_title
from app.ui.run_styles import styles_by_run
from peftcore import rating
from peftcore.analysis import agreement, preference, score_sentences
from peftcore.analysis.prediction_powered import PoweredMean
from peftcore.errors import BadInput
from peftcore.metrics import per_item
from peftcore.rating import Project, assisted, questions

GOLD = "gold"


@dataclass(frozen=True)
class ProjectResults:
    """A project's current verdicts, one row each, and the key to them, one row per source."""

    project: Project
    verdicts: pd.DataFrame  # as rating.verdicts
    origins: pd.DataFrame  # as rating.key, with a column source
    items: pd.DataFrame  # as rating.items, those that count

    @cached_property
    def scored(self) -> pd.DataFrame:
        """Verdicts beside whose text they were about; a text of two sources has two rows."""
        return self.verdicts.merge(self.origins, on="item")

    @cached_property
    def origins_with_examples(self) -> pd.DataFrame:
        """The key beside the example and the right label of each item."""
        return self.origins.merge(self.items[["item", "example", "label"]], on="item")

    @property
    def mode(self) -> rating.Mode:
        """Single, pairwise or likert."""
        return self.project.settings.mode

    @cached_property
    def styles(self) -> dict[str, RunStyle]:
        """Source → what it is called and drawn with; the data set's own comes last."""
        sources = self.origins.drop_duplicates("source")[["source", "run", "method"]]
        run_store = cache.run_store()
        runs = []
        for run in sources["run"]:
            try:
                runs += [run_store.open(run)] if run else []
            except BadInput:
                continue  # deleted since; its method still has a name
        run_styles = styles_by_run(runs)
        styles = {}
        for row in sources.itertuples():
            method_style = style_of_method(row.method, method_title(row.method))
            styles[row.source] = run_styles.get(row.run, method_style)
        if GOLD in styles:
            styles[GOLD] = RunStyle("The data set's own", NEUTRAL, "square")
        return dict(sorted(styles.items(), key=lambda pair: pair[0] == GOLD))

    @property
    def names(self) -> dict[str, str]:
        """Source → name."""
        return {source: each.name for source, each in self.styles.items()}

    @property
    def cache_key(self) -> tuple[str, int, int]:
        """Changes with every verdict."""
        last = self.verdicts["rating"].max() if len(self.verdicts) else 0
        return self.project.id, len(self.verdicts), int(last)

    @property
    def file_stem(self) -> str:
        """Return the start of the names of saved files."""
        return f"ratings-{self.project.id}"

    @cached_property
    def rater_names(self) -> dict[str, str]:
        """Rater → name, in the order in which they were invited."""
        rated_ids = set(self.verdicts["rater"])
        invited = rating.list_raters(rating_store(), current_experimenter(), self.project.id)
        return {row.id: row.name for row in invited if row.id in rated_ids}

    @cached_property
    def correct_share(self) -> float | None:
        """Share of the methods' explanations whose answer is right; None if not recorded."""
        correct = self.origins.loc[self.origins["source"] != GOLD, "correct"].dropna()
        return float(correct.mean()) if len(correct) else None

    def counts_text(self) -> str:
        """Say in words what the numbers rest on."""
        kind = "simulated rater" if self.project.simulated else "rater"
        verdicts, raters = (
            count_text(len(self.verdicts), "verdict"),
            count_text(len(self.rater_names), kind),
        )
        return f"{verdicts} on {count_text(self.verdicts['item'].nunique(), 'item')} by {raters}"

    def interval_note(self) -> str:
        """Say in a sentence whom the intervals of scores and rankings speak of."""
        counts = self.verdicts["example"].nunique(), len(self.rater_names)
        return f"Intervals are about {score_sentences.population_in_words(*counts)}."


def load_results(project: Project, login: str = "") -> ProjectResults:
    """The project's verdicts as they are now."""
    user = current_experimenter(login)
    origins = rating.origin_table(rating_store(), user, project.id)
    source = rating.source_names(origins["run"], origins["method"])
    verdicts = rating.verdict_table(rating_store(), user, project.id)
    items = rating.item_table(rating_store(), user, project.id)
    return ProjectResults(
        project, verdicts, origins.assign(source=source), items[items["kind"] == "rating"]
    )


def without_careless_raters(project_results: ProjectResults) -> ProjectResults:
    """The same without raters who failed an attention check, if the reader wants that."""
    careless = rating.raters_failing_checks(
        rating_store(), current_experimenter(), project_results.project.id
    )
    if not careless:
        return project_results
    raters_text = "the rater" if len(careless) == 1 else f"the {len(careless)} raters"
    if not st.toggle(
        f"Leave out {raters_text} who failed an attention check",
        key="ratings.careful",
        help="The Raters view says who; the Compare page counts everybody.",
        persist_state="session",
    ):
        return project_results
    return replace(
        project_results,
        verdicts=project_results.verdicts[~project_results.verdicts["rater"].isin(careless)],
    )


def source_scores(project_results: ProjectResults, dimension: str = "") -> pd.DataFrame:
    """Score each source, as `preference.score_methods`; on one dimension if it is named."""
    return _source_scores(
        (*project_results.cache_key, dimension), _rows_scored_on(project_results, dimension)
    )


def _rows_scored_on(project_results: ProjectResults, dimension: str) -> pd.DataFrame:
    """Return the rows that have a value of a dimension."""
    rows = project_results.scored
    if not dimension:
        return rows
    return rows.assign(score=rating.step_score(rows[dimension].astype(float)))


@st.cache_data(max_entries=16, show_spinner="Computing intervals…")
def _source_scores(cache_key: tuple[object, ...], _rows: pd.DataFrame) -> pd.DataFrame:
    return preference.score_methods(_rows, "source")


def source_differences(
    project_results: ProjectResults, reference: str, dimension: str = ""
) -> pd.DataFrame:
    """Return how much higher each source scores than another, as `preference.score_differences`."""
    rows = _rows_scored_on(project_results, dimension)
    return _source_differences((*project_results.cache_key, reference, dimension), rows, reference)


@st.cache_data(max_entries=16, show_spinner="Computing intervals…")
def _source_differences(
    cache_key: tuple[object, ...], _rows: pd.DataFrame, reference: str
) -> pd.DataFrame:
    return preference.score_differences(_rows, reference, "source")


def pairwise_rows(project_results: ProjectResults) -> pd.DataFrame:
    """Pairs as `preference.ranking` wants them: first and second are sources."""
    rows = project_results.verdicts.assign(
        outcome=questions.pairwise_outcomes(project_results.verdicts)
    )
    sides = project_results.origins.drop_duplicates(["item", "place"]).pivot(
        index="item", columns="place", values="source"
    )
    source_pairs = sides.loc[rows["item"]].to_numpy() if len(rows) else [[None, None]][:0]
    return rows.assign(
        first=[pair[0] for pair in source_pairs],
        second=[pair[1] for pair in source_pairs],
    )[["item", "example", "rater", "first", "second", "outcome", "seconds"]]


def source_ranking(project_results: ProjectResults) -> preference.Ranking:
    """Strengths of the sources of a pairwise project."""
    return _source_ranking(project_results.cache_key, pairwise_rows(project_results))


@st.cache_data(max_entries=16, show_spinner="Fitting the ranking…")
def _source_ranking(cache_key: tuple[str, int, int], _rows: pd.DataFrame) -> preference.Ranking:
    return preference.rank_methods(_rows)


def rater_agreement(
    project_results: ProjectResults, question: str, source: str | None
) -> tuple[list[agreement.AgreementStatistic], pd.DataFrame]:
    """Coefficients of all raters, and weighted Cohen of each two, on the items of a source.

    `question` is one of `questions.BY_MODE`.
    """
    categories, order = questions.verdict_categories(
        project_results.verdicts, project_results.mode, question
    )
    rows = project_results.verdicts.assign(category=categories)
    if source is not None:
        of_source = set(
            project_results.origins.loc[project_results.origins["source"] == source, "item"]
        )
        rows = rows[rows["item"].isin(of_source)]
    cache_key = *project_results.cache_key, question, source or ""
    statistics, pairs = _rater_agreement(cache_key, rows, order, list(project_results.rater_names))
    names = {end: pairs[end].map(project_results.rater_names) for end in ("first", "second")}
    return statistics, pairs.assign(**names)


@st.cache_data(max_entries=32, show_spinner="Computing intervals…")
def _rater_agreement(
    cache_key: tuple[object, ...], _rows: pd.DataFrame, order: list[str], raters: list[str]
) -> tuple[list[agreement.AgreementStatistic], pd.DataFrame]:
    """Compute the agreement of all raters."""
    table = agreement.pivot_verdicts(_rows, item="item", rater="rater", verdict="category")
    table = table[[rater for rater in raters if rater in table]]
    example_by_item = dict(zip(_rows["item"], _rows["example"], strict=True))
    statistics = agreement.agreement_statistics(table, order, examples=example_by_item)
    return statistics, agreement.cohen_kappas(table, order, examples=example_by_item)


def rater_effects(project_results: ProjectResults) -> pd.DataFrame:
    """Habits of each rater, as `preference.rater_effects`, with their names and checks."""
    rows = project_results.verdicts
    if project_results.mode == "pairwise":  # how often the left side won: nobody's text, a habit
        rows = rows.assign(score=rows["verdict"].map({"left": 1.0, "tie": 0.5, "right": 0.0}))
    table = _rater_effects(project_results.cache_key, rows)
    table = table.set_index("rater")
    table = table.loc[
        [rater for rater in project_results.rater_names if rater in table.index]
    ].reset_index()
    checked = rating.check_table(
        rating_store(), current_experimenter(), project_results.project.id
    ).set_index("rater")
    return table.assign(name=table["rater"].map(project_results.rater_names)).join(
        checked[["checks", "checks_passed", "answers_correct", "ratings"]], on="rater"
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _rater_effects(cache_key: tuple[str, int, int], _rows: pd.DataFrame) -> pd.DataFrame:
    return preference.rater_effects(_rows)


def metric_table(project_results: ProjectResults, with_models: bool) -> pd.DataFrame:
    """One row per item with its human score and automatic ones; BadInput if there are none."""
    means = project_results.verdicts.groupby("item")["score"].mean().rename("human")
    metric_scores = _metric_scores(
        (*project_results.cache_key, with_models),
        project_results.origins_with_examples,
        _explanation_references(project_results),
        with_models,
    )
    origins = project_results.origins_with_examples.drop_duplicates("item")[
        ["item", "example", "source", "explanation"]
    ]
    return metric_scores.merge(means.dropna(), on="item").merge(origins, on="item")


@st.cache_data(max_entries=8, show_spinner="Scoring the explanations…")
def _metric_scores(
    cache_key: tuple[object, ...],
    _key: pd.DataFrame,
    _references: Mapping[str, list[str]],
    with_models: bool,
) -> pd.DataFrame:
    """Score every explanation by the automatic metrics."""
    if with_models:
        heavy_imports.import_all()
    return per_item.item_scores(_key, _references, with_models)


def _explanation_references(project_results: ProjectResults) -> dict[str, list[str]]:
    """Return the gold explanations of every item."""
    task = run_catalog.find_task(project_results.project.task)
    if task is None:
        return per_item.gold_explanations(project_results.origins_with_examples, None)
    name = task.name
    return per_item.gold_explanations(
        project_results.origins_with_examples,
        lambda split: cache.split_examples(name, split).examples,
    )


def rater_ceiling(project_results: ProjectResults) -> preference.Correlation:
    """Correlate every rater with the mean of the others: what a metric can hope for."""
    examples = project_results.items[["item", "example"]]
    return _rater_ceiling(
        project_results.cache_key,
        project_results.verdicts.drop(columns="example", errors="ignore").merge(
            examples, on="item"
        ),
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _rater_ceiling(cache_key: tuple[str, int, int], _rows: pd.DataFrame) -> preference.Correlation:
    return preference.rater_ceiling(_rows)


def assisted_means(
    project_results: ProjectResults, metric: str, with_models: bool
) -> dict[str, PoweredMean]:
    """Source → its mean human score with a metric's help; BadInput where no run is at hand."""
    rated, all_metrics = _project_metrics(
        (*project_results.cache_key, with_models), project_results.project.id, with_models
    )
    return assisted.assisted_means(rated, all_metrics, metric)


@st.cache_data(max_entries=8, show_spinner="Scoring every answer of the runs…")
def _project_metrics(
    cache_key: tuple[object, ...], project: str, with_models: bool
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every answer that could have been drawn, besides the rated ones."""
    if with_models:
        heavy_imports.import_all()
    return assisted.project_metrics(rating_store(), current_experimenter(), project, with_models)


def metric_correlations(table: pd.DataFrame) -> dict[str, preference.Correlation]:
    """Correlate the human score with each automatic metric of `beside_metrics`."""
    names = [name for name in per_item.TITLES if name in table]
    human, examples = table["human"], table["example"]
    return {
        name: preference.human_metric_correlation(human, table[name], examples) for name in names
    }


def count_text(number: int, what: str) -> str:
    """So many of something, with its plural."""
    return f"{number} {what}{'s' * (number != 1)}"


def interval_limits(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """The ends of an interval, each None where it is missing."""
    return number_or_none(row["low"]), number_or_none(row["high"])


def number_or_none(value: Any) -> float | None:
    """A number of a table, None where it is missing."""
    return None if pd.isna(value) else float(value)


def reason_suffix(reason: object) -> str:
    """Say why something is missing, to follow other words."""
    return f"; {reason}" if reason else ""


def pick_dimension(project_results: ProjectResults, label: str, none: str, key: str) -> str:
    """Offer the dimensions of a Likert project, and `none`, which is empty as in other modes."""
    if project_results.mode != "likert":
        return ""
    dimension: str = st.selectbox(
        label,
        ["", *rating.DIMENSIONS],
        format_func=lambda name: rating.DIMENSIONS.get(name, none),
        key=key,
    )
    return dimension
