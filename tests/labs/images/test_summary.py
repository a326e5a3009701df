"""Figures as tables: means by hand, order of draws, what counts as monotone."""

import math

import pandas as pd
import pytest

from peftcore.labs.images import summary


def row(seed, order, k, value, draw=0):
    return {"seed": seed, "order": order, "draw": draw, "k": k, "alignment": value,
            "old_alignment": 1.0, "facts": value}  # fmt: skip


FIGURE = {
    "rows": [
        row(0, "importance", 0, 0.0), row(0, "importance", 1, 0.4), row(0, "importance", 2, 0.6),
        row(1, "importance", 0, 0.0), row(1, "importance", 1, 0.6), row(1, "importance", 2, 0.8),
        row(0, "random", 1, 0.1, 0), row(0, "random", 1, 0.3, 1),
        row(1, "random", 1, 0.2, 0), row(1, "random", 1, 0.2, 1),
    ]
}  # fmt: skip


def at(band, order, k, metric="alignment"):
    found = band[(band.order == order) & (band.k == k) & (band.metric == metric)]
    assert len(found) == 1
    return found.iloc[0]


def test_means_are_over_seeds_and_draws_count_once():
    band = summary.pruning_curve(FIGURE)
    assert at(band, "importance", 1)["mean"] == pytest.approx(0.5)
    half = 12.706 * math.sqrt(0.02) / math.sqrt(2)  # t(1), sd of .4 and .6
    assert half > 0.5  # so that the interval ends where a share does
    assert at(band, "importance", 1)["high"] == 1.0
    lone = at(band, "random", 1)
    assert (lone["mean"], lone["n"]) == (pytest.approx(0.2), 2)
    assert lone["low"] == pytest.approx(0.2)


def test_none_and_all_atoms_belong_to_every_order():
    band = summary.pruning_curve(FIGURE)
    assert at(band, "random", 0)["mean"] == 0.0
    assert at(band, "random", 2)["mean"] == pytest.approx(0.7)


def curves(*of_seeds):
    """A figure of one order: a list of values by number of atoms for each seed."""
    rows = [row(s, "earned", k, value) for s, values in enumerate(of_seeds)
            for k, value in enumerate(values)]  # fmt: skip
    return {"rows": [each | {"belief": each["alignment"]} for each in rows]}


def test_monotone_is_one_and_flat_is_nothing():
    result = summary.measure_monotonicity(FIGURE, "alignment", "importance")
    assert (result.spearman, result.kendall) == (pytest.approx(1.0), pytest.approx(1.0))
    assert (result.spearman_low, result.spearman_high) == (pytest.approx(1.0), pytest.approx(1.0))
    assert (result.steps, result.kept_up, result.deepest, result.seeds) == (2, 2, 0.0, 2)
    flat = summary.measure_monotonicity(FIGURE, "old_alignment", "importance")
    assert math.isnan(flat.spearman)
    assert math.isnan(flat.kendall_low)


def test_a_fall_is_counted_and_its_depth_told():
    result = summary.measure_monotonicity(curves([0.0, 0.6, 0.2, 0.4, 0.8]))
    # Ranks 1 4 2 3 5 beside 1 2 3 4 5: 1 - 6 · (4 + 1 + 1) / 120; pairs: 8 ordered, 2 not.
    assert result.spearman == pytest.approx(0.7)
    assert result.kendall == pytest.approx(0.6)
    assert (result.steps, result.kept_up) == (4, 3)
    assert result.deepest == pytest.approx(0.4)


def test_ties_count_as_scipy_counts_them():
    from scipy.stats import kendalltau, spearmanr

    values = [0.0, 0.1, 0.1, 0.5, 0.3, 0.5]
    result = summary.measure_monotonicity(curves(values))
    assert result.spearman == pytest.approx(spearmanr(range(6), values).statistic)
    assert result.kendall == pytest.approx(kendalltau(range(6), values).statistic)


def test_seeds_that_disagree_make_the_range_wide():
    result = summary.measure_monotonicity(curves([0.0, 0.2, 0.4], [0.4, 0.2, 0.0], [0.0, 0.1, 0.8]))
    assert result.spearman == pytest.approx(1.0)  # of the mean
    assert result.spearman_low == pytest.approx(0.5)  # without the first seed: 0.2, 0.15, 0.4
    assert result.spearman_high == pytest.approx(1.0)


def test_a_figure_names_its_orders_and_what_tells_most():
    assert summary.ranked_orders(FIGURE) == ["importance"]
    assert summary.headline_metric(FIGURE) == "alignment"
    assert summary.headline_metric(curves([0.0, 1.0])) == "belief"


def test_atoms_are_needed_until_the_interval_reaches_all_of_them():
    band = summary.pruning_curve(FIGURE)
    assert (
        summary.fewest_sufficient_atoms(band) == 1
    )  # its interval, wide with two seeds, holds 0.7
    narrow = band.assign(high=band["mean"])
    assert summary.fewest_sufficient_atoms(narrow) == 2
    assert summary.fewest_sufficient_atoms(pd.DataFrame(columns=band.columns)) is None


def test_mixes_are_averaged_over_seeds():
    each = ((0, "both", 0.2), (1, "both", 0.4), (0, "none", 0.0), (1, "none", 0.0))
    rows = [{"seed": s, "with": w, "alignment": a, "facts": 0.5} for s, w, a in each]
    band = summary.mix_scores({"rows": rows})
    line = band[(band["with"] == "both") & (band.metric == "alignment")].iloc[0]
    assert (line["mean"], line["n"]) == (pytest.approx(0.3), 2)


def test_shares_are_averaged_over_seeds_at_every_place():
    rows = [{"seed": s, "concept": c, "style": 1.0, "alignment": c * s, "facts": 0.5}
            for s in (0, 1) for c in (0.0, 1.0)]  # fmt: skip
    table = summary.share_grid_scores({"grid": rows})
    assert table.alignment.tolist() == [0.0, 0.5]
    assert table.n.tolist() == [2, 2]


def test_two_runs_alone_tell_what_independence_would_give():
    class Scored:
        def __init__(self, *values):
            self.values = values

        def scores(self):
            return {"alignment": list(self.values)}

    assert summary.independent_alignment(Scored(0.5, 1.0), Scored(0.2, 0.4)) == pytest.approx(
        (0.75, 0.3, 0.25)
    )


def test_how_many_atoms_are_kept_is_chosen_by_the_other_seeds():
    figure = curves([0.0, 0.9, 0.4], [0.0, 0.2, 0.5], [0.0, 0.3, 0.7])
    table = summary.cross_validated_pruning(figure)
    # Without the first seed two atoms are best, without another one of them is: .6 and .65.
    assert table.k.tolist() == [2, 1, 1]
    assert table.alignment.tolist() == [0.4, 0.2, 0.3]
    assert table.gain.tolist() == pytest.approx([0.0, -0.3, -0.4])
    assert table.old_gain.tolist() == [0.0, 0.0, 0.0]  # all old prompts are drawn at any number


def test_a_pruned_run_stands_beside_itself():
    class Status:
        trainable = 7

    class Spec:
        method = "atoms"

    class Made:
        id, spec = "a" * 12, Spec

        def scores(self):
            return {"alignment": [0.4, 0.6]}

        def status(self):
            return Status

    table = summary.scores_by_method([Made()], {"a" * 12: curves([0.0, 0.9, 0.4], [0.0, 0.7, 0.6])})
    line = table[table.metric == "alignment"]
    assert line.kept.tolist() == ["all", "1"]
    assert line["mean"].tolist() == pytest.approx([0.5, 0.8])
    assert line.n.tolist() == [2, 2]
