"""Sets of runs around one run: which they are, which exist, what they came to."""

import numpy as np
import pytest
from support.runs import make_run

from peftcore.analysis import few_seeds
from peftcore.errors import BadInput
from peftcore.jobs.queue import Queue
from peftcore.labs.scaling import ablations
from peftcore.runs.store import RunStore
from peftcore.training.planning import build_spec

TASKS = ["miniworld_nli", "miniworld_sentiment"]


@pytest.fixture
def store(tmp_path):
    """The runs of this test alone."""
    return RunStore(demo_folder=tmp_path)


def spec(method="spt", task="miniworld_nli", **settings):
    return build_spec("tiny-t5", task, method, settings, {"seeds": 3}, None, {"limit": 24})


def made(found):
    """A made-up finished run of a planned spec."""
    whole = found.model_dump(exclude={"base", "task", "method"})
    return make_run(found.method, found.task, found.base, **whole)


def ends(cell):
    """Source and target of a transfer."""
    return cell.labels["source"], cell.labels["target"]


def test_variants_differ_in_one_thing_each_and_hold_plain_prompt_tuning(store):
    own = spec(length=7)
    found = ablations.build_ablation("variants", own, store)
    assert [cell.spec.method for cell in found.cells] == ["prompt_tuning"] + ["spt"] * 5
    assert own.id in {cell.spec.id for cell in found.cells}
    assert {cell.spec.settings["length"] for cell in found.cells} == {7}
    assert len({cell.spec.id for cell in found.cells}) == 6
    for cell in found.cells[1:]:
        changed = {k for k, v in cell.spec.settings.items() if v != own.settings[k]}
        assert changed == set(ablations.VARIANTS[cell.name])


def test_variants_are_the_same_around_any_of_them(store):
    wanted = [
        ablations.build_ablation("variants", each, store).specs
        for each in (spec(), spec(share="feature"), spec("prompt_tuning"))
    ]
    assert wanted[0] == wanted[1] == wanted[2]


def test_a_study_finds_the_runs_there_are_and_queues_the_rest_once(store):
    mine, plain = made(spec()), made(spec("prompt_tuning"))
    found = ablations.build_ablation("variants", mine.spec, store)
    assert [run and run.id for run in found.runs] == [plain.id, mine.id, None, None, None, None]
    queue = Queue(store=store)
    jobs = found.queue(queue)
    assert [job.run_id for job in jobs] == [cell.spec.id for cell in found.startable]
    again = ablations.build_ablation("variants", mine.spec, store)
    assert not again.startable
    assert [run.status().state for run in again.unfinished] == ["queued"] * 4


def test_a_failed_run_can_be_queued_again(store):
    run = made(spec())
    run.write_status(state="failed")
    found = ablations.build_ablation("variants", run.spec, store)
    assert run.spec.id in {cell.spec.id for cell in found.startable}


def test_runs_made_before_a_setting_existed_are_found(store):
    old = {"length": 20, "start": "vocabulary", "scale_rate": 0.3}
    run = make_run("spt", settings=old, population={"seeds": 3}, training={"learning_rate": 1.0})
    found = ablations.build_ablation("variants", run.spec, store)
    assert run.id in {there.id for there in found.runs if there}


def test_lengths_hold_the_runs_own_for_both_methods(store):
    found = ablations.build_ablation("lengths", spec(length=20), store)
    places = [(cell.spec.method, cell.labels["place"]) for cell in found.cells]
    assert places == [(m, n) for m in ("spt", "prompt_tuning") for n in (10, 20, 30, 50, 60)]
    assert all(cell.spec.settings["length"] == cell.labels["place"] for cell in found.cells)


def test_shots_beyond_what_the_task_has_are_left_out(store, monkeypatch):
    own = spec()
    monkeypatch.setattr(ablations, "SHOTS", (6, 10**6))
    found = ablations.build_ablation("shots", own, store)
    assert {each.training.shots for each in found.specs} == {6, own.training.shots}


def test_scores_have_a_row_for_every_finished_seed(store):
    run = made(spec())
    table = ablations.build_ablation("variants", run.spec, store).scores("accuracy")
    assert list(table["seed"]) == [0, 1, 2]
    assert list(table["accuracy"]) == run.scores()["accuracy"]
    assert set(table["name"]) == {"Scale of each token"}


def test_a_transfer_starts_every_task_from_what_every_task_taught(store):
    run = made(spec())
    found = ablations.build_ablation("transfer", run.spec, store, TASKS)
    assert [ends(cell) for cell in found.cells] == [
        *(("", name) for name in TASKS),
        *((source, target) for source in TASKS for target in TASKS),
    ]
    specs = {ends(cell): cell.spec for cell in found.cells}
    for (source, target), each in specs.items():
        assert each.start == (specs["", source].id if source else "")
        assert each.task == target
    assert found.runs[0].id == run.id
    assert [ends(cell)[0] == "" for cell in found.missing] == [True, *[False] * 4]


def test_the_gain_of_a_transfer_is_paired_by_seed(store):
    first, second = TASKS
    found = ablations.build_ablation("transfer", spec(), store, TASKS)
    wanted = {("", second): [0.2, 0.4, 0.6], (first, second): [0.5, 0.6, 0.7]}
    for cell in found.cells:
        if ends(cell) in wanted:
            made(cell.spec).write_scores({"accuracy": wanted[ends(cell)]})
    found = ablations.build_ablation("transfer", spec(), store, TASKS)
    matrix = {
        (field.source, field.target): field
        for field in ablations.transfer_gains(found, dict.fromkeys(TASKS, "accuracy"))
    }
    field = matrix[first, second]
    assert (field.direct, field.started) == (pytest.approx(0.4), pytest.approx(0.6))
    assert field.gain.mean == pytest.approx(0.2)  # of 0.3, 0.2 and 0.1
    # standard deviation 0.1 of three, t(0.975, 2) = 4.302653; widened for few seeds as far as the
    # spreads of the two sides, 0.1 and 0.2, differ
    lean = few_seeds.lean_of_difference(np.array([0.2, 0.4, 0.6]), np.array([0.5, 0.6, 0.7]))
    assert 0 < lean < 1
    half = few_seeds.error_factor(3, 1.0, lean=lean) * 4.302653 * 0.1 / 3**0.5
    assert field.gain.low == pytest.approx(0.2 - half)
    assert field.gain.n == 3
    assert matrix[second, first].gain.mean is None
    assert matrix[second, second].gain.n == 0


def test_what_cannot_be_studied_is_refused(store):
    with pytest.raises(BadInput, match="needs two tasks"):
        ablations.build_ablation("transfer", spec(), store, TASKS[:1])
    with pytest.raises(BadInput, match="made by lora"):
        ablations.build_ablation("lengths", spec("lora"), store)
    with pytest.raises(BadInput, match="no study 'length'; did you mean 'lengths'"):
        ablations.build_ablation("length", spec(), store)


def test_the_partner_without_scales_must_be_done(store):
    run = made(spec(length=9))
    assert ablations.find_unscaled_run(run, store) is None
    plain = made(spec("prompt_tuning", length=9))
    assert ablations.find_unscaled_run(run, store).id == plain.id
    plain.write_status(state="cancelled")
    assert ablations.find_unscaled_run(run, store) is None


def test_comparable_runs_share_task_data_and_seeds(store):
    run, other = made(spec()), made(spec("lora"))
    made(spec("lora", "miniworld_sentiment"))
    assert {r.id for r in ablations.comparable_runs(store.all(), run)} == {run.id, other.id}


def test_what_is_read_and_explained_varies_for_any_method(store):
    lora = spec("lora")
    templates = ablations.build_ablation("templates", lora, store)
    assert [cell.name for cell in templates.cells] == [
        "as the task has it", "question first", "question last", "texts alone",
    ]  # fmt: skip
    assert templates.cells[0].spec.id == lora.id
    explanations = ablations.build_ablation("explanations", lora, store)
    assert [cell.spec.training.explanations for cell in explanations.cells] == [
        "own", "shuffled", "truncated", "same_label", "other_label",
    ]  # fmt: skip
    assert explanations.cells[0].spec.id == lora.id
    sentiment = spec("lora", "miniworld_sentiment")
    with pytest.raises(BadInput, match="asks for no explanations"):
        ablations.build_ablation("explanations", sentiment, store)


def test_a_transfer_matrix_is_there_for_any_method(store):
    found = ablations.build_ablation("transfer", spec("lora"), store, TASKS)
    assert {cell.spec.method for cell in found.cells} == {"lora"}
    assert len(found.cells) == 2 + 4
