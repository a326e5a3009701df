"""Records what a model looks at while it reads one input, ready for `analysis.attention`.

All seeds of an adapter read the input in one forward pass, which is the one that a loss would take:
a decoder reads a given answer, the gold target or one that was written before, and no cache is in
use.  Nothing is padded, so that every position recorded is one that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from peftcore.adapters.base import Adapter
from peftcore.analysis.attention import Attention, Described, Steps, Token, describe, gathered
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models.batching import JOINER, Encoder
from peftcore.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import Adapted
    from peftcore.adapters.initializers import Draw
    from peftcore.models.attention import AttentionRecord
    from peftcore.models.base_model import BaseModel

LIMIT = 160  # tokens of a text beyond which a pattern can no longer be read on a screen
BLANKS = {" ": "␣", "\n": "⏎", "\t": "⇥", "": "∅"}


class Nothing(Adapter):
    """No adapter at all, so that an untouched base can be recorded like an adapted one."""

    Config = Settings

    def create(self, draw: Draw) -> dict[str, Tensor]:
        """No tensors."""
        return {}


def untouched(base: BaseModel) -> Adapted:
    """The base as it is; encoders get a head of noughts, which nothing that is recorded sees."""
    from peftcore.adapters.adapted_model import Adapted
    from peftcore.adapters.initializers import Draw

    draw = Draw([0], 1)
    labels = 2 if base.kind == "encoder" else 0
    return Adapted(base, Nothing(base, Settings(), draw), draw, labels).to(str(base.device))


def written(adapted: Adapted, example: Example, seed_index: int, max_new_tokens: int) -> str:
    """The greedy answer of one seed to an example, as the decoder's side of a recording."""
    base, tokenizer = adapted.base, adapted.base.tokenizer
    if base.kind == "encoder":
        raise BadInput(f"{base.name} reads but cannot write, so it has no answer to look back at")
    _check_seed(adapted, seed_index)
    encoder = Encoder(base, (), _room(adapted))
    batch = encoder.batch([example] * adapted.seeds, with_targets=False)
    with torch.inference_mode():
        out = adapted.generate(
            batch,
            adapted.centroid(),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    return str(tokenizer.decode(out[seed_index], skip_special_tokens=True)).strip()


def record(adapted: Adapted, example: Example, seed_index: int = 0) -> dict[str, Attention]:
    """All attention of one seed while it reads an example: place → layers and heads.

    A decoder reads the example's target.  BadInput if the text is too long to be shown.
    """
    _check_seed(adapted, seed_index)
    return {
        place: _attention(place, stacked, seed_index, tokens)
        for place, stacked, tokens in _recorded(adapted, example, LIMIT)
    }


def head_statistics(
    adapted: Adapted,
    examples: Sequence[Example],
    report: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Described]:
    """Every head in numbers over a data set, of every seed: place → measures.

    Decoders read the gold targets, so that all models are asked about the same text.
    """
    if not examples:
        raise BadInput("there are no examples to measure")
    found: dict[str, list[list[dict[str, np.ndarray]]]] = {}
    for done, example in enumerate(examples):
        for place, stacked, tokens in _recorded(adapted, example):
            seeds = [
                describe(_attention(place, stacked, seed, tokens, steps=False))
                for seed in range(adapted.seeds)
            ]
            found.setdefault(place, []).append(seeds)
        report(done + 1, len(examples))
    return {place: gathered(place, each) for place, each in found.items()}


Texts = tuple[tuple[Token, ...], tuple[Token, ...]]


def _recorded(
    adapted: Adapted, example: Example, limit: int = 0
) -> Iterator[tuple[str, list[AttentionRecord], Texts]]:
    """The records of each place, one for each layer, with the texts of queries and keys."""
    base = adapted.base
    read, answered = tokens_of(base, example)
    if limit and len(read) + len(answered) > limit:
        raise BadInput(
            f"this input has {len(read) + len(answered)} tokens; up to {limit} can be shown, so "
            "shorten it, or measure whole data sets with the statistics of heads"
        )
    batch = Encoder(base, (), _room(adapted)).batch([example] * adapted.seeds)
    assert batch.ids.shape[1] == len(read), "every token has a name"
    sites = base.anatomy.sites
    records = adapted.record(batch, adapted.centroid(), [site.path for site in sites])
    missing = [site.path for site in sites if site.path not in records]
    assert not missing, f"nothing was recorded at {missing}"
    for place in dict.fromkeys(site.place for site in sites):
        stacked = [records[site.path] for site in sites if site.place == place]
        queries, keys = {
            "encoder": (read, read),
            "decoder": (answered or read, answered or read),
            "cross": (answered, read),
        }[place]
        soft = stacked[0].key.shape[2] - stacked[0].length - len(keys)
        keys = _with_soft(keys, soft, base)
        queries = _with_soft(queries, stacked[0].query.shape[2] - len(queries), base)
        yield place, stacked, (queries, keys)


def _check_seed(adapted: Adapted, seed_index: int) -> None:
    if not 0 <= seed_index < adapted.seeds:
        raise BadInput(f"seed must lie in [0, {adapted.seeds - 1}]; got {seed_index}")


def _room(adapted: Adapted) -> int:
    """Positions of the window that a soft prompt takes."""
    adapter = adapted.adapter
    soft = type(adapter).soft_tokens is not Adapter.soft_tokens
    return int(getattr(adapter.config, "length", 0)) if soft else 0


def _with_soft(tokens: tuple[Token, ...], count: int, base: BaseModel) -> tuple[Token, ...]:
    """The tokens with soft ones where `Adapted` puts them."""
    at = int(base.kind == "encoder")
    return (*tokens[:at], *(Token(f"S{i + 1}", "soft") for i in range(count)), *tokens[at:])


def _attention(
    place: str, records: list[AttentionRecord], row: int, texts: Texts, steps: bool = True
) -> Attention:
    """One row of the records of a place; layers with a shorter prefix got no attention there."""
    longest = max(record.length for record in records)
    queries, keys = texts

    def stack(parts: Sequence[Tensor], axis: int, fill: float) -> np.ndarray:
        """All layers (l, …) with room for the longest prefix in front of an axis."""
        made = []
        for record, part in zip(records, parts, strict=True):
            width = [(0, 0)] * part.dim()
            width[axis] = (longest - record.length, 0)
            made.append(np.pad(part.float().cpu().numpy(), width, constant_values=fill))
        return np.stack(made)

    return Attention(
        place,
        tuple(record.site for record in records),
        queries,
        (*(Token(f"P{i + 1}", "prefix") for i in range(longest)), *keys),
        stack([record.weights[row] for record in records], -1, 0.0),
        Steps(
            np.stack([record.query[row].float().cpu().numpy() for record in records]),
            stack([record.key[row] for record in records], 1, 0.0),
            stack([_added(record, row) for record in records], -1, -np.inf),
            tuple(float(record.scale) for record in records),
        )
        if steps
        else None,
    )


def _added(record: AttentionRecord, row: int) -> Tensor:
    """What was added to the scores of one row, (h, q, k)."""
    shape = record.weights.shape
    if record.bias is None:
        return torch.zeros(shape[1:])
    bias = record.bias.expand(shape)[row]
    if bias.dtype == torch.bool:
        return torch.zeros(shape[1:]).masked_fill(~bias.cpu(), -torch.inf)
    bias = bias.float()
    return bias.masked_fill(bias <= torch.finfo(torch.float32).min / 2, -torch.inf)


def tokens_of(base: BaseModel, example: Example) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    """What a model reads of an example, and what an encoder-decoder's decoder reads of its answer.

    In the same order and number as `batching.Encoder` makes them.
    """
    tokenizer = base.tokenizer
    if base.kind == "encoder":
        parts = example.parts or (example.source,)
        made = tokenizer(*parts, return_offsets_mapping=True)
        numbers = [0 if n is None else n + 1 for n in made.sequence_ids(0)]
        pair = len(parts) > 1
        return tuple(
            replace(token, part=number if pair else 0)
            for token, number in zip(_spelled(base, made, parts), numbers, strict=True)
        ), ()
    if base.kind == "encoder-decoder":
        made = tokenizer(example.source, return_offsets_mapping=True)
        read = _in_parts(_spelled(base, made, (example.source,)), made, example)
        end = Token(tokenizer.eos_token, "special")
        if made["input_ids"][-1:] != [tokenizer.eos_token_id]:
            read = (*read, end)
        target = tokenizer(example.target, return_offsets_mapping=True)
        answered = _spelled(base, target, (example.target,))
        if target["input_ids"][-1:] == [tokenizer.eos_token_id]:
            answered = answered[:-1]  # the last token is written, never read
        return read, (Token("start", "special"), *answered)
    bare: dict[str, Any] = {"add_special_tokens": False, "return_offsets_mapping": True}
    made = tokenizer(example.source + JOINER, **bare)
    read = _in_parts(_spelled(base, made, (example.source + JOINER,)), made, example)
    answered = _spelled(base, tokenizer(example.target, **bare), (example.target,))
    start = (Token(tokenizer.bos_token, "special"),) if tokenizer.bos_token_id is not None else ()
    return (*start, *read, *answered, Token(tokenizer.eos_token, "special")), ()


def _spelled(base: BaseModel, made: Any, texts: Sequence[str]) -> tuple[Token, ...]:
    """Tokens as they were typed; a dot says that one goes on with the word before it."""
    special = set(base.tokenizer.all_special_ids)
    names = base.tokenizer.convert_ids_to_tokens(made["input_ids"])
    spelled = []
    spans = made["offset_mapping"]
    for number, (ids, name, text) in enumerate(
        zip(made["input_ids"], names, made.sequence_ids(0), strict=True)
    ):
        start, stop = spans[number]
        if text is None or ids in special:
            spelled.append(Token(name, "special"))
            continue
        source = texts[text]
        word = source[start:stop].strip() or BLANKS.get(source[start:stop][:1], "␣")
        inside = start > 0 and source[start - 1].isalnum() and source[start : start + 1].isalnum()
        spelled.append(Token(f"·{word}" if inside else word))
    return tuple(spelled)


def _in_parts(tokens: tuple[Token, ...], made: Any, example: Example) -> tuple[Token, ...]:
    """The tokens with the number of the part of a pair that they lie in."""
    if len(example.parts) < 2:
        return tokens
    found = list(tokens)
    for number in sorted(
        range(1, len(example.parts) + 1), key=lambda n: -len(example.parts[n - 1])
    ):
        part, begin = example.parts[number - 1], -1
        while (begin := example.source.find(part, begin + 1)) >= 0:
            stop = begin + len(part)
            inside = [
                i
                for i, (first, last) in enumerate(made["offset_mapping"])
                if found[i].kind == "content" and begin <= first < last <= stop
            ]
            # A short text may also be a piece of a longer one, whose tokens are taken by now.
            if inside and all(not found[i].part for i in inside):
                for i in inside:
                    found[i] = replace(found[i], part=number)
                break
    return tuple(found)
