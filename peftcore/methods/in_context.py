"""In-context examples: some of the seed's training examples, with answers, before the input.

Source: arXiv:2005.14165.  Nothing is trained; the k first examples of the seed's draw are shown.
"""

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

# Between an input and its answer, and between two examples. Decoders are trained with line breaks;
# tokenizers of encoder-decoders often drop them, so that there visible marks stand.
MARKS = {"decoder": ("\n", "\n\n"), "encoder-decoder": (" = ", " ; ")}


@register
class InContext(Adapter):
    """No tensors: the base as it is reads examples with their answers, then the input."""

    name, title = "in_context", "In-context examples"
    summary = "Training examples with their answers stand before the input; nothing is trained."
    source = "arXiv:2005.14165"
    kinds = frozenset({"decoder", "encoder-decoder"})
    alternative_hint = "it writes no answer without a trained head"

    class Config(Settings):
        """Settings of in-context examples."""

        examples: int = Field(
            4,
            ge=0,
            le=64,
            description="Examples of the seed's own training draw that are shown; as many as fit "
            "into the base's window",
        )
        instruction: str = Field(
            "",
            max_length=2000,
            description="Text before the examples, with its own mark at the end",
            json_schema_extra={"advanced": True},
        )

    @classmethod
    def examples_shown(cls, config: Settings) -> int:
        """Return how many examples these settings ask for."""
        return int(getattr(config, "examples", 0))

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Create no tensors, where other methods have (s, v, …)."""
        return {}

    def read(self, example: Example, shown: Sequence[Example]) -> Example:
        """Put the examples with their answers before the source."""
        answer_mark, end_mark = MARKS[self.base.kind]
        texts = [f"{each.source}{answer_mark}{each.target}" for each in shown]
        # A decoder gets the mark before its answer from the batcher.
        ask = f"{answer_mark.rstrip()}" if shown and self.base.kind != "decoder" else ""
        lead = [self.config.instruction.strip()] if self.config.instruction.strip() else []
        source = f"{end_mark.join([*texts, example.source])}{ask}"
        return replace(example, source=" ".join([*lead, source]))
