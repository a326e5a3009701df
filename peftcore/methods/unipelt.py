"""UniPELT: a prefix, low-rank products and bottleneck adapters at once, each behind a gate.

Source: arXiv:2110.07577.  A gate is a sigmoid of a linear function of what a part reads, and
multiplies what the part adds; so training can close the parts that a task does not need.  The paper
takes the mean of a gate over all positions.  Here every position has its own, because a stack that
writes does not know its later positions yet.  For the same reason a prefix's gate reads nothing: it
is one number for each attention block, and multiplies keys and values.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.models import target_modules
from peftcore.models.structure import Stack

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.structure import AttentionBlock, TargetSlice

PRODUCTS = ("attention.query", "attention.value", "cross.query", "cross.value")


@register
class UniPELT(Adapter):
    """Keys and values (s, v, h, p, e), products of rank r and adapters of width b, with gates.

    A gate is (s, v, i, 1) with a bias (s, v, 1, 1) in front of a product or behind a block, and
    (s, v, 1, 1, 1) for a prefix. All gates are half open before training.
    """

    name, title = "unipelt", "UniPELT"
    summary = "A prefix, low-rank products and bottleneck adapters, each behind a learned gate."
    source = "arXiv:2110.07577"
    # tiny-t5, entailment with 48 examples, one seed, 80 steps: dev loss .13, .12, .14, .13 and .27
    # at 0.0025, 0.005, 0.01, 0.02 and 0.04: flat up to the last but one. Not measured on encoders.
    learning_rate = 0.01

    class Config(target_modules.LayerRange):
        """Settings of UniPELT."""

        length: int = Field(
            10,
            ge=1,
            le=200,
            title="Prefix length",
            description="Prefix positions per attention block",
            json_schema_extra={"unit": "positions"},
        )
        rank: int = Field(8, ge=1, le=256, description="Rank of each product")
        alpha: float = Field(
            16.0, gt=0, le=1024, description="The product is multiplied by alpha / rank and gate"
        )
        width: int = Field(
            8,
            ge=1,
            le=1024,
            title="Bottleneck width",
            description="Width of the adapters behind feed-forward blocks",
            json_schema_extra={"unit": "units"},
        )
        stacks: tuple[Stack, ...] = Field(
            ("encoder", "decoder"),
            min_length=1,
            description="Stacks that are changed, in a base that has both",
        )

    @cached_property
    def products(self) -> list[TargetSlice]:
        """Target slices that get a gated product."""
        return self._slices(*PRODUCTS)

    @cached_property
    def blocks(self) -> list[TargetSlice]:
        """Last matrices of the feed-forward blocks that get a gated adapter behind them."""
        return self._slices("ffn.output")

    def _slices(self, *components: str) -> list[TargetSlice]:
        return target_modules.select_target_slices(
            self.base, components, self.config.stacks, self.config
        )

    @cached_property
    def attention_blocks(self) -> list[AttentionBlock]:
        """Attention blocks that get a gated prefix."""
        stacks = [*self.config.stacks, *(["cross"] if "decoder" in self.config.stacks else [])]
        only_stack = self.base.kind != "encoder-decoder"
        return [
            block
            for block in self.base.structure.attention_blocks
            if (only_stack or block.attention_kind in stacks)
            and self.config.includes_layer(block.layer)
        ]

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create parts (s, v, …) as LoRA, bottleneck and prefix tuning do, and gates of zero."""
        rank, narrow, tensors = self.config.rank, self.config.width, {}
        for part in self.products:
            key = target_modules.layer_key(part)
            tensors[f"down:{key}"] = initializer.normal(part.inputs, rank, std=part.inputs**-0.5)
            tensors[f"up:{key}"] = initializer.constant(rank, part.outputs, value=0.0)
            tensors |= _gate(initializer, key, part.inputs)
        for part in self.blocks:
            key, wide = target_modules.layer_key(part), part.outputs
            tensors[f"down:{key}"] = initializer.normal(wide, narrow, std=wide**-0.5)
            tensors[f"down_bias:{key}"] = initializer.constant(1, narrow, value=0.0)
            tensors[f"up:{key}"] = initializer.constant(narrow, wide, value=0.0)
            tensors[f"up_bias:{key}"] = initializer.constant(1, wide, value=0.0)
            tensors |= _gate(initializer, key, wide)
        a, length = self.base.structure, self.config.length
        for block in self.attention_blocks:
            for kind, std in (("key", 1.0), ("value", 0.1)):
                values = initializer.normal(a.kv_heads, length, a.head_width, std=std)
                tensors[f"{kind}:{block.path}"] = values
            tensors[f"prefix_gate:{block.path}"] = initializer.constant(1, 1, 1, value=0.0)
        return tensors

    def target_modules(self) -> list[str]:
        """List the modules whose output gets a product or an adapter added."""
        return sorted({part.path for part in (*self.products, *self.blocks)})

    def injection_paths(self) -> list[str]:
        """List these modules and the attention blocks that get a prefix."""
        return [*self.target_modules(), *(block.path for block in self.attention_blocks)]

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        """Add the gated products of the input x (n, t, i), then the gated adapter's output."""
        scale = self.config.alpha / self.config.rank
        for part in (p for p in self.products if p.path == path):
            key = target_modules.layer_key(part)
            inner = mix.linear_output(x, f"down:{key}") * _openness(x, key, mix)
            out = mix.add_linear_output(out, inner, f"up:{key}", part.columns, scale)
        for part in (p for p in self.blocks if p.path == path):
            key = target_modules.layer_key(part)
            down_bias, up_bias = (
                mix(f"{name}:{key}", len(out)).to(out.dtype) for name in ("down_bias", "up_bias")
            )
            inner = (mix.linear_output(out, f"down:{key}") + down_bias).relu()
            gate = _openness(out, key, mix)
            out = mix.add_linear_output(out, inner * gate, f"up:{key}") + up_bias * gate
        return out

    def prefix(self, block_path: str, mix: MemberMixture, n: int) -> tuple[Tensor, Tensor] | None:
        """Return each row's gated keys and values (n, h, p, e) for this block, or None."""
        if f"key:{block_path}" not in mix:
            return None
        gate = mix(f"prefix_gate:{block_path}", n).sigmoid()
        return mix(f"key:{block_path}", n) * gate, mix(f"value:{block_path}", n) * gate


def _gate(initializer: SeededInitializer, key: str, inputs: int) -> dict[str, Tensor]:
    """Return a gate's weight (s, v, i, 1) and bias (s, v, 1, 1), both zero."""
    return {
        f"gate:{key}": initializer.constant(inputs, 1, value=0.0),
        f"gate_bias:{key}": initializer.constant(1, 1, value=0.0),
    }


def _openness(read: Tensor, key: str, mix: MemberMixture) -> Tensor:
    """Return how far a gate is open (n, t, 1), between 0 and 1, for what it reads (n, t, i)."""
    bias = mix(f"gate_bias:{key}", len(read)).to(read.dtype)
    return (mix.linear_output(read, f"gate:{key}") + bias).sigmoid()
