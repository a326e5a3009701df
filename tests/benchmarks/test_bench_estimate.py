"""The table of estimates against runs; on a real base it is a slow test."""

import os

import pytest

from peftcore.benchmarks import bench_estimate
from peftcore.models import catalog


def test_every_case_is_a_run_that_can_be_built():
    specs = [
        bench_estimate.case_spec(n, "tiny-gpt", "miniworld_nonsense") for n in bench_estimate.CASES
    ]
    assert len({spec.id for spec in specs}) == len(specs)
    simplex = specs[list(bench_estimate.CASES).index("prefix, simplex of 3, 2 seeds")]
    assert (simplex.population.vertices, simplex.population.seeds) == (3, 2)
    assert simplex.evaluation.limit == 6


@pytest.mark.slow
@pytest.mark.parametrize("case", list(bench_estimate.CASES))
@pytest.mark.parametrize("base", ["tiny-gpt", "smollm2-135m"])
def test_an_estimate_is_within_a_factor_of_one_and_a_half(base, case, monkeypatch):
    if base not in catalog.base_names():
        pytest.skip(f"{base} is not on this machine")
    monkeypatch.setenv("PEFTCORE_THREADS", "1")
    found = bench_estimate.compare_with_run(
        bench_estimate.case_spec(case, base, "miniworld_nonsense")
    )
    assert 1 / 1.5 <= found["ratio"] <= 1.5, os.linesep.join(f"{k}: {v}" for k, v in found.items())
    if base != "tiny-gpt":  # where the packages are most of it
        assert found["estimate_mib"] >= found["peak_mib"] / 1.5
