"""Tables for experimenters: every rating with its score, the origins of texts, progress.

They are the input of `analysis.agreement` and `analysis.preference`; nothing is averaged here but
the human score of a run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import sqlalchemy as sa

from peftcore.analysis import preference
from peftcore.errors import BadInput
from peftcore.rating import item_sampling, scales
from peftcore.rating.access import RatingUser, called, require_experimenter
from peftcore.rating.creation import Project, find_project
from peftcore.rating.schema import (
    ADJUDICATIONS,
    ANSWERS,
    ITEMS,
    LEASES,
    ORIGINS,
    PROJECTS,
    RATERS,
    RATINGS,
)
from peftcore.rating.store import RatingStore, require_row
from peftcore.system import rights

VERDICT_COLUMNS = [
    *("rating", "item", "kind", "example", "label", "rater", "name", "position", "flipped"),
    *("act", "current", "verdict", "score", *scales.DIMENSIONS, "shortcomings", "comment"),
    *("seconds", "answer", "answer_correct", "answer_seconds", "passed", "at", "supersedes"),
]
ADJUDICATION_COLUMNS = ["item", "who", "verdict", *scales.DIMENSIONS, "score", "comment", "at"]
ORIGIN_COLUMNS = ["item", "place", "run", "method", "seed", "correct", "shown_label", "explanation"]


@dataclass(frozen=True)
class HumanScore:
    """The mean over items of the mean over raters, in [0, 1], and what it rests on.

    low, high: its 95 % interval over examples and raters; None for one example.
    """

    score: float
    low: float | None
    high: float | None
    items: int
    ratings: int
    raters: int
    projects: tuple[str, ...]
    simulated: bool  # whether no person was among the raters
    correct_share: float | None  # share of items with a right answer; None if unknown


def verdict_table(
    store: RatingStore, user: RatingUser, project: str, history: bool = False, extra: bool = False
) -> pd.DataFrame:
    """Return one row per rating, the current one of each rater and item, without methods.

    `score` is in [0, 1] and empty for pairs, `verdict` of a pair is the side as the rater saw it.
    With `history` superseded, skipped and withdrawn ones too; with `extra` those of training items
    and attention checks, where `passed` says whether an expected verdict was given.
    """
    mode = find_project(store, user, project).settings.mode
    newer = RATINGS.alias("newer")
    current = ~sa.exists().where(newer.c.supersedes == RATINGS.c.id)
    query = (
        sa.select(
            *(RATINGS.c.id.label("rating"), RATINGS.c.act, RATINGS.c.judgement, RATINGS.c.seconds),
            *(RATINGS.c.at, RATINGS.c.supersedes, current.label("current")),
            *(LEASES.c.item, LEASES.c.rater, LEASES.c.position, LEASES.c.flipped),
            *(ITEMS.c.kind, ITEMS.c.example, ITEMS.c.label, ITEMS.c.expected, RATERS.c.name),
            *(ANSWERS.c.answer, ANSWERS.c.correct, ANSWERS.c.seconds.label("answer_seconds")),
        )
        .join(LEASES, LEASES.c.id == RATINGS.c.lease)
        .join(ITEMS, ITEMS.c.id == LEASES.c.item)
        .join(RATERS, RATERS.c.id == LEASES.c.rater)
        .outerjoin(ANSWERS, ANSWERS.c.lease == LEASES.c.id)
        .where(LEASES.c.project == project)
        .order_by(RATINGS.c.id)
    )
    if not history:
        query = query.where(current, RATINGS.c.act == "rated")
    if not extra:
        query = query.where(ITEMS.c.kind == "rating")
    return pd.DataFrame(
        [_verdict_row(row, mode) for row in store.read(query)], columns=VERDICT_COLUMNS
    )


def _verdict_row(row: sa.RowMapping, mode: scales.Mode) -> dict[str, Any]:
    """Build a row of `verdict_table`."""
    judgement = row["judgement"]
    rated = bool(judgement)
    copied = ("rating", "item", "kind", "example", "label", "rater", "name", "flipped", "act")
    copied_too = ("current", "seconds", "answer", "answer_seconds", "at", "supersedes")
    values = {name: row[name] for name in (*copied, *copied_too)}
    return values | {
        "position": row["position"] + 1,
        "verdict": judgement.get("verdict", ""),
        "score": scales.judgement_score(judgement, mode) if rated else None,
        **{name: judgement.get("scales", {}).get(name) for name in scales.DIMENSIONS},
        "shortcomings": list(judgement.get("shortcomings", [])),
        "comment": judgement.get("comment", ""),
        "answer_correct": row["correct"],
        "passed": item_sampling.is_accepted(row["expected"], judgement, mode, row["flipped"])
        if rated
        else None,
    }


def origin_table(store: RatingStore, user: RatingUser, project: str) -> pd.DataFrame:
    """Return the origin of every text: one row per item, place and origin.

    A text that several methods wrote has several rows. `method` is "gold" for the data set's own;
    `run` is empty for what came from no run here.
    """
    require_experimenter(user)
    query = (
        sa.select(ORIGINS, ITEMS.c.texts)
        .join(ITEMS, ITEMS.c.id == ORIGINS.c.item)
        .where(ITEMS.c.project == project)
        .order_by(ITEMS.c.number, ORIGINS.c.id)
    )
    rows = []
    for row in store.read(query):
        label, explanation = row["texts"][row["place"]]
        rows.append(
            {n: row[n] for n in ORIGIN_COLUMNS[:6]}
            | {"shown_label": label, "explanation": explanation}
        )
    return pd.DataFrame(rows, columns=ORIGIN_COLUMNS).astype(
        {"seed": "Int64", "correct": "boolean"}
    )


def source_names(runs: pd.Series, methods: pd.Series) -> pd.Series:
    """Name what is scored: the run of each text, or its method where no run here wrote it."""
    return runs.where(runs.fillna("") != "", methods)


def scored_table(store: RatingStore, user: RatingUser, project: str) -> pd.DataFrame:
    """Join current ratings with origins: a text of several methods has a row for each."""
    return verdict_table(store, user, project).merge(origin_table(store, user, project), on="item")


def comparison_table(store: RatingStore, user: RatingUser, project: str) -> pd.DataFrame:
    """Return pairs: item, example, rater, name, first, second (methods), runs, and winner.

    `winner` is "first", "second" or "tie"; `shown_left` says which of the two was on the left.
    """
    ratings, origins = verdict_table(store, user, project), origin_table(store, user, project)
    columns = ["item", "example", "label", "rater", "name", "first", "second"]
    columns += ["first_run", "second_run", "winner", "shown_left", "seconds"]
    sides = origins.set_index(["item", "place"])
    rows = []
    for row in ratings.to_dict("records"):
        left = 1 if row["flipped"] else 0
        winner = {"left": left, "right": 1 - left, "tie": None}[row["verdict"]]
        pair = [sides.loc[(row["item"], index)] for index in (0, 1)]
        names = {name: row[name] for name in ("item", "example", "label", "rater", "name")}
        rows.append(
            names
            | {"first": pair[0]["method"], "second": pair[1]["method"]}
            | {"first_run": pair[0]["run"], "second_run": pair[1]["run"]}
            | {"winner": "tie" if winner is None else ("first", "second")[winner]}
            | {"shown_left": ("first", "second")[left], "seconds": row["seconds"]}
        )
    return pd.DataFrame(rows, columns=columns)


def item_table(store: RatingStore, user: RatingUser, project: str) -> pd.DataFrame:
    """Return every item with its texts, how many have rated it, and how many lease it now."""
    require_experimenter(user)
    now = store.clock()
    is_open = sa.and_(LEASES.c.state == "open", LEASES.c.expires > now)
    query = (
        sa.select(
            *(ITEMS.c.id.label("item"), ITEMS.c.kind, ITEMS.c.number, ITEMS.c.example),
            *(ITEMS.c.label, ITEMS.c.fields, ITEMS.c.texts),
            sa.func.count(sa.case((LEASES.c.state == "done", 1))).label("ratings"),
            sa.func.count(sa.case((is_open, 1))).label("held"),
        )
        .outerjoin(LEASES, LEASES.c.item == ITEMS.c.id)
        .where(ITEMS.c.project == project)
        .group_by(ITEMS.c.id)
        .order_by(ITEMS.c.number)
    )
    columns = ["item", "kind", "number", "example", "label", "fields", "texts", "ratings", "held"]
    return pd.DataFrame([dict(row) for row in store.read(query)], columns=columns)


def check_table(store: RatingStore, user: RatingUser, project: str) -> pd.DataFrame:
    """Count each rater's ratings, checks and training items, and how many were passed."""
    all_ratings = verdict_table(store, user, project, extra=True)
    rows = []
    for (rater, name), own in all_ratings.groupby(["rater", "name"], sort=False):
        row: dict[str, Any] = {"rater": rater, "name": name}
        for kind in ("check", "training"):
            with_expected = own[(own["kind"] == kind) & own["passed"].notna()]
            row |= {
                f"{kind}s": len(with_expected),
                f"{kind}s_passed": int(with_expected["passed"].sum()),
            }
        counted = own[own["kind"] == "rating"]
        row |= {"ratings": len(counted), "answers_correct": int(counted["answer_correct"].sum())}
        row |= {"median_seconds": float(counted["seconds"].median()) if len(counted) else None}
        rows.append(row)
    columns = ["rater", "name", "checks", "checks_passed", "trainings", "trainings_passed"]
    columns += ["ratings", "answers_correct", "median_seconds"]
    return pd.DataFrame(rows, columns=columns)


def raters_failing_checks(store: RatingStore, user: RatingUser, project: str) -> dict[str, str]:
    """Return rater → name of those who failed an attention check."""
    table = check_table(store, user, project)
    rows = table[table["checks_passed"] < table["checks"]]
    return dict(zip(rows["rater"], rows["name"], strict=True))


def adjudicate(store: RatingStore, user: RatingUser, item: str, judgement: scales.Judgement) -> int:
    """Settle an item on which raters disagree; their own verdicts stay as they are.

    Of a pair, "left" is the text at place 0 of the key.
    """
    require_experimenter(user)
    query = (
        sa.select(ITEMS.c.id, ITEMS.c.project, PROJECTS.c.settings, PROJECTS.c.demo)
        .join(PROJECTS, PROJECTS.c.id == ITEMS.c.project)
        .where(ITEMS.c.id == item)
    )
    row = require_row(store.first_row(query), "item", item)
    if row["demo"]:
        raise BadInput("the demo project cannot be changed")
    scales.check_judgement(judgement, row["settings"]["mode"])
    rights.change("settle in", called(row["project"]))
    with store.write(exclusive=True) as connection:
        last = sa.select(sa.func.max(ADJUDICATIONS.c.id)).where(ADJUDICATIONS.c.item == item)
        values = {
            "item": item,
            "who": user.name,
            "judgement": judgement.model_dump(mode="json"),
            "at": store.clock(),
            "supersedes": connection.execute(last).scalar(),
        }
        statement = sa.insert(ADJUDICATIONS).values(values).returning(ADJUDICATIONS.c.id)
        return int(connection.execute(statement).scalar_one())


def adjudication_table(store: RatingStore, user: RatingUser, project: str) -> pd.DataFrame:
    """Return the current adjudication of each item that has one, with columns SETTLED."""
    mode = find_project(store, user, project).settings.mode
    newer = ADJUDICATIONS.alias("newer")
    query = (
        sa.select(ADJUDICATIONS)
        .join(ITEMS, ITEMS.c.id == ADJUDICATIONS.c.item)
        .where(
            ITEMS.c.project == project,
            ~sa.exists().where(newer.c.supersedes == ADJUDICATIONS.c.id),
        )
    )
    rows = [
        {"item": row["item"], "who": row["who"], "at": row["at"]}
        | {"verdict": scales.judgement_word(row["judgement"], mode)}
        | {name: row["judgement"]["scales"].get(name) for name in scales.DIMENSIONS}
        | {
            "score": scales.judgement_score(row["judgement"], mode),
            "comment": row["judgement"]["comment"],
        }
        for row in store.read(query)
    ]
    return pd.DataFrame(rows, columns=ADJUDICATION_COLUMNS)


def projects_with_run(store: RatingStore, user: RatingUser, run: str) -> list[Project]:
    """List the projects in which explanations of a run were rated, newest first."""
    require_experimenter(user)
    query = (
        sa.select(ITEMS.c.project)
        .join(ORIGINS, ORIGINS.c.item == ITEMS.c.id)
        .where(ORIGINS.c.run == run)
        .distinct()
    )
    projects = [find_project(store, user, row["project"]) for row in store.read(query)]
    return sorted(projects, key=lambda project: -project.created)


def human_scores(
    store: RatingStore, user: RatingUser, runs: Iterable[str]
) -> dict[str, HumanScore]:
    """Return run → human score over all projects; runs without ratings are left out.

    As in FEB: the mean over items of the mean over an item's raters. Simulated raters count only
    for runs that no person has rated, and steps on dimensions only where there are no verdicts on
    four points, so that one score is on one scale.
    """
    tables: dict[str, pd.DataFrame] = {}
    scores: dict[str, HumanScore] = {}
    for run in runs:
        rows = []
        for project in projects_with_run(store, user, run):
            if project.settings.mode == "pairwise":
                continue
            if project.id not in tables:
                project_columns = {"project": project.id, "simulated": project.simulated}
                project_columns["four_points"] = project.settings.mode == "single"
                tables[project.id] = scored_table(store, user, project.id).assign(**project_columns)
            rows.append(tables[project.id][tables[project.id]["run"] == run])
        score = _human_score(rows)
        if score:
            scores[run] = score
    return scores


def raters_agree(store: RatingStore, user: RatingUser, runs: Iterable[str]) -> dict[str, bool]:
    """Return example → whether all who rated explanations of it by these runs were of one mind.

    Of one mind on an item is everybody above one half of the scale, or everybody below. Examples
    on which no item has two raters, and projects of pairs, are left out.
    """
    projects = {p.id: p for run in runs for p in projects_with_run(store, user, run)}
    rows = [
        scored_table(store, user, project.id)
        for project in projects.values()
        if project.settings.mode != "pairwise"
    ]
    table = pd.concat(rows) if rows else pd.DataFrame(columns=["run", "score"])
    table = table[table["run"].isin(list(runs))].dropna(subset=["score"])
    if table.empty:
        return {}
    found = (
        table.drop_duplicates(["item", "rater"], keep="last")
        .assign(good=lambda each: each["score"] > 0.5)
        .groupby(["example", "item"])["good"]
        .agg(["count", "nunique"])
    )
    several = found[found["count"] > 1]["nunique"].groupby("example").max()
    return {str(example): most == 1 for example, most in several.items()}


def _human_score(run_tables: list[pd.DataFrame]) -> HumanScore | None:
    """Return the score of one run's ratings, or None."""
    rows = pd.concat(run_tables) if run_tables else pd.DataFrame()
    if rows.empty:
        return None
    if not rows["simulated"].all():
        rows = rows[~rows["simulated"].astype(bool)]
    if rows["four_points"].any():
        rows = rows[rows["four_points"].astype(bool)]
    [row] = preference.score_methods(rows, "run").to_dict("records")
    low, high = (None if pd.isna(row[end]) else float(row[end]) for end in ("low", "high"))
    right = rows.drop_duplicates("item")["correct"].dropna()
    return HumanScore(
        float(row["mean"]),
        low,
        high,
        int(row["items"]),
        int(row["verdicts"]),
        int(row["raters"]),
        tuple(sorted(rows["project"].unique())),
        bool(rows["simulated"].all()),
        float(right.mean()) if len(right) else None,
    )
