"""How small a difference can be seen, against statsmodels and simulation."""

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from peftcore.analysis import inference, power, verdicts
from peftcore.analysis.inference import Components, SeedItemTable

PARTS = Components(seed=0.02**2, item=0.1**2, rest=0.4**2)


@pytest.mark.parametrize("seeds", [3, 5, 12])
def test_with_seeds_alone_it_is_the_paired_t_test(seeds):
    only_seeds = Components(seed=4.0, item=0.0, rest=0.0)
    found = power.smallest_difference(only_seeds, seeds, 100)
    effect = TTestPower().solve_power(nobs=seeds, alpha=0.05, power=0.8)
    assert found / 2 == pytest.approx(effect, rel=1e-4)


def test_a_difference_of_that_size_is_seen_four_times_in_five():
    rng = np.random.default_rng(0)
    seeds, items, draws = 5, 80, 400
    size, seen = power.smallest_difference(PARTS, seeds, items), 0

    def drawn():
        """A run that has half of the variance of the difference."""
        values = (
            rng.normal(0, (PARTS.seed / 2) ** 0.5, (seeds, 1))
            + rng.normal(0, (PARTS.item / 2) ** 0.5, (1, items))
            + rng.normal(0, (PARTS.rest / 2) ** 0.5, (seeds, items))
        )
        return values[..., None]

    names = tuple(range(seeds)), tuple(map(str, range(items)))
    for _ in range(draws):
        one, other = SeedItemTable(*names, drawn()), SeedItemTable(*names, size + drawn())
        p = verdicts.p_values(inference.estimate_difference(one, other), 0.02).different
        seen += p is not None and p < 0.05
    assert 0.6 <= seen / draws <= 0.84  # verdicts allow for skewness and for groups of seeds


def test_what_is_needed_is_enough_and_one_less_is_not():
    seeds = power.seeds_needed(PARTS, 0.06, 200)
    assert power.chance_to_see(0.06, PARTS, seeds, 200) >= power.TARGET
    assert power.chance_to_see(0.06, PARTS, seeds - 1, 200) < power.TARGET
    items = power.items_needed(PARTS, 0.06, 4)
    assert power.chance_to_see(0.06, PARTS, 4, items) >= power.TARGET
    assert power.chance_to_see(0.06, PARTS, 4, items - 1) < power.TARGET


def test_seeds_alone_cannot_do_what_items_limit():
    assert power.seeds_needed(Components(0.0, 1.0, 0.1), 0.01, 50) is None
    assert power.items_needed(Components(1.0, 0.0, 0.1), 0.01, 4) is None


def test_the_sentence_names_what_can_be_seen_and_what_it_takes():
    words = power.power_in_words(PARTS, 4, 200, 0.03, 100)
    assert words.startswith("With 4 seeds and 200 items a difference of ")
    assert f"for 3 points take {power.seeds_needed(PARTS, 0.03, 200)} seeds" in words
    assert "take" not in power.power_in_words(PARTS, 4, 200, 0.3, 100)
    assert "train at least two" in power.power_in_words(PARTS, 1, 200, 0.03, 100)
    stuck = power.power_in_words(Components(1.0, 1.0, 0.1), 4, 50, 0.01, 100)
    assert "both more seeds and more items" in stuck


def test_without_any_spread_everything_is_seen():
    none = Components(0.0, 0.0, 0.0)
    assert power.smallest_difference(none, 4, 20) == 0
    assert power.chance_to_see(0.1, none, 4, 20) == 1
