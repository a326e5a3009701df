"""Select the target modules of a method: the linear outputs of a base that it adds to.

`structure` knows which there are; the method decides what is added.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from peftcore.errors import BadInput
from peftcore.models.structure import Component, Stack, TargetSlice

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

LinearComponent = Literal[Component, "ffn.output"]


def select_target_slices(
    base: BaseModel, components: Sequence[str], stacks: Sequence[Stack]
) -> list[TargetSlice]:
    """Return the slices of these components in these stacks, each once; BadInput if none.

    Components that the base lacks are passed over, and a base with one stack has only that.
    """
    has_two_stacks = base.kind == "encoder-decoder"
    slices_by_position = {
        (part.path, part.start): part
        for name in components
        for part in _slices_of(base, name)
        if part.stack in stacks or not has_two_stacks
    }
    if not slices_by_position:
        have = ", ".join(name for name, parts in base.structure.target_slices.items() if parts)
        raise BadInput(
            f"{base.name} has no {' or '.join(components)} in its {' or '.join(stacks)}; "
            f"components must name one of: {have}"
        )
    return list(slices_by_position.values())


def _slices_of(base: BaseModel, component: str) -> Sequence[TargetSlice]:
    """Return the slices of one component, which may be "ffn.output"."""
    return (
        ffn_output_slices(base)
        if component == "ffn.output"
        else (base.structure.target_slices.get(component, ()))
    )


def ffn_output_slices(base: BaseModel) -> list[TargetSlice]:
    """Return the last matrix of each feed-forward block, which writes to the residual stream."""
    return [block[-1] for block in ffn_slices_by_block(base)]


def ffn_slices_by_block(base: BaseModel) -> list[list[TargetSlice]]:
    """Return the matrices of each feed-forward block in the order they are applied."""
    blocks: dict[str, list[TargetSlice]] = {}
    for part in base.structure.target_slices.get("ffn", ()):
        layer = re.match(r".*\.\d+(?=\.)", part.path)
        blocks.setdefault(layer.group() if layer else "", []).append(part)
    return list(blocks.values())


def layer_key(part: TargetSlice) -> str:
    """Return "component:path", which names a slice's tensors after their kind."""
    return f"{part.component}:{part.path}"
