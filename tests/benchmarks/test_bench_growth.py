"""Growth: the exponent is that of the data, and every axis can be walked."""

import pytest

from peftcore.benchmarks import bench_growth
from peftcore.benchmarks.bench_training import bench_spec


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power_is_the_power(power):
    points = [(x, 3 * x**power) for x in (1, 2, 4, 8, 16)]
    assert bench_growth.growth_exponent(points) == pytest.approx(power, abs=1e-9)


def test_the_exponent_is_that_of_the_upper_end():
    # A fixed cost hides the growth of small numbers.
    points = [(x, max(100.0, x)) for x in (1, 10, 100, 1000, 10_000, 100_000)]
    assert bench_growth.growth_exponent(points) == pytest.approx(1.0)


def test_every_axis_has_points_and_work():
    assert set(bench_growth.AXES) == set(bench_growth.WORKS) == set(bench_growth.UNITS)


def test_a_published_shape_is_planned_at_the_rates_of_its_kind():
    spec = bench_spec("t5-small", "prompt_tuning", 2, 5, "fp32")
    assert spec.base == "t5-small"
    assert spec.training == bench_spec("tiny-t5", "prompt_tuning", 2, 5, "fp32").training
