"""Specs of runs of a few steps on the random bases of tests/training."""

from peftcore.training.planning import build_spec

SMALL = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2, "precision": "fp32"}


def small(
    base="mine", method="prefix_tuning", task="miniworld_nli", start="", vertices=1, **evaluation
):
    return build_spec(
        base, task, method, None, {"seeds": 2, "vertices": vertices}, SMALL,
        {"limit": 6, "max_new_tokens": 5} | evaluation, start,
    )  # fmt: skip
