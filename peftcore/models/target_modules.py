"""Select the target modules of a method: the linear outputs of a base that it adds to.

`structure` knows which there are; the method decides what is added.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from peftcore.errors import BadInput
from peftcore.models.structure import Component, Stack, TargetSlice
from peftcore.settings import Settings

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

LinearComponent = Literal[Component, "ffn.output"]


class LayerRange(Settings):
    """The settings of a method that say which layers it enters."""

    first_layer: int = Field(
        0,
        ge=0,
        le=1000,
        description="Lowest layer that is changed, counted from 0; what lies below it is computed "
        "once for each example",
        json_schema_extra={"advanced": True},
    )
    last_layer: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Highest layer that is changed; empty: up to the last",
        json_schema_extra={"advanced": True},
    )

    def includes_layer(self, layer: int) -> bool:
        """Return whether a layer, counted from 0, lies in the range."""
        return self.first_layer <= layer and (self.last_layer is None or layer <= self.last_layer)

    def layers_in_words(self) -> str:
        """Return the range as the end of a sentence, nothing where all layers are in it."""
        if self.last_layer is not None:
            return f" in layers {self.first_layer} to {self.last_layer}"
        return f" from layer {self.first_layer} on" if self.first_layer else ""


ALL_LAYERS = LayerRange()


def select_target_slices(
    base: BaseModel,
    components: Sequence[str],
    stacks: Sequence[Stack],
    layers: LayerRange = ALL_LAYERS,
) -> list[TargetSlice]:
    """Return the slices of these components, stacks and layers, each once; BadInput if none.

    Components that the base lacks are passed over, and a base with one stack has only that.
    """
    has_two_stacks = base.kind == "encoder-decoder"
    slices_by_position = {
        (part.path, part.start): part
        for name in components
        for part in _slices_of(base, name)
        if (part.stack in stacks or not has_two_stacks) and layers.includes_layer(part.layer)
    }
    if not slices_by_position:
        have = ", ".join(name for name, parts in base.structure.target_slices.items() if parts)
        raise BadInput(
            f"{base.name} has no {' or '.join(components)} in its {' or '.join(stacks)}"
            f"{layers.layers_in_words()}; it has {base.structure.layers} layers; "
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
