"""Answers as HTML: every text escaped, words that differ marked as inserted or deleted.

Marks are `ins` and `del`, so they reach readers who do not see colours.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from peftcore.analysis.comparison import diff_words
from peftcore.data.task import SEPARATOR
from peftcore.reports.styles import RunStyle

STYLE = """<style>
.answers-card {border: 1px solid color-mix(in srgb, currentColor 22%, transparent);
  border-radius: .5rem; padding: .75rem .9rem; font-size: .95rem; line-height: 1.45}
.answers-source {white-space: pre-wrap; overflow-wrap: anywhere}
.answers-gold {margin-top: .35rem; overflow-wrap: anywhere}
.answers-term {opacity: .72; font-size: .82rem; margin-right: .4rem}
.answers-grid {display: grid; gap: .6rem; margin-top: .7rem;
  grid-template-columns: repeat(auto-fit, minmax(min(11rem, 100%), 1fr))}
.answers-cell {border-left: 4px solid; padding: .15rem 0 .15rem .6rem; border-radius: 2px}
.answers-name {display: flex; flex-wrap: wrap; gap: .15rem .5rem; font-weight: 600;
  font-size: .86rem; margin-bottom: .15rem}
.answers-text {overflow-wrap: anywhere; white-space: pre-wrap}
.answers-text ins {text-decoration: underline 2px #D98300; background: #E69F0033;
  border-radius: 2px}
.answers-text del {opacity: .72}
</style>"""


@dataclass(frozen=True)
class AnswerCell:
    """One run's answer to one example; `correct` is None where nothing is right or wrong.

    With a `note` there is no answer, and the note says why.
    """

    style: RunStyle
    text: str = ""
    correct: bool | None = None
    note: str = ""


def example_card(
    source: str, gold: Sequence[str], cells: Sequence[AnswerCell], against: str | None
) -> str:
    """Draw one example with everybody's answers.

    Marks show how an answer differs from `against`; without it, from the closest gold text.
    """
    golds = "".join(
        f'<div class="answers-gold"><span class="answers-term">Reference</span>{escape(text)}</div>'
        for text in gold
    )
    answers = "".join(_cell_html(cell, against, gold) for cell in cells)
    return (
        f'<div class="answers-card"><div class="answers-source">{escape(source)}</div>'
        f'{golds}<div class="answers-grid">{answers}</div></div>'
    )


def _cell_html(cell: AnswerCell, against: str | None, gold: Sequence[str]) -> str:
    """Return the answer of one run as HTML."""
    verdict = {True: "✓ right", False: "✗ wrong", None: ""}[cell.correct]
    other = closest_text(cell.text, gold) if against is None else against
    body = mark_differences(other, cell.text) if cell.text.strip() else "<em>(nothing)</em>"
    if cell.note:
        body = f"<em>{escape(cell.note)}</em>"
    return (
        f'<div class="answers-cell" style="border-left-color: {cell.style.colour}">'
        f'<div class="answers-name"><span>{escape(cell.style.name)}</span><span>{verdict}</span>'
        f'</div><div class="answers-text">{body}</div></div>'
    )


def mark_differences(first: str, second: str) -> str:
    """Mark in the second text the words the first lacks, and those of the first that it lacks."""
    tags = {"first": "del", "second": "ins"}
    parts = []
    for piece in diff_words(first.split(), second.split()):
        words = escape(" ".join(piece.words))
        tag = tags.get(piece.side)
        parts.append(f"<{tag}>{words}</{tag}>" if tag else words)
    return " ".join(parts)


def closest_text(text: str, candidates: Sequence[str]) -> str:
    """Return the candidate that shares most words with the text, in order; else the text."""
    words = text.split()
    score = lambda other: difflib.SequenceMatcher(a=words, b=other.split(), autojunk=False).ratio()
    return max(candidates, key=score) if candidates else text


def accepted_answers(target: str, label: str | None, references: Sequence[str]) -> list[str]:
    """List all gold texts of an example, the target first: explanations are led by their label."""
    prefix = f"{label}{SEPARATOR}" if label and SEPARATOR in target else ""
    return list(dict.fromkeys([target, *(prefix + text for text in references)]))
