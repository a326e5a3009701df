"""Every tracker gets each seed as a run, with its losses, scores, settings and the adapter."""

import sys
import types

import numpy as np
import pytest
from safetensors.numpy import save_file
from support.commands import printed, refused
from support.runs import make_run

from peftcore.exchange import trackers

SEEDS = {"population": {"seeds": 2, "first_seed": 5}}


class Recorder(types.ModuleType):
    """A tracker's package that keeps what it is told: (function, arguments, names)."""

    def __init__(self, name):
        super().__init__(name)
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*arguments, **names):
            self.calls.append((name, arguments, names))
            return self

        return call

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.calls.append(("end", (), {}))

    @property
    def summary(self):
        return self

    def of(self, *names):
        return [call for call in self.calls if call[0] in names]


@pytest.fixture
def package(monkeypatch):
    def put(name):
        module = Recorder(name)
        monkeypatch.setitem(sys.modules, name, module)
        return module

    return put


@pytest.fixture
def run():
    made = make_run("lora", **SEEDS)
    save_file({"a": np.zeros(1)}, made.folder / "adapter.safetensors")
    made.write_scores({"accuracy": [0.5, 0.75], "chrf": [float("nan"), 40.0]})
    return made


@pytest.mark.parametrize("name", trackers.WRITERS)
def test_each_seed_is_a_run_of_the_tracker(name, run, package):
    module = package(name)
    shown = printed("export", run.id, "--to", name, "--project", "mine")
    assert shown["runs"] == [f"{run.id}-seed5", f"{run.id}-seed6"]
    text = str(module.calls)
    assert text.count("'miniworld_nli'") == 2  # settings, once for each seed
    assert text.count(f"adapter-{run.id}") >= 1
    files = [a[0] for n, a, _ in module.of("add_file", "log_artifact") if isinstance(a[0], str)]
    assert [f.rpartition("/")[2] for f in files] == [*trackers.ARTIFACT_FILES]
    assert len(module.of("finish", "end")) == 2
    steps = [names["step"] for n, _, names in module.of("log", "log_metrics") if "step" in names]
    history = sorted(set(run.history().step))
    assert steps[: len(history)] == history
    logged = [a[0] for n, a, _ in module.of("log", "log_metrics", "update") if a]
    assert {"accuracy": 0.5} in [
        {k: v for k, v in row.items() if k == "accuracy"} for row in logged
    ]
    assert sum("chrf" in row for row in logged) == 1  # what is no number is left out


def test_settings_are_flat_and_say_what_it_rests_on(run):
    first, second = trackers.seed_records(run, "p", [5, 6])
    assert first.config["training.steps"] == 200
    assert first.config["settings.rank" if "settings.rank" in first.config else "seed"] is not None
    assert (first.config["fingerprint"], first.config["seed"]) == ("f0", 5)
    assert first.scores == {"accuracy": 0.5}
    assert second.scores == {"accuracy": 0.75, "chrf": 40.0}
    assert first.history[0][1].keys() == {*trackers.HISTORY_METRICS}
    assert second.files == ()  # one file has all seeds


def test_one_seed_may_be_written_alone(run, package):
    package("trackio")
    assert printed("export", run.id, "--to", "trackio", "--seed", "6")["runs"] == [
        f"{run.id}-seed6"
    ]
    assert "no seed '9'" in refused("export", run.id, "--to", "trackio", "--seed", "9")


@pytest.mark.parametrize("name", trackers.WRITERS)
def test_a_tracker_that_is_missing_is_named(name, run, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    assert f"`pip install {name}`" in refused("export", run.id, "--to", name)


def test_only_finished_runs_go_out_and_a_folder_is_asked_for_where_one_is_needed(run, package):
    package("wandb")
    assert "name the new folder for peft" in refused("export", run.id, "--to", "peft")
    run.write_status(state="cancelled")
    assert "only finished runs" in refused("export", run.id, "--to", "wandb")
