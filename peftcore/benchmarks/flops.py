"""Count the arithmetic operations of a run from the shape of its base.

For machines that are not available: divided by the rate such a machine sustains, the count is a
time. Counted are the products with the base's matrices, two operations per weight and token,
forward once and backward to the inputs as much again; methods that train the base's own weights pay
a third time for their gradients. Left out are attention over lengths (a few percent at those of
FEB), the adapter itself, and whatever a program wastes, which is why the rate has to be a sustained
one.
"""

from __future__ import annotations

from dataclasses import dataclass

from peftcore.adapters import parameter_counts
from peftcore.adapters.base import METHODS
from peftcore.methods.common.weight_deltas import ChosenWeights
from peftcore.runs.spec import RunSpec


@dataclass(frozen=True)
class TokenLengths:
    """Tokens of an example, soft ones included."""

    source: int
    target: int


def forward_flops(base: str, lengths: TokenLengths) -> float:
    """Count one forward pass over one example, by a published base's name."""
    model = parameter_counts.meta_base(base).model
    words = model.get_input_embeddings().weight
    head = model.get_output_embeddings()
    whole = sum(p.numel() for p in model.parameters())
    whole -= words.numel() * (1 if head is None or head.weight is words else 2)
    writing = 2.0 * words.numel() * lengths.target if head is not None else 0.0
    if not model.config.is_encoder_decoder:
        return 2.0 * whole * (lengths.source + lengths.target) + writing
    reading = sum(p.numel() for p in model.get_encoder().parameters()) - words.numel()
    return 2.0 * (reading * lengths.source + (whole - reading) * lengths.target) + writing


def run_flops(spec: RunSpec, lengths: TokenLengths) -> float:
    """Count a run: training, validation and answers, of all seeds and vertices."""
    once, t = forward_flops(spec.base, lengths), spec.training
    training = t.steps * t.batch * (3 if issubclass(METHODS[spec.method], ChosenWeights) else 2)
    copies = 1 + t.copies * (spec.population.vertices > 1 and t.validation == "stochastic")
    looks = (1 + t.steps // t.evaluate_every) * t.dev * copies
    answers = spec.evaluation.limit * spec.evaluation.beams
    return spec.population.seeds * once * (training + looks + answers)
