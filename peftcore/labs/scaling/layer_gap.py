"""How far a run's soft tokens lie from words in every layer, while the base reads examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from peftcore import tasks
from peftcore.analysis.layer_similarity import LayerGap, gaps_by_layer
from peftcore.labs.common.hidden_states import EXAMPLES, read_states
from peftcore.labs.scaling.readout import require_soft_prompt
from peftcore.training.checkpoint import load_adapter

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run


@dataclass(frozen=True)
class LayerGaps:
    """The gap of every seed and layer, and over how many examples it was measured.

    gaps: seed → layer, of which 0 is what enters the stack.
    """

    seeds: tuple[int, ...]
    examples: int
    gaps: list[list[LayerGap]]

    def values(self, measure: str) -> list[list[float]]:
        """Return a measure, layer by layer and there seed by seed."""
        return [[getattr(gap, measure) for gap in layer] for layer in zip(*self.gaps, strict=True)]


def measure_layer_gaps(run: Run, base: BaseModel, examples: int = EXAMPLES) -> LayerGaps:
    """Read test examples with the run's prompt and measure soft tokens against words."""
    require_soft_prompt(run)
    rows = tasks.task_of(run.spec).load("test")[:examples]
    read = read_states(load_adapter(run, base), rows)
    [states] = [each for each in read.values() if each.soft.shape[2]]
    seeds = tuple(run.spec.population.seed_numbers())
    return LayerGaps(seeds, len(rows), gaps_by_layer(states.soft, states.words))
