"""Words of a text that look like special tokens are read as the text they are.

"</s>" in a row of data means four characters, not the end: only what we put around a text is
special. The library's `split_special_tokens` says so to most tokenizers. Some vocabularies (T5's)
hold such words as ordinary pieces too and would still find them; there the word is cut behind its
first character before pieces are looked up. Texts without such words keep their token ids.
"""

from __future__ import annotations

import copy
import re
from typing import Any

ORIGINAL = "peftcore_pre_tokenizer"  # where the library's own is kept, for exports


def read_special_words_as_text(tokenizer: Any) -> None:
    """Make a tokenizer read special tokens in texts as plain text, in place; again is no change."""
    tokenizer.split_special_tokens = True
    core = getattr(tokenizer, "backend_tokenizer", None)
    if core is None:  # written in Python: it knows special tokens by that setting alone
        return
    words = _words_still_found(tokenizer)
    if not words:
        return
    from tokenizers import Regex, pre_tokenizers

    original = core.pre_tokenizer
    starts = "|".join(f"{re.escape(word[0])}(?={re.escape(word[1:])})" for word in words)
    cut = pre_tokenizers.Split(Regex(starts), "merged_with_previous")
    core.pre_tokenizer = pre_tokenizers.Sequence([original, cut] if original else [cut])
    setattr(tokenizer, ORIGINAL, original)


def _words_still_found(tokenizer: Any) -> list[str]:
    """Return the special words, longest first, that a text still becomes; "unknown" is none."""
    special_ids = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    special_ids |= set(tokenizer.all_special_ids)
    special_ids -= {tokenizer.unk_token_id}
    words = [tokenizer.convert_ids_to_tokens(i) for i in sorted(special_ids)]
    words = [word for word in words if isinstance(word, str) and len(word) > 1]
    if not words:
        return []
    rows = tokenizer(words, add_special_tokens=False)["input_ids"]
    found = [word for word, ids in zip(words, rows, strict=True) if special_ids & set(ids)]
    return sorted(found, key=len, reverse=True)


def with_special_words(tokenizer: Any) -> Any:
    """Return a copy that reads special words as the library does, to be saved for others."""
    other = copy.deepcopy(tokenizer)
    other.split_special_tokens = False
    if hasattr(other, ORIGINAL):
        other.backend_tokenizer.pre_tokenizer = getattr(tokenizer, ORIGINAL)
        delattr(other, ORIGINAL)
    return other
