"""(IA)³: learned scales for keys, values and the inner activations of feed-forward blocks.

Source: arXiv:2205.05638. Every scale starts at one, so training starts at the base model. The inner
activation is scaled at the output of its non-linear function; behind a gate that equals scaling the
input of the last matrix, since the gate multiplies too.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.errors import BadInput
from peftcore.models import target_modules
from peftcore.models.structure import Stack

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.structure import TargetSlice

ACTIVATION = r".*\.(act|act_fn|intermediate_act_fn|activation|activation_fn)"  # in all families
Target = Literal["keys", "values", "feed-forwards"]
TARGET_COMPONENTS = {
    "keys": ("attention.key", "cross.key"),
    "values": ("attention.value", "cross.value"),
}


@register
class IA3(Adapter):
    """Scales (s, v, 1, o) of each key and value matrix and each feed-forward block."""

    name, title = "ia3", "(IA)³"
    summary = "Keys, values and inner activations are multiplied by one learned number each."
    source = "arXiv:2205.05638"
    # tiny-t5, entailment with 48 examples, one seed, 80 steps: dev loss .75, .47 and .49 at 0.02,
    # 0.05 and 0.2.
    learning_rate = 0.05
    encoder_learning_rate = 0.03  # dev loss on QNLI, minilm, 2 seeds: .55 .55 .60 at .008 .03 .12

    class Config(target_modules.LayerRange):
        """Settings of (IA)³."""

        ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset({"targets", "stacks"})

        targets: tuple[Target, ...] = Field(
            ("keys", "values", "feed-forwards"),
            min_length=1,
            title="What is scaled",
            description="What is scaled",
        )
        stacks: tuple[Stack, ...] = Field(
            ("encoder", "decoder"),
            min_length=1,
            description="Stacks that are scaled, in a base that has both",
        )

    @cached_property
    def linears(self) -> list[TargetSlice]:
        """Key and value slices that are scaled."""
        names = [name for t in self.config.targets for name in TARGET_COMPONENTS.get(t, ())]
        return (
            target_modules.select_target_slices(self.base, names, self.config.stacks, self.config)
            if names
            else []
        )

    @cached_property
    def activations(self) -> dict[str, int]:
        """Path of each non-linear function that is scaled → its width."""
        if "feed-forwards" not in self.config.targets:
            return {}
        # The last matrix reads what is scaled; the first may compute the gate as well.
        blocks = target_modules.ffn_slices_by_block(self.base)
        inner = {b[0].path: b[-1] for b in blocks if self.config.includes_layer(b[0].layer)}
        both, widths = self.base.kind == "encoder-decoder", {}
        for path, _ in self.base.model.named_modules():
            if not re.fullmatch(ACTIVATION, path):
                continue
            parent = path.rpartition(".")[0]
            for matrix, part in inner.items():
                if matrix.startswith(f"{parent}.") and (
                    part.stack in self.config.stacks or not both
                ):
                    widths[path] = part.inputs
        if not widths:
            raise BadInput(
                f"{self.base.name} has no feed-forward whose inner activation could be scaled"
                f"{self.config.layers_in_words()}; targets must name one of: keys, values"
            )
        return widths

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create scales (s, v, 1, o) of one."""
        widths = {target_modules.layer_key(part): part.outputs for part in self.linears}
        widths |= {f"ffn.activation:{path}": width for path, width in self.activations.items()}
        return {
            f"scale:{key}": initializer.constant(1, width, value=1.0)
            for key, width in widths.items()
        }

    def target_modules(self) -> list[str]:
        """List the modules whose outputs are scaled."""
        return sorted({part.path for part in self.linears} | self.activations.keys())

    def transform_output(self, path: str, x: Tensor, out: Tensor, mix: MemberMixture) -> Tensor:
        """Scale the output (n, t, o) of a feed-forward activation, key or value module."""
        inner = f"scale:ffn.activation:{path}"
        if inner in mix:
            return out * mix(inner, len(out)).to(out.dtype)
        for part in (p for p in self.linears if p.path == path):
            scale = mix(f"scale:{target_modules.layer_key(part)}", len(out)).to(out.dtype)
            change = part.columns.take(out) * (scale - 1)
            out = out + mix.pad_columns(change, part.columns, out.shape[-1])
        return out
