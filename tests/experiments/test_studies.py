import csv

import pytest
from support.runs import make_run

from peftcore.analysis.few_seeds import widening
from peftcore.errors import BadInput
from peftcore.experiments import studies
from peftcore.training.planning import build_spec


@pytest.mark.parametrize("name", list(studies.EXPERIMENTS))
def test_a_study_asks_for_different_runs_with_at_least_five_seeds(name):
    wanted = studies.find(name).grid().specs
    assert len({spec.id for spec in wanted}) == len(wanted)
    assert all(spec.population.seeds >= 5 for spec in wanted)


def test_the_two_validations_of_a_simplex_differ_in_nothing_else():
    by_label = {cell.name: cell.spec for cell in studies.find("encoder").grid().cells}
    drawn = by_label["Prefix subspace, stochastic validation"].model_dump()
    fixed = by_label["Prefix subspace, deterministic validation"].model_dump()
    assert drawn["training"].pop("validation") == "stochastic"
    assert fixed["training"].pop("validation") == "deterministic"
    assert drawn == fixed
    assert drawn["population"]["vertices"] == 6


def test_a_row_is_the_mean_and_interval_over_seeds(home):
    run = make_run(population={"seeds": 3})
    run.write_scores({"accuracy": [0.55, 0.65, 0.6]})
    row = studies.result_row("methods", "LoRA", run)
    assert (row.mean, row.n, row.values) == (pytest.approx(0.6), 3, "0.55 0.65 0.6")
    half = widening(3) * 4.302653 * 0.05 / 3**0.5  # t with two degrees of freedom
    assert row.high - row.mean == pytest.approx(half, rel=1e-4)


def test_writing_replaces_a_study_and_keeps_the_others(tmp_path):
    path = tmp_path / "measured.csv"
    make = lambda study, mean: studies.ExperimentRow(
        study, "b", "t", 5, "l", "m", "accuracy", mean, None, None, 1, "", 3, "r"
    )
    studies.write([make("one", 0.1), make("two", 0.2)], path)
    studies.write([make("two", 0.3)], path)
    with path.open(newline="") as file:
        assert [(r["study"], r["mean"]) for r in csv.DictReader(file)] == [
            ("one", "0.1"),
            ("two", "0.3"),
        ]


def test_an_unknown_experiment_is_refused_by_name():
    with pytest.raises(BadInput, match="encoder"):
        studies.find("encodr")


@pytest.mark.parametrize("name", list(studies.AROUND_A_RUN))
def test_an_experiment_around_a_run_varies_one_run_and_asks_for_it(name):
    experiment = studies.find(name)
    spec = build_spec("tiny-t5", "miniworld_nli", experiment.method)
    names = ["miniworld_nli", "miniworld_venues"] if name == "prompt-transfer" else []
    assert len(experiment.grid(spec, names).cells) > 1
    with pytest.raises(BadInput, match="name the run to vary"):
        experiment.grid()


def test_what_is_missing_is_trained_and_rows_tell_what_each_run_is(home):
    spec = build_spec("tiny-t5", "miniworld_nli", "spt", None, {"seeds": 2})

    def train(wanted):
        whole = wanted.model_dump(exclude={"base", "task", "method"})
        return make_run(wanted.method, wanted.task, wanted.base, **whole)

    seen = []
    rows = studies.run_experiment(
        "prompt-lengths", train, lambda count, of, row: seen.append((count, of)), spec
    )
    assert seen == [(n, 10) for n in range(1, 11)]
    assert rows[0].label == "Scaled prompt tuning, 10 tokens"
    assert rows == studies.finished_rows("prompt-lengths", spec)
