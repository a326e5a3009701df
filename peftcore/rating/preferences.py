"""What a rater chooses for the own card: keys, and the language of the guidelines.

It is kept with the rater, so that a link has it on every machine, and never leaves with a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from peftcore.errors import BadInput, unknown_name
from peftcore.rating import scales
from peftcore.rating.access import RatingUser, require_link, require_rater
from peftcore.rating.schema import PROJECTS, RATERS
from peftcore.rating.store import RatingStore, require_row

# The keys as they are without a choice, by what they do; `rate_card.js` acts on these.
SHORTCOMING_KEYS = ("a", "d", "f", "h", "j", "k", "l", "z", "x")
DEFAULT_KEYS: dict[str, str] = {
    **{f"choice {number}": str(number) for number in range(1, 6)},
    "skip": "s",
    "back": "b",
    "undo": "u",
    "next": "n",
    "comment": "m",
    "guidelines": "g",
    **{
        f"shortcoming {name}": key
        for name, key in zip(scales.SHORTCOMINGS, SHORTCOMING_KEYS, strict=False)
    },
}
TAKEN_KEYS = {"r": "the browser page", "c": "the browser page", "?": "the guidelines"}


@dataclass(frozen=True)
class Preferences:
    """The choices of a rater: the whole map of keys, and a language (empty: none)."""

    keys: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_KEYS))
    language: str = ""


def key_titles() -> dict[str, str]:
    """Return what each key does, in the words of the card."""
    return {
        name: scales.SHORTCOMINGS[name.removeprefix("shortcoming ")]
        if name.startswith("shortcoming ")
        else name.capitalize()
        for name in DEFAULT_KEYS
    }


def check_keys(keys: Mapping[str, Any]) -> dict[str, str]:
    """Return the whole map with these keys in place; BadInput for a clash or a key that is none."""
    chosen = dict(DEFAULT_KEYS)
    for name, key in keys.items():
        if name not in DEFAULT_KEYS:
            raise unknown_name("key", str(name)[:40], DEFAULT_KEYS)
        if not isinstance(key, str) or len(key) != 1 or not key.isprintable() or key.isspace():
            raise BadInput(f"a key is one letter, digit or sign; got {str(key)[:20]!r} for {name}")
        chosen[name] = key.lower() if len(key.lower()) == 1 else key
    owner: dict[str, str] = {}
    titles = key_titles()
    for name, key in chosen.items():
        if key in TAKEN_KEYS:
            raise BadInput(f"the key {key!r} belongs to {TAKEN_KEYS[key]}; choose another one")
        if key in owner:
            raise BadInput(
                f"the key {key!r} would do two things, “{titles[owner[key]]}” and "
                f"“{titles[name]}”; choose another one for either"
            )
        owner[key] = name
    return chosen


def read_preferences(store: RatingStore, user: RatingUser) -> Preferences:
    """Return what this rater has chosen; what does not fit any more is left out."""
    require_rater(user)
    row = store.first_row(sa.select(RATERS.c.preferences).where(RATERS.c.id == user.rater))
    stored = (row["preferences"] if row else None) or {}
    try:
        keys = check_keys(stored.get("keys", {}))
    except BadInput:  # of a version with other keys
        keys = dict(DEFAULT_KEYS)
    return Preferences(keys, stored.get("language", ""))


def save_preferences(
    store: RatingStore,
    user: RatingUser,
    keys: Mapping[str, Any] | None = None,
    language: str | None = None,
) -> None:
    """Keep a rater's keys or language, leaving what is None; BadInput if they cannot be."""
    require_rater(user)
    query = (
        sa.select(RATERS, PROJECTS.c.settings)
        .join(PROJECTS, PROJECTS.c.id == RATERS.c.project)
        .where(RATERS.c.id == user.rater)
    )
    row = require_row(store.first_row(query), "rater", user.rater)
    require_link(user, row, store.clock())
    chosen = dict(row["preferences"] or {})
    if keys is not None:
        whole = check_keys(keys)
        chosen["keys"] = {name: key for name, key in whole.items() if key != DEFAULT_KEYS[name]}
    if language is not None:
        known = {row["settings"].get("language", "en"), *row["settings"].get("translations", {})}
        if language not in known:
            raise unknown_name("language of the guidelines", language[:20], sorted(known))
        chosen["language"] = language
    with store.write() as connection:
        change = sa.update(RATERS).where(RATERS.c.id == user.rater)
        connection.execute(change.values(preferences=chosen))
