"""Coefficients of atoms over examples: how sparse, how often used, how large, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from peftcore.analysis import sparsity
from peftcore.data.task import Example
from peftcore.labs.atoms.context import Bench
from peftcore.labs.atoms.dictionary import Dictionary
from peftcore.models.batching import Encoder
from peftcore.training import checkpoint

DIGITS = 5  # of what is written down


def map_atoms(bench: Bench) -> None:
    """Coefficients of every seed, of the result and of every step that was kept."""
    run, study = bench.runs[0], bench.study
    numbers = run.spec.population.numbers()
    steps: list[int | None] = [None, *run.path_steps()]
    known = {(entry["step"], entry["seed"]) for entry in study.found("codes")}
    bench.of, bench.done = len(steps) * len(numbers), len(known)
    for step in steps:
        if all((step, number) in known for number in numbers):
            continue
        found = Dictionary(checkpoint.load_adapter(run, bench.base, step))
        if step is None:
            bench.facts(found)
        for seed, number in enumerate(numbers):
            if (step, number) not in known:
                bench.tell(f"Seed {number}" + ("" if step is None else f", step {step}"))
                told = read(found, seed, bench.dev(seed), bench.encoder())
                study.append_value({"what": "codes", "step": step, "seed": number} | told)
                bench.done += 1
    bench.tell()


def read(
    found: Dictionary, seed: int, examples: Sequence[Example], encoder: Encoder
) -> dict[str, Any]:
    """Sparsity, usage, mean sizes and lengths of a seed's atoms over examples."""
    codes = found.read(seed, examples, encoder)
    cells = sum(site.size for site in codes)
    return {
        "zeros": short(sum(float((site == 0).sum()) for site in codes) / cells),
        "l0": short(sum(sparsity.mean_l0(site) for site in codes)),
        "hoyer": short(_mean([sparsity.mean_hoyer(site) for site in codes])),
        "site_zeros": short([sparsity.zero_fraction(site) for site in codes]),
        "positions": [len(site) for site in codes],
        "usage": short([sparsity.atom_usage(site) for site in codes]),
        "size": short([np.abs(site.astype(np.float64)).mean(0) for site in codes]),
        "norm": short(found.norms()[seed]),
    }


def _mean(values: Sequence[float]) -> float:
    """Mean of the numbers there are, nan without any."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def short(value: Any) -> Any:
    """Numbers with as many digits as anybody reads; zero stays exactly zero."""
    held = np.asarray(value, dtype=np.float64)
    rounded = np.vectorize(lambda x: float(f"{x:.{DIGITS}g}"), otypes=[float])(held)
    return rounded.tolist()
