"""Prompt tuning: learned embeddings before the input.

Source: arXiv:2104.08691.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.adapters.mixing import MemberMixture


class PromptSettings(Settings):
    """Settings shared by all methods with a soft prompt."""

    ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset({"length", "start"})

    length: int = Field(
        20,
        ge=1,
        le=200,
        title="Prompt length",
        description="Soft tokens in front of the input",
        json_schema_extra={"unit": "tokens"},
    )
    start: Literal["vocabulary", "text", "random"] = Field(
        "vocabulary",
        title="Initial values",
        description="Start from embeddings of random words, of a text, or from small noise",
    )
    text: str = Field(
        "",
        max_length=2000,
        title="Text to start from",
        description="Text to start from, repeated or cut to the length; every member starts there",
        json_schema_extra={"advanced": True},
    )


def initial_prompt(
    adapter: Adapter, config: PromptSettings, initializer: SeededInitializer
) -> Tensor:
    """Return soft tokens (s, v, p, d) at their initial values."""
    table = adapter.base.embeddings
    if config.start == "text" and initializer.device != "meta":
        from peftcore.methods.common import init_from_text

        return initializer.repeat_values(
            init_from_text.text_embeddings(adapter.base, config.text, config.length)
        )
    if config.start != "random":
        return initializer.sample_rows(table, config.length)
    return initializer.normal(config.length, table.shape[1], std=embedding_scale(adapter))


def embedding_scale(adapter: Adapter) -> float:
    """Return the standard deviation of the base's embeddings, the unit of the learning rate.

    T5's embeddings have a spread near one, BERT's near a twentieth; one rate cannot suit both.
    """
    table = adapter.base.embeddings
    return 1.0 if table.is_meta else float(table.std())  # shapes alone have no spread


@register
class PromptTuning(Adapter):
    """Soft tokens (s, v, p, d)."""

    name, title = "prompt_tuning", "Prompt tuning"
    summary = "Learned embeddings are put in front of the input; nothing inside the model changes."
    source = "arXiv:2104.08691"
    learning_rate = 1.0
    encoder_learning_rate = 0.3

    class Config(PromptSettings):
        """Settings of prompt tuning."""

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create soft tokens (s, v, p, d)."""
        return {"tokens": initial_prompt(self, self.config, initializer)}

    def learning_rate_factors(self) -> Mapping[str, float]:
        """Scale the learning rate to the spread of the base's embeddings."""
        return {"tokens": embedding_scale(self)}

    def soft_tokens(self, mix: MemberMixture, n: int) -> Tensor:
        """Return each row's soft tokens (n, p, d)."""
        return mix("tokens", n)
