"""LoRA: a low-rank product is added to the outputs of chosen linear modules.

Source: arXiv:2106.09685. The second factor starts at zero, so training starts at the base model.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.models import target_modules
from peftcore.models.structure import Component, Stack

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.structure import TargetSlice


@register
class LoRA(Adapter):
    """Down (s, v, i, r) and up (s, v, r, o) for each target slice."""

    name, title = "lora", "LoRA"
    summary = "A low-rank product is added to chosen matrices; attention patterns can change."
    source = "arXiv:2106.09685"
    learning_rate = 0.005
    encoder_learning_rate = 0.002

    class Config(target_modules.LayerRange):
        """Settings of LoRA."""

        ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset(
            {"rank", "alpha", "components", "stacks"}
        )

        rank: int = Field(8, ge=1, le=256, description="Rank of each product")
        alpha: float = Field(
            16.0, gt=0, le=1024, description="The product is multiplied by alpha / rank"
        )
        components: tuple[Component, ...] = Field(
            ("attention.query", "attention.value", "cross.query", "cross.value"),
            min_length=1,
            title="Modules with LoRA",
            description="Parts of the model that get a product; those the base does not have are "
            "passed over",
        )
        stacks: tuple[Stack, ...] = Field(
            ("decoder",),
            min_length=1,
            description="Stacks that get products, in a base that has both",
        )

    @cached_property
    def parts(self) -> list[TargetSlice]:
        """Target slices that get a product."""
        return target_modules.select_target_slices(
            self.base, self.config.components, self.config.stacks, self.config
        )

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create down (s, v, i, r), Gaussian, and up (s, v, r, o), zero."""
        rank, tensors = self.config.rank, {}
        for part in self.parts:
            key = target_modules.layer_key(part)
            tensors[f"down:{key}"] = initializer.normal(part.inputs, rank, std=part.inputs**-0.5)
            tensors[f"up:{key}"] = initializer.constant(rank, part.outputs, value=0.0)
        return tensors

    def target_modules(self) -> list[str]:
        """List the modules with a target slice."""
        return sorted({part.path for part in self.parts})

    def works_by_position(self) -> bool:
        """Return True: a product is computed of each position by itself."""
        return True

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        """Add (alpha / rank) up(down(x)) to the output (n, t, o) for input x (n, t, i)."""
        scale = self.config.alpha / self.config.rank
        for part in (p for p in self.parts if p.path == path):
            key = target_modules.layer_key(part)
            out = mix.add_linear_output(
                out, mix.linear_output(x, f"down:{key}"), f"up:{key}", part.columns, scale
            )
        return out
