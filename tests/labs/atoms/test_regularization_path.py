"""Runs along a path of thresholds."""

from support.atom_runs import done, reported

from peftcore.runs.store import RunStore


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
