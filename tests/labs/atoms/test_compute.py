"""Measurements of atoms on a tiny random T5 with really trained runs."""

import shutil

import numpy as np
import pytest
import torch
from support.bases import build_tiny

from peftcore import tasks
from peftcore.analysis import sparsity
from peftcore.errors import BadInput
from peftcore.labs.atoms import compute, interventions, request
from peftcore.labs.atoms.request import AtomsJob, AtomsRequest
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import RunStore
from peftcore.training import run_training
from peftcore.training.evaluation import examples_to_answer
from peftcore.training.planning import build_spec

TASK = "miniworld_nli"
SMALL = {"shots": 6, "dev": 4, "steps": 4, "batch": 3, "evaluate_every": 2, "precision": "fp32"}
SHORT = {"limit": 6, "max_new_tokens": 3}
ATOMS = {
    "atoms": 2,
    "components": ["attention.query", "cross.key", "ffn.output"],
    "stacks": ["decoder"],
    "threshold": 0.7,
}


def trained(method="atoms", task=TASK, settings=ATOMS, **training):
    spec = build_spec("mine", task, method, settings, {"seeds": 2}, SMALL | training, SHORT)
    run = RunStore().create(spec)
    run_training.execute_run(run, base=load("mine"))
    return run


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with runs of atoms on a random T5."""
    home, models = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("models")
    base = build_tiny("t5")
    base.model.save_pretrained(models / "mine")
    base.tokenizer.save_pretrained(models / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_HOME", str(home))
        patch.setenv("PEFTCORE_MODELS", str(models))
        made = {
            "atoms": trained(learning_rate=0.3),
            "other": trained(task="miniworld_sentiment", learning_rate=0.5),
            "lora": trained("lora", settings={"rank": 2}),
        }
        yield home, models, made


@pytest.fixture
def runs(workspace, monkeypatch, home):
    """The runs, in a workspace where nothing was measured yet."""
    made_home, models, made = workspace
    shutil.copytree(made_home / "runs", home / "runs")
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))
    return {name: RunStore().open(run.id) for name, run in made.items()}


def done(kind, *names, **fields):
    """A measurement brought to its end."""
    study = AtomsJob.create(AtomsRequest.make({"kind": kind, "runs": names} | fields))
    assert compute.run_atoms_job(study).state == "done"
    return study


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


def reported(run):
    return run.scores()[tasks.find_task(run.spec.task).main_metric]


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


def test_a_path_trains_what_is_missing_and_reads_its_density(runs):
    run = runs["atoms"]
    study = done("path", run.id, values=(0.0, 0.7, 3.0))
    lora, free, own, sparse = study.entries_of("run")
    assert own["run"] == run.id  # found, not trained again
    settings = RunStore().open(lora["run"]).spec.settings
    assert (settings["threshold"], settings["learned_threshold"]) == (0, False)
    assert lora["zeros"] == [0.0, 0.0]
    assert max(free["zeros"]) < min(own["zeros"]) < min(sparse["zeros"])
    assert own["scores"] == reported(run)
    same = RunStore().open(sparse["run"]).spec
    assert same.settings == run.spec.settings | {"threshold": 3.0}
    assert same.training == run.spec.training


def test_a_warm_path_begins_from_runs_whose_coefficients_are_all_in_force(runs):
    run = runs["atoms"]
    study = done("path", run.id, values=(3.0,), warm=True)
    lora, sparse = study.entries_of("run")
    starts, store = study.facts["starts"], RunStore()
    assert store.open(lora["run"]).spec.start == starts["lora"]
    spec = store.open(sparse["run"]).spec
    assert spec.start == starts["atoms"]
    assert (spec.settings["threshold"], spec.settings["learned_threshold"]) == (3.0, False)
    first = store.open(spec.start).spec
    assert (first.settings["threshold"], first.start) == (0.0, "")
    assert min(sparse["zeros"]) > 0  # the threshold came in
    assert study.status().of == 4 * spec.training.steps


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


def test_removing_an_atom_answers_beside_the_old_and_the_base(runs):
    run, text = runs["atoms"], "Ann is at home. || Ann is out."
    by_choice = interventions.answers_with_changed_atoms(run.id, 1, ["D1.xk[0]", "0:1"], 0.0, text)
    assert list(by_choice) == ["all atoms", "without D1.xk[0], 0:1", "no atoms (the base)"]
    found = interventions.load_atoms(run)
    same = interventions.answers_with_gains(run, found, 1, {}, text)
    assert same[0] == same[1] == by_choice["all atoms"]
    gone = interventions.answers_with_gains(
        run, found, 1, dict.fromkeys(range(found.size), 0.0), text
    )
    assert gone[1] == gone[2] == by_choice["no atoms (the base)"]
    with pytest.raises(BadInput, match="seed must lie in"):
        interventions.answers_with_changed_atoms(run.id, 9, ["0:0"], 0.0, text)


def test_coefficients_of_a_typed_text_follow_the_answer_it_gets(runs):
    run = runs["atoms"]
    found = interventions.load_atoms(run)
    by_choice = interventions.codes_of_answer(run, found, 0, "Ann is glad.")
    assert (
        by_choice.answer == interventions.answers_with_gains(run, found, 0, {}, "Ann is glad.")[0]
    )
    assert [site.site for site in by_choice.sites] == found.sites
    for site in by_choice.sites:
        assert site.codes.shape == (len(site.tokens), 2)
        across = site.site.startswith("cross.key")  # reads what the encoder made of the text
        assert (len(site.tokens) == len("Ann is glad.") + 1) == across


def test_two_runs_answer_alone_and_together(runs):
    names = [runs["atoms"].id, f"{runs['other'].id}/1"]
    by_choice = interventions.answers_with_joined_atoms(names, "Ann is glad.", (1.0, 0.0))
    assert by_choice["both, 1 and 0 times"] == by_choice["first alone"]
    assert len(by_choice) == 4
    with pytest.raises(BadInput, match="two runs"):
        interventions.answers_with_joined_atoms(names[:1], "Ann")


def test_the_reference_is_lora_where_it_offers_the_matrices(runs):
    spec = build_spec("mine", TASK, "atoms", {"atoms": 3, "components": ["cross.value"]})
    lora = request.lora_spec(spec)
    assert (lora.method, lora.settings["rank"]) == ("lora", 3)
    assert lora.settings["components"] == ["cross.value"]
    assert lora.training.learning_rate == 0.005
