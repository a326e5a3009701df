import math

import pytest

from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.sweeps import learning_rate
from peftcore.sweeps.grid import vary
from peftcore.sweeps.learning_rate import LearningRateTrial
from peftcore.training.planning import build_spec

SPEC = build_spec("tiny-t5", "miniworld_nli", "lora", training={"learning_rate": 0.002})


def test_rates_lie_around_the_default_in_two_digits():
    assert learning_rate.learning_rates_around(0.3) == [0.03, 0.09, 0.3, 0.9, 3.0]
    assert learning_rate.learning_rates_around(0.00123, [1 / 3]) == [0.00041]


def test_no_rate_passes_the_limit_of_the_setting():
    fast = vary(SPEC, {"training.learning_rate": 5})
    assert [s.training.learning_rate for s in learning_rate.search_specs(fast)] == [0.5, 1.5, 5.0]


def test_the_runs_of_a_sweep_are_short_and_differ_in_the_rate_alone():
    found = learning_rate.search_specs(SPEC, [0.1, 0.2], steps=20)
    assert [s.training.learning_rate for s in found] == [0.1, 0.2]
    first, second = (s.model_dump() for s in found)
    first["training"].pop("learning_rate")
    second["training"].pop("learning_rate")
    assert first == second
    assert (first["training"]["steps"], first["training"]["evaluate_every"]) == (20, 5)
    assert len({s.id for s in found}) == 2


def test_a_rate_out_of_limits_is_bad_input():
    with pytest.raises(BadInput, match="learning_rate"):
        learning_rate.search_specs(SPEC, [11.0])
    with pytest.raises(BadInput, match="numbers with commas"):
        learning_rate.parse_learning_rates("0.1;0.2")
    assert learning_rate.parse_learning_rates("0.1, 2e-3") == [0.1, 0.002]


def test_the_lowest_dev_loss_wins_unless_seeds_diverged():
    slow, good = LearningRateTrial(0.1, 2.0, 0, "a"), LearningRateTrial(0.2, 1.0, 0, "b")
    wild, silent = LearningRateTrial(0.3, 0.5, 1, "c"), LearningRateTrial(0.4, None, 0, "d")
    assert learning_rate.best_trial([slow, good, wild, silent]) == good
    assert learning_rate.best_trial([silent]) is None


def test_an_outcome_is_the_mean_of_the_best_dev_losses_of_the_seeds(tmp_path):
    run = RunStore(tmp_path).create(SPEC)
    assert learning_rate.finished_trials([run]) == [
        LearningRateTrial(0.002, None, 0, run.id)
    ]  # nothing yet
    fine = {"seed": 0, "best_step": 1, "best_dev": 1.0, "stopped": "no better dev loss in 2 looks"}
    lost = {"seed": 1, "best_step": 1, "best_dev": 3.0, "stopped": "diverged at step 2"}
    run.write_status(state="done", seeds=[fine, lost])
    assert learning_rate.finished_trials([run]) == [LearningRateTrial(0.002, 2.0, 1, run.id)]
    run.write_status(seeds=[fine, lost | {"best_dev": float("inf")}])
    assert learning_rate.finished_trials([run]) == [LearningRateTrial(0.002, 1.0, 1, run.id)]


def test_a_guided_search_begins_at_the_default_and_closes_in_on_the_valley(tmp_path):
    pytest.importorskip("optuna")
    store = RunStore(tmp_path)

    def work(spec):
        run, rate = store.create(spec), spec.training.learning_rate
        wild = rate > 0.05
        loss = float("inf") if wild else abs(math.log10(rate / 0.01))  # lowest at five times 0.002
        seed = {"seed": 0, "best_dev": loss, "stopped": "diverged at step 2" if wild else None}
        run.write_status(state="done", seeds=[seed | {"best_step": 1}])
        return run

    found = learning_rate.guided_search(SPEC, 25, work)
    tried = [outcome.learning_rate for outcome in found]
    assert tried[0] == 0.002
    assert all(0.002 / 31 < rate < 0.002 * 31 for rate in tried)
    assert len(set(tried)) == len(tried)
    assert learning_rate.best_trial(found).learning_rate == pytest.approx(0.01, rel=0.15)
    near = [0.005 < rate < 0.02 for rate in tried]
    assert sum(near[10:]) / len(near[10:]) > sum(near[:10]) / 10
    assert [o.learning_rate for o in learning_rate.guided_search(SPEC, 25, work)] == tried
