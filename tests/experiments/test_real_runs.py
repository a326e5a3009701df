"""The runs on a real base that ship: the right ones, small, and without texts of the data."""

import json

import pandas as pd
import pytest
from safetensors import safe_open
from support.runs import make_run

from peftcore import paths
from peftcore.adapters import measured_rates
from peftcore.experiments import real_runs
from peftcore.experiments.real_runs import REAL_RUNS, real_specs
from peftcore.models import catalog
from peftcore.runs.ship import ADAPTER_FILE, SHIPPED_FILES
from peftcore.runs.store import EXAMPLE_TEXTS, RunStore

FOLDER = paths.ASSETS / "real_runs"
SHIPPED = [RunStore().open(spec.id) for spec in real_specs()]
MAX_BYTES = 10_000_000  # of the whole folder


def test_the_shipped_runs_are_those_the_command_makes():
    rated = {spec.id for spec in real_runs.rated_specs()}
    shipped = {run.id for run in SHIPPED}
    assert {path.parent.name for path in FOLDER.glob("*/spec.json")} == shipped | rated
    assert all(run.folder.parent == FOLDER for run in SHIPPED)


RATED = [RunStore().open(spec.id) for spec in real_runs.rated_specs()]


@pytest.mark.parametrize(
    "run", [*SHIPPED, *RATED], ids=lambda run: f"{run.spec.method} {run.spec.task}"
)
def test_a_run_on_a_real_base_ships_its_results_and_no_text_of_the_data(run):
    assert run.status().state == "done"
    assert len(run.scores()["accuracy"]) == run.spec.population.seeds >= 3
    assert {p.name for p in run.folder.iterdir()} <= {*SHIPPED_FILES, ADAPTER_FILE, "path"}
    stored = pd.read_parquet(run.folder / "answers.parquet")
    assert not set(EXAMPLE_TEXTS) & set(stored.columns)
    assert len(run.answers()) == run.spec.population.seeds * real_runs.ANSWERS
    adapter = run.folder / ADAPTER_FILE
    if adapter.is_file():
        assert adapter.stat().st_size <= 1.01 * real_runs.MAX_ADAPTER_BYTES
        with safe_open(adapter, "pt") as file:
            assert json.loads(file.metadata()["peftcore"])


def test_all_runs_forgot_on_the_same_texts():
    found = [run.forgetting() for run in SHIPPED]
    assert {each.digest for each in found} == {found[0].digest}
    assert [len(each.loss) for each in found] == [run.spec.population.seeds for run in SHIPPED]


def test_the_whole_folder_is_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= MAX_BYTES


def test_every_method_had_as_many_tries_of_its_rate():
    [row] = [row for row in measured_rates.MEASURED if real_runs.BASE in row.measured_on]
    for real in REAL_RUNS:
        losses = real.tries or row.losses[real.method]
        assert len(losses) == 5
        assert real.learning_rate() == measured_rates.best_rate(losses)


def test_a_run_that_is_done_is_shipped_and_not_trained_again(tmp_path, monkeypatch):
    monkeypatch.setattr(real_runs, "REAL_RUNS", REAL_RUNS[:1])
    monkeypatch.setattr(real_runs, "RATED_RUNS", real_runs.RATED_RUNS[:1])
    trained = []

    def train(run):
        trained.append(run.id)
        run.write_answers(pd.DataFrame({"seed": [0], "source": ["theirs"], "text": ["ours"]}))
        run.write_status(state="done")

    first, second = *real_specs(), *real_runs.rated_specs()
    made = real_runs.ship_real_runs(tmp_path / "out", train)
    assert trained == [run.id for run in made] == [first.id, second.id]
    assert b"theirs" not in (made[0].folder / "answers.parquet").read_bytes()
    assert [run.id for run in real_runs.ship_real_runs(tmp_path / "out", train)] == trained


def test_a_large_adapter_stays_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(real_runs, "MAX_ADAPTER_BYTES", 3)
    run = make_run()
    (run.folder / ADAPTER_FILE).write_bytes(b"more numbers than there is room for")
    assert not (real_runs._ship(run, tmp_path).folder / ADAPTER_FILE).exists()


@pytest.mark.parametrize("real", REAL_RUNS, ids=lambda real: real.title)
def test_a_spec_is_the_one_that_the_base_at_hand_would_give(real):
    if not catalog.is_at_hand(real_runs.BASE):
        pytest.skip("the base is not on this machine")
    from peftcore.sweeps.grid import vary

    assert vary(real.spec(), {}).id == real.spec().id
