import itertools
import math
import statistics

import pytest

from peftcore.errors import BadInput
from peftcore.runs.store import RunStore
from peftcore.sweeps import learning_rate, tuning_budget
from peftcore.sweeps.grid import vary
from peftcore.training.planning import build_spec
from tests.support.commands import printed

SPEC = build_spec("tiny-t5", "miniworld_nli", "lora", training={"learning_rate": 0.002})


def finished(store, spec, loss):
    run = store.create(spec)
    seed = {"seed": 0, "best_step": 1, "best_dev": loss, "stopped": None}
    run.write_status(state="done", seeds=[seed])
    return run


def test_the_expected_best_is_the_mean_over_all_choices():
    losses = [2.0, 0.5, 3.0, 1.0, 0.7]
    for k in range(1, 6):
        chosen = [min(each) for each in itertools.combinations(losses, k)]
        assert tuning_budget.expected_best(losses, k)[0] == pytest.approx(statistics.fmean(chosen))


def test_tries_that_failed_are_told_and_not_averaged():
    best, failed = tuning_budget.expected_best([1.0, None, math.inf], 2)
    assert (best, failed) == (1.0, pytest.approx(1 / 3))
    assert tuning_budget.expected_best([None, None], 1) == (None, 1.0)
    with pytest.raises(BadInput, match="best of 4 tries of 3"):
        tuning_budget.expected_best([1.0, 2.0, 3.0], 4)


def test_tries_differ_in_the_rate_alone(tmp_path):
    store = RunStore(tmp_path)
    run = finished(store, SPEC, 1.0)
    short = learning_rate.search_specs(SPEC, [0.001, 0.002, 0.004], steps=20)
    for spec, loss in zip(short, (2.0, 1.5, 1.8), strict=True):
        finished(store, spec, loss)
    finished(store, vary(short[0], {"settings.rank": 2}), 0.1)  # another adapter
    store.create(vary(short[0], {"training.learning_rate": 0.5}))  # not done
    budget = tuning_budget.find_budget(run, store.all())
    assert (budget.tries, budget.steps) == (3, 20)
    curves = tuning_budget.budget_curves([budget])
    assert curves["dev_loss"].tolist() == pytest.approx([5.3 / 3, 1.6, 1.5])
    alone = tuning_budget.find_budget(run, [])
    assert alone.tries == 1
    other = store.create(vary(SPEC, {"training.learning_rate": 0.7}))
    with pytest.raises(BadInput, match="only finished runs"):
        tuning_budget.find_budget(other, [])


def test_how_often_each_was_tried_is_said():
    budgets = [tuning_budget.TuningBudget(run, (), 1, 1) for run in "ab"]
    assert tuning_budget.describe_tries(budgets, {}) == "Learning rates tried for each: 0."
    trial = learning_rate.LearningRateTrial(0.1, 1.0, 0, "a")
    uneven = [tuning_budget.TuningBudget("a", (trial,), 1, 1), budgets[1]]
    words = tuning_budget.describe_tries(uneven, {"a": "LoRA", "b": "SPT"})
    assert words == "Learning rates tried differ: 0 for SPT, 1 for LoRA."


def test_the_command_tells_tries_and_what_they_bring():
    store = RunStore()
    runs = [
        finished(store, spec, loss)
        for spec, loss in zip(
            learning_rate.search_specs(SPEC, [0.001, 0.002], steps=20), (2.0, 1.0), strict=True
        )
    ]
    value = printed("tuning-budget", runs[0].id)
    assert value["tries"] == {runs[0].id: 2}
    assert [row["dev_loss"] for row in value["expected_best"]] == [1.5, 1.0]


def test_a_report_gets_the_expected_best_of_every_number_of_tries(tmp_path):
    store = RunStore(tmp_path)
    rates = (0.001, 0.002, 0.004)
    specs = [vary(SPEC, {"training.learning_rate": rate}) for rate in rates]
    runs = [finished(store, spec, loss) for spec, loss in zip(specs, (0.5, 0.7, 0.6), strict=True)]
    [found] = tuning_budget.tried_rates(runs[:1], runs)
    assert found.tries == 3
    assert found.best == pytest.approx((0.6, (0.5 + 0.5 + 0.6) / 3, 0.5))
    waiting = store.create(vary(SPEC, {"training.learning_rate": 0.008}))
    assert tuning_budget.tried_rates([waiting], runs) == []
