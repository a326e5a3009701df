"""Measures of agreement against worked examples in print, other packages, and identities."""

import warnings

import numpy as np
import pandas as pd
import pytest

from peftcore.analysis import agreement

UNANIMOUS, UNIFORM, FLEISS, NOMINAL, ORDINAL = agreement.MEASURES

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: four observers,
# twelve units, some missing; nominal .743, ordinal .815.
KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
# The example table of the English Wikipedia's article on Fleiss' kappa: fourteen raters, ten
# subjects, five categories; kappa .210, mean agreement .378.
FLEISS_COUNTS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def table(rows):
    return pd.DataFrame([[None if cell is None else str(cell) for cell in row] for row in rows])


def spread(counts):
    """A table of raters from one of counts."""
    return table([[c for c, n in enumerate(row) for _ in range(n)] for row in counts])


def feb(unanimous, items):
    """Three raters and two classes, so many of the items unanimous, both classes in use."""
    rows = [["yes"] * 3 if i % 2 else ["no"] * 3 for i in range(unanimous)]
    return pd.DataFrame(rows + [["yes", "no", "no"]] * (items - unanimous))


def measured(rows, categories, **settings):
    return {
        found.name: found for found in agreement.agreement_statistics(rows, categories, **settings)
    }


def random_table(rng, items=40, raters=4, missing=0.0):
    truth = rng.integers(0, 4, items)
    seen = np.clip(truth[:, None] + rng.integers(-1, 2, (items, raters)), 0, 3)
    gone = rng.random(seen.shape) < missing
    return table(
        [
            [None if g else s for s, g in zip(*row, strict=True)]
            for row in zip(seen, gone, strict=True)
        ]
    )


def test_krippendorffs_own_example():
    found = measured(table(np.array(KRIPPENDORFF, object).T), list("12345"))
    assert found[NOMINAL].value == pytest.approx(0.743, abs=5e-4)
    assert found[ORDINAL].value == pytest.approx(0.815, abs=5e-4)
    assert found[NOMINAL].items == 11  # the twelfth unit has one verdict


def test_fleiss_example_in_print():
    found = measured(spread(FLEISS_COUNTS), list("01234"))
    assert found[FLEISS].value == pytest.approx(0.210, abs=5e-4)
    assert found[UNIFORM].value == pytest.approx((0.378 - 0.2) / 0.8, abs=1e-3)
    assert found[UNANIMOUS].value == 0.1


@pytest.mark.parametrize(("unanimous", "printed"), [(262, 0.637), (245, 0.574)])
def test_three_raters_and_two_classes_follow_the_identity_of_feb(unanimous, printed):
    found = measured(feb(unanimous, 360), ["yes", "no"])
    share = found[UNANIMOUS].value
    assert share == pytest.approx(unanimous / 360)
    assert found[UNIFORM].value == pytest.approx((4 * share - 1) / 3)
    assert found[UNIFORM].value == pytest.approx(printed, abs=5e-4)
    assert found[UNIFORM].low < found[UNIFORM].value < found[UNIFORM].high


@pytest.mark.parametrize(("measure", "method"), [(FLEISS, "fleiss"), (UNIFORM, "uniform")])
def test_complete_tables_agree_with_statsmodels(measure, method):
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    rows = random_table(np.random.default_rng(3))
    counts, _ = aggregate_raters(rows.astype(int).to_numpy(), n_cat=4)
    found = measured(rows, list("0123"))[measure]
    assert found.value == pytest.approx(fleiss_kappa(counts, method=method))


def test_alpha_agrees_with_nltk_where_verdicts_are_missing():
    nltk = pytest.importorskip("nltk.metrics.agreement")
    rows = random_table(np.random.default_rng(4), missing=0.3)
    long = [
        (rater, item, cell)
        for item, row in rows.iterrows()
        for rater, cell in row.items()
        if pd.notna(cell) and row.notna().sum() > 1
    ]
    assert measured(rows, list("0123"))[NOMINAL].value == pytest.approx(
        nltk.AnnotationTask(data=long).alpha()
    )


def test_cohen_agrees_with_scikit_learn_on_what_both_rated():
    from sklearn.metrics import cohen_kappa_score

    rows = random_table(np.random.default_rng(5), missing=0.2)
    found = agreement.cohen_kappas(rows, list("0123"))
    assert len(found) == 6
    for _, pair in found.iterrows():
        both = rows[[pair["first"], pair["second"]]].dropna().to_numpy()
        expected = cohen_kappa_score(both[:, 0], both[:, 1], weights="linear", labels=list("0123"))
        assert pair["value"] == pytest.approx(expected)
        assert pair["items"] == len(both)
        assert pair["low"] <= pair["value"] <= pair["high"]


def test_a_hand_made_weighted_kappa():
    rows = table([["0", "0"], ["0", "1"], ["2", "2"], ["2", "2"]])
    # first: half 0, half 2; second: 1/4 0, 1/4 1, 1/2 2.  Expected distance:
    # 1/2 (0/4 + 1/4 + 2/2) + 1/2 (2/4 + 1/4 + 0/2) = 1/2 * 5/4 + 1/2 * 3/4 = 1; kappa = 1 - 1/4.
    (value,) = agreement.cohen_kappas(rows, list("012"))["value"]
    assert value == pytest.approx(0.75)


def test_unanimous_verdicts_in_two_categories_agree_fully():
    found = measured(table([["0"] * 3, ["1"] * 3, ["0"] * 3]), list("01"))
    for each in found.values():
        assert each.value == pytest.approx(1)


def test_one_category_throughout_is_explained_and_never_nan():
    rows = table([["1"] * 3] * 4)
    found = measured(rows, list("01"))
    assert found[UNANIMOUS].value == 1
    assert found[UNIFORM].value == 1
    for name in (FLEISS, NOMINAL, ORDINAL):
        assert found[name].value is None
        assert "same category" in found[name].reason
    pairs = agreement.cohen_kappas(rows, list("01"))
    assert pairs["value"].isna().all()
    assert pairs["reason"].str.contains("same category").all()


@pytest.mark.parametrize(
    "rows", [[["0"], ["1"]], [["0", None], [None, "1"]], [[None, None]], np.empty((0, 3), object)]
)
def test_a_single_rater_or_no_shared_item_is_explained(rows):
    for each in measured(table(rows), list("01")).values():
        assert each.value is None
        assert each.low is None
        assert "two raters" in each.reason
    for _, pair in agreement.cohen_kappas(table(rows), list("01")).iterrows():
        assert pair["value"] is None
        assert "in common" in pair["reason"]


def test_one_item_has_a_value_where_there_is_one_but_no_interval():
    found = measured(table([["0", "0", "1"]]), list("01"))
    assert found[UNANIMOUS].value == 0
    assert found[UNIFORM].value == pytest.approx(-1 / 3)
    assert found[UNIFORM].low is None
    assert "no interval" in found[UNIFORM].reason


def test_two_raters_stay_and_items_are_left_out():
    rows = random_table(np.random.default_rng(6), raters=2)
    found = measured(rows, list("0123"))
    assert found[UNIFORM].low < found[UNIFORM].value < found[UNIFORM].high
    assert found == measured(rows, list("0123"), over="items")


def test_the_share_of_unanimous_items_lies_in_the_middle_of_its_interval():
    """Fewer raters agree more easily, so leaving raters out would push the interval up."""
    share = measured(feb(60, 120), ["yes", "no"])[UNANIMOUS]
    assert share.value == 0.5
    assert abs((share.low + share.high) / 2 - share.value) < 0.02
    assert share.high - share.low == pytest.approx(2 * 1.96 * (0.25 / 120) ** 0.5, rel=0.15)


def test_items_on_one_example_are_left_out_together():
    """Copies of an item bring no news: the interval is that of the examples."""
    rng = np.random.default_rng(10)
    once = table(rng.integers(0, 2, (30, 4)).tolist())
    often = pd.concat([once] * 5, ignore_index=True)
    about = {item: str(item % 30) for item in often.index}
    alone, apart, together = (
        measured(rows, list("01"), over="items", examples=examples)[NOMINAL]
        for rows, examples in ((once, None), (often, None), (often, about))
    )
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert together.high - together.low > 1.8 * (apart.high - apart.low)
    pairs = [
        agreement.cohen_kappas(often, list("01"), examples=examples).iloc[0]
        for examples in (None, about)
    ]
    assert pairs[1]["high"] - pairs[1]["low"] > 1.8 * (pairs[0]["high"] - pairs[0]["low"])


def test_raters_at_random_agree_in_no_interval():
    rng = np.random.default_rng(7)
    rows = table(rng.integers(0, 2, (300, 6)).tolist())
    found = measured(rows, list("01"))
    assert abs(found[UNIFORM].value) < 0.05
    assert found[UNIFORM].low < 0 < found[UNIFORM].high < 0.15


def test_leaving_out_raters_too_widens_the_interval():
    rng = np.random.default_rng(8)
    good = rng.integers(0, 2, 200)
    columns = [
        np.where(rng.random(200) < wrong, 1 - good, good) for wrong in (0, 0, 0.05, 0.4, 0.5) * 2
    ]
    rows = table(np.stack(columns, 1).tolist())
    both = measured(rows, list("01"))[NOMINAL]
    items = measured(rows, list("01"), over="items")[NOMINAL]
    assert both.value == items.value
    assert both.high - both.low > 1.5 * (items.high - items.low)


def test_intervals_are_the_same_whatever_the_block(monkeypatch):
    rows = random_table(np.random.default_rng(9))
    first = measured(rows, list("0123"))
    monkeypatch.setattr(agreement, "CELLS", 4_000)
    assert {k: v.low for k, v in measured(rows, list("0123")).items()} == pytest.approx(
        {k: v.low for k, v in first.items()}
    )


def test_nothing_warns_on_sparse_tables():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured(random_table(np.random.default_rng(1), items=6, missing=0.7), list("0123"))


def test_collapsing_merges_categories_and_leaves_others_out():
    merged = agreement.merge_categories(
        pd.DataFrame([["yes", "weak yes"], ["no", "?"]]),
        {"yes": "yes", "weak yes": "yes", "no": "no"},
    )
    assert merged.iloc[0].tolist() == ["yes", "yes"]
    assert merged.iloc[1, 0] == "no"
    assert pd.isna(merged.iloc[1, 1])


def test_the_last_verdict_of_a_rater_counts():
    rows = pd.DataFrame(
        {"item": ["a", "a", "b"], "rater": ["x", "x", "y"], "verdict": ["no", "yes", "no"]}
    )
    made = agreement.pivot_verdicts(rows, item="item", rater="rater", verdict="verdict")
    assert made.loc["a", "x"] == "yes"
    assert pd.isna(made.loc["a", "y"])
