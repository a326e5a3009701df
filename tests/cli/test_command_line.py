import json
import os
import signal
import subprocess
import sys

import pytest
from support.commands import RANDOM, SHORT, call, printed, refused
from typer.testing import CliRunner

from peftcore import paths
from peftcore.cli import app
from peftcore.jobs.queue import Queue
from peftcore.runs.store import RunStore


def own_runs():
    """What `runs` prints, less the runs that ship with the project."""
    return [row for row in printed("runs") if not row["demo"]]


def train(method, *more):
    return printed("train", *RANDOM, "--method", method, *SHORT, *more)


@pytest.fixture(scope="module")
def models(tiny, tmp_path_factory):
    """A folder of bases with a random one, as somebody's own."""
    folder = tmp_path_factory.mktemp("models")
    base = tiny("t5")
    base.model.save_pretrained(folder / "random-t5")
    base.tokenizer.save_pretrained(folder / "random-t5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def trained(models, tmp_path_factory):
    """A workspace with three runs, made once from the command line: what each printed."""
    home = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_HOME", str(home))
        lora = train("lora", "--set", "rank=2")
        prompt = train("prompt_tuning", "--learning-rate", "0.05")
        other = train("lora", "--shots", "9")
    return home, lora, prompt, other


@pytest.fixture
def three(trained, monkeypatch):
    """Ids of the three runs, in their workspace."""
    home, *results = trained
    monkeypatch.setenv("PEFTCORE_HOME", str(home))
    return [result["run"] for result in results]


def test_list_names_everything(models):
    names = printed("list")
    assert set(names) == {"methods", "tasks", "bases"}
    assert {"prompt_tuning", "spt", "prefix_tuning", "lora"} <= set(names["methods"])
    assert {"e2e_nlg", "esnli", "glue_qnli", "miniworld_nli"} <= set(names["tasks"])
    assert "random-t5" in names["bases"]
    assert "Scaled prompt tuning" in call("list").stdout


def test_train_prints_run_scores_seconds_and_trainable(trained):
    result = trained[1]
    assert set(result) == {"run", "scores", "seconds", "trainable"}
    accuracy = result["scores"]["accuracy"]
    assert set(accuracy) == {"mean", "low", "high", "seeds"}
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


def test_one_seed_has_no_interval(models, home):
    accuracy = train("lora", "--seeds", "1")["scores"]["accuracy"]
    assert (accuracy["low"], accuracy["high"]) == (None, None)
    assert accuracy["mean"] == accuracy["seeds"][0]


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


def test_runs_are_listed_with_their_scores(three, trained):
    rows = {row["run"]: row for row in printed("runs")}
    assert set(three) <= set(rows)
    row = rows[three[0]]
    assert (row["state"], row["method"], row["step"]) == ("done", "lora", 3)
    assert row["scores"] == trained[1]["scores"]
    assert three[0] in call("runs").stdout


def test_compare_shows_intervals_and_paired_differences(three):
    lora, prompt, _ = three
    found = printed("compare", lora, prompt)
    assert found["metric"] == "accuracy"
    assert {row["run"] for row in found["runs"]} == {lora, prompt}
    assert {"mean", "low", "high", "n"} <= set(found["runs"][0])
    assert [row["run"] for row in found["differences"]] == [prompt]
    assert prompt in call("compare", lora, prompt).stdout


def test_compare_takes_another_metric_and_refuses_an_unknown_one(three):
    assert printed("compare", *three[:2], "--metric", "f1")["metric"] == "f1"
    assert "did you mean 'accuracy'" in refused("compare", *three[:2], "--metric", "acuracy")


def test_compare_refuses_unlike_runs_with_the_reason(three):
    line = refused("compare", three[0], three[2])
    assert "training examples" in line
    assert "6 in" in line
    assert "9 in" in line


def test_answers_show_every_example_of_every_seed(three):
    rows = printed("answers", three[0])
    assert len(rows) == 2 * 3
    assert {"seed", "source", "target", "text", "correct"} <= set(rows[0])
    assert {row["seed"] for row in printed("answers", three[0], "--seed", "1")} == {1}
    assert "no seed '7'" in refused("answers", three[0], "--seed", "7")


def test_params_counts_without_training(models):
    found = printed("params", "--base", "random-t5", "--method", "prompt_tuning")
    more = printed("params", *RANDOM[:2], "--method", "prompt_tuning", "--set", "length=2")
    assert set(found) == {"trainable", "total", "percent"}
    assert more["trainable"] == 2 * 16  # two soft tokens of width 16
    assert found["percent"] == pytest.approx(100 * found["trainable"] / found["total"], rel=1e-3)


def test_lr_search_picks_the_lowest_dev_loss(models, home):
    found = printed("lr-search", *RANDOM, "--method", "lora", *SHORT, "--rates", "1e-9,0.01,0.02")
    losses = {row["learning_rate"]: row["dev_loss"] for row in found["rates"]}
    assert set(losses) == {1e-9, 0.01, 0.02}
    assert found["best"] == min(losses, key=losses.get)
    asked = ("lr-search", *RANDOM, "--method", "lora", "--rates", "fast")
    assert "rates are numbers" in refused(*asked)


def test_a_queued_run_waits_for_a_worker_and_is_cancelled_and_deleted(models, home, monkeypatch):
    started = []
    monkeypatch.setattr(
        "peftcore.jobs.queue.ensure_worker", lambda *given: started.append(given[0])
    )
    job = train("lora", "--queue", "--device", "cpu")
    assert job["state"] == "queued"
    assert started == ["cpu"]
    assert [row["run"] for row in printed("jobs")] == [job["run"]]
    assert printed("cancel", job["run"])["state"] == "cancelled"
    assert printed("resume", job["run"], "--device", "cpu")["state"] == "queued"
    assert started == ["cpu", "cpu"]
    printed("cancel", job["run"])
    assert printed("delete", job["run"]) == {"deleted": job["run"]}
    assert own_runs() == []


def test_the_worker_command_works_off_the_queue(models, home, monkeypatch):
    monkeypatch.setattr("peftcore.jobs.queue.ensure_worker", lambda *_: None)
    job = train("lora", "--queue", "--device", "cpu")
    assert printed("worker", "--once", "--device", "cpu") == {"jobs": 1}
    assert RunStore().open(job["run"]).status().state == "done"
    assert Queue().job_for(job["run"]).state == "done"
    assert printed("worker", "--once", "--device", "cpu") == {"jobs": 0}


def test_deleting_asks_first(models, home):
    train("lora")
    run = own_runs()[0]["run"]
    assert CliRunner().invoke(app, ["delete", run], input="n\n").exit_code == 1
    assert len(own_runs()) == 1


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


@pytest.mark.parametrize("command", ["answers", "compare", "delete", "cancel", "resume"])
def test_an_unknown_run_is_bad_input(home, command):
    assert "no run 'abc'" in refused(command, "abc")


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


def test_ctrl_c_keeps_what_was_learnt_and_the_same_command_goes_on(models, home, monkeypatch):
    from peftcore.training.run_training import execute_run

    def pressing(run, report, **given):
        def press(progress):
            if progress.step == 2:
                os.kill(os.getpid(), signal.SIGINT)

        return execute_run(run, report=press, **given)

    monkeypatch.setattr("peftcore.training.run_training.execute_run", pressing)
    command = ["train", *RANDOM, "--method", "lora", *SHORT, "--set", "evaluate_every=1"]
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


def test_the_program_sets_its_threads_before_torch_and_prints_json_alone():
    lines = (
        "import sys, runpy; sys.argv = ['peftcore', 'list', '--json']\n"
        "try: runpy.run_module('peftcore', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "import os; print(os.environ['OMP_NUM_THREADS'], 'torch' in sys.modules, file=sys.stderr)"
    )
    clean = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=paths.ROOT, env=clean, capture_output=True, check=True
    )
    assert set(json.loads(done.stdout)) == {"methods", "tasks", "bases"}
    assert done.stderr.split() == [b"1", b"False"]
