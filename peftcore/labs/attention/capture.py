"""Records the attention of a model while it reads one input, ready for `analysis.attention`.

All seeds of an adapter read the input in one forward pass, which is the one that a loss would take:
a decoder reads a given answer, the gold target or one that was written before, and no cache is in
use.  Nothing is padded, so that every position recorded is one that was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from peftcore.analysis.attention import (
    AttentionPattern,
    AttentionToken,
    HeadStatistics,
    ScoreInputs,
    TextTooLong,
    average_examples,
    measure_heads,
)
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models import decoding
from peftcore.models.batching import JOINER, ExampleBatcher
from peftcore.models.token_names import continues_word, show_token
from peftcore.models.token_spans import TokenSpans, token_spans

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.attention import AttentionRecord
    from peftcore.models.base_model import BaseModel

MAX_SHOWN_TOKENS = 160  # tokens of a text beyond which a pattern can no longer be read on a screen


def generate_answer(
    adapted: AdaptedModel, example: Example, seed_index: int, max_new_tokens: int
) -> str:
    """Generate the greedy answer of one seed to an example, which a decoder then reads."""
    base, tokenizer = adapted.base, adapted.base.tokenizer
    if base.kind == "encoder":
        raise BadInput(f"{base.name} reads but cannot write, so it has no answer to look back at")
    check_seed(adapted, seed_index)
    batcher = _batcher_for(adapted)
    batch = batcher.batch([example] * adapted.seeds, with_targets=False)
    with torch.inference_mode():
        out = adapted.generate(
            batch,
            adapted.centroid(),
            **decoding.search_options(tokenizer, max_new_tokens),
        )
    return str(tokenizer.decode(out[seed_index], skip_special_tokens=True)).strip()


def capture_attention(
    adapted: AdaptedModel, example: Example, seed_index: int = 0
) -> dict[str, AttentionPattern]:
    """Capture all attention of one seed while it reads an example: place → layers and heads.

    A decoder reads the example's target.  BadInput if the text is too long to be shown.
    """
    check_seed(adapted, seed_index)
    return {
        attention_kind: build_pattern(attention_kind, stacked, seed_index, tokens)
        for attention_kind, stacked, tokens in capture_records(adapted, example, limited=True)
    }


def head_statistics(
    adapted: AdaptedModel,
    examples: Sequence[Example],
    report: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, HeadStatistics]:
    """Measure every head of every seed over a data set: place → statistics.

    Decoders read the gold targets, so that all models are asked about the same text.
    """
    if not examples:
        raise BadInput("there are no examples to measure")
    statistics: dict[str, list[list[dict[str, np.ndarray]]]] = {}
    for done, example in enumerate(examples):
        for attention_kind, stacked, tokens in capture_records(adapted, example):
            seeds = [
                measure_heads(
                    build_pattern(attention_kind, stacked, seed, tokens, with_score_inputs=False)
                )
                for seed in range(adapted.seeds)
            ]
            statistics.setdefault(attention_kind, []).append(seeds)
        report(done + 1, len(examples))
    return {
        attention_kind: average_examples(attention_kind, seed_statistics)
        for attention_kind, seed_statistics in statistics.items()
    }


def check_length(base: BaseModel, example: Example) -> None:
    """Raise TextTooLong if the attention of a text cannot be shown; no pass is made for it."""
    input_tokens, answer_tokens = example_tokens(base, example)
    count = len(input_tokens) + len(answer_tokens)
    if count > MAX_SHOWN_TOKENS:
        raise TextTooLong(
            f"this input has {count} tokens; up to {MAX_SHOWN_TOKENS} can be shown, so shorten it, "
            "or measure whole data sets with the statistics of heads"
        )


QueryKeyTokens = tuple[tuple[AttentionToken, ...], tuple[AttentionToken, ...]]


def capture_records(
    adapted: AdaptedModel, example: Example, limited: bool = False
) -> Iterator[tuple[str, list[AttentionRecord], QueryKeyTokens]]:
    """Yield the records of each place, one for each layer, with the texts of queries and keys."""
    base = adapted.base
    if limited:
        check_length(base, example)
    input_tokens, answer_tokens = example_tokens(base, example)
    batch = _batcher_for(adapted).batch([example] * adapted.seeds)
    assert batch.input_ids.shape[1] == len(input_tokens), "every token has a name"
    blocks = base.structure.attention_blocks
    records = adapted.record_attention(batch, adapted.centroid(), [block.path for block in blocks])
    missing = [block.path for block in blocks if block.path not in records]
    assert not missing, f"nothing was recorded at {missing}"
    for attention_kind in dict.fromkeys(block.attention_kind for block in blocks):
        layer_records = [
            records[block.path] for block in blocks if block.attention_kind == attention_kind
        ]
        queries, keys = {
            "encoder": (input_tokens, input_tokens),
            "decoder": (answer_tokens or input_tokens, answer_tokens or input_tokens),
            "cross": (answer_tokens, input_tokens),
        }[attention_kind]
        soft_count = layer_records[0].key.shape[2] - layer_records[0].prefix_length - len(keys)
        keys = _insert_soft_tokens(keys, soft_count, base)
        queries = _insert_soft_tokens(queries, layer_records[0].query.shape[2] - len(queries), base)
        yield attention_kind, layer_records, (queries, keys)


def check_seed(adapted: AdaptedModel, seed_index: int) -> None:
    """Raise BadInput unless the model has this seed, counted from 0."""
    if not 0 <= seed_index < adapted.seeds:
        raise BadInput(f"seed must lie in [0, {adapted.seeds - 1}]; got {seed_index}")


def _batcher_for(adapted: AdaptedModel) -> ExampleBatcher:
    """Build a batcher with room in the window for the adapter's soft tokens."""
    return ExampleBatcher(adapted.base, (), adapted.adapter.prompt_length(adapted.adapter.config))


def _insert_soft_tokens(
    tokens: tuple[AttentionToken, ...], count: int, base: BaseModel
) -> tuple[AttentionToken, ...]:
    """Insert soft tokens where AdaptedModel puts them."""
    position = int(base.kind == "encoder")
    return (
        *tokens[:position],
        *(AttentionToken(f"S{i + 1}", "soft") for i in range(count)),
        *tokens[position:],
    )


def build_pattern(
    attention_kind: str,
    records: list[AttentionRecord],
    row: int,
    tokens: QueryKeyTokens,
    with_score_inputs: bool = True,
) -> AttentionPattern:
    """Stack one row of the records of a place; a shorter prefix is padded with attention 0."""
    longest = max(record.prefix_length for record in records)
    queries, keys = tokens

    def stack(tensors: Sequence[Tensor], axis: int, fill: float) -> np.ndarray:
        """Stack layers (l, …), padded to the longest prefix in front of an axis."""
        padded = []
        for record, tensor in zip(records, tensors, strict=True):
            padding = [(0, 0)] * tensor.dim()
            padding[axis] = (longest - record.prefix_length, 0)
            padded.append(np.pad(tensor.float().cpu().numpy(), padding, constant_values=fill))
        return np.stack(padded)

    return AttentionPattern(
        attention_kind,
        tuple(record.block_path for record in records),
        queries,
        (*(AttentionToken(f"P{i + 1}", "prefix") for i in range(longest)), *keys),
        stack([record.weights[row] for record in records], -1, 0.0),
        ScoreInputs(
            np.stack([record.query[row].float().cpu().numpy() for record in records]),
            stack([record.key[row] for record in records], 1, 0.0),
            stack([_score_bias(record, row) for record in records], -1, -np.inf),
            tuple(float(record.scale) for record in records),
            tuple(record.softcap for record in records),
        )
        if with_score_inputs
        else None,
    )


def _score_bias(record: AttentionRecord, row: int) -> Tensor:
    """Return what was added to the scores of one row, (h, q, k)."""
    shape = record.weights.shape
    if record.bias is None:
        return torch.zeros(shape[1:])
    bias = record.bias.expand(shape)[row]
    if bias.dtype == torch.bool:
        return torch.zeros(shape[1:]).masked_fill(~bias.cpu(), -torch.inf)
    bias = bias.float()
    return bias.masked_fill(bias <= torch.finfo(torch.float32).min / 2, -torch.inf)


def example_tokens(
    base: BaseModel, example: Example
) -> tuple[tuple[AttentionToken, ...], tuple[AttentionToken, ...]]:
    """Return the tokens a model reads of an example, and those its decoder reads of the answer.

    In the same order and number as ExampleBatcher makes them.
    """
    tokenizer = base.tokenizer
    if base.kind == "encoder":
        parts = example.parts or (example.source,)
        located = token_spans(tokenizer, *parts)
        numbers = [0 if n is None else n + 1 for n in located.sequences]
        pair = len(parts) > 1
        return tuple(
            replace(token, part=number if pair else 0)
            for token, number in zip(_displayed_tokens(base, located, parts), numbers, strict=True)
        ), ()
    if base.kind == "encoder-decoder":
        located = token_spans(tokenizer, example.source)
        input_tokens = _mark_parts(
            _displayed_tokens(base, located, (example.source,)), located, example
        )
        end_token = AttentionToken(tokenizer.eos_token, "special")
        if located.ids[-1:] != (tokenizer.eos_token_id,):
            input_tokens = (*input_tokens, end_token)
        target = token_spans(tokenizer, example.target)
        answer_tokens = _displayed_tokens(base, target, (example.target,))
        if target.ids[-1:] == (tokenizer.eos_token_id,):
            answer_tokens = answer_tokens[:-1]  # the last token is written, never read
        return input_tokens, (AttentionToken("start", "special"), *answer_tokens)
    located = token_spans(tokenizer, example.source + JOINER, add_special_tokens=False)
    input_tokens = _mark_parts(
        _displayed_tokens(base, located, (example.source + JOINER,)), located, example
    )
    target = token_spans(tokenizer, example.target, add_special_tokens=False)
    answer_tokens = _displayed_tokens(base, target, (example.target,))
    start_tokens = (
        (AttentionToken(tokenizer.bos_token, "special"),)
        if tokenizer.bos_token_id is not None
        else ()
    )
    return (
        *start_tokens,
        *input_tokens,
        *answer_tokens,
        AttentionToken(tokenizer.eos_token, "special"),
    ), ()


def _displayed_tokens(
    base: BaseModel, located: TokenSpans, texts: Sequence[str]
) -> tuple[AttentionToken, ...]:
    """Return tokens as they were typed; a dot in front continues the word before."""
    special = set(base.tokenizer.all_special_ids)
    token_names = base.tokenizer.convert_ids_to_tokens(list(located.ids))
    tokens = []
    for number, (token_id, name, sequence) in enumerate(
        zip(located.ids, token_names, located.sequences, strict=True)
    ):
        start, stop = located.spans[number]
        if sequence is None or token_id in special:
            tokens.append(AttentionToken(name, "special"))
            continue
        source = texts[sequence]
        letters = located.names[number] or source[start:stop]
        tokens.append(AttentionToken(show_token(letters, continues_word(source, start))))
    return tuple(tokens)


def _mark_parts(
    tokens: tuple[AttentionToken, ...], located: TokenSpans, example: Example
) -> tuple[AttentionToken, ...]:
    """Mark every token with the number of the part of a pair that it lies in."""
    if len(example.parts) < 2:
        return tokens
    marked = list(tokens)
    for number in sorted(
        range(1, len(example.parts) + 1), key=lambda n: -len(example.parts[n - 1])
    ):
        part, begin = example.parts[number - 1], -1
        while (begin := example.source.find(part, begin + 1)) >= 0:
            stop = begin + len(part)
            indices = [
                i
                for i, (first, last) in enumerate(located.spans)
                if marked[i].kind == "content" and begin <= first < last <= stop
            ]
            # A short text may also be a piece of a longer one, whose tokens are marked already.
            if indices and all(not marked[i].part for i in indices):
                for i in indices:
                    marked[i] = replace(marked[i], part=number)
                break
    return tuple(marked)
