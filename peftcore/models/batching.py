"""Examples to tensors: tokenised, padded, seed-major.

Encoders read the parts of an example as one text or a pair; the others read its source.  Decoders
get source, a line break and the target in one row, padded on the left, so that targets end
together and generation continues from the last column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models.base_model import BaseModel

IGNORED = -100  # label of a position that does not count, as everywhere in transformers
JOINER = "\n"  # between source and target in a decoder's text


@dataclass(frozen=True)
class Batch:
    """Rows of tokens.  mask is 1 on tokens; targets carry IGNORED where nothing is asked."""

    ids: Tensor  # (n, t)
    mask: Tensor  # (n, t)
    types: Tensor | None = None  # (n, t) token types, for encoders that have them
    texts: Tensor | None = None  # (n, t) 1 and 2 on the texts of a pair, else 0, for encoders
    targets: Tensor | None = None  # (n, t')
    classes: Tensor | None = None  # (n,) label numbers, for encoders
    states: Tensor | None = None  # (n, t, d) what the encoder says, where that is known

    def to(self, device: torch.device) -> Batch:
        """The same rows on a device."""
        moved = {k: v.to(device) for k, v in vars(self).items() if v is not None}
        return Batch(**moved)

    def repeated(self, times: int) -> Batch:
        """The same rows, all of them so many times one after another."""
        held = {k: v for k, v in vars(self).items() if v is not None}
        return Batch(**{k: v.repeat(times, *[1] * (v.dim() - 1)) for k, v in held.items()})


@dataclass(frozen=True)
class Row:
    """One tokenised example."""

    ids: list[int]
    types: list[int] | None
    texts: list[int]
    target: list[int]
    label: int  # -1 without labels


class Encoder:
    """Tokenises the examples of one task for one base, each once."""

    def __init__(self, base: BaseModel, labels: Sequence[str], room: int = 0) -> None:
        """`room` positions of the window are kept free, for a soft prompt."""
        self.base, self.labels, self.room = base, list(labels), room
        self._rows: dict[tuple[str, ...], Row] = {}

    def row(self, example: Example, window: bool = True) -> Row:
        """The example's tokens; BadInput if they do not fit into the model's window."""
        key = (example.id, example.source, example.target)
        if key not in self._rows:
            self._rows[key] = self._tokenise(example)
        row = self._rows[key]
        limit = self.base.anatomy.window
        decoder = self.base.kind == "decoder"
        length = len(row.ids) + self.room + (len(row.target) if decoder else 0)
        if window and limit and length > limit:
            raise BadInput(
                f"example {example.id} needs {length} positions ({len(row.ids)} of text, "
                f"{self.room} of soft prompt{', the rest to write' if decoder else ''}), but "
                f"{self.base.name} has {limit}: shorten the text or the prompt"
            )
        return row

    def _tokenise(self, example: Example) -> Row:
        tok, kind = self.base.tokenizer, self.base.kind
        if kind == "encoder":
            parts = example.parts or (example.source,)
            seen = tok(*parts)
            label = self.labels.index(example.label) if example.label in self.labels else -1
            texts = [0 if part is None else part + 1 for part in seen.sequence_ids(0)]
            return Row(seen["input_ids"], seen.get("token_type_ids"), texts, [], label)
        end = [tok.eos_token_id]
        if kind == "encoder-decoder":
            ids = tok(example.source)["input_ids"]
            target = tok(example.target)["input_ids"]
            return Row(_ended(ids, end), None, [], _ended(target, end), -1)
        start = [tok.bos_token_id] if tok.bos_token_id is not None else []
        words = tok(example.source + JOINER, add_special_tokens=False)["input_ids"]
        target = tok(example.target, add_special_tokens=False)["input_ids"]
        return Row(start + words, None, [], target + end, -1)

    def batch(self, examples: Sequence[Example], with_targets: bool = True) -> Batch:
        """The examples as one batch on the base's device, in their order."""
        rows = [self.row(example) for example in examples]
        pad, kind = self.base.tokenizer.pad_token_id, self.base.kind
        if kind == "encoder":
            made = Batch(
                _padded([r.ids for r in rows], pad),
                _padded([[1] * len(r.ids) for r in rows], 0),
                _padded([r.types for r in rows if r.types], 0) if rows[0].types else None,
                _padded([r.texts for r in rows], 0),
                classes=torch.tensor([r.label for r in rows]) if with_targets else None,
            )
        elif kind == "encoder-decoder":
            made = Batch(
                _padded([r.ids for r in rows], pad),
                _padded([[1] * len(r.ids) for r in rows], 0),
                targets=_padded([r.target for r in rows], IGNORED) if with_targets else None,
            )
        else:
            whole = [r.ids + (r.target if with_targets else []) for r in rows]
            longest = max(len(r.target) for r in rows)
            made = Batch(
                _padded(whole, pad, left=True),
                _padded([[1] * len(ids) for ids in whole], 0, left=True),
                targets=_padded([r.target for r in rows], IGNORED, left=True, width=longest)
                if with_targets
                else None,
            )
        return made.to(self.base.device)


def _ended(ids: list[int], end: list[int]) -> list[int]:
    return ids if ids[-1:] == end else ids + end


def _padded(
    rows: Sequence[Sequence[int]], value: int, left: bool = False, width: int = 0
) -> Tensor:
    """Rows of different length as one tensor (n, t)."""
    width = max(width, max(map(len, rows)))
    filled = [
        [value] * (width - len(row)) + list(row)
        if left
        else list(row) + [value] * (width - len(row))
        for row in rows
    ]
    return torch.tensor(filled)
