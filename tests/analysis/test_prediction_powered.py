import numpy as np
import pytest

from peftcore.analysis import prediction_powered
from peftcore.analysis.prediction_powered import ScoredTexts


def texts(number, rated, unrated, noise, strata=1, bias=0.0):
    """Human scores around .5 and a metric that follows them as closely as noise allows."""
    rng = np.random.default_rng(number)
    human = np.clip(rng.normal(0.5, 0.2, rated + unrated), 0, 1)
    metric = human + rng.normal(0, noise, rated + unrated) + bias
    labels = np.array([str(i % strata) for i in range(rated + unrated)])
    return human, ScoredTexts(
        human[:rated], metric[:rated], metric[rated:], labels[:rated], labels[rated:]
    )


def test_a_metric_that_follows_people_narrows_the_interval_around_the_truth():
    human, scored = texts(1, 60, 2000, 0.05)
    found = prediction_powered.powered_mean(scored)
    assert found.saved > 0.5
    assert found.powered.low < human.mean() < found.powered.high
    assert found.human.mean == pytest.approx(scored.human.mean())
    assert (found.human.n, found.rest) == (60, 2000)


def test_a_metric_of_its_own_changes_little_and_a_biased_one_does_not_bias():
    _, noise = texts(2, 60, 2000, 50.0)
    found = prediction_powered.powered_mean(noise)
    assert abs(found.powered.mean - found.human.mean) < 0.03
    assert found.weight == pytest.approx(0, abs=0.01)
    _, plain = texts(3, 60, 500, 0.1)
    _, shifted = texts(3, 60, 500, 0.1, bias=7.0)
    one, other = (prediction_powered.powered_mean(each) for each in (plain, shifted))
    assert one.powered.mean == pytest.approx(other.powered.mean)


def test_intervals_cover_in_simulation():
    covered = 0
    for number in range(300):
        human, scored = texts(100 + number, 40, 400, 0.15, strata=2)
        found = prediction_powered.powered_mean(scored)
        covered += found.powered.low <= 0.5 <= found.powered.high
        assert np.isfinite(human).all()
    assert covered / 300 > 0.92


def test_labels_weigh_by_all_texts_and_not_by_those_that_were_rated():
    human = np.array([0.9] * 10 + [0.1] * 10) + np.linspace(-0.01, 0.01, 20)
    labels = np.array(["a"] * 10 + ["b"] * 10)
    rest_labels = np.array(["a"] * 80 + ["b"] * 20)
    rest = np.where(rest_labels == "a", 0.9, 0.1) + np.linspace(-0.01, 0.01, 100)
    found = prediction_powered.powered_mean(ScoredTexts(human, human, rest, labels, rest_labels))
    assert found.powered.mean == pytest.approx(0.75 * 0.9 + 0.25 * 0.1, abs=0.01)


def test_too_few_rated_texts_say_so():
    _, scored = texts(4, 5, 50, 0.1)
    found = prediction_powered.powered_mean(scored)
    assert found.powered.low is None
    assert "5 rated texts" in found.reason
    empty = ScoredTexts(*[np.zeros(0)] * 3, *[np.array([], dtype=str)] * 2)
    assert prediction_powered.powered_mean(empty).human.mean is None
