"""A run's name with its symbol, as tables of a report write it."""

from __future__ import annotations

from peftcore.reports.markup import Markup
from peftcore.reports.styles import RunStyle
from peftcore.reports.svg import symbol_path
from peftcore.reports.text import escape


def run_label(style: RunStyle) -> Markup:
    """Return a run's name with its symbol in its colour."""
    key = (
        '<svg class="key" viewBox="0 0 20 20" aria-hidden="true">'
        f'<path d="{symbol_path(style.symbol, 10, 10, 7)}" fill="{style.colour}"/></svg>'
    )
    return Markup(f"{key}{escape(style.name)}")
