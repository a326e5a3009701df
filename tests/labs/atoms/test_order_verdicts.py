"""Verdicts on atoms kept in one order against as many at random."""

import numpy as np
import pandas as pd
import pytest

from peftcore.analysis import comparison
from peftcore.labs.atoms import order_verdicts

SEEDS = range(6)


def curves(what, gains, rng=None):
    """Values of each seed at 0, 2, 4 and 8 atoms; gains: k → what importance adds to random."""
    rng = rng or np.random.default_rng(0)
    rows = []
    for seed in SEEDS:
        for k in (0, 2, 4, 8):
            random = 0.5 + 0.05 * seed + rng.normal(0, 0.002, 2)
            gain = gains.get(k, 0.0) * rng.uniform(0.9, 1.1)
            rows.append((what, "importance", 0, seed, k, random.mean() + gain))
            rows += [(what, "random", n, seed, k, value) for n, value in enumerate(random)]
    return pd.DataFrame(rows, columns=["what", "order", "draw", "seed", "k", "value"])


def test_an_order_is_judged_by_pairs_of_seeds_and_the_ends_are_left_out():
    found = order_verdicts.against_random(curves("score", {2: 0.1}), "score", "accuracy")
    assert found[["order", "k", "verdict"]].to_numpy().tolist() == [
        ["importance", 2, "ahead"],
        ["importance", 4, "equal"],
    ]
    # Seeds differ by 0.05 among themselves, so intervals of both orders overlap all the same.
    assert found["seeds"].tolist() == [6, 6]
    words = order_verdicts.order_in_words(found, "importance")
    assert words == "ahead at 2, equal at 4"
    assert order_verdicts.basis_in_words(found, "accuracy").startswith(
        "6 seeds, about other seeds on these examples, margin 2 points, Holm over 2 pairs"
    )


def test_limits_are_those_of_paired_seeds():
    table = curves("score", {2: 0.1})
    row = order_verdicts.against_random(table, "score", "accuracy").iloc[0]
    at = table[table["k"] == 2].groupby(["order", "seed"])["value"].mean()
    wanted = comparison.difference_interval(
        at["random"].to_dict(), at["importance"].to_dict(), (-1, 1)
    )
    assert (row["difference"], row["low"], row["high"]) == pytest.approx(
        (wanted.mean, wanted.low, wanted.high)
    )


def test_a_lower_loss_is_ahead_and_its_margin_is_in_nats():
    found = order_verdicts.against_random(curves("loss", {2: -0.3, 4: 0.3}), "loss", "loss")
    assert found["verdict"].tolist() == ["ahead", "behind"]
    assert "margin 0.02 nats" in order_verdicts.basis_in_words(found, "loss")
    words = order_verdicts.difference_in_words(found.iloc[0], "loss")
    assert words.startswith("-0.")
    assert " nats, -0." in words


def test_nothing_is_judged_where_random_order_was_not_measured():
    table = curves("score", {})
    assert order_verdicts.against_random(
        table[table["order"] == "importance"], "score", "accuracy"
    ).empty
    assert order_verdicts.against_random(table, "loss", "loss").empty
