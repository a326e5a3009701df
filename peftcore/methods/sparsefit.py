"""SparseFit: some of the base's own weights are trained, chosen by component.

Source: arXiv:2305.13235. No module is added and no mask is learned: "sparse" means that whole kinds
of weights are chosen by name. Its best mix for text with explanations is layer norms and the query
matrices of self-attention.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from peftcore.adapters import component_map
from peftcore.adapters.base import register
from peftcore.errors import BadInput
from peftcore.methods.common.weight_deltas import ChosenWeights
from peftcore.models.architectures import WeightChoice
from peftcore.models.structure import Stack
from peftcore.settings import Settings

if TYPE_CHECKING:
    from peftcore.models.structure import Weight


@register
class SparseFit(ChosenWeights):
    """Differences (s, v, …) of the weights of the chosen components."""

    name, title = "sparsefit", "SparseFit"
    summary = "Chosen kinds of the base's own weights are trained; nothing is added to it."
    source = "arXiv:2305.13235"
    learning_rate = 0.002  # dev loss on tiny-t5, 80 steps: .85 .64 .64 .75 at .001 .002 .005 .01

    class Config(Settings):
        """Settings of SparseFit."""

        ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset(
            {"components", "stacks", "first_layer", "last_layer"}
        )

        components: tuple[WeightChoice, ...] = Field(
            ("layernorm", "attention.query"),
            min_length=1,
            title="Trained components",
            description="Kinds of weights that are trained; those the base does not have are "
            "passed over",
        )
        stacks: tuple[Stack, ...] = Field(
            ("encoder", "decoder"),
            min_length=1,
            description="Stacks whose weights are trained, in a base that has both",
        )
        first_layer: int = Field(
            0,
            ge=0,
            le=1000,
            description="Lowest layer whose weights are trained, counted from 0",
            json_schema_extra={"advanced": True},
        )
        last_layer: int | None = Field(
            None,
            ge=0,
            le=1000,
            description="Highest layer whose weights are trained; empty: up to the last",
            json_schema_extra={"advanced": True},
        )

        cells: tuple[str, ...] = Field(
            (),
            max_length=10_000,
            description="Single cells, as encoder.0.attention.query or head, trained instead of "
            "all that is said above; the Components page writes them",
            json_schema_extra={"advanced": True},
        )

        @field_validator("cells")
        @classmethod
        def _well_formed(cls, cells: tuple[str, ...]) -> tuple[str, ...]:
            """Sort the cells' names; ValueError if one is not stack.layer.component."""
            for name in cells:
                if not component_map.CELL_NAME.fullmatch(name):
                    raise ValueError(
                        f"a cell is called stack.layer.component, as encoder.0.attention.query, "
                        f"or head, or embeddings; not {name[:60]!r}"
                    )
            return tuple(sorted(set(cells)))

    def choose_weights(self) -> tuple[Weight, ...]:
        """Return the weights of the chosen cells or components; BadInput if there are none."""
        structure, config = self.base.structure, self.config
        if config.cells:
            return component_map.weights_of_cells(structure.weights, config.cells, self.base.name)
        weights = structure.select_weights(
            config.components, config.stacks, config.first_layer, config.last_layer
        )
        if not weights:
            top = structure.layers - 1
            last = top if config.last_layer is None else config.last_layer
            raise BadInput(
                f"{self.base.name} has no {' or '.join(config.components)} in layers "
                f"{config.first_layer} to {last} of its {' or '.join(config.stacks)}; "
                f"it has layers 0 to {top} and components {', '.join(structure.choices)}"
            )
        return weights
