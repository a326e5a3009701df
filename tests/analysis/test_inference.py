"""Intervals over seeds and items, against a mixed model, a by-hand table and simulation."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from peftcore.analysis import inference, verdicts
from peftcore.analysis.inference import SeedItemTable


def table(values, strata=None, first=0):
    values = np.asarray(values, dtype=float)
    seeds = tuple(range(first, first + values.shape[0]))
    items = tuple(f"item{i}" for i in range(values.shape[1]))
    return SeedItemTable(seeds, items, values[..., None], strata=strata)


def simulated(seeds, items, seed_sd, item_sd, rest_sd, number, mean=0.5):
    rng = np.random.default_rng(number)
    return (
        mean
        + rng.normal(0, seed_sd, (seeds, 1))
        + rng.normal(0, item_sd, (1, items))
        + rng.normal(0, rest_sd, (seeds, items))
    )


def test_these_examples_is_students_t_over_seed_means_that_are_not_skewed():
    values = simulated(1, 30, 0.1, 0.3, 0.2, 1) + np.linspace(-0.3, 0.3, 21)[:, None]
    found = inference.estimate(table(values), "these examples")
    low, high = stats.t.interval(0.95, 20, values.mean(1).mean(), stats.sem(values.mean(1)))
    assert (found.low, found.high, found.freedom) == pytest.approx((low, high, 20))


def test_this_task_adds_what_other_items_would_change():
    values = simulated(20, 40, 0.05, 0.4, 0.2, 2)
    found = inference.estimate(table(values))
    part = inference.variance_components(values)
    assert found.error == pytest.approx(part.error(20, 40))
    assert found.seed_share + found.item_share + found.rest_share == pytest.approx(1)
    assert found.item_share > 0.8
    narrow = inference.estimate(table(values), "these examples")
    assert found.high - found.low > 1.5 * (narrow.high - narrow.low)


def test_components_are_those_of_a_two_way_analysis_of_variance():
    values = simulated(4, 7, 1.0, 2.0, 0.5, 3)
    seeds, items = values.shape
    by_seed = items * values.mean(1).var(ddof=1)
    by_item = seeds * values.mean(0).var(ddof=1)
    rest = values - values.mean(1, keepdims=True) - values.mean(0) + values.mean()
    rest = (rest**2).sum() / ((seeds - 1) * (items - 1))
    part = inference.variance_components(values)
    assert (part.seed, part.item, part.rest) == pytest.approx(
        ((by_seed - rest) / items, (by_item - rest) / seeds, rest)
    )


def test_what_balanced_labels_share_is_no_chance():
    strata = np.repeat([0, 1], 20)
    values = simulated(5, 40, 0.02, 0.05, 0.05, 4) + np.where(strata == 1, 0.3, -0.3)
    drawn = inference.estimate(table(values, strata))
    mixed = inference.estimate(table(values))
    assert drawn.error < mixed.error / 2
    assert drawn.mean == pytest.approx(mixed.mean)


def test_paired_difference_leaves_out_what_both_share():
    shared = simulated(5, 50, 0.1, 0.5, 0.0, 5)
    first = shared + np.random.default_rng(6).normal(0, 0.05, shared.shape)
    second = shared + 0.1 + np.random.default_rng(7).normal(0, 0.05, shared.shape)
    gap = inference.estimate_difference(table(first), table(second))
    assert gap.low < 0.1 < gap.high
    assert gap.high - gap.low < 0.05


def test_only_seeds_and_items_of_both_are_compared():
    one = table(np.zeros((4, 5)))
    other = table(np.ones((4, 5)), first=2)
    gap = inference.estimate_difference(one, other)
    assert (gap.seeds, gap.items, gap.mean) == (2, 5, 1.0)


def test_limits_end_where_the_metric_does():
    found = inference.estimate(table([[1, 1, 1, 0], [1, 1, 1, 1]]), within=(0.0, 1.0))
    assert 0 <= found.low <= found.mean <= found.high <= 1


@pytest.mark.parametrize(
    ("values", "population", "reason"),
    [
        (np.ones((1, 4)), "this task", inference.ONE_SEED),
        (np.ones((3, 1)), "this task", inference.ONE_ITEM),
        (np.full((3, 4), np.nan), "this task", inference.NO_SEEDS),
        (np.ones((1, 4)), "these examples", inference.ONE_SEED),
    ],
)
def test_what_cannot_be_estimated_says_why(values, population, reason):
    found = inference.estimate(table(values), population)
    assert (found.low, found.high, found.reason) == (None, None, reason)


def test_seeds_without_a_value_are_left_out():
    values = simulated(5, 20, 0.1, 0.1, 0.1, 8)
    values[2, 3] = np.nan
    assert inference.estimate(table(values)).seeds == 4


def test_a_ratio_is_linearised_as_the_delta_method_says():
    rng = np.random.default_rng(9)
    parts = np.stack([rng.uniform(0, 1, (6, 80)), rng.uniform(0.5, 1, (6, 80))], -1)
    ratio = SeedItemTable(
        tuple(range(6)), tuple(map(str, range(80))), parts, lambda m: m[..., 0] / m[..., 1]
    )
    means = parts.mean(1)
    expected = (parts[..., 0] - means[:, :1] / means[:, 1:] * parts[..., 1]) / means[:, 1:]
    expected += (means[:, 0] / means[:, 1])[:, None]
    assert ratio.influence() == pytest.approx(expected, abs=1e-6)
    assert ratio.influence().mean(1) == pytest.approx(ratio.seed_values())


def test_tables_refuse_shapes_that_do_not_belong_together():
    with pytest.raises(ValueError, match="statistics"):
        SeedItemTable((0, 1), ("a",), np.zeros((1, 1, 1)))
    with pytest.raises(ValueError, match="strata"):
        SeedItemTable((0,), ("a",), np.zeros((1, 1, 1)), strata=np.zeros(3, dtype=np.int64))


def test_coverage_of_both_populations_in_a_small_simulation():
    """Sixty seeds on the same items: seeds alone cover a third, both cover what they say."""
    draws, covered = 300, {"this task": 0, "these examples": 0}
    for number in range(draws):
        values = simulated(60, 100, 0.02, 0.4, 0.3, number)
        for population in covered:
            found = inference.estimate(table(values), population)
            covered[population] += found.low < 0.5 < found.high
    assert covered["this task"] / draws > 0.92
    assert covered["these examples"] / draws < 0.6


@pytest.mark.parametrize(
    ("gap", "noise", "lowest_first", "expected"),
    [
        (0.1, 0.02, False, "ahead"),
        (0.1, 0.02, True, "behind"),
        (-0.1, 0.02, False, "behind"),
        (0.001, 0.02, False, "equal"),
        (0.05, 1.0, False, "cannot tell"),
    ],
)
def test_verdicts(gap, noise, lowest_first, expected):
    first = simulated(6, 100, 0.0, 0.1, 0.0, 10)
    second = first + gap + noise * np.random.default_rng(11).normal(0, 1, first.shape)
    frame = verdicts.pair_verdicts(
        {"a": table(first), "b": table(second)}, 0.02, lowest_first=lowest_first
    )
    assert frame["verdict"].tolist() == [expected]


def test_equality_is_tested_as_statsmodels_does_over_seeds():
    from statsmodels.stats.weightstats import ttost_paired

    first, second = (simulated(20, 30, 0.05, 0.1, 0.05, n) for n in (12, 13))
    gap = inference.estimate_difference(table(first), table(second), "these examples")
    found = verdicts.p_values(replace(gap, skewness=0.0), 0.03)
    p, _, _ = ttost_paired(second.mean(1), first.mean(1), -0.03, 0.03)
    assert found.equal == pytest.approx(p)
    assert found.different == pytest.approx(stats.ttest_rel(first.mean(1), second.mean(1)).pvalue)


@pytest.mark.parametrize("number", range(20))
def test_p_is_below_a_twentieth_exactly_where_limits_leave_zero_out(number):
    values = np.random.default_rng(number).gamma(1.0, size=(6, 40)) - 0.85
    gap = inference.estimate(table(values + values.mean(1, keepdims=True)))
    found = verdicts.p_values(gap, 0.5)
    assert (found.different < 0.05) == (gap.low > 0 or gap.high < 0)


def test_holm_is_that_of_statsmodels_and_keeps_gaps():
    from statsmodels.stats.multitest import multipletests

    ps = [0.04, 0.001, 0.2, 0.013]
    assert verdicts.holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])
    assert verdicts.holm([None, 0.04, float("nan")]) == [None, 0.04, None]


def test_without_spread_a_difference_is_what_it_is():
    same = table(np.ones((3, 4)))
    frame = verdicts.pair_verdicts({"a": same, "b": same, "c": table(np.zeros((3, 4)))}, 0.02)
    assert frame["verdict"].tolist() == ["equal", "behind", "behind"]
    with pytest.raises(ValueError, match="margin"):
        verdicts.pair_verdicts({"a": same, "b": same}, 0)


@pytest.mark.slow
def test_components_and_error_are_those_of_a_crossed_mixed_model():
    """Restricted maximum likelihood gives the mean squares' components in a balanced table."""
    import pandas as pd
    import statsmodels.api as sm

    values = simulated(6, 15, 0.3, 0.5, 0.4, 21)
    seeds, items = values.shape
    frame = pd.DataFrame(
        [(s, i, values[s, i]) for s in range(seeds) for i in range(items)],
        columns=["seed", "item", "value"],
    )
    parts = {"seed": "0 + C(seed)", "item": "0 + C(item)"}
    model = sm.MixedLM.from_formula(
        "value ~ 1", groups=np.ones(len(frame)), vc_formula=parts, data=frame
    )
    fit = model.fit(reml=True)
    found = inference.variance_components(values)
    by_name = dict(zip(model.exog_vc.names, fit.vcomp, strict=True))
    assert by_name["seed"] == pytest.approx(found.seed, rel=0.02)
    assert by_name["item"] == pytest.approx(found.item, rel=0.02)
    assert fit.scale == pytest.approx(found.rest, rel=0.02)
    assert inference.estimate(table(values)).error == pytest.approx(
        float(fit.bse_fe.iloc[0]), rel=0.02
    )


def test_seeds_that_all_but_tie_are_no_groups_where_items_are_not_known():
    scores = np.array([0.700, 0.700, 0.700, 0.700, 0.705])[:, None]
    found = inference.estimate(table(scores), "these examples", (0.0, 1.0))
    assert found.groups is None
    assert found.high - found.low < 0.02
