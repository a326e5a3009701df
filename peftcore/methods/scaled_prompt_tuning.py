"""Scaled prompt tuning: soft tokens, each multiplied by its own learned scale.

Source: arXiv:2309.06759; no code was published, so the equations are a reconstruction from its
abstract.  With every scale at one this is prompt tuning, and the scales fold into the prompt: what
they change is the optimisation, not what can be expressed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from peftcore.methods.base import Adapter, register
from peftcore.methods.prompt_tuning import PromptSettings, embedding_scale, initial_prompt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from peftcore.adapter import Mix
    from peftcore.draws import Draw


@register
class ScaledPromptTuning(Adapter):
    """Soft tokens (s, v, p, d) and scales (s, v, p, 1)."""

    name, title = "spt", "Scaled prompt tuning"
    summary = "Prompt tuning in which each soft token has a learned scale of its own."
    source = "arXiv:2309.06759"
    learning_rate = 1.0
    encoder_rate = 0.3

    class Config(PromptSettings):
        """Settings of scaled prompt tuning."""

        scale_rate: float = Field(
            0.3,
            gt=0,
            le=100,
            description="Learning rate of the scales, as a factor on the run's",
        )

    def create(self, draw: Draw) -> dict[str, Tensor]:
        return {
            "tokens": initial_prompt(self, self.config, draw),
            "scale": draw.constant(self.config.length, 1, value=1.0),
        }

    def rates(self) -> Mapping[str, float]:
        return {"tokens": embedding_scale(self), "scale": self.config.scale_rate}

    def effective(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return {"tokens": tensors["tokens"] * tensors["scale"]}

    def soft_tokens(self, mix: Mix, n: int) -> Tensor:
        return mix("tokens", n)
