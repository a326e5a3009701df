"""Tokenise examples and pad them to batches, seed-major.

Encoders read the parts of an example as one text or a pair; other models read its source. Decoders
get source, a line break and the target in one row, padded on the left, so that targets end together
and generation continues from the last column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from peftcore.data.task import SEPARATOR, Example
from peftcore.errors import BadInput
from peftcore.models.base_model import BaseModel
from peftcore.models.token_spans import sequence_numbers

IGNORE_INDEX = -100  # label of a position that does not count, as everywhere in transformers
NAMED_EXAMPLES = 5  # of those that do not fit; more are counted
JOINER = "\n"  # between source and target in a decoder's text


@dataclass(frozen=True)
class Batch:
    """Rows of tokens (n, t); attention_mask is 1 on tokens, targets are IGNORE_INDEX elsewhere."""

    input_ids: Tensor  # (n, t)
    attention_mask: Tensor  # (n, t)
    token_type_ids: Tensor | None = None  # (n, t) token types, for encoders that have them
    text_numbers: Tensor | None = None  # (n, t) 1 and 2 on the texts of a pair, else 0
    targets: Tensor | None = None  # (n, t')
    class_labels: Tensor | None = None  # (n,) label numbers, for encoders
    label_lengths: Tensor | None = None  # (n,) tokens of the target that decide its label
    encoder_states: Tensor | None = None  # (n, t, d) where they are known beforehand
    # (n, t, d) or (n, t', d) that enter the first layer an adapter touches, where known
    lower_states: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Move all tensors (n, …) to a device."""
        moved = {k: v.to(device) for k, v in vars(self).items() if v is not None}
        return Batch(**moved)

    def rows(self, picked: Sequence[int]) -> Batch:
        """Return the batch of some of its rows, in this order and with the same padding."""
        fields = {k: v for k, v in vars(self).items() if v is not None}
        return Batch(**{k: v[list(picked)] for k, v in fields.items()})

    def repeated(self, times: int) -> Batch:
        """Repeat the whole batch (n, …) so many times along its rows."""
        fields = {k: v for k, v in vars(self).items() if v is not None}
        return Batch(**{k: v.repeat(times, *[1] * (v.dim() - 1)) for k, v in fields.items()})


@dataclass(frozen=True)
class TokenizedExample:
    """Token ids of one example, with what its kind of model needs beside them."""

    input_ids: list[int]
    token_type_ids: list[int] | None
    text_numbers: list[int]
    target_ids: list[int]
    label: int  # -1 without labels
    label_length: int = 0  # tokens of the target by which its label is read; all of them if bare


class ExampleBatcher:
    """Tokenises the examples of one task for one base, each only once."""

    def __init__(self, base: BaseModel, labels: Sequence[str], prompt_length: int = 0) -> None:
        """Keep `prompt_length` positions of the window free for a soft prompt."""
        self.base, self.labels, self.prompt_length = base, list(labels), prompt_length
        self._tokenized: dict[tuple[str, ...], TokenizedExample] = {}

    def tokenize(self, example: Example, check_window: bool = True) -> TokenizedExample:
        """Tokenise an example; BadInput if it does not fit into the model's window.

        Words in it that look like special tokens are plain text, as in `models.plain_text`.
        """
        key = (example.id, example.source, example.target)
        if key not in self._tokenized:
            self._tokenized[key] = self._tokenize(example)
        if check_window:
            self.check_fit([example])
        return self._tokenized[key]

    def fits(self, example: Example) -> bool:
        """Return whether an example lies within the model's window."""
        limit = self.base.structure.window
        return not limit or self.positions(example) <= limit

    def positions(self, example: Example) -> int:
        """Count the positions an example takes; two stacks have a window each."""
        row = self.tokenize(example, check_window=False)
        read, written = len(row.input_ids) + self.prompt_length, len(row.target_ids)
        return read + written if self.base.kind == "decoder" else max(read, written)

    def check_fit(self, examples: Sequence[Example]) -> None:
        """Raise one BadInput that counts all examples beyond the window and names the first."""
        beyond = [example for example in examples if not self.fits(example)]
        if not beyond:
            return
        named = "; ".join(
            f"{example.id} needs {self.positions(example)} positions"
            f"{self._position_shares(example) if number == 0 else ''}"
            for number, example in enumerate(beyond[:NAMED_EXAMPLES])
        )
        more = f"; and {len(beyond) - NAMED_EXAMPLES} more" if beyond[NAMED_EXAMPLES:] else ""
        many = f"{len(beyond)} of {len(examples)} examples do not fit: "
        raise BadInput(
            f"{many if len(beyond) > 1 else 'example '}{named}{more}, but "
            f"{self.base.name} has {self.base.structure.window}: shorten the text or the prompt"
        )

    def _position_shares(self, example: Example) -> str:
        """Say what an example's positions are used for."""
        decoder = self.base.kind == "decoder"
        length = len(self.tokenize(example, check_window=False).input_ids)
        return (
            f" ({length} of text, {self.prompt_length} of soft "
            f"prompt{', the rest to write' if decoder else ''})"
        )

    def unwritable_labels(self, written: Sequence[str] | None = None) -> tuple[str, ...]:
        """List the labels that a base which writes cannot write: its vocabulary lacks a sign.

        White space and case do not count, since tasks read answers without them. `written` are
        words in place of the labels.
        """
        if self.base.kind == "encoder":  # its head names them
            return ()
        tok = self.base.tokenizer
        squeeze = lambda text: "".join(text.lower().split())
        read = {
            label: tok.decode(
                tok(label, add_special_tokens=False)["input_ids"], skip_special_tokens=True
            )
            for label in (self.labels if written is None else written)
        }
        return tuple(label for label, text in read.items() if squeeze(text) != squeeze(label))

    def _tokenize(self, example: Example) -> TokenizedExample:
        """Tokenise an example as its kind of base reads it."""
        tok, kind = self.base.tokenizer, self.base.kind
        if kind == "encoder":
            parts = example.parts or (example.source,)
            encoding = tok(*parts)
            label = self.labels.index(example.label) if example.label in self.labels else -1
            numbers = sequence_numbers(tok, encoding, parts)
            texts = [0 if part is None else part + 1 for part in numbers]
            return TokenizedExample(
                encoding["input_ids"],
                encoding.get("token_type_ids") if self.base.structure.token_types else None,
                texts,
                [],
                label,
            )
        eos = [tok.eos_token_id]
        if kind == "encoder-decoder":
            ids = tok(example.source)["input_ids"]
            target_ids = _with_eos(tok(example.target)["input_ids"], eos)
            length = self._label_length(example.target, target_ids)
            return TokenizedExample(_with_eos(ids, eos), None, [], target_ids, -1, length)
        bos = [tok.bos_token_id] if tok.bos_token_id is not None else []
        source_ids = tok(example.source + JOINER, add_special_tokens=False)["input_ids"]
        target_ids = tok(example.target, add_special_tokens=False)["input_ids"] + eos
        length = self._label_length(example.target, target_ids)
        return TokenizedExample(bos + source_ids, None, [], target_ids, -1, length)

    def _label_length(self, target: str, target_ids: list[int]) -> int:
        """Count the tokens by which a label is read: up to and with the separator, if there is one.

        Greedy search writes exactly these where each of them is the likeliest after those before.
        """
        head, separator, _ = target.partition(SEPARATOR)
        if not separator:
            return len(target_ids)
        begin = f"{head}{separator.rstrip()}"
        ids = self.base.tokenizer(begin, add_special_tokens=False)["input_ids"]
        same = (one == other for one, other in zip(ids, target_ids, strict=False))
        return next((n for n, equal in enumerate(same) if not equal), len(ids))

    def batch(self, examples: Sequence[Example], with_targets: bool = True) -> Batch:
        """Pad the examples to one batch (n, t) on the base's device, in their order."""
        return pad_rows(self.base, [self.tokenize(example) for example in examples], with_targets)


def pad_rows(base: BaseModel, rows: Sequence[TokenizedExample], with_targets: bool = True) -> Batch:
    """Pad tokenised rows to one batch (n, t) on the base's device, in their order."""
    pad, kind = base.tokenizer.pad_token_id, base.kind
    if kind == "encoder":
        batch = Batch(
            _padded([r.input_ids for r in rows], pad),
            _padded([[1] * len(r.input_ids) for r in rows], 0),
            _padded([r.token_type_ids for r in rows if r.token_type_ids], 0)
            if rows[0].token_type_ids
            else None,
            _padded([r.text_numbers for r in rows], 0),
            class_labels=torch.tensor([r.label for r in rows]) if with_targets else None,
        )
    elif kind == "encoder-decoder":
        batch = Batch(
            _padded([r.input_ids for r in rows], pad),
            _padded([[1] * len(r.input_ids) for r in rows], 0),
            targets=_padded([r.target_ids for r in rows], IGNORE_INDEX) if with_targets else None,
        )
    else:
        full_rows = [r.input_ids + (r.target_ids if with_targets else []) for r in rows]
        longest = max(len(r.target_ids) for r in rows)
        batch = Batch(
            _padded(full_rows, pad, left=True),
            _padded([[1] * len(ids) for ids in full_rows], 0, left=True),
            targets=_padded([r.target_ids for r in rows], IGNORE_INDEX, left=True, width=longest)
            if with_targets
            else None,
        )
    if with_targets and kind != "encoder":
        lengths = torch.tensor([r.label_length for r in rows])
        batch = replace(batch, label_lengths=lengths)
    return batch.to(base.device)


def _with_eos(ids: list[int], eos: list[int]) -> list[int]:
    """Append the end-of-text token unless it is there."""
    return ids if ids[-1:] == eos else ids + eos


def _padded(
    rows: Sequence[Sequence[int]], value: int, left: bool = False, width: int = 0
) -> Tensor:
    """Pad rows of different length to one tensor (n, t)."""
    width = max(width, max(map(len, rows)))
    filled = [
        [value] * (width - len(row)) + list(row)
        if left
        else list(row) + [value] * (width - len(row))
        for row in rows
    ]
    return torch.tensor(filled)
