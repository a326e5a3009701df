"""`train` and `params`."""

import json
import os
import signal

import pytest
from support.commands import RANDOM, SHORT, call, printed, refused, train

from peftcore.runs.store import RunStore


def test_train_prints_run_scores_seconds_and_trainable(trained):
    result = trained[1]
    assert set(result) == {"run", "scores", "seconds", "trainable", "labels"}
    assert set(result["labels"]["words"]) == {"entailment", "neutral", "contradiction"}
    accuracy = result["scores"]["accuracy"]
    limits = {"mean", "low", "high", "population", "items", "reason", "seeds", "missing"}
    assert set(accuracy) == limits
    assert accuracy["population"] == "this task"
    assert len(accuracy["seeds"]) == 2
    assert accuracy["mean"] == pytest.approx(sum(accuracy["seeds"]) / 2)
    assert accuracy["low"] <= accuracy["mean"] <= accuracy["high"]
    assert result["trainable"] > 0
    assert result["seconds"] > 0


def test_options_and_settings_reach_the_spec(three):
    lora, prompt, other = (RunStore().open(run).spec for run in three)
    assert lora.settings["rank"] == 2
    assert (lora.training.shots, lora.training.steps, lora.training.dev) == (6, 3, 2)
    assert (lora.population.seeds, lora.evaluation.limit) == (2, 3)
    assert prompt.training.learning_rate == 0.05
    assert other.training.shots == 9


def test_a_done_run_is_printed_and_not_trained_again(three, trained):
    run = RunStore().open(three[0])
    before = run.status()
    done = call("train", *RANDOM, "--method", "lora", *SHORT, "--set", "rank=2", "--json")
    assert json.loads(done.stdout) == trained[1]
    assert "--again" in done.stderr
    assert run.status() == before


def test_again_trains_a_done_run_to_the_same_scores(three, trained):
    before = RunStore().open(three[0]).status().updated
    assert train("lora", "--set", "rank=2", "--again")["scores"] == trained[1]["scores"]
    assert RunStore().open(three[0]).status().updated > before


def test_params_counts_part_by_part(models):
    found = printed("params", "--base", "t5-small", "--method", "prefix_tuning", "--tree")
    assert sum(part["count"] for part in found["parts"]) == found["trainable"]
    assert {(part["stack"], part["component"]) for part in found["parts"]} == {
        ("encoder", "attention"),
        ("decoder", "attention"),
        ("decoder", "cross"),
    }
    assert max(part["layer"] for part in found["parts"]) == 6
    assert call("params", "--base", "t5-small", "--method", "lora", "--tree").exit_code == 0


def test_params_counts_without_training(models):
    found = printed("params", "--base", "random-t5", "--method", "prompt_tuning")
    more = printed("params", *RANDOM[:2], "--method", "prompt_tuning", "--set", "length=2")
    assert set(found) == {"trainable", "total", "percent"}
    assert more["trainable"] == 2 * 16  # two soft tokens of width 16
    assert found["percent"] == pytest.approx(100 * found["trainable"] / found["total"], rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--base", "random-t6"], "did you mean 'random-t5'"),
        (["--task", "miniworld_nil"], "did you mean 'miniworld_nli'"),
        (["--method", "loora"], "did you mean 'lora'"),
        (["--set", "rnak=2"], "did you mean 'rank'"),
        (["--set", "rank=0"], "rank"),
        (["--set", "rank"], "key=value"),
        (["--seeds", "0"], "seeds must lie in [1, 64]; got 0"),
        (["--shots", "5001"], "shots must lie in [1, 5000]; got 5001"),
        (["--data", "/no/such/folder"], "no folder of data sets"),
        (["--device", "abacus"], "no device 'abacus'"),
    ],
)
def test_bad_input_is_one_sentence_and_status_two(models, home, arguments, sentence):
    assert sentence in refused("train", *RANDOM, "--method", "lora", *SHORT, *arguments)
    assert RunStore().all(include_demos=False) == []


def test_a_missing_option_ends_with_status_two(home):
    assert call("train").exit_code == 2
    assert call("no-such-command").exit_code == 2


def test_a_fault_of_ours_is_status_one_with_an_error_id(models, home, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("peftcore.training.run_training.execute_run", broken)
    done = call("train", *RANDOM, "--method", "lora", *SHORT)
    status = RunStore().all(include_demos=False)[0].status()
    assert done.exit_code == 1
    assert status.error_id in done.stderr
    assert "Traceback" not in done.output


def test_ctrl_c_keeps_what_was_learnt_and_the_same_command_goes_on(
    models, home, monkeypatch, tmp_path
):
    """Case A25 (modelscope/ms-swift#6049): the curve is that of a run without the stop."""
    from peftcore.training.run_training import execute_run

    def pressing(run, report, **given):
        def press(progress):
            if progress.step == 2:
                os.kill(os.getpid(), signal.SIGINT)

        return execute_run(run, report=press, **given)

    monkeypatch.setattr("peftcore.training.run_training.execute_run", pressing)
    command = ["train", *RANDOM, "--method", "lora", *SHORT, "--set", "evaluate_every=1"]
    command += ["--set", "patience=2", "--set", "precision=fp32"]
    done = call(*command)
    run = RunStore().all(include_demos=False)[0]
    assert done.exit_code == 1
    assert "Resume it by the same command" in done.stderr
    assert (run.status().state, run.status().step) == ("cancelled", 2)
    assert (run.folder / "adapter.safetensors").is_file()
    monkeypatch.undo()
    monkeypatch.setenv("PEFTCORE_HOME", str(home))
    assert call(*command).exit_code == 0
    assert (run.status().state, run.status().step) == ("done", 3)
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "undisturbed"))
    assert call(*command).exit_code == 0
    [whole] = RunStore().all(include_demos=False)
    assert (whole.id, whole.scores()) == (run.id, run.scores())
    assert whole.history().drop(columns="seconds").equals(run.history().drop(columns="seconds"))
