"""How likely a model finds given texts, with or without an adapter, all seeds in one pass.

A decoder writes the whole text after a start token. An encoder–decoder reads the text with a gap
and writes what belongs there, as it was pretrained: after a sentinel (T5), as the whole text
(BART's mask), or, where its tokenizer has neither, as the rest of a text that breaks off.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.no_adapter import unadapted_model
from peftcore.data.task import Example
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import ExampleBatcher, TokenizedExample, pad_rows

MAX_LOGITS = 25_000_000  # numbers of one pass: 100 MB, 512 tokens with 49,152 words
MAX_TOKENS = 4096  # of one pass, however few words there are
START_TOKEN = "<|endoftext|>"  # stands in front where the tokenizer puts nothing there
SENTINEL = "<extra_id_0>"  # of T5: a gap, and what fills it
MAX_GAP = 4  # words

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class SentenceLikelihoods:
    """Log-likelihoods (s, n) of texts, and their lengths (n,) in tokens that count."""

    sums: NDArray[np.float64]
    tokens: NDArray[np.int64]


def measure_base(base: BaseModel, texts: Sequence[str], tell: Tell) -> SentenceLikelihoods:
    """Measure a decoder without an adapter; it counts as one seed."""
    return measure(unadapted_model(base), [text_row(base, text) for text in texts], tell)


def measure(
    adapted: AdaptedModel,
    rows: Sequence[TokenizedExample],
    tell: Tell = lambda done, total: None,
) -> SentenceLikelihoods:
    """Measure every row with every seed at its centroid, in batches of like lengths.

    `tell` gets how many of how many rows were read; it may raise to stop.
    """
    seeds, tokens = adapted.seeds, np.array([len(row.target_ids) for row in rows], dtype=np.int64)
    sums, done = np.zeros((seeds, len(rows))), 0
    lengths = [len(row.input_ids) + len(row.target_ids) for row in rows]
    tell(done, len(rows))
    budget = min(MAX_TOKENS, MAX_LOGITS // len(adapted.base.embeddings))
    for indices in batches(lengths, budget // seeds):
        batch = pad_rows(adapted.base, [rows[index] for index in indices]).repeated(seeds)
        with torch.no_grad():
            means = adapted.losses(batch, adapted.centroid()).view(seeds, -1)
        sums[:, indices] = -means.double().cpu().numpy() * tokens[indices]
        done += len(indices)
        tell(done, len(rows))
    return SentenceLikelihoods(sums, tokens)


class TextBatcher(ExampleBatcher):
    """Batches texts that are read for their likelihood, where a lab would batch examples."""

    @staticmethod
    def examples(texts: Sequence[str]) -> list[Example]:
        """Return texts as the examples that this batches; they belong to no task."""
        return [Example(f"text-{number}", text, "") for number, text in enumerate(texts)]

    def _tokenize(self, example: Example) -> TokenizedExample:
        """Tokenise an example's source as a text."""
        return text_row(self.base, example.source, self.prompt_length)


def batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Yield indices in batches of like lengths that take at most so many tokens, padding too."""
    batch: list[int] = []
    for index in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[index] > tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def text_row(base: BaseModel, text: str, room: int = 0) -> TokenizedExample:
    """Tokenise a text so that its likelihood can be measured; its gap is the same every time.

    room: positions of the window that a soft prompt takes.
    """
    if base.kind == "decoder":
        return _row_after_start(base, text, room)
    words = text.split()
    width = max(1, min(MAX_GAP, len(words) // 3))
    at = random.Random(f"gap/{text}").randrange(len(words) - width + 1)
    return _row_with_gap(base, words, at, at + width, room)


def pair_rows(
    base: BaseModel, right: str, wrong: str, room: int = 0
) -> tuple[TokenizedExample, TokenizedExample]:
    """Tokenise two sentences to be compared; the gap is where their words differ."""
    if base.kind == "decoder":
        return _row_after_start(base, right, room), _row_after_start(base, wrong, room)
    one, other = right.split(), wrong.split()
    shorter = min(len(one), len(other))
    same = lambda a, b: next((i for i in range(shorter) if a[i] != b[i]), shorter)
    begin = same(one, other)
    behind = min(same(one[::-1], other[::-1]), shorter - begin)
    return (
        _row_with_gap(base, one, begin, len(one) - behind, room),
        _row_with_gap(base, other, begin, len(other) - behind, room),
    )


def _row_after_start(base: BaseModel, text: str, room: int) -> TokenizedExample:
    """Put something in front of a decoder's text, so that its first token counts, too."""
    tok = base.tokenizer
    ids: list[int] = tok(text)["input_ids"]
    window = base.structure.window
    if window:
        ids = ids[: window - room - 1]
    if tok.bos_token_id is not None and ids[:1] == [tok.bos_token_id]:
        start, ids = ids[0], ids[1:]
    else:
        start = tok.get_vocab().get(START_TOKEN, tok.bos_token_id)
        start = tok.eos_token_id if start is None else start
    return TokenizedExample([start], None, [], ids, -1)


def _row_with_gap(
    base: BaseModel, words: Sequence[str], begin: int, end: int, room: int
) -> TokenizedExample:
    """Tokenise words for an encoder–decoder that is to write those from begin to end."""
    tok = base.tokenizer
    encode = lambda part: tok(" ".join(part), add_special_tokens=False)["input_ids"]
    before, gap, after = encode(words[:begin]), encode(words[begin:end]), encode(words[end:])
    sentinel = tok.get_vocab().get(SENTINEL)
    if sentinel is not None:
        source, target = [*before, sentinel, *after], [sentinel, *gap]
    elif tok.mask_token_id is not None:
        source, target = [*before, tok.mask_token_id, *after], encode(words)
    else:
        source, target = before, [*gap, *after]
    window = base.structure.window
    if window:
        source, target = source[: window - room - 1], target[: window - 1]
    eos = [tok.eos_token_id]
    return TokenizedExample([*source, *eos], None, [], [*target, *eos], -1)
