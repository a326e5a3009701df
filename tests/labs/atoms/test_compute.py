"""Pruning and combining of atoms, stopped and gone on with."""

import shutil

import numpy as np
import pytest
import torch
from support.atom_runs import TASK, done, reported

from peftcore import tasks
from peftcore.analysis import sparsity
from peftcore.errors import BadInput
from peftcore.labs.atoms import compute, interventions, request
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.planning import build_spec


def test_all_atoms_score_as_the_run_reported_and_none_as_the_base(runs):
    run = runs["atoms"]
    study = done("prune", run.id, examples=0, draws=2)
    table = request.pruning_curves(study)
    score = table[(table["what"] == "score") & (table["order"] == "importance")]
    assert score[score["k"] == 12]["value"].tolist() == pytest.approx(reported(run))
    ends = [e for e in study.entries_of("score") if e["order"] == "ends"]
    kept = run.answers()
    for entry in ends:  # word for word, since a random model's scores say little
        assert entry["answers"][1] == kept[kept["seed"] == entry["seed"]]["text"].tolist()
    task, base = tasks.find_task(TASK), load("mine")
    rows = examples_to_answer(task, run.spec.evaluation)
    plain = list(_plain(base, rows))
    assert all(entry["answers"][0] == plain for entry in ends)
    assert any(entry["answers"][1] != plain for entry in ends)
    bare = task.score([task.parse(text) for text in plain], rows)[task.main_metric]
    assert score[score["k"] == 0]["value"].tolist() == pytest.approx([bare, bare])


def _plain(base, rows):
    """What the untouched model writes, asked without any of our hooks."""
    tokens = base.tokenizer
    for row in rows:
        ids = torch.tensor([ExampleBatcher(base, ()).tokenize(row).input_ids])
        out = base.model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=3, do_sample=False
        )
        yield tokens.decode(out[0], skip_special_tokens=True).strip()


def test_curves_hold_every_order_and_both_ends(runs):
    study = done("prune", runs["atoms"].id, examples=4, draws=2, answers=False)
    table = request.pruning_curves(study)
    assert set(table["what"]) == {"loss"}
    shape = table.groupby(["order", "draw", "seed"])["k"].apply(list)
    assert set(map(tuple, shape)) == {(0, 1, 2, 4, 8, 12)}
    assert len(shape) == 2 * (2 + 2)
    bands = request.curve_intervals(table, "loss")
    random = bands[(bands["order"] == "random") & (bands["k"] == 2)].iloc[0]
    random_rows = table[(table["order"] == "random") & (table["k"] == 2)]
    assert random["mean"] == pytest.approx(random_rows["value"].mean())
    assert (random["n"], random["draws"]) == (2, 2)
    ends = bands[bands["k"] == 12]["mean"]
    assert ends.max() == ends.min()


def test_ablation_is_what_removing_one_atom_costs(runs):
    run = runs["atoms"]
    study = done("prune", run.id, examples=2, draws=1, answers=False)
    (weights,) = (
        e["values"]
        for e in study.entries_of("weights")
        if (e["order"], e["seed"]) == ("ablation", 1)
    )
    found = interventions.load_atoms(run)
    task = tasks.find_task(TASK)
    batch = ExampleBatcher(found.base, task.labels).batch(task.few_shot(6, 1, 4).dev)
    whole = {n: t[1:2].clone() for n, t in found.tensors.items()}
    before = float(found.adapted.losses(batch, torch.ones(1, 1, 1), whole).mean())
    whole[f"atoms:{found.sites[2]}"][0, 0, 1] = 0.0  # atom 1 of site 2 is number 5
    after = float(found.adapted.losses(batch, torch.ones(1, 1, 1), whole).mean())
    assert weights[5] == pytest.approx(after - before, abs=2e-5)


def test_a_stopped_measurement_goes_on_where_it_was(runs, monkeypatch):
    ask = AtomsRequest.make(
        {"kind": "prune", "runs": [runs["atoms"].id], "examples": 4, "draws": 1}
    )
    study, seen = AtomsJob.create(ask), []

    def stop():
        return study.status().done > 20

    assert compute.run_atoms_job(study, stop=stop).state == "cancelled"
    before = study.entries()
    assert before
    assert compute.run_atoms_job(study, report=seen.append).state == "done"
    assert study.entries()[: len(before)] == before
    assert len({compute._entry_key(e) for e in study.entries()}) == len(study.entries())
    assert seen[-1].done == seen[-1].of
    assert compute.run_atoms_job(study).state == "done"  # and stays as it is


def test_measurements_of_an_adapter_that_changed_are_forgotten(runs):
    run = runs["atoms"]
    study = done("map", run.id)
    shutil.copyfile(run.intermediate_file(2), run.folder / "adapter.safetensors")
    study.write_status(state="cancelled")
    assert compute.run_atoms_job(study).state == "done"
    seen = {(e["step"], e["seed"]): e["zeros"] for e in study.entries_of("codes")}
    assert len(seen) == len(study.entries_of("codes"))
    assert seen[None, 1] == seen[2, 1]


def test_combined_atoms_are_scored_on_both_tasks(runs):
    study = done("combine", runs["atoms"].id, runs["other"].id, examples=0)
    rows = study.entries_of("combined")
    assert [(row["seed"], row["task"]) for row in rows] == [
        (seed, task) for seed in (0, 1) for task in (TASK, "miniworld_sentiment")
    ]
    for row in rows:
        name = "first" if row["task"] == TASK else "second"
        run = runs["atoms" if name == "first" else "other"]
        assert row[name] == pytest.approx(reported(run)[row["seed"]])


def test_only_atoms_can_be_measured(runs):
    with pytest.raises(BadInput, match="LoRA has no coefficients of atoms"):
        done("map", runs["lora"].id)
    with pytest.raises(BadInput, match="combine takes 2 runs"):
        done("combine", runs["atoms"].id)
    ask = AtomsRequest.make({"kind": "map", "runs": [runs["lora"].id]})
    assert AtomsJob.find(ask).status().state == "failed"
    with pytest.raises(BadInput, match="a path varies a run of atoms"):
        request.specs_along(runs["lora"].spec, "threshold", ())


def test_the_reference_is_lora_where_it_offers_the_matrices(runs):
    spec = build_spec("mine", TASK, "atoms", {"atoms": 3, "components": ["cross.value"]})
    lora = request.lora_spec(spec)
    assert (lora.method, lora.settings["rank"]) == ("lora", 3)
    assert lora.settings["components"] == ["cross.value"]
    assert lora.training.learning_rate == 0.005


def test_a_sample_of_atoms_is_removed_one_by_one_and_the_rest_follow_by_importance(runs):
    run = runs["atoms"]
    whole = done("prune", run.id, examples=2, draws=1, answers=False)
    few = done("prune", run.id, examples=2, draws=1, answers=False, tried=3)
    assert few.status().of == whole.status().of - 2 * (12 - 3)
    for seed in (0, 1):
        weights, all_weights = (
            {e["order"]: np.array(e["values"]) for e in each.entries_of("weights")
             if e["seed"] == seed}
            for each in (few, whole)
        )  # fmt: skip
        order = sparsity.rank_atoms(weights["importance"])
        tried = sorted(order[:3])
        exact = all_weights["ablation"][tried]
        assert weights["ablation"][tried] == pytest.approx(exact, abs=1e-5)
        assert sparsity.rank_atoms(weights["ablation"])[3:].tolist() == order[3:].tolist()
