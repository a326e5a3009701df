"""Toy transformers: what they are asked, what they compute, and what an experiment leaves."""

import itertools
import json

import pytest
import torch
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.labs.toys import (
    digits,
    experiments,
    model,
    results,
    training,
)
from peftcore.labs.toys.recipes import Stage, ToyShape, find_recipe, reported_exact_match
from peftcore.labs.toys.request import ToyJob, ToyRequest
from peftcore.labs.toys.training import StageControl

SMALL = ToyShape(layers=2, heads=2, width=16, length=3, pads=2)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_answers_of_every_task():
    x = torch.tensor([[3, 1, 3, 0]])
    expected = {
        "ascending": [0, 1, 3, 3],
        "descending": [3, 3, 1, 0],
        "add1": [4, 2, 4, 1],
        "add2": [5, 3, 5, 2],
        "ascending_add1": [1, 2, 4, 4],
        "histogram": [2, 1, 2, 1],
    }
    for task, wanted in expected.items():
        assert digits.task_answers(x, task)[0].tolist() == wanted


def test_a_quarter_is_held_out_and_never_trained_on():
    every = torch.tensor(list(itertools.product(range(8), repeat=4)))
    assert digits.held_out(every).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert not digits.held_out(digits.sample_inputs(500, 6, rng(), test=False)).any()
    assert digits.held_out(digits.sample_inputs(500, 6, rng(), test=True)).all()


def test_the_split_is_the_same_in_every_process():
    known = torch.tensor([[0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6], [7, 7, 1, 0, 3, 3]])
    code = [1, 1 + 1 + 16 + 192 + 2048 + 20480 + 196608, 1 + 7 + 56 + 64 + 0 + 12288 + 98304]
    expected = [(c * 2654435761) % 2**32 < 2**30 for c in code]
    assert digits.held_out(known).tolist() == expected


def test_a_prefix_only_scales_the_content_pattern_of_the_first_layer():
    tensors = {n: t.double() * 10 for n, t in model.init_model(SMALL, [0]).items()}
    prefix = model.init_prefix(SMALL, [0])["prefix"].double()
    tokens = torch.randint(8, (1, 4, 5), generator=rng())
    plain, prefixed = model.AttentionTrace(), model.AttentionTrace()
    model.logits(SMALL, tensors, tokens, trace=plain)
    model.logits(SMALL, tensors, tokens, prefix, trace=prefixed)

    def content(weights):
        kept = weights[..., SMALL.pads :]
        return kept / kept.sum(-1, keepdim=True)

    first = (content(plain.weights[0]) - content(prefixed.weights[0])).abs().max()
    second = (content(plain.weights[1]) - content(prefixed.weights[1])).abs().max()
    assert first < 1e-6  # the softmax itself is taken in single precision
    assert second > 1e-3


@pytest.mark.parametrize(("kind", "unchanged"), [("prefix", True), ("lora", True), ("full", False)])
def test_adaptations_train_and_leave_the_base_alone(kind, unchanged):
    base = model.init_model(SMALL, [0])
    before = {name: tensor.clone() for name, tensor in base.items()}
    stage = Stage(kind=kind, task="descending", steps=30, rate=1e-2)
    made = training.train_stage(SMALL, stage, [0], base)
    assert made.losses[-1][1][0] < made.losses[0][1][0]
    assert all(torch.equal(tensor, base[name]) for name, tensor in before.items())
    assert (set(made.tensors) != set(base)) == unchanged


def test_exact_match_is_that_of_greedy_decoding():
    stage = Stage(kind="pretrain", task="ascending", steps=60, rate=5e-3)
    made = training.train_stage(SMALL, stage, [0])
    reached = training.exact_match(SMALL, "pretrain", made.tensors, None, "ascending")[0]
    inputs = digits.sample_inputs(training.TEST_SEQUENCES, 3, rng(20_231_019), test=True)
    written = training.greedy_answers(SMALL, "pretrain", made.tensors, None, inputs)
    right = (written == digits.task_answers(inputs, "ascending")).all(-1).float().mean().item()
    assert reached == pytest.approx(100 * right)
    assert 0 < right < 1


@pytest.fixture
def short():
    """An experiment of a few steps."""
    whole = find_recipe("01", "quick")
    stages = tuple(stage.model_copy(update={"steps": 3}) for stage in whole.stages)
    return whole.model_copy(update={"stages": stages, "shape": SMALL})


def test_an_experiment_resumes_at_the_missing_stage_and_has_a_table(short, tmp_path):
    class Enough(Exception):
        pass

    def stop_at_second(progress):
        if progress.stage != "pretrained":
            raise Enough

    with pytest.raises(Enough):
        experiments.run_experiment(short, (0, 1), tmp_path, StageControl(report=stop_at_second))
    assert [stage.name for stage, _ in results.completed_stages(tmp_path, short, (0, 1))] == [
        "pretrained"
    ]
    seen = []
    control = StageControl(report=lambda progress: seen.append(progress.stage))
    experiments.run_experiment(short, (0, 1), tmp_path, control)
    assert "pretrained" not in seen
    rows = list(results.result_rows(tmp_path, short, (0, 1)))
    assert len(rows) == 3 * 2
    assert all(0 <= row.low <= row.mean <= row.high <= 100 for row in rows)
    assert rows[1].paper == reported_exact_match("01", "pretrained", "descending") == 0.0


def test_stopping_is_obeyed_at_once(short, tmp_path):
    with pytest.raises(InterruptedError):
        experiments.run_experiment(short, (0,), tmp_path, StageControl(stop=lambda: True))
    assert not results.completed_stages(tmp_path, short, (0,))


def test_only_the_first_seeds_weights_are_shipped(short, tmp_path):
    experiments.run_experiment(short, (0, 1), tmp_path / "a")
    experiments.ship_results(short, (0, 1), tmp_path / "a", tmp_path / "b")
    for stage, result in results.completed_stages(tmp_path / "b", short, (0, 1)):
        assert len(result.exact_match["ascending"]) == 2
        kept = results.load_weights(tmp_path / "b", result.key)
        assert {len(tensor) for tensor in kept.values()} == {1}, stage.name


def toy_job(**fields):
    return ToyJob.create_own(ToyRequest.make({"size": "quick", "seeds": 1} | fields))


def test_a_job_trains_counts_its_steps_and_keeps_its_losses(short):
    job = toy_job()
    status = experiments.run_toys_job(job, short)
    assert (status.state, status.done, status.of) == ("done", 9, 9)
    assert list(job.losses()) == [stage.name for stage in short.stages]
    assert [step for step, _ in job.losses()["pretrained"]] == [1, 2, 3]
    assert len(results.completed_stages(results.own_folder(), short, (0,))) == 3


def test_a_stopped_job_goes_on_after_its_finished_stages(short, monkeypatch):
    monkeypatch.setattr(experiments, "STOP_CHECK_SECONDS", 0.0)
    job = toy_job()
    append = ToyJob.append_value

    def stop_in_second(self, entry):
        append(self, entry)
        if entry["stage"] != "pretrained":
            self.stop()

    with monkeypatch.context() as patch:
        patch.setattr(ToyJob, "append_value", stop_in_second)
        status = experiments.run_toys_job(job, short)
    assert (status.state, status.done) == ("cancelled", 4)
    assert experiments.run_toys_job(job, short).state == "done"
    stages = [entry["stage"] for entry in job.entries()]
    assert stages.count("pretrained") == 3
    assert [step for step, _ in job.losses()[short.stages[1].name]] == [1, 2, 3]


def test_a_job_that_is_done_trains_again_what_was_deleted(short):
    job = toy_job()
    experiments.run_toys_job(job, short)
    for path in results.own_folder().iterdir():
        path.unlink()
    assert experiments.run_toys_job(job, short).state == "done"
    assert len(results.completed_stages(results.own_folder(), short, (0,))) == 3


def test_a_request_is_the_command_that_trains_it():
    request = ToyRequest.make({"number": "03", "size": "quick", "seeds": 2, "first_seed": 4})
    words = ["toys", "03", "--recipe", "quick", "--seeds", "2", "--first-seed", "4"]
    assert request.command_arguments() == words
    assert request.seed_numbers == (4, 5)
    assert request.recipe == find_recipe("03", "quick")


def test_own_results_are_found_by_their_seeds(short, tmp_path):
    experiments.run_experiment(short, (0, 1), tmp_path)
    assert results.seed_sets(tmp_path, short) == [(0, 1)]
    for stage in short.stages[1:]:
        (tmp_path / f"{short.key(stage, (0, 1))}.json").unlink()
    assert results.seed_sets(tmp_path, short) == []  # experiments share a pretraining


def test_the_command_trains_and_prints_nothing_but_json(home, monkeypatch, short):
    monkeypatch.setattr("peftcore.labs.toys.recipes.find_recipe", lambda number, size="cpu": short)
    done = CliRunner().invoke(app, ["toys", "01", "--seeds", "2", "--device", "cpu", "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert {"model", "adaptation", "task", "exact_match"} <= rows[0].keys()
    assert {"mean", "low", "high", "seeds", "groups"} == rows[0]["exact_match"].keys()
    [job] = ToyJob.list_all()
    assert (job.status().state, job.request.seeds) == ("done", 2)
