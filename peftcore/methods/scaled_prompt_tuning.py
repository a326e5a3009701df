"""Scaled prompt tuning: soft tokens, each multiplied by a learned scale of its own.

Source: arXiv:2309.06759; no code was published, so the equations are a reconstruction from its
abstract.  With every scale at one this is prompt tuning, and the scales fold into the prompt: what
they change is the optimisation, not what can be expressed.  The settings hold the ablations: which
of the two is trained, what shares a scale, a shift beside each scale (an affine map of the tokens),
and scales behind a layer norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.methods.prompt_tuning import PromptSettings, embedding_scale, initial_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture


@register
class ScaledPromptTuning(Adapter):
    """Soft tokens (s, v, p, d) and scales (s, v, p, 1), (s, v, 1, 1) or (s, v, 1, d).

    Shifts have the shape of the scales.
    """

    name, title = "spt", "Scaled prompt tuning"
    summary = "Prompt tuning in which each soft token has a learned scale of its own."
    source = "arXiv:2309.06759"
    learning_rate = 1.0
    encoder_learning_rate = 0.3

    class Config(PromptSettings):
        """Settings of scaled prompt tuning."""

        ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset({"length", "start", "scale_rate"})

        scale_rate: float = Field(
            0.3,
            gt=0,
            le=100,
            title="Learning rate of the scales (factor)",
            description="Learning rate of the scales, as a factor on the run's",
        )
        train: Literal["both", "scale", "prompt"] = Field(
            "both",
            title="What is trained",
            description="Train tokens and scales, the scales alone, or the prompt alone, which is "
            "prompt tuning",
            json_schema_extra={"advanced": True},
        )
        share: Literal["token", "one", "feature"] = Field(
            "token",
            title="A scale for each",
            description="A scale for each soft token, one for all, or one for each feature",
            json_schema_extra={"advanced": True},
        )
        shift: bool = Field(
            False,
            description="Learn a shift beside each scale, from zero: an affine map of the tokens",
            json_schema_extra={"advanced": True},
        )
        normalised: bool = Field(
            False,
            title="Layer norm before the scales",
            description="Scale behind a layer norm: tokens give directions, scales the lengths",
            json_schema_extra={"advanced": True},
        )

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create soft tokens (s, v, p, d), scales of one, e.g. (s, v, p, 1), and shifts of zero."""
        length, width = self.config.length, self.base.embeddings.shape[1]
        shape = {"token": (length, 1), "one": (1, 1), "feature": (1, width)}[self.config.share]
        shifts = {"shift": initializer.constant(*shape, value=0.0)} if self.config.shift else {}
        return {
            "tokens": initial_prompt(self, self.config, initializer),
            "scale": initializer.constant(*shape, value=1.0),
            **shifts,
        }

    def learning_rate_factors(self) -> Mapping[str, float]:
        """Return the factors of tokens, scales and shifts on the learning rate."""
        rate = self.config.scale_rate
        return {"tokens": embedding_scale(self), "scale": rate, "shift": rate}

    def untrained_names(self) -> frozenset[str]:
        """Return the tensors that this ablation leaves at their initial values."""
        kept = {"both": (), "scale": ("tokens",), "prompt": ("scale", "shift")}
        return frozenset(kept[self.config.train])

    def effective_tensors(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the scaled and shifted soft tokens (s, v, p, d), normalised before if so set."""
        tokens = tensors["tokens"]
        if self.config.normalised:
            # To the spread of the base's embeddings, so that a scale of one means a usual token.
            centred = tokens - tokens.mean(-1, keepdim=True)
            spread = (centred.square().mean(-1, keepdim=True) + 1e-12).sqrt()
            tokens = centred / spread * embedding_scale(self)
        tokens = tokens * tensors["scale"]
        if self.config.shift:  # in units of the base's embeddings, like the scale
            tokens = tokens + tensors["shift"] * embedding_scale(self)
        return {"tokens": tokens}

    def soft_tokens(self, mix: MemberMixture, n: int) -> Tensor:
        """Return each row's scaled soft tokens (n, p, d)."""
        return mix("tokens", n)
