"""Coefficients of atoms over examples, seeds and kept steps."""

import numpy as np
import pytest
from support.atom_runs import TASK, done

from peftcore import tasks
from peftcore.analysis import sparsity
from peftcore.labs.atoms import interventions, request
from peftcore.models.batching import ExampleBatcher


def test_a_map_has_every_seed_and_every_kept_step(runs):
    run = runs["atoms"]
    study = done("map", run.id)
    assert len(study.sites) == 6  # two layers
    (first, second) = request.coefficient_entries(study)
    assert (first["seed"], second["seed"]) == (0, 1)
    assert np.shape(first["usage"]) == np.shape(first["size"]) == (6, 2)
    found = interventions.load_atoms(run)
    rows = tasks.find_task(TASK).few_shot(6, 1, 4).dev
    codes = found.read_coefficients(
        1, rows, ExampleBatcher(found.base, tasks.find_task(TASK).labels)
    )
    assert second["zeros"] == pytest.approx(
        sparsity.zero_fraction(np.vstack([*map(_all, codes)])), 1e-4
    )
    assert second["usage"][2] == pytest.approx(sparsity.atom_usage(codes[2]).tolist(), rel=1e-4)
    weight = sparsity.atom_importance(codes[3], found.norms()[1, 3])
    assert request.entry_importance(second)[3] == pytest.approx(weight, rel=1e-3)
    table = request.sparsity_by_step(study)
    assert sorted(set(table["step"])) == run.intermediate_steps() == [0, 2, 4]
    assert (table.loc[table["step"] == 0, "effective"].isna()).all()  # atoms start at zero


def _all(site):
    return site.reshape(-1, 1)
