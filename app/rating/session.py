"""What a rater's acts do: the session of one visit, between the card and the store of ratings.

An act is numbered by the card that sent it and applied once; the session remembers the numbers, and
the store refuses a key it has already, so acts that arrive twice do no harm.
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
from peftcore.rating import Judgement, PastItem, RatingStore, RatingUser, Screen
from peftcore.settings import Settings

CardStage = Literal["answer", "judge", "lesson", "end"]


class CardAction(Settings):
    """One thing a rater did, as the card sends it."""

    client: str = Field(min_length=1, max_length=24, pattern=r"^[0-9a-z]+$")
    n: int = Field(ge=1)
    do: Literal["draft", "answer", "rate", "skip", "back", "undo", "next", "choose"]
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
class RaterSession:
    """What one visit looks at; everything that matters is in the store."""

    current_lease: str | None = None  # the lease shown; None: whatever comes next
    note: str = ""
    payload_number: int = 0  # counts what was sent to the card, so that it can tell old from new
    id: str = field(default_factory=lambda: secrets.token_hex(4))  # another after a restart
    feedback_lease: str = ""  # the practice item that was just rated
    last_applied: dict[str, int] = field(default_factory=dict)  # client → number of its last act
    finished_leases: list[str] = field(default_factory=list)  # rated or skipped in this visit


def apply_actions(
    store: RatingStore,
    user: RatingUser,
    session: RaterSession,
    actions: Sequence[Mapping[str, Any]],
) -> None:
    """Do what is new among the acts, in order; what cannot be done becomes the session's note."""
    for values in actions:
        try:
            action = CardAction.make(values)
        except BadInput:
            continue  # not from our card
        if action.n <= session.last_applied.get(action.client, 0):
            continue
        session.note = ""
        try:
            _apply_action(store, user, session, action)
        except rating.LeaseLost as error:
            session.note, session.current_lease = _as_sentence(error), None
        except BadInput as error:
            session.note = _as_sentence(error)
        session.last_applied[action.client] = action.n


def _as_sentence(error: BadInput) -> str:
    words = str(error)
    return f"{words[:1].upper()}{words[1:]}."


def _apply_action(
    store: RatingStore, user: RatingUser, session: RaterSession, action: CardAction
) -> None:
    """Apply one act of the card to the store."""
    if action.do == "draft":
        rating.save_draft(store, user, action.lease, action.content, action.version)
    elif action.do == "answer":
        shown = rating.submit_answer(
            store, user, action.lease, action.text, action.key, action.seconds
        )
        if shown.answer is not None and _squeezed(shown.answer) != _squeezed(action.text):
            session.note = (
                f"Your answer “{shown.answer}” was given before, perhaps in another tab, and "
                f"stays; “{action.text.strip()}” was not stored."
            )
    elif action.do == "rate":
        _submit_rating(store, user, session, action)
    elif action.do == "skip":
        rating.skip_item(store, user, action.lease, action.key)
        _finish_item(session, action.lease)
    elif action.do == "undo":
        _undo_last(store, user, session, action)
    elif action.do == "choose":
        keys, language = action.content.get("keys"), action.content.get("language")
        rating.save_preferences(
            store,
            user,
            keys if isinstance(keys, dict) else None,
            language if isinstance(language, str) else None,
        )
    elif action.do == "back":
        _go_back(store, user, session)
    else:
        session.current_lease, session.feedback_lease = None, ""


def _squeezed(text: str) -> str:
    """Return a text in lower case with single spaces, as answers are compared."""
    return " ".join(text.lower().split())


def _submit_rating(
    store: RatingStore, user: RatingUser, session: RaterSession, action: CardAction
) -> None:
    """Submit a verdict, with the time it took."""
    judgement = Judgement.make(action.judgement)
    stored = rating.submit_rating(store, user, action.lease, judgement, action.key, action.seconds)
    _finish_item(session, action.lease)
    if stored.feedback:
        session.current_lease = session.feedback_lease = action.lease


def _finish_item(session: RaterSession, lease: str) -> None:
    session.current_lease, session.feedback_lease = None, ""
    session.finished_leases = [each for each in session.finished_leases if each != lease] + [lease]


def _undo_last(
    store: RatingStore, user: RatingUser, session: RaterSession, action: CardAction
) -> None:
    """Take back the last item that was rated or skipped, here or in an earlier visit."""
    past = {each.lease: each for each in rating.past_items(store, user) if each.state != "open"}
    last = next((lease for lease in reversed(session.finished_leases) if lease in past), None)
    last = last or next(reversed(past), None)
    if last is None:
        raise BadInput("there is nothing to take back yet")
    if past[last].state == "done":
        rating.withdraw_rating(store, user, last, action.key)
    else:
        rating.go_to_item(store, user, last)
    session.finished_leases = [lease for lease in session.finished_leases if lease != last]
    session.current_lease, session.feedback_lease = last, ""


def _go_back(store: RatingStore, user: RatingUser, session: RaterSession) -> None:
    """Show the item before this one."""
    past = rating.past_items(store, user)
    current_position = next(
        (each.position for each in past if each.lease == session.current_lease), len(past) + 1
    )
    earlier = [each for each in past if each.position < current_position]
    if not earlier:
        raise BadInput("this is your first item")
    session.current_lease, session.feedback_lease = (
        rating.go_to_item(store, user, earlier[-1].lease).lease,
        "",
    )


def current_screen(store: RatingStore, user: RatingUser, session: RaterSession) -> Screen | None:
    """Return what the session shows now; None if there is nothing for this rater."""
    if session.current_lease is not None:
        return rating.read_screen(store, user, session.current_lease)
    next_screen = rating.next_item(store, user)
    session.current_lease = next_screen.lease if next_screen else None
    return next_screen


def card_stage(session: RaterSession, shown: Screen | None) -> CardStage:
    """Return which of its faces the card shows."""
    if shown is None:
        return "end"
    if shown.answer is None:
        return "answer"
    return "lesson" if session.feedback_lease == shown.lease else "judge"


def card_payload(store: RatingStore, user: RatingUser, session: RaterSession) -> dict[str, Any]:
    """All that the card in the rater's browser receives."""
    shown = current_screen(store, user, session)
    past, briefing = rating.past_items(store, user), rating.briefing(store, user)
    chosen = rating.read_preferences(store, user)
    session.payload_number += 1
    return {
        "session": session.id,
        "turn": session.payload_number,
        "applied": dict(session.last_applied),
        "note": session.note,
        "rater": user.rater,
        "stage": card_stage(session, shown),
        "screen": _screen_values(shown) if shown else None,
        "progress": asdict(rating.rater_progress(store, user)),
        "mode": briefing.mode,
        "question": briefing.question,
        "guidelines": [list(pair) for pair in briefing.guidelines.items()],
        "language": chosen.language,
        "keys": [
            [name, title, rating.DEFAULT_KEYS[name], chosen.keys[name]]
            for name, title in rating.key_titles().items()
        ],
        "choices": list(rating.verdict_choices(briefing.mode)),
        "dimensions": [list(pair) for pair in rating.DIMENSIONS.items()],
        "steps": list(rating.STEPS),
        "shortcomings": [list(pair) for pair in rating.SHORTCOMINGS.items()],
        "verdict": _current_verdict(past, shown),
        "welcome": len(past) <= 1 and bool(shown) and not (shown and shown.draft),
        "back": bool(past) and (shown is None or shown.position > 1),
        "undo": any(each.state != "open" for each in past),
    }


def _screen_values(shown: Screen) -> dict[str, Any]:
    """Return the screen as plain values for the browser."""
    values = asdict(shown) | {"judgement": None, "draft": dict(shown.draft)}
    if shown.judgement:
        values["judgement"] = shown.judgement.model_dump(mode="json")
    return values


def _current_verdict(past: Sequence[PastItem], shown: Screen | None) -> str:
    if shown and shown.judgement and shown.mode == "likert":
        return rating.steps_in_words(shown.judgement.scales)
    return next((each.verdict for each in past if shown and each.lease == shown.lease), "")
