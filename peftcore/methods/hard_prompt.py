"""Hard prompt: an instruction that a person writes, before the input; without one, zero-shot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import Field

from peftcore.adapters.base import Adapter, register
from peftcore.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer
    from peftcore.data.task import Example


@register
class HardPrompt(Adapter):
    """No tensors: the base as it is reads an instruction and the input."""

    name, title = "hard_prompt", "Hard prompt"
    summary = "An instruction that a person writes stands before the input; nothing is trained."
    source = "arXiv:2005.14165"
    kinds = frozenset({"decoder", "encoder-decoder"})
    alternative_hint = "it writes no answer without a trained head"

    class Config(Settings):
        """Settings of a hard prompt."""

        instruction: str = Field(
            "",
            max_length=2000,
            description="Text before every input, with its own mark at the end; empty: zero-shot",
        )

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create no tensors, where other methods have (s, v, …)."""
        return {}

    def read(self, example: Example, shown: Sequence[Example]) -> Example:
        """Put the instruction before the source."""
        instruction = self.config.instruction.strip()
        return replace(example, source=f"{instruction} {example.source}".strip())
