"""What a rater's acts do: the desk of one visit, between the card in the browser and the book.

An act is numbered by the card that sent it and applied once; the desk remembers the numbers, and
the book refuses a key it has seen, so acts that arrive again after a broken connection do no harm.
Everything here goes through `peftcore.rating`, which checks who may do what.  No Streamlit.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import Field

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import Actor, Book, Judgement, Past, Screen
from peftcore.settings import Settings

Stage = Literal["answer", "judge", "lesson", "end"]


class Act(Settings):
    """One thing a rater did, as the card sends it."""

    client: str = Field(min_length=1, max_length=24, pattern=r"^[0-9a-z]+$")
    n: int = Field(ge=1)
    do: Literal["draft", "answer", "rate", "skip", "back", "undo", "next"]
    lease: str = Field("", max_length=40)
    text: str = Field("", max_length=500)
    content: dict[str, Any] = Field({})
    version: int = Field(0, ge=0)
    judgement: dict[str, Any] = Field({})
    seconds: float | None = Field(None, ge=0)

    @property
    def key(self) -> str:
        """The same whenever this act arrives."""
        return f"{self.client}-{self.n}"


@dataclass
class Desk:
    """What one visit looks at; everything that matters is in the book."""

    at: str | None = None  # the lease shown; None: whatever comes next
    note: str = ""
    turn: int = 0  # counts what was sent to the card, so that it can tell old from new
    id: str = field(default_factory=lambda: secrets.token_hex(4))  # another after a restart
    lesson: str = ""  # the practice item that was just rated
    seen: dict[str, int] = field(default_factory=dict)  # client → number of the last act applied
    trail: list[str] = field(default_factory=list)  # leases rated or skipped in this visit


def apply(book: Book, who: Actor, desk: Desk, acts: Sequence[Mapping[str, Any]]) -> None:
    """Do what is new among the acts, in order; what cannot be done becomes the desk's note."""
    for sent in acts:
        try:
            act = Act.make(sent)
        except BadInput:
            continue  # not from our card
        if act.n <= desk.seen.get(act.client, 0):
            continue
        desk.note = ""
        try:
            _do(book, who, desk, act)
        except rating.LeaseLost as error:
            desk.note, desk.at = _sentence(error), None
        except BadInput as error:
            desk.note = _sentence(error)
        desk.seen[act.client] = act.n


def _sentence(error: BadInput) -> str:
    words = str(error)
    return f"{words[:1].upper()}{words[1:]}."


def _do(book: Book, who: Actor, desk: Desk, act: Act) -> None:
    if act.do == "draft":
        rating.save_draft(book, who, act.lease, act.content, act.version)
    elif act.do == "answer":
        rating.answer(book, who, act.lease, act.text, act.key, act.seconds)
    elif act.do == "rate":
        _rate(book, who, desk, act)
    elif act.do == "skip":
        rating.skip(book, who, act.lease, act.key)
        _leave(desk, act.lease)
    elif act.do == "undo":
        _undo(book, who, desk, act)
    elif act.do == "back":
        _back(book, who, desk)
    else:
        desk.at, desk.lesson = None, ""


def _rate(book: Book, who: Actor, desk: Desk, act: Act) -> None:
    said = Judgement.make(act.judgement)
    written = rating.rate(book, who, act.lease, said, act.key, act.seconds)
    _leave(desk, act.lease)
    if written.feedback:
        desk.at = desk.lesson = act.lease


def _leave(desk: Desk, lease: str) -> None:
    desk.at, desk.lesson = None, ""
    desk.trail = [each for each in desk.trail if each != lease] + [lease]


def _undo(book: Book, who: Actor, desk: Desk, act: Act) -> None:
    """Take back the last item that was rated or skipped, here or in an earlier visit."""
    past = {each.lease: each for each in rating.history(book, who) if each.state != "open"}
    last = next((lease for lease in reversed(desk.trail) if lease in past), None)
    last = last or next(reversed(past), None)
    if last is None:
        raise BadInput("there is nothing to take back yet")
    if past[last].state == "done":
        rating.withdraw(book, who, last, act.key)
    else:
        rating.go_to(book, who, last)
    desk.trail = [lease for lease in desk.trail if lease != last]
    desk.at, desk.lesson = last, ""


def _back(book: Book, who: Actor, desk: Desk) -> None:
    past = rating.history(book, who)
    here = next((each.position for each in past if each.lease == desk.at), len(past) + 1)
    before = [each for each in past if each.position < here]
    if not before:
        raise BadInput("this is your first item")
    desk.at, desk.lesson = rating.go_to(book, who, before[-1].lease).lease, ""


def screen(book: Book, who: Actor, desk: Desk) -> Screen | None:
    """What the desk shows now; None if there is nothing for this rater."""
    if desk.at is not None:
        return rating.screen(book, who, desk.at)
    found = rating.next_item(book, who)
    desk.at = found.lease if found else None
    return found


def stage(desk: Desk, shown: Screen | None) -> Stage:
    """Which of its faces the card shows."""
    if shown is None:
        return "end"
    if shown.answer is None:
        return "answer"
    return "lesson" if desk.lesson == shown.lease else "judge"


def payload(book: Book, who: Actor, desk: Desk) -> dict[str, Any]:
    """All that the card in the rater's browser is told."""
    shown = screen(book, who, desk)
    past, briefing = rating.history(book, who), rating.briefing(book, who)
    desk.turn += 1
    return {
        "desk": desk.id,
        "turn": desk.turn,
        "seen": dict(desk.seen),
        "note": desk.note,
        "rater": who.rater,
        "stage": stage(desk, shown),
        "screen": _plain(shown) if shown else None,
        "progress": asdict(rating.progress(book, who)),
        "mode": briefing.mode,
        "question": briefing.question,
        "guidelines": briefing.guidelines,
        "choices": list(rating.choices(briefing.mode)),
        "dimensions": [list(pair) for pair in rating.DIMENSIONS.items()],
        "steps": list(rating.STEPS),
        "shortcomings": [list(pair) for pair in rating.SHORTCOMINGS.items()],
        "said": _said(past, shown),
        "welcome": len(past) <= 1 and bool(shown) and not (shown and shown.draft),
        "back": bool(past) and (shown is None or shown.position > 1),
        "undo": any(each.state != "open" for each in past),
    }


def _plain(shown: Screen) -> dict[str, Any]:
    values = asdict(shown) | {"judgement": None, "draft": dict(shown.draft)}
    if shown.judgement:
        values["judgement"] = shown.judgement.model_dump(mode="json")
    return values


def _said(past: Sequence[Past], shown: Screen | None) -> str:
    if shown and shown.judgement and shown.mode == "likert":
        return rating.in_words(shown.judgement.scales)
    return next((each.word for each in past if shown and each.lease == shown.lease), "")
