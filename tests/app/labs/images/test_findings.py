"""Sentences about pictures follow the pictures and the scores, and say when nothing can judge."""

import pandas as pd

from app.labs.images import findings
from peftcore.labs.images.queries import GeneratedImages


def drawn(share, *pictures):
    return GeneratedImages("draw a three", tuple((each,) for each in pictures), (), share)


def scores(**means):
    """A table of shares that match; LoRA has intervals, pruned rows are none of its ends."""
    rows = [
        {"name": name, "metric": "alignment", "kept": "all", "mean": mean, "low": mean - 0.1,
         "high": mean + 0.1} for name, mean in means.items()
    ]  # fmt: skip
    return pd.DataFrame([*rows, rows[0] | {"kept": "8", "mean": 0.99}])


def test_methods_are_named_at_both_ends_with_their_intervals():
    table = scores(LoRA=0.8, Atoms=0.5, Prefix=0.6)
    sentence = findings.methods_finding(table, 0.02)
    assert (
        sentence
        == "New prompts are matched in 50 % of drawings by Atoms and in 80 % by LoRA; "
        + ("the base alone in 2 %.")
    )
    assert findings.methods_guard(table).startswith("Atoms 40 % to 60 % · LoRA 70 % to 90 %")
    assert "base" not in findings.methods_finding(table, None)
    one = findings.methods_finding(scores(LoRA=0.8), None)
    assert one == "LoRA matches new prompts in 80 % of drawings."


def test_fewer_atoms_are_judged_or_counted():
    images = {0: drawn(0.0, 1, 2), 4: drawn(0.5, 1, 3), 8: drawn(1.0, 3, 3)}
    assert findings.fewer_finding(images, 4) == (
        "With 4 of 8 atoms 50 % of these pictures match the prompt; with all 100 %, with none 0 %."
    )
    unjudged = {count: drawn(None, *sum(each.pictures, ())) for count, each in images.items()}
    assert "1 of 2 pictures differ from the base's" in findings.fewer_finding(unjudged, 4)


def test_the_layer_that_brings_most_and_the_one_missed_most():
    shares = {
        "no atoms": 0.0, "layer 1 alone": 0.2, "layer 2 alone": 0.6,
        "without layer 1": 0.8, "without layer 2": 0.1, "all atoms": 1.0,
    }  # fmt: skip
    sentence = findings.layers_finding({name: drawn(share, 1) for name, share in shares.items()})
    assert "than layer 2, in 60 % of these pictures; without layer 2 it is 10 %" in sentence
    unjudged = {name: drawn(None, int(10 * share)) for name, share in shares.items()}
    assert "Layer 1 alone changes 1 of 1 pictures" in findings.layers_finding(unjudged)
