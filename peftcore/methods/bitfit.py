"""BitFit: only the bias vectors of the base are trained.

Source: arXiv:2106.10199.  T5 and Llama have no biases at all, so there it means nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from peftcore.adapters.base import register
from peftcore.errors import BadInput
from peftcore.methods.common.weight_deltas import ChosenWeights
from peftcore.models.architectures import WeightChoice
from peftcore.settings import Settings

if TYPE_CHECKING:
    from peftcore.models.structure import Weight


@register
class BitFit(ChosenWeights):
    """Differences (s, v, d) of bias vectors."""

    name, title = "bitfit", "BitFit"
    summary = "Only the bias vectors of the base are trained, about a thousandth of its weights."
    source = "arXiv:2106.10199"
    learning_rate = 0.005  # dev loss on QNLI, minilm, 2 seeds: .54 .55 .69 at .001 .005 .02
    kinds = frozenset({"encoder", "decoder"})
    alternative_hint = "T5 has no bias vectors; SparseFit with components layernorm is as small"

    class Config(Settings):
        """Settings of BitFit."""

        ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset({"components"})

        components: tuple[WeightChoice, ...] = Field(
            ("all",),
            min_length=1,
            title="Components with trained biases",
            description="Kinds of weights whose biases are trained; those the base does not have "
            "are passed over",
            json_schema_extra={"advanced": True},
        )

    def choose_weights(self) -> tuple[Weight, ...]:
        """Return the biases of the chosen components; BadInput if there are none."""
        structure = self.base.structure
        if not any(weight.is_bias for weight in structure.weights):
            raise BadInput(
                f"{self.base.name} has no bias vectors, so BitFit has nothing to train there; "
                "SparseFit with components layernorm is as small and works on every base"
            )
        weights = tuple(w for w in structure.select_weights(self.config.components) if w.is_bias)
        if not weights:
            raise BadInput(
                f"{self.base.name} has no biases in its {' or '.join(self.config.components)}; "
                f"components must name one of: {', '.join(self._with_biases())}"
            )
        return weights

    def _with_biases(self) -> list[str]:
        """List the components of this base that have biases."""
        structure = self.base.structure
        return [
            c for c in structure.choices if any(w.is_bias for w in structure.select_weights([c]))
        ]
