"""Changes item by item, against statsmodels' McNemar test."""

import numpy as np
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from peftcore.analysis import flips
from peftcore.analysis.inference import SeedItemTable


def table(rows, items=None):
    values = np.asarray(rows, dtype=float)
    names = tuple(items or (f"i{n}" for n in range(values.shape[1])))
    return SeedItemTable(tuple(range(len(values))), names, values[..., None])


def test_items_and_seeds_are_counted():
    found = flips.find_flips(
        table([[1, 1, 0, 0], [1, 0, 0, 1]]), table([[0, 1, 1, 0], [0, 0, 1, 1]])
    )
    items = found.items.set_index("example")
    assert items.loc["i0", ["lost", "gained"]].tolist() == [2, 0]
    assert items.loc["i2", ["lost", "gained"]].tolist() == [0, 2]
    assert items.loc["i1", ["kept", "missed"]].tolist() == [1, 1]
    assert (
        found.items[["lost", "gained", "kept", "missed"]].sum(axis=1) == found.items["seeds"]
    ).all()
    assert (found.lost, found.gained, found.p) == (2, 2, 1.0)
    assert found.seeds["lost"].tolist() == [1, 1]


@pytest.mark.parametrize(("lost", "gained"), [(3, 9), (0, 6), (5, 5), (0, 0), (12, 1)])
def test_p_of_a_seed_is_the_exact_one(lost, gained):
    reference = mcnemar([[7, lost], [gained, 11]], exact=True).pvalue
    assert flips.exact_mcnemar(lost, gained) == pytest.approx(reference)


def test_with_one_seed_the_pooled_test_is_mcnemars():
    rng = np.random.default_rng(0)
    before, after = rng.random((1, 60)) < 0.5, rng.random((1, 60)) < 0.65
    found = flips.find_flips(table(before), table(after))
    cells = [[int(found.items["kept"].sum()), found.lost], [found.gained, 0]]
    assert found.p == pytest.approx(mcnemar(cells, exact=False, correction=False).pvalue)


def test_answers_that_repeat_over_seeds_are_no_more_evidence():
    """Five copies of a seed: McNemar over all answers would be surer with each copy."""
    rng = np.random.default_rng(1)
    before, after = rng.random((1, 40)) < 0.5, rng.random((1, 40)) < 0.7
    once = flips.find_flips(table(before), table(after))
    copies = flips.find_flips(table(np.repeat(before, 5, 0)), table(np.repeat(after, 5, 0)))
    assert copies.p == pytest.approx(once.p)
    pooled = mcnemar([[0, copies.lost], [copies.gained, 0]], exact=False, correction=False)
    assert pooled.pvalue < once.p


def test_holm_counts_the_seeds_and_nothing_changed_has_no_p():
    found = flips.find_flips(table([[1] * 8, [1] * 8]), table([[0] * 8, [1] * 8]))
    assert found.seeds["p"].tolist() == pytest.approx([2 / 2**8, 1])
    assert found.seeds["holm"].tolist() == pytest.approx([4 / 2**8, 1])
    same = table([[1, 0]])
    assert flips.find_flips(same, same).p is None


def test_only_common_items_and_seeds_count():
    found = flips.find_flips(table([[1, 1]], ["a", "b"]), table([[0, 0], [1, 1]], ["b", "c"]))
    assert found.items["example"].tolist() == ["b"]
    assert found.items["seeds"].tolist() == [1]
