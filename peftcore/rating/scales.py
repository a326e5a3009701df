"""Verdicts on an explanation, and the numbers they count for.

The four-point scale and its numbers are FEB's (arXiv:2111.08284, after e-ViL, arXiv:2105.03761);
the list of shortcomings is our reconstruction of the one SparseFit names parts of
(arXiv:2305.13235).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from peftcore.errors import BadInput, unknown_name
from peftcore.settings import Settings

Mode = Literal["single", "pairwise", "likert"]

VERDICTS: dict[str, float] = {"yes": 1.0, "weak yes": 2 / 3, "weak no": 1 / 3, "no": 0.0}
SIDES = ("left", "tie", "right")  # as the rater saw them; which text was where is recorded
DIMENSIONS: dict[str, str] = {
    "justifies": "It justifies the answer",
    "makes_sense": "It makes sense by itself",
    "new_information": "It says something the question does not",
    "fluent": "It reads well",
}
STEPS = (1, 2, 3, 4, 5)  # of every dimension, from "not at all" to "fully"
SHORTCOMINGS: dict[str, str] = {
    "lacking": "No explanation, or only the label",
    "nonsensical": "Nonsensical",
    "incomplete": "Incomplete or insufficient",
    "inaccurate": "Inaccurate, or contradicts the input",
    "hallucinated": "Made-up facts",
    "repeats_input": "Repeats the input",
    "trivial": "Too trivial",
}
QUESTIONS: dict[str, str] = {
    "single": "Does the explanation justify the answer?",
    "pairwise": "Which explanation justifies its answer better?",
    "likert": "How far do you agree?",
}


class Judgement(Settings):
    """One rater's judgement of one item; the mode says which of the first two fields counts."""

    verdict: str = Field("", max_length=20, description="A verdict, or the better side")
    scales: dict[str, int] = Field({}, description="Dimension → 1 to 5")
    shortcomings: tuple[str, ...] = Field((), description="Names of SHORTCOMINGS; empty: none")
    comment: str = Field("", max_length=2000, description="Anything else")


def verdict_choices(mode: Mode) -> tuple[str, ...]:
    """List a mode's verdicts in the order of their number keys; Likert has dimensions instead."""
    return {"single": tuple(VERDICTS), "pairwise": SIDES, "likert": ()}[mode]


def check_judgement(judgement: Judgement, mode: Mode) -> None:
    """Raise BadInput unless the judgement is complete and fits this mode."""
    for name in judgement.shortcomings:
        if name not in SHORTCOMINGS:
            raise unknown_name("shortcoming", name, SHORTCOMINGS)
    if mode != "likert":
        if judgement.verdict not in verdict_choices(mode):
            raise unknown_name("verdict", judgement.verdict, verdict_choices(mode))
        return
    missing = [name for name in DIMENSIONS if name not in judgement.scales]
    if missing:
        raise BadInput(f"every dimension needs a step from 1 to 5; missing: {', '.join(missing)}")
    for name, step in judgement.scales.items():
        if name not in DIMENSIONS:
            raise unknown_name("dimension", name, DIMENSIONS)
        if step not in STEPS:
            raise BadInput(f"{name} must lie in [1, 5]; got {step}")


def judgement_score(judgement: Mapping[str, Any], mode: Mode) -> float | None:
    """Return a stored judgement's score in [0, 1]; None for pairs, which have none."""
    if mode == "single":
        return VERDICTS[judgement["verdict"]]
    if mode == "likert":
        steps = list(judgement["scales"].values())
        return step_score(sum(steps) / len(steps))
    return None


def step_score(step: Any) -> Any:
    """Rescale a step, or a column of steps, from 1 to 5 to 0 to 1."""
    return (step - STEPS[0]) / (STEPS[-1] - STEPS[0])


def steps_in_words(steps: Mapping[str, Any]) -> str:
    """Return each dimension's step, as "justifies 4, makes sense 2, …"."""
    return ", ".join(f"{name.replace('_', ' ')} {steps[name]:.0f}" for name in DIMENSIONS)


def judgement_word(judgement: Mapping[str, Any], mode: Mode) -> str:
    """Return a judgement in a word: the verdict, or the mean step."""
    if mode == "likert":
        steps = list(judgement["scales"].values())
        return f"{sum(steps) / len(steps):.1f}"
    return str(judgement["verdict"])
