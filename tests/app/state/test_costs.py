"""Costs are counted in the background; what cannot run has the reason instead."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from app.state import costs as costs_module
from app.state.costs import CostEstimator
from peftcore.errors import BadInput
from peftcore.jobs.estimate_process import NotWanted
from peftcore.runs.spec import RunSpec
from peftcore.training.planning import CostEstimate


def spec(shots: int) -> RunSpec:
    return RunSpec.make({"base": "b", "task": "t", "method": "m", "training": {"shots": shots}})


def cost(seconds: float) -> CostEstimate:
    return CostEstimate(10, 1000, 1.0, seconds, 2_000_000, "a guess")


def test_nothing_is_known_until_it_has_been_counted():
    go = threading.Event()

    def count(asked: RunSpec, wanted: Callable[[], bool]) -> CostEstimate:
        go.wait(10)
        return cost(asked.training.shots)

    costs = CostEstimator(count)
    assert costs.estimates_so_far([spec(3)]) == [None]
    go.set()
    assert costs.wait_for_estimates([spec(3)]) == [cost(3)]
    assert costs.estimates_so_far([spec(3)]) == [cost(3)]


def test_each_spec_is_counted_once():
    seen = []

    def count(asked: RunSpec, wanted: Callable[[], bool]) -> CostEstimate:
        seen.append(asked.id)
        return cost(1)

    costs = CostEstimator(count)
    costs.wait_for_estimates([spec(1), spec(2)])
    costs.wait_for_estimates([spec(2), spec(1)])
    assert sorted(seen) == sorted([spec(1).id, spec(2).id])


def test_a_run_that_cannot_work_has_the_reason_instead():
    def count(asked: RunSpec, wanted: Callable[[], bool]) -> CostEstimate:
        raise BadInput("the prompt is longer than the window")

    (found,) = CostEstimator(count).wait_for_estimates([spec(1)])
    assert isinstance(found, BadInput)
    assert "window" in str(found)


def test_specs_nobody_asks_for_any_more_are_not_counted():
    go, seen = threading.Event(), []

    def count(asked: RunSpec, wanted: Callable[[], bool]) -> CostEstimate:
        go.wait(10)
        seen.append(asked.training.shots)
        return cost(1)

    costs = CostEstimator(count)
    costs.estimates_so_far([spec(1)])  # being counted
    costs.estimates_so_far([spec(1), spec(2)])  # waits
    costs.estimates_so_far([spec(1), spec(3)])  # puts the second off
    go.set()
    costs.wait_for_estimates([spec(3)])
    assert seen == [1, 3]


def test_what_is_under_way_is_dropped_when_nobody_asks_and_counted_when_somebody_does(monkeypatch):
    monkeypatch.setattr(costs_module, "WANTED_SECONDS", 0.2)
    begun, dropped = [], threading.Event()

    def count(asked: RunSpec, wanted: Callable[[], bool]) -> CostEstimate:
        begun.append(asked.id)
        if len(begun) > 1:
            return cost(1)
        while wanted():
            time.sleep(0.01)
        dropped.set()
        raise NotWanted

    costs = CostEstimator(count)
    assert costs.estimates_so_far([spec(1)]) == [None]
    assert dropped.wait(10)
    assert costs.wait_for_estimates([spec(1)]) == [cost(1)]
    assert len(begun) == 2


def test_one_who_waits_goes_on_wanting(monkeypatch):
    monkeypatch.setattr(costs_module, "WANTED_SECONDS", 1.0)  # a busy machine may halt for less

    def count(asked: RunSpec, wanted: Callable[[], bool]) -> CostEstimate:
        time.sleep(1.5)
        assert wanted()
        return cost(2)

    assert CostEstimator(count).wait_for_estimates([spec(1)]) == [cost(2)]
