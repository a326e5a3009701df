"""Prefix tuning: learned keys and values before the content of chosen attention blocks.

Source: arXiv:2101.00190. Keys and values are trained directly, or produced by a small perceptron
that all members of a seed share and that is dropped after training (a perceptron per vertex would
be larger than a BERT).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.errors import BadInput
from peftcore.models.architectures import AttentionKind
from peftcore.models.target_modules import LayerRange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture
    from peftcore.models.structure import AttentionBlock


@register
class PrefixTuning(Adapter):
    """Keys and values (s, v, h, p, e) per block, or an embedding (s, v, p, d) and a perceptron."""

    name, title = "prefix_tuning", "Prefix tuning"
    summary = "Learned keys and values that every attention block can look at beside the content."
    source = "arXiv:2101.00190"
    learning_rate = 0.05
    encoder_learning_rate = 0.01

    class Config(LayerRange):
        """Settings of prefix tuning."""

        ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset({"length", "places", "perceptron"})

        length: int = Field(
            10,
            ge=1,
            le=200,
            title="Prefix length",
            description="Prefix positions per attention block",
            json_schema_extra={"unit": "positions"},
        )
        places: tuple[AttentionKind, ...] = Field(
            ("encoder", "decoder", "cross"),
            min_length=1,
            title="Attention with a prefix",
            description="Attention that gets a prefix: encoder, decoder, or the decoder's look at "
            "the input (cross); those the base does not have are passed over",
        )
        start: Literal["random", "text"] = Field(
            "random",
            title="Initial values",
            description="Start from small noise, or from the keys and values the base itself "
            "computes for a text",
        )
        text: str = Field(
            "",
            max_length=20_000,
            title="Text to start from",
            description="Text to start from, at least as many tokens as the prefix has positions; "
            "every member starts there",
            json_schema_extra={"advanced": True},
        )
        perceptron: int = Field(
            0,
            ge=0,
            le=4096,
            title="Reparameterisation width",
            description="Width of the perceptron that produces the prefix while "
            "training; 0 trains keys and values directly",
            json_schema_extra={"unit": "units", "advanced": True},
        )

    def attention_blocks(self) -> list[AttentionBlock]:
        """Return the attention blocks that get a prefix; BadInput if there are none."""
        blocks = [
            s
            for s in self.base.structure.attention_blocks
            if s.attention_kind in self.config.places and self.config.includes_layer(s.layer)
        ]
        if not blocks:
            have = ", ".join(
                sorted({s.attention_kind for s in self.base.structure.attention_blocks})
            )
            raise BadInput(
                f"{self.base.name} has no {' or '.join(self.config.places)} attention"
                f"{self.config.layers_in_words()}; places must name one of: {have}"
            )
        return blocks

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create keys and values (s, v, h, p, e), or embedding (s, v, p, d) and perceptron."""
        a, p, hidden = self.base.structure, self.config.length, self.config.perceptron
        paths = [s.path for s in self.attention_blocks()]
        if self.config.start == "text":
            return self._prefix_from_text(initializer, paths)
        if not hidden:
            return self._random_prefix(initializer, paths)
        out = 2 * len(paths) * a.kv_heads * a.head_width
        return {
            "embedding": initializer.normal(p, a.width, std=1.0),
            "down": initializer.shared.normal(a.width, hidden, std=a.width**-0.5),
            "down_bias": initializer.shared.constant(1, hidden, value=0.0),
            "up": initializer.shared.normal(hidden, out, std=0.1 * hidden**-0.5),
            "up_bias": initializer.shared.constant(1, out, value=0.0),
        }

    def _random_prefix(self, initializer: SeededInitializer, paths: list[str]) -> dict[str, Tensor]:
        """Return keys and values (s, v, h, p, e) of small noise.

        At the start a prefix takes a share of attention but adds little to the output.
        """
        a, p = self.base.structure, self.config.length
        return {
            f"{kind}:{path}": initializer.normal(a.kv_heads, p, a.head_width, std=std)
            for path in paths
            for kind, std in (("key", 1.0), ("value", 0.1))
        }

    def _prefix_from_text(
        self, initializer: SeededInitializer, paths: list[str]
    ) -> dict[str, Tensor]:
        """Return the keys and values (s, v, h, p, e) that the base computes for the text."""
        from peftcore.methods.common import init_from_text

        if self.config.perceptron:
            raise BadInput("start 'text' gives keys and values themselves: set perceptron to 0")
        if initializer.device == "meta":
            return self._random_prefix(initializer, paths)
        states = init_from_text.text_keys_and_values(
            self.base, self.config.text, self.config.length, paths
        )
        return {
            f"{kind}:{path}": initializer.repeat_values(states[path][index])
            for path in paths
            for index, kind in enumerate(("key", "value"))
        }

    def injection_paths(self) -> list[str]:
        """List the paths of the attention blocks that get a prefix."""
        return [block.path for block in self.attention_blocks()]

    def effective_tensors(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return keys and values (s, v, h, p, e), from the perceptron if there is one."""
        if not self.config.perceptron:
            return tensors
        a, p = self.base.structure, self.config.length
        hidden = (tensors["embedding"] @ tensors["down"] + tensors["down_bias"]).tanh()
        flat = hidden @ tensors["up"] + tensors["up_bias"]  # (s, v, p, 2 · blocks · h · e)
        s, v = flat.shape[:2]
        paths = [block.path for block in self.attention_blocks()]
        table = flat.view(s, v, p, 2 * len(paths), a.kv_heads, a.head_width).movedim(3, 0)
        names = [f"{kind}:{path}" for path in paths for kind in ("key", "value")]
        return {name: t.transpose(2, 3) for name, t in zip(names, table, strict=True)}

    def prefix(self, block_path: str, mix: MemberMixture, n: int) -> tuple[Tensor, Tensor] | None:
        """Return each row's keys and values (n, h, p, e) for this block, or None."""
        if f"key:{block_path}" not in mix:
            return None
        return mix(f"key:{block_path}", n), mix(f"value:{block_path}", n)
