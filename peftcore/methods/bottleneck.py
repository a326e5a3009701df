"""Bottleneck adapters: a narrow two-layer network after blocks of the frozen model.

Source: arXiv:1902.00751, which puts one behind attention and one behind the feed-forward of every
layer; behind the feed-forward alone is the placement of arXiv:2005.00247.  What a block wrote to
the residual stream gets `up(f(down(·)))` added.  Up starts at zero: training starts at the base.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.models import target_modules
from peftcore.models.structure import Stack

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.structure import TargetSlice

COMPONENTS = {
    "attention": "attention.output",
    "cross-attention": "cross.output",
    "feed-forward": "ffn.output",
}


@register
class Bottleneck(Adapter):
    """Down (s, v, d, b), up (s, v, b, d) and their biases (s, v, 1, ·) for each block."""

    name, title = "bottleneck", "Bottleneck adapter"
    summary = "A narrow two-layer network behind attention and feed-forward blocks."
    source = "arXiv:1902.00751"
    # tiny-t5, entailment with 48 examples, one seed, 80 steps: dev loss .34, .19 and .10 at 0.002,
    # 0.005 and 0.02.
    learning_rate = 0.02
    encoder_learning_rate = 0.005  # dev loss on QNLI, minilm, 2 seeds: .56 .58 .65 at .001 .005 .02

    class Config(target_modules.LayerRange):
        """Settings of bottleneck adapters."""

        ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset(
            {"width", "behind", "activation", "stacks"}
        )

        width: int = Field(
            8,
            ge=1,
            le=1024,
            title="Bottleneck width",
            description="Width of the bottleneck",
            json_schema_extra={"unit": "units"},
        )
        behind: tuple[Literal["attention", "cross-attention", "feed-forward"], ...] = Field(
            ("attention", "feed-forward"),
            min_length=1,
            title="Adapters behind",
            description="Blocks that get an adapter behind them",
        )
        activation: Literal["relu", "swish", "tanh"] = Field(
            "relu", description="Non-linear function in the bottleneck"
        )
        stacks: tuple[Stack, ...] = Field(
            ("encoder", "decoder"),
            min_length=1,
            description="Stacks that get adapters, in a base that has both",
        )

    @cached_property
    def matrices(self) -> list[TargetSlice]:
        """Target slices after which an adapter is placed."""
        names = [COMPONENTS[block] for block in self.config.behind]
        return target_modules.select_target_slices(
            self.base, names, self.config.stacks, self.config
        )

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create down (s, v, d, b), up (s, v, b, d) and their biases (s, v, 1, ·); up is zero."""
        tensors, narrow = {}, self.config.width
        for part in self.matrices:
            key, wide = target_modules.layer_key(part), part.stop - part.start
            tensors[f"down:{key}"] = initializer.normal(wide, narrow, std=wide**-0.5)
            tensors[f"down_bias:{key}"] = initializer.constant(1, narrow, value=0.0)
            tensors[f"up:{key}"] = initializer.constant(narrow, wide, value=0.0)
            tensors[f"up_bias:{key}"] = initializer.constant(1, wide, value=0.0)
        return tensors

    def target_modules(self) -> list[str]:
        """List the modules after which an adapter is placed."""
        return [part.path for part in self.matrices]

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        """Add up(f(down(out))) to the block's output (n, t, d)."""
        (part,) = (p for p in self.matrices if p.path == path)
        key = target_modules.layer_key(part)
        inner = mix.linear_output(out, f"down:{key}") + mix(f"down_bias:{key}", len(out)).to(
            out.dtype
        )
        out = mix.add_linear_output(out, self._activate(inner), f"up:{key}")
        return out + mix(f"up_bias:{key}", len(out)).to(out.dtype)

    def _activate(self, inner: Tensor) -> Tensor:
        """Apply the chosen activation to the inner values (n, t, b)."""
        if self.config.activation == "swish":
            return inner * inner.sigmoid()
        return inner.tanh() if self.config.activation == "tanh" else inner.relu()
