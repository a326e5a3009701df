"""The truths of measurements with one number a seed."""

import numpy as np
import pytest

from peftcore.analysis.coverage import seeds
from peftcore.analysis.coverage.shapes import Case


def share(trial, case, draws=40):
    rng = np.random.default_rng(0)
    found = [trial(rng, case) for _ in range(draws)]
    known = [each for each in found if each is not None]
    return len(known) / draws, sum(known) / max(1, len(known))


@pytest.mark.parametrize("trial", [seeds.mean_trial, seeds.paired_trial, seeds.still_trial])
def test_normal_seeds_are_covered_and_hardly_an_interval_is_left_out(trial):
    printed, covered = share(trial, Case("normal", 8))
    assert printed > 0.9
    assert covered > 0.85


def test_one_seed_prints_no_interval():
    assert seeds.mean_trial(np.random.default_rng(0), Case("normal", 1)) is None


def test_a_share_of_pairs_is_covered():
    printed, covered = share(seeds.share_trial, Case("normal", 1, 100), 300)
    assert printed == 1
    assert covered > 0.9


def test_seeds_that_fail_lower_the_mean_that_is_spoken_of():
    assert seeds._mean_effect(Case("normal", 100, spread=1.0)) == pytest.approx(0, abs=0.02)
    found = seeds._mean_effect(Case("two groups", 100, spread=1.0))
    assert found == pytest.approx(-seeds.DROP / 5, abs=0.1)


def test_flatness_and_score_go_together_less_than_their_runs_do():
    """Correlation 0.8 between runs, weakened by seeds that vary apart: 0.64·0.8 / (0.64 + 0.36)."""
    x, y, names = seeds._flatness_and_score(np.random.default_rng(0), 20_000)
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(0.512, abs=0.02)
    assert len(names) == len(x) == 20_000 * seeds.RUN_SEEDS
