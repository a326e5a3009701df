"""What a report shows of rating projects: each run's score, and how far raters agree."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from peftcore.analysis import agreement, preference, score_sentences
from peftcore.errors import BadInput
from peftcore.rating import questions, tables
from peftcore.rating.access import RatingUser
from peftcore.rating.creation import Project, find_project
from peftcore.rating.store import RatingStore
from peftcore.reports.human import AGREEMENT_COLUMNS, SCORE_COLUMNS, RatedProject

MEASURES = {
    "single": "Mean verdict on explanations, 0 to 1",
    "likert": "Mean step on the dimensions, 0 to 1",
    "pairwise": "Share of comparisons won, ties half",
}


def rated_projects(store: RatingStore, user: RatingUser, runs: Sequence[str]) -> list[RatedProject]:
    """Return every project in which explanations of these runs were rated, as reports show it."""
    found: dict[str, Project] = {}
    for run in runs:
        for project in tables.projects_with_run(store, user, run):
            found.setdefault(project.id, project)
    rated = [rated_project(store, user, name) for name in found]
    return [project for project in rated if len(project.scores)]


def rated_project(store: RatingStore, user: RatingUser, project_id: str) -> RatedProject:
    """Return one project's scores and agreement; no scores where nobody has rated yet."""
    project = find_project(store, user, project_id)
    mode = project.settings.mode
    ratings = tables.verdict_table(store, user, project_id)
    scores = (
        _shares_of_wins(store, user, project_id)
        if mode == "pairwise"
        else _mean_scores(store, user, project_id)
    )
    return RatedProject(
        project_id,
        project.name,
        MEASURES[mode],
        scores,
        _agreement(ratings, project),
        int(ratings["rater"].nunique()),
        project.simulated,
        f"Intervals are about {_population(ratings)}.",
    )


def _population(ratings: pd.DataFrame) -> str:
    """Say whom the intervals of a project's ratings speak of."""
    counts = ratings["example"].nunique(), ratings["rater"].nunique()
    return score_sentences.population_in_words(*counts)


def runs_of_project(store: RatingStore, user: RatingUser, project: str) -> list[str]:
    """List the runs whose texts a project shows; BadInput if they are all of elsewhere."""
    origins = tables.origin_table(store, user, find_project(store, user, project).id)
    runs = [run for run in dict.fromkeys(origins["run"]) if run]
    if not runs:
        raise BadInput(f"project {project} shows texts of no run here, so there is no report")
    return runs


def _mean_scores(store: RatingStore, user: RatingUser, project: str) -> pd.DataFrame:
    """Score each source of a project whose texts are judged one by one."""
    rows = tables.scored_table(store, user, project)
    rows = rows.assign(source=tables.source_names(rows["run"], rows["method"]))
    return preference.score_methods(rows, "source")[SCORE_COLUMNS]


def _shares_of_wins(store: RatingStore, user: RatingUser, project: str) -> pd.DataFrame:
    """Return each source's share of comparisons won in a project of pairs."""
    pairs = tables.comparison_table(store, user, project)
    ends = {
        end: tables.source_names(pairs[f"{end}_run"], pairs[end]) for end in ("first", "second")
    }
    rows = pairs.rename(columns={"winner": "outcome"}).assign(**ends)
    if rows.empty:
        return pd.DataFrame(columns=SCORE_COLUMNS)
    ranked = preference.rank_methods(rows).methods
    compared = {
        source: rows[(rows["first"] == source) | (rows["second"] == source)]
        for source in ranked["method"]
    }
    ranked = ranked.assign(
        source=ranked["method"],
        mean=ranked["share"],
        low=ranked["share_low"],
        high=ranked["share_high"],
        items=[compared[source]["item"].nunique() for source in ranked["method"]],
        raters=[compared[source]["rater"].nunique() for source in ranked["method"]],
        verdicts=[len(compared[source]) for source in ranked["method"]],
    )
    ranked = ranked.sort_values("mean", ascending=False, kind="stable", ignore_index=True)
    return ranked[SCORE_COLUMNS]


def _agreement(ratings: pd.DataFrame, project: Project) -> pd.DataFrame:
    """Measure agreement on every question that a project's ratings answer."""
    mode, rows = project.settings.mode, []
    examples = dict(zip(ratings["item"], ratings["example"], strict=True))
    for question, words in questions.QUESTIONS_BY_MODE[mode].items() if len(ratings) else ():
        category, order = questions.verdict_categories(ratings, mode, question)
        table = agreement.pivot_verdicts(
            ratings.assign(category=category), item="item", rater="rater", verdict="category"
        )
        for each in agreement.agreement_statistics(table, order, examples=examples):
            rows.append((words, each.name, each.value, each.low, each.high, each.reason))
    frame = pd.DataFrame(rows, columns=AGREEMENT_COLUMNS)
    return frame.astype(dict.fromkeys(("value", "low", "high"), float))
