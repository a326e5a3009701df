"""All that a rater sees: objects that cannot contain the name of a method.

Explanations are on a screen only once the rater's own answer is stored; their origin never is, and
ids are random. Everything here reads without the table of origins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from peftcore import tasks
from peftcore.data.wording import Wording
from peftcore.rating import item_sampling, scales
from peftcore.rating.access import RatingUser, require_active, require_rater
from peftcore.rating.schema import (
    ANSWERS,
    DRAFTS,
    ITEMS,
    LEASES,
    PROJECTS,
    RATERS,
    RATINGS,
    REPEATED_KEY,
)
from peftcore.rating.store import RatingStore, require_row


@dataclass(frozen=True)
class Briefing:
    """The project as its raters know it; its name is for experimenters only."""

    task: str
    mode: scales.Mode
    question: str
    guidelines: Mapping[str, str]  # language → text, the project's own first
    open: bool


@dataclass(frozen=True)
class ShownText:
    """One explanation as shown: the answer, and why."""

    side: Literal["", "left", "right"]
    label: str
    explanation: str


@dataclass(frozen=True)
class Screen:
    """One item as its rater sees it now."""

    lease: str
    position: int  # counted from 1
    mode: scales.Mode
    training: bool
    state: Literal["open", "done", "skipped"]
    question: str  # what is asked about the texts; empty where the task has no words for it
    fields: tuple[tuple[str, str], ...]  # title and text of each part
    options: tuple[str, ...]  # the answers there are; empty: any words
    label_titles: Mapping[str, str]  # how every label on the screen reads
    answer: str | None  # the rater's own; None: not given yet
    answered_before: bool  # it was given to another explanation of the same example
    right_answer: str | None  # None until the rater has answered
    texts: tuple[ShownText, ...]  # empty until the rater has answered
    judgement: scales.Judgement | None  # the rater's current one
    draft: Mapping[str, Any]
    draft_version: int
    feedback: str  # of a training item that has been rated
    expires: float  # epoch seconds


@dataclass(frozen=True)
class PastItem:
    """An item the rater has had, for going back."""

    lease: str
    position: int  # counted from 1
    state: Literal["open", "done", "skipped"]
    verdict: str  # the current verdict; empty if there is none


def _own_leases_query() -> sa.Select[Any]:
    """Build the query of leases with item, answer, current rating and draft, no origin."""
    newer = RATINGS.alias("newer")
    current = sa.and_(
        RATINGS.c.lease == LEASES.c.id,
        ~sa.exists().where(newer.c.supersedes == RATINGS.c.id),
    )
    return (
        sa.select(
            *(LEASES.c.id, LEASES.c.position, LEASES.c.flipped, LEASES.c.state, LEASES.c.expires),
            *(ITEMS.c.kind, ITEMS.c.fields, ITEMS.c.options, ITEMS.c.texts, ITEMS.c.label),
            *(ITEMS.c.feedback, ANSWERS.c.answer, RATINGS.c.act, RATINGS.c.judgement),
            *(DRAFTS.c.content, DRAFTS.c.version, PROJECTS.c.settings, PROJECTS.c.task),
            *(ANSWERS.c.key.label("answer_key"), RATERS.c.active),
        )
        .join(ITEMS, ITEMS.c.id == LEASES.c.item)
        .join(PROJECTS, PROJECTS.c.id == LEASES.c.project)
        .join(RATERS, RATERS.c.id == LEASES.c.rater)
        .outerjoin(ANSWERS, ANSWERS.c.lease == LEASES.c.id)
        .outerjoin(RATINGS, current)
        .outerjoin(DRAFTS, DRAFTS.c.lease == LEASES.c.id)
        .where(
            LEASES.c.rater == sa.bindparam("rater"),
            LEASES.c.project == sa.bindparam("project"),
        )
    )


# Built once, since building a query takes longer than running it.
ONE_LEASE = _own_leases_query().where(LEASES.c.id == sa.bindparam("lease"))
LEASES_IN_ORDER = _own_leases_query().order_by(LEASES.c.position)


def briefing(store: RatingStore, user: RatingUser) -> Briefing:
    """Return the briefing of the rater's project."""
    require_rater(user)
    query = (
        sa.select(PROJECTS, RATERS.c.active)
        .join(RATERS, RATERS.c.project == PROJECTS.c.id)
        .where(PROJECTS.c.id == user.project, RATERS.c.id == user.rater)
    )
    row = require_row(store.first_row(query), "project", user.project)
    require_active(row["active"])
    mode: scales.Mode = row["settings"]["mode"]
    return Briefing(
        row["task"],
        mode,
        scales.QUESTIONS[mode],
        _guidelines(row["settings"]),
        row["state"] == "open",
    )


def _guidelines(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the guidelines by language; projects of before have one text, in English."""
    own = {settings.get("language", "en"): settings["guidelines"]}
    return own | {k: v for k, v in settings.get("translations", {}).items() if k not in own}


def read_screen(store: RatingStore, user: RatingUser, lease: str) -> Screen:
    """Return a leased item; BadInput for others' items, as if they did not exist."""
    require_rater(user)
    rows = store.read(ONE_LEASE, rater=user.rater, project=user.project, lease=lease)
    row = require_row(rows[0] if rows else None, "item", lease)
    require_active(row["active"])
    mode: scales.Mode = row["settings"]["mode"]
    answered = row["answer"] is not None
    judged = row["judgement"] if row["act"] == "rated" else None
    wording = tasks.find_wording(row["task"])
    texts = _shown_texts(row) if answered else ()
    labels = (*row["options"], row["answer"] or "", row["label"], *(text.label for text in texts))
    return Screen(
        lease=row["id"],
        position=row["position"] + 1,
        mode=mode,
        training=row["kind"] == "training",
        state=row["state"],
        question=wording.question,
        fields=titled_fields(wording, row["fields"]),
        options=tuple(row["options"]),
        label_titles={
            label: wording.label_title(label)
            for label in labels
            if answered or label in row["options"]
        },
        answer=row["answer"],
        answered_before=(row["answer_key"] or "").startswith(REPEATED_KEY),
        right_answer=row["label"] if answered else None,
        texts=texts,
        judgement=scales.Judgement.make(judged) if judged else None,
        draft=row["content"] or {},
        draft_version=row["version"] or 0,
        feedback=item_sampling.training_feedback(row["feedback"], row["flipped"]) if judged else "",
        expires=row["expires"],
    )


def titled_fields(wording: Wording, fields: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    """Return the texts of an item under their titles; stored are the names of older days."""
    titles = wording.text_titles(len(fields), [name for name, _ in fields])
    return tuple((title, text) for title, (_, text) in zip(titles, fields, strict=True))


def past_items(store: RatingStore, user: RatingUser) -> list[PastItem]:
    """List every item this rater has had, in their order."""
    require_rater(user)
    rows = store.read(LEASES_IN_ORDER, rater=user.rater, project=user.project)
    require_active(all(row["active"] for row in rows))
    return [
        PastItem(
            row["id"],
            row["position"] + 1,
            row["state"],
            scales.judgement_word(row["judgement"], row["settings"]["mode"])
            if row["act"] == "rated"
            else "",
        )
        for row in rows
    ]


def _shown_texts(row: sa.RowMapping) -> tuple[ShownText, ...]:
    """Return the texts on the sides where this rater sees them."""
    pairs = list(row["texts"])
    if len(pairs) == 1:
        return (ShownText("", *pairs[0]),)
    left, right = reversed(pairs) if row["flipped"] else pairs
    return (ShownText("left", *left), ShownText("right", *right))
