"""Measures coefficients of atoms over examples: how sparse, how often used, how large, by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from peftcore.analysis import sparsity
from peftcore.data.task import Example
from peftcore.labs.atoms.context import AtomsContext
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.models.batching import ExampleBatcher

SIGNIFICANT_DIGITS = 5  # of stored numbers


def map_atoms(context: AtomsContext) -> None:
    """Append coefficients of every seed, of the result and of every step that was kept."""
    run, job = context.run, context.job
    seed_numbers = run.spec.population.seed_numbers()
    steps: list[int | None] = [None, *run.intermediate_steps()]
    known_entries = {(entry["step"], entry["seed"]) for entry in job.entries_of("codes")}
    context.total, context.done = len(steps) * len(seed_numbers), len(known_entries)
    for step in steps:
        if all((step, number) in known_entries for number in seed_numbers):
            continue
        atom_dict = context.load_atoms(step=step)
        if step is None:
            context.write_facts(atom_dict)
        for seed, number in enumerate(seed_numbers):
            if (step, number) not in known_entries:
                context.report_progress(
                    f"Seed {number}" + ("" if step is None else f", step {step}")
                )
                rows = context.validation_examples(seed)
                summary = summarize_coefficients(atom_dict, seed, rows, context.batcher)
                job.append_value({"what": "codes", "step": step, "seed": number} | summary)
                context.done += 1
    context.report_progress()


def summarize_coefficients(
    atom_dict: AtomDictionary, seed: int, examples: Sequence[Example], batcher: ExampleBatcher
) -> dict[str, Any]:
    """Return sparsity, usage, mean sizes and lengths of a seed's atoms over examples."""
    codes = atom_dict.read_coefficients(seed, examples, batcher)  # one (positions, m) for each site
    coefficient_count = sum(site.size for site in codes)
    return {
        "zeros": round_significant(
            sum(float((site == 0).sum()) for site in codes) / coefficient_count
        ),
        "l0": round_significant(sum(sparsity.mean_l0(site) for site in codes)),
        "hoyer": round_significant(_finite_mean([sparsity.mean_hoyer(site) for site in codes])),
        "site_zeros": round_significant([sparsity.zero_fraction(site) for site in codes]),
        "positions": [len(site) for site in codes],
        "usage": round_significant([sparsity.atom_usage(site) for site in codes]),
        "size": round_significant([np.abs(site.astype(np.float64)).mean(0) for site in codes]),
        "norm": round_significant(atom_dict.norms()[seed]),
    }


def _finite_mean(values: Sequence[float]) -> float:
    """Return the mean of the finite numbers, nan without any."""
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def round_significant(value: Any) -> Any:
    """Round an array of any shape to significant digits; zero stays exactly zero."""
    array = np.asarray(value, dtype=np.float64)
    rounded = np.vectorize(lambda x: float(f"{x:.{SIGNIFICANT_DIGITS}g}"), otypes=[float])(array)
    return rounded.tolist()
