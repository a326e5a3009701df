"""Choosing the linear parts of a base that a method adds something to.

What the parts are is known to `structure`; what is added to them is the method's.
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
    """The parts of these components in these stacks, each once; BadInput if there are none.

    Components the base does not have are passed over, and a base with one stack has only that.
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
    return (
        ffn_output_slices(base)
        if component == "ffn.output"
        else (base.structure.target_slices.get(component, ()))
    )


def ffn_output_slices(base: BaseModel) -> list[TargetSlice]:
    """The last matrix of each feed-forward block: the one that writes to the residual stream."""
    return [block[-1] for block in ffn_slices_by_block(base)]


def ffn_slices_by_block(base: BaseModel) -> list[list[TargetSlice]]:
    """The matrices of each feed-forward block in the order they are applied."""
    blocks: dict[str, list[TargetSlice]] = {}
    for part in base.structure.target_slices.get("ffn", ()):
        layer = re.match(r".*\.\d+(?=\.)", part.path)
        blocks.setdefault(layer.group() if layer else "", []).append(part)
    return list(blocks.values())


def layer_key(part: TargetSlice) -> str:
    """How tensors of a part are called, after the kind: "component:path"."""
    return f"{part.component}:{part.path}"
