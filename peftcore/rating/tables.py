"""What experimenters read: every rating with its score, whose text it was, and who is how far.

Tables for `analysis.agreement` and `analysis.preference`; nothing is averaged here but the human
score of a run.
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
from peftcore.rating.access import Actor, require_experimenter
from peftcore.rating.creation import Project, find
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
from peftcore.rating.store import Book, found

VERDICTS = [
    *("rating", "item", "kind", "example", "label", "rater", "name", "position", "flipped"),
    *("act", "current", "verdict", "score", *scales.DIMENSIONS, "shortcomings", "comment"),
    *("seconds", "answer", "answer_correct", "answer_seconds", "passed", "at", "supersedes"),
]
SETTLED = ["item", "who", "verdict", *scales.DIMENSIONS, "score", "comment", "at"]
KEY = ["item", "place", "run", "method", "seed", "correct", "shown_label", "explanation"]


@dataclass(frozen=True)
class HumanScore:
    """The mean over items of the mean over raters, in [0, 1], and what it rests on.

    low, high: its 95 % bootstrap interval over examples and raters; None for one example.
    """

    score: float
    low: float | None
    high: float | None
    items: int
    ratings: int
    raters: int
    projects: tuple[str, ...]
    simulated: bool  # whether no person was among the raters
    right: float | None  # share of the items whose answer is right; None if nobody told


def verdicts(
    book: Book, who: Actor, project: str, history: bool = False, extra: bool = False
) -> pd.DataFrame:
    """One row per rating, the current one of each rater and item; no methods.

    `score` is in [0, 1] and empty for pairs, `verdict` of a pair is the side as the rater saw it.
    With `history` superseded, skipped and withdrawn ones too; with `extra` those of training items
    and attention checks, where `passed` says whether an expected verdict was given.
    """
    mode = find(book, who, project).settings.mode
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
    return pd.DataFrame([_said(row, mode) for row in book.read(query)], columns=VERDICTS)


def _said(row: sa.RowMapping, mode: scales.Mode) -> dict[str, Any]:
    said = row["judgement"]
    rated = bool(said)
    names = ("rating", "item", "kind", "example", "label", "rater", "name", "flipped", "act")
    more = ("current", "seconds", "answer", "answer_seconds", "at", "supersedes")
    values = {name: row[name] for name in (*names, *more)}
    return values | {
        "position": row["position"] + 1,
        "verdict": said.get("verdict", ""),
        "score": scales.score(said, mode) if rated else None,
        **{name: said.get("scales", {}).get(name) for name in scales.DIMENSIONS},
        "shortcomings": list(said.get("shortcomings", [])),
        "comment": said.get("comment", ""),
        "answer_correct": row["correct"],
        "passed": item_sampling.passed(row["expected"], said, mode, row["flipped"])
        if rated
        else None,
    }


def key(book: Book, who: Actor, project: str) -> pd.DataFrame:
    """Whose every text is: one row per item, place and origin; an equal text has several.

    `method` is "gold" for the data set's own; `run` is empty for what came from no run here.
    """
    require_experimenter(who)
    query = (
        sa.select(ORIGINS, ITEMS.c.texts)
        .join(ITEMS, ITEMS.c.id == ORIGINS.c.item)
        .where(ITEMS.c.project == project)
        .order_by(ITEMS.c.number, ORIGINS.c.id)
    )
    rows = []
    for row in book.read(query):
        label, explanation = row["texts"][row["place"]]
        rows.append(
            {n: row[n] for n in KEY[:6]} | {"shown_label": label, "explanation": explanation}
        )
    return pd.DataFrame(rows, columns=KEY).astype({"seed": "Int64", "correct": "boolean"})


def sources(runs: pd.Series, methods: pd.Series) -> pd.Series:
    """Who is scored: the run of each text, or its method where it came from no run here."""
    return runs.where(runs.fillna("") != "", methods)


def scored(book: Book, who: Actor, project: str) -> pd.DataFrame:
    """Current ratings beside whose text it was: a text of several methods has a row for each."""
    return verdicts(book, who, project).merge(key(book, who, project), on="item")


def comparisons(book: Book, who: Actor, project: str) -> pd.DataFrame:
    """Pairs: item, example, rater, name, first, second (methods), runs, and who won.

    `winner` is "first", "second" or "tie"; `shown_left` says which of the two was on the left.
    """
    said, origins = verdicts(book, who, project), key(book, who, project)
    columns = ["item", "example", "label", "rater", "name", "first", "second"]
    columns += ["first_run", "second_run", "winner", "shown_left", "seconds"]
    sides = origins.set_index(["item", "place"])
    rows = []
    for row in said.to_dict("records"):
        left = 1 if row["flipped"] else 0
        won = {"left": left, "right": 1 - left, "tie": None}[row["verdict"]]
        pair = [sides.loc[(row["item"], place)] for place in (0, 1)]
        names = {name: row[name] for name in ("item", "example", "label", "rater", "name")}
        rows.append(
            names
            | {"first": pair[0]["method"], "second": pair[1]["method"]}
            | {"first_run": pair[0]["run"], "second_run": pair[1]["run"]}
            | {"winner": "tie" if won is None else ("first", "second")[won]}
            | {"shown_left": ("first", "second")[left], "seconds": row["seconds"]}
        )
    return pd.DataFrame(rows, columns=columns)


def items(book: Book, who: Actor, project: str) -> pd.DataFrame:
    """Every item with its texts, how many have rated it, and how many hold it just now."""
    require_experimenter(who)
    now = book.clock()
    held = sa.and_(LEASES.c.state == "open", LEASES.c.expires > now)
    query = (
        sa.select(
            *(ITEMS.c.id.label("item"), ITEMS.c.kind, ITEMS.c.number, ITEMS.c.example),
            *(ITEMS.c.label, ITEMS.c.fields, ITEMS.c.texts),
            sa.func.count(sa.case((LEASES.c.state == "done", 1))).label("ratings"),
            sa.func.count(sa.case((held, 1))).label("held"),
        )
        .outerjoin(LEASES, LEASES.c.item == ITEMS.c.id)
        .where(ITEMS.c.project == project)
        .group_by(ITEMS.c.id)
        .order_by(ITEMS.c.number)
    )
    columns = ["item", "kind", "number", "example", "label", "fields", "texts", "ratings", "held"]
    return pd.DataFrame([dict(row) for row in book.read(query)], columns=columns)


def checks(book: Book, who: Actor, project: str) -> pd.DataFrame:
    """One row per rater: how many ratings, checks and training items, and how many were passed."""
    every = verdicts(book, who, project, extra=True)
    rows = []
    for (rater, name), own in every.groupby(["rater", "name"], sort=False):
        row: dict[str, Any] = {"rater": rater, "name": name}
        for kind in ("check", "training"):
            known = own[(own["kind"] == kind) & own["passed"].notna()]
            row |= {f"{kind}s": len(known), f"{kind}s_passed": int(known["passed"].sum())}
        real = own[own["kind"] == "rating"]
        row |= {"ratings": len(real), "answers_correct": int(real["answer_correct"].sum())}
        row |= {"median_seconds": float(real["seconds"].median()) if len(real) else None}
        rows.append(row)
    columns = ["rater", "name", "checks", "checks_passed", "trainings", "trainings_passed"]
    columns += ["ratings", "answers_correct", "median_seconds"]
    return pd.DataFrame(rows, columns=columns)


def failed(book: Book, who: Actor, project: str) -> dict[str, str]:
    """Rater → name of those who failed an attention check."""
    told = checks(book, who, project)
    rows = told[told["checks_passed"] < told["checks"]]
    return dict(zip(rows["rater"], rows["name"], strict=True))


def adjudicate(book: Book, who: Actor, item: str, judgement: scales.Judgement) -> int:
    """Settle an item that raters disagree about; their own verdicts stay as they are.

    Of a pair, "left" is the text at place 0 of the key.
    """
    require_experimenter(who)
    query = (
        sa.select(ITEMS.c.id, PROJECTS.c.settings, PROJECTS.c.demo)
        .join(PROJECTS, PROJECTS.c.id == ITEMS.c.project)
        .where(ITEMS.c.id == item)
    )
    row = found(book.one(query), "item", item)
    if row["demo"]:
        raise BadInput("the demo project cannot be changed")
    scales.check(judgement, row["settings"]["mode"])
    with book.write(exclusive=True) as connection:
        last = sa.select(sa.func.max(ADJUDICATIONS.c.id)).where(ADJUDICATIONS.c.item == item)
        values = {
            "item": item,
            "who": who.name,
            "judgement": judgement.model_dump(mode="json"),
            "at": book.clock(),
            "supersedes": connection.execute(last).scalar(),
        }
        written = sa.insert(ADJUDICATIONS).values(values).returning(ADJUDICATIONS.c.id)
        return int(connection.execute(written).scalar_one())


def adjudications(book: Book, who: Actor, project: str) -> pd.DataFrame:
    """The current settlement of each item that has one, with columns SETTLED."""
    mode = find(book, who, project).settings.mode
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
        | {"verdict": scales.word(row["judgement"], mode)}
        | {name: row["judgement"]["scales"].get(name) for name in scales.DIMENSIONS}
        | {"score": scales.score(row["judgement"], mode), "comment": row["judgement"]["comment"]}
        for row in book.read(query)
    ]
    return pd.DataFrame(rows, columns=SETTLED)


def projects_of(book: Book, who: Actor, run: str) -> list[Project]:
    """The projects in which explanations of a run were rated, newest first."""
    require_experimenter(who)
    query = (
        sa.select(ITEMS.c.project)
        .join(ORIGINS, ORIGINS.c.item == ITEMS.c.id)
        .where(ORIGINS.c.run == run)
        .distinct()
    )
    named = [find(book, who, row["project"]) for row in book.read(query)]
    return sorted(named, key=lambda project: -project.created)


def human_scores(book: Book, who: Actor, runs: Iterable[str]) -> dict[str, HumanScore]:
    """Run → what people gave its explanations over all projects; runs nobody rated are left out.

    As in FEB: the mean over items of the mean over an item's raters.  Simulated raters count only
    for runs that no person has rated, and steps on dimensions only where there are no verdicts on
    four points, so that one score is on one scale.
    """
    tables: dict[str, pd.DataFrame] = {}
    scores: dict[str, HumanScore] = {}
    for run in runs:
        rows = []
        for project in projects_of(book, who, run):
            if project.settings.mode == "pairwise":
                continue
            if project.id not in tables:
                known = {"project": project.id, "simulated": project.simulated}
                known["four_points"] = project.settings.mode == "single"
                tables[project.id] = scored(book, who, project.id).assign(**known)
            rows.append(tables[project.id][tables[project.id]["run"] == run])
        score = _human_score(rows)
        if score:
            scores[run] = score
    return scores


def _human_score(parts: list[pd.DataFrame]) -> HumanScore | None:
    rows = pd.concat(parts) if parts else pd.DataFrame()
    if rows.empty:
        return None
    if not rows["simulated"].all():
        rows = rows[~rows["simulated"].astype(bool)]
    if rows["four_points"].any():
        rows = rows[rows["four_points"].astype(bool)]
    [told] = preference.score_methods(rows, "run").to_dict("records")
    low, high = (None if pd.isna(told[end]) else float(told[end]) for end in ("low", "high"))
    right = rows.drop_duplicates("item")["correct"].dropna()
    return HumanScore(
        float(told["mean"]),
        low,
        high,
        int(told["items"]),
        int(told["verdicts"]),
        int(told["raters"]),
        tuple(sorted(rows["project"].unique())),
        bool(rows["simulated"].all()),
        float(right.mean()) if len(right) else None,
    )
