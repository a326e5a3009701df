"""Rates measured on large bases: they count there and nowhere else."""

import pytest

from peftcore.adapters import measured_rates
from peftcore.adapters.base import METHODS
from peftcore.adapters.measured_rates import LARGE_BASE, MeasuredRates, find_rate
from peftcore.models import catalog
from peftcore.training.planning import build_spec

# What every method had on the shipped bases before rates were measured on larger ones: runs that
# were made with them are found again by these numbers. (base that writes, encoder)
OWN_RATES = {
    "atoms": (0.01, 0.005),
    "bitfit": (0.005, 0.005),
    "block_atoms": (0.06, 0.02),
    "bottleneck": (0.02, 0.005),
    "full_fine_tuning": (0.0005, 5e-05),
    "ia3": (0.05, 0.03),
    "linear_probe": (0.01, 0.01),
    "lora": (0.005, 0.002),
    "prefix_tuning": (0.05, 0.01),
    "prompt_tuning": (1.0, 0.3),
    "sparsefit": (0.002, 0.002),
    "spt": (1.0, 0.3),
    "vera": (0.1, 0.1),
}
ROWS = (
    MeasuredRates("huge", frozenset({"decoder"}), 10 * LARGE_BASE, {"lora": {0.0001: 1.0}}),
    MeasuredRates(
        "large",
        frozenset({"decoder"}),
        LARGE_BASE,
        {"lora": {0.0001: 2.0, 0.001: 1.0, 0.01: None}, "spt": {0.02: 1.0, 0.2: 1.5}},
    ),
)


@pytest.mark.parametrize("base", [n for n in catalog.base_names() if n.startswith("tiny-")])
def test_no_spec_of_a_shipped_base_has_another_rate_than_before(base):
    info = catalog.describe_base(base)
    assert info.parameter_count < LARGE_BASE
    for name, (writer, reader) in OWN_RATES.items():
        own = reader if info.kind == "encoder" else writer
        assert METHODS[name].default_learning_rate(info.kind, info.parameter_count) == own


def test_a_large_base_takes_the_rate_of_the_first_row_that_fits_it():
    assert find_rate("lora", "decoder", LARGE_BASE, ROWS) == 0.001
    assert find_rate("lora", "decoder", 20 * LARGE_BASE, ROWS) == 0.0001
    assert find_rate("spt", "decoder", 20 * LARGE_BASE, ROWS) == 0.02


def test_what_was_not_measured_has_no_rate():
    assert find_rate("lora", "decoder", LARGE_BASE - 1, ROWS) is None
    assert find_rate("lora", "encoder", LARGE_BASE, ROWS) is None
    assert find_rate("prefix_tuning", "decoder", LARGE_BASE, ROWS) is None


def test_a_spec_without_a_rate_gets_the_measured_one_and_keeps_its_own(tiny, monkeypatch):
    base = tiny("llama")
    row = MeasuredRates(
        "here", frozenset({"decoder"}), base.parameter_count, {"lora": {0.0007: 1.0}}
    )
    monkeypatch.setattr(measured_rates.find_rate, "__defaults__", ((row,),))
    build = lambda **training: build_spec(base, "miniworld_nli", "lora", training=training)
    assert build().training.learning_rate == 0.0007
    assert build(learning_rate=0.3).training.learning_rate == 0.3
    assert METHODS["lora"].default_learning_rate("decoder", base.parameter_count - 1) == 0.005


def test_the_table_names_methods_and_as_many_tries_for_each_row():
    for row in measured_rates.MEASURED:
        assert set(row.rates) <= {method.name for method in METHODS.values()}
        assert {len(losses) for losses in row.losses.values()} == {5}
        assert row.at_least >= LARGE_BASE
        assert all(0 < rate <= 10 for rate in row.rates.values())
