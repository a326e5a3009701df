"""Buttons greyed, with the reason, for whoever may not do what they do.

The core refuses all the same (`peftcore.system.rights`); this says so before the click.
"""

from __future__ import annotations

from typing import TypedDict

from peftcore.system import rights


class Greyed(TypedDict):
    """Options of a button: whether it is greyed, and what stands beside it."""

    disabled: bool
    help: str | None


def to_start(help: str | None = None, disabled: bool = False) -> Greyed:
    """Return the options of a button that begins or makes something."""
    return _greyed(rights.refusal_to_start(), help, disabled)


def to_change(act: str, *things: str, help: str | None = None, disabled: bool = False) -> Greyed:
    """Return the options of a button that changes things, such as "run 0123456789ab"."""
    return _greyed(rights.refusal_to_change(act, *things), help, disabled)


def _greyed(refusal: str, help: str | None, disabled: bool) -> Greyed:
    return {"disabled": bool(refusal) or disabled, "help": refusal or help}
