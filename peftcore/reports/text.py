"""Text and numbers of a report: escaped, kept apart from what stands around them, and short.

Names of runs and texts of data are somebody else's: they may hold markup, or characters that turn
the direction of writing for all that follows.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata

from peftcore.analysis import judgement
from peftcore.analysis.judgement import value_format as value_format

# Characters without a glyph: controls, and those that change the direction of writing.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ISOLATE, END_ISOLATE = "\u2068", "\u2069"  # around text whose direction is not known
NO_VALUE = "–"


def plain(value: object) -> str:
    """Return a text that changes nothing around it, unescaped: as for a line of a command."""
    text = HIDDEN.sub("\ufffd", str(value))
    if any(unicodedata.bidirectional(sign) in ("R", "AL", "AN") for sign in text):
        return f"{ISOLATE}{text}{END_ISOLATE}"
    return text


def escape(value: object) -> str:
    """Return a text as it may stand in HTML and SVG, between tags or in a quoted attribute."""
    return html.escape(plain(value))


def is_missing(value: float | None) -> bool:
    """Return whether there is no number."""
    return value is None or math.isnan(value)


def format_value(value: float | None, form: str) -> str:
    """Write a number, or a dash where there is none; a minus is a minus sign."""
    if value is None or math.isnan(value):
        return NO_VALUE
    shown = f"{value:{form}}"
    if not any(digit in shown for digit in "123456789"):
        shown = f"{0.0:{form}}"  # a small number below zero is no −0
    return shown.replace("-", "−")


def format_interval(low: float | None, high: float | None, form: str) -> str:
    """Write limits as "0.812 to 0.931"; a dash where there are none."""
    if is_missing(low) or is_missing(high):
        return NO_VALUE
    return f"{format_value(low, form)} to {format_value(high, form)}"


def format_difference(value: float | None, metric: str) -> str:
    """Write a difference of a metric in points, with its sign."""
    if value is None or math.isnan(value):
        return NO_VALUE
    return judgement.signed_points(value, metric).replace("-", "−")


def format_limits(low: float | None, high: float | None, metric: str) -> str:
    """Write the limits of a difference in points; a dash where there are none."""
    if is_missing(low) or is_missing(high):
        return NO_VALUE
    return f"{format_difference(low, metric)} to {format_difference(high, metric)}"


def count(n: int, noun: str) -> str:
    """Write "1 seed", "4 seeds"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def list_words(words: list[str]) -> str:
    """Join words by commas, the last by "and"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
