"""Attention weighted by what it carries: the length of weight times value times output matrix.

A head adds to a token, for each key, the key's value through the head's part of the output matrix,
times the attention weight; how long that vector is says more than the weight alone
(arXiv:2004.10102).  Shares of these lengths take the place of the weights, so that a row sums to
one again.  Axes: s seeds, h heads, q queries, k keys, e head width, d width.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from peftcore.errors import BadInput
from peftcore.labs.attention.capture import build_pattern, capture_records, check_seed

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.analysis.attention import AttentionPattern
    from peftcore.data.task import Example
    from peftcore.models.attention import AttentionRecord
    from peftcore.models.base_model import BaseModel


def output_modules(base: BaseModel) -> dict[str, str]:
    """Return attention block → path of the module that joins its heads; BadInput if unknown."""
    structure = base.structure
    known: dict[tuple[str, int], str] = {}
    for component in ("attention.output", "cross.output"):
        for part in structure.target_slices.get(component, ()):
            kind = "cross" if component == "cross.output" else part.stack
            if part.inputs == structure.heads * structure.head_width:
                known[kind, part.layer] = part.path
    found = {
        block.path: known.get((block.attention_kind, block.layer), "")
        for block in structure.attention_blocks
    }
    if not all(found.values()):
        raise BadInput(
            f"{base.name} joins its heads by a matrix that is not known here, so what a head adds "
            "cannot be told from the rest"
        )
    return found


def capture_value_weights(
    adapted: AdaptedModel, example: Example, seed_index: int = 0
) -> dict[str, AttentionPattern]:
    """Capture shares of what each key adds, instead of weights: place → layers and heads.

    The adapter's change of the output matrix counts.  `value_gap` of a pattern is how far the parts
    of all heads and keys, summed, are from what the block adds, relative to its largest number.
    """
    check_seed(adapted, seed_index)
    paths = output_modules(adapted.base)
    patterns = {}
    for kind, records, tokens in capture_records(adapted, example, limited=True):
        weighed, gaps = [], []
        for record in records:
            shares, gap = weigh_by_values(adapted, record, paths[record.block_path])
            weighed.append(replace(record, weights=shares))
            gaps.append(gap)
        pattern = build_pattern(kind, weighed, seed_index, tokens, with_score_inputs=False)
        patterns[kind] = replace(pattern, value_gap=max(gaps))
    return patterns


@torch.no_grad()
def weigh_by_values(
    adapted: AdaptedModel, record: AttentionRecord, path: str
) -> tuple[Tensor, float]:
    """Return the shares (s, h, q, k) of what each key adds for a query, and the sum's gap."""
    value, weights = record.value, record.weights
    seeds, heads, keys, width = value.shape
    # A row for each head and key, in which the other heads are silent.
    alone = value.new_zeros(seeds, heads, keys, heads, width)
    each = torch.arange(heads, device=value.device)
    alone[:, each, :, each] = value.transpose(0, 1)
    joined = record.output.transpose(1, 2).flatten(2)  # (s, q, h · e)
    silent = joined.new_zeros(seeds, 1, heads * width)
    rows = torch.cat([alone.view(seeds, heads * keys, heads * width), joined, silent], 1)
    with adapted.active(adapted.centroid(), seeds, None):
        out = adapted.model.get_submodule(path)(rows).float()
    out = out[:, :-1] - out[:, -1:]  # without the bias
    parts = out[:, : heads * keys].unflatten(1, (heads, keys))  # (s, h, k, d)
    whole = out[:, heads * keys :]  # (s, q, d)
    sums = torch.einsum("shqk,shkd->sqd", weights.float(), parts)
    gap = (sums - whole).abs().max() / whole.abs().max().clamp(min=1e-12)
    lengths = weights.float() * parts.norm(dim=-1)[:, :, None]
    return lengths / lengths.sum(-1, keepdim=True).clamp(min=1e-12), float(gap)
