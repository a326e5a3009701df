"""Can a base write a task's labels, and in how many pieces: asked before anything is trained.

A label in many pieces has to be spelt, and then a comparison of methods ranks how well they teach
spelling. So the check also offers words that the base writes at once. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peftcore import tasks
from peftcore.data.label_words import check_words, offered_words
from peftcore.models import catalog
from peftcore.models.label_pieces import FEW_PIECES, WordPieces, load_tokenizer, split_words

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

MOST_OFFERED = 3  # sets of words


@dataclass(frozen=True)
class LabelCheck:
    """The words for a task's labels as a base writes them, and other words that it knows."""

    base: str
    task: str
    words: tuple[WordPieces, ...]
    offered: tuple[tuple[WordPieces, ...], ...]  # sets, those with the labels' meaning first

    @property
    def unwritable(self) -> list[WordPieces]:
        """Return the words of which the vocabulary lacks a sign."""
        return [each for each in self.words if not each.writable]

    @property
    def spelt(self) -> list[WordPieces]:
        """Return the words in more pieces than a known word has."""
        return [each for each in self.words if len(each.pieces) > FEW_PIECES]

    @property
    def is_fair(self) -> bool:
        """Return whether the base can write every word, none of them letter by letter."""
        return not self.unwritable and not self.spelt

    def in_words(self) -> str:
        """Say in a sentence or two what the check found, and which words are offered."""
        if self.unwritable:
            listed = ", ".join(each.word for each in self.unwritable)
            return f"{self.base} cannot write {listed}. {self._offer()}".strip()
        if self.spelt:
            listed = ", ".join(map(str, self.spelt))
            return (
                f"{self.base} has to spell {listed}: methods are then compared by how well they "
                f"teach spelling. {self._offer()}"
            ).strip()
        listed = ", ".join(map(str, self.words))
        return f"{self.base} can write the labels: {listed}."

    def _offer(self) -> str:
        if not self.offered:
            return ""
        labels = " / ".join(each.label for each in self.offered[0])
        sets = "; ".join(" / ".join(each.word for each in words) for words in self.offered)
        return f"Words that it knows, for {labels}: {sets}."

    def as_values(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        pieces = lambda words: {
            each.label: {"word": each.word, "pieces": list(each.pieces), "writable": each.writable}
            for each in words
        }
        return {
            "base": self.base,
            "task": self.task,
            "fair": self.is_fair,
            "words": pieces(self.words),
            "offered": [{each.label: each.word for each in words} for words in self.offered],
            "in_words": self.in_words(),
        }


def check_labels(
    base: BaseModel | str, task_name: str, label_words: Mapping[str, str] | None = None
) -> LabelCheck | None:
    """Check the words for a task's labels on a base; BadInput for words that cannot be.

    None where there is nothing to write: no fixed labels, an encoder, whose head names them, or a
    base whose tokenizer is not at hand.
    """
    task = tasks.find_task(task_name)
    words = check_words(task.labels, label_words or {})
    name = base if isinstance(base, str) else base.name
    if not task.labels or _kind(base) == "encoder":
        return None
    tokenizer = load_tokenizer(base)
    if tokenizer is None:
        return None
    asked = [words.get(label, label) for label in task.labels]
    found = split_words(tokenizer, task.labels, asked)
    offered = [
        split_words(tokenizer, list(each), list(each.values()))
        for each in offered_words(task.labels)
        if list(each.values()) != asked
    ]
    known = [each for each in offered if all(_is_known(word) for word in each)]
    return LabelCheck(name, task_name, tuple(found), tuple(map(tuple, known[:MOST_OFFERED])))


def _kind(base: BaseModel | str) -> str:
    """Return the kind of a base, empty where it is not on this machine."""
    if not isinstance(base, str):
        return base.kind
    return catalog.describe_base(base).kind if base in catalog.base_folders() else ""


def _is_known(word: WordPieces) -> bool:
    return word.writable and len(word.pieces) <= FEW_PIECES
