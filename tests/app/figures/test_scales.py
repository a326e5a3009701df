"""Colour scales and digits that follow the data."""

import numpy as np
import pytest

from app.figures.scales import ColourLimit, cell_format, colour_limit


def test_one_outlier_does_not_set_the_scale_and_the_bar_says_that_it_is_beyond():
    values = np.append(np.linspace(0.01, 0.1, 999), -5.0)
    limit = colour_limit(values)
    assert 0.09 < limit.top < 0.11
    assert limit.beyond == pytest.approx(0.01, abs=0.002)
    assert limit.bar_ticks(signed=False)["ticktext"][-1].startswith("≥ 0.")
    assert limit.bar_ticks(signed=True)["tickvals"] == [-limit.top, 0, limit.top]


def test_values_near_each_other_are_all_covered():
    assert colour_limit(np.array([0.2, -0.5, 0.4])) == ColourLimit(0.5)
    assert ColourLimit(0.5).bar_ticks(signed=True) == {}


def test_zeros_and_missing_values_do_not_count():
    sparse = np.zeros(10_000)
    sparse[:5] = [0.3, 0.3, 0.2, 0.3, 0.25]
    assert colour_limit(sparse, np.array([np.nan])) == ColourLimit(0.3)
    assert colour_limit(np.zeros(3)) == ColourLimit(1.0)
    assert colour_limit() == ColourLimit(1.0)


@pytest.mark.parametrize(
    ("largest", "signed", "shown"),
    [
        (0.5, True, "+0.50"),
        (0.0012, True, "+0.0012"),
        (12.3, False, "12.30"),
        (3e-8, False, "3e-08"),
    ],
)
def test_cells_have_as_many_digits_as_the_largest_needs(largest, signed, shown):
    values = np.array([0, largest, np.nan])
    assert f"{largest:{cell_format(values, signed)}}" == shown


def test_nothing_but_zeros_has_no_sign():
    assert f"{0.0:{cell_format(np.zeros(2), signed=True)}}" == "0"
