"""How a base writes words: the pieces of its vocabulary, read off its tokenizer without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from peftcore.models import catalog

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

FEW_PIECES = 2  # that a known word has at most; longer ones a base spells


@dataclass(frozen=True)
class WordPieces:
    """A word that stands for a label, and the pieces it is written in."""

    label: str
    word: str
    pieces: tuple[str, ...]
    writable: bool  # False: the vocabulary lacks a sign of it

    def __str__(self) -> str:
        """Return the word with its pieces where it is spelt."""
        return self.word if len(self.pieces) < 2 else f"{self.word} ({' · '.join(self.pieces)})"


def load_tokenizer(base: BaseModel | str) -> Any:
    """Return the fast tokenizer of a base, without loading it; None where it has no file of one."""
    if not isinstance(base, str):
        return getattr(base.tokenizer, "backend_tokenizer", None)
    folder = catalog.base_folders().get(base)
    if folder is None or not (folder / "tokenizer.json").is_file():
        return None
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def split_words(tokenizer: Any, labels: Sequence[str], words: Sequence[str]) -> list[WordPieces]:
    """Return the pieces of the word of each label, as `ExampleBatcher` writes it in a target.

    White space and case do not count for what can be written, since tasks read answers without.
    """
    squeeze = lambda text: "".join(text.lower().split())
    found = []
    for label, word in zip(labels, words, strict=True):
        ids = tokenizer.encode(word, add_special_tokens=False).ids
        texts = [tokenizer.decode([number]).strip() for number in ids]
        writable = squeeze(tokenizer.decode(ids)) == squeeze(word)
        # A piece that is white space alone is no spelling.
        found.append(WordPieces(label, word, tuple(text for text in texts if text), writable))
    return found
