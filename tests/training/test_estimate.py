"""Estimates: numbers exactly, time counted up from trials that a clock of the test measures."""

import pytest
import torch
from support.bases import build_tiny
from support.short_runs import small

from peftcore.training import estimate, evaluation
from peftcore.training.estimate import AnswerTimes, estimate_cost
from peftcore.training.planning import build_spec
from peftcore.training.trainer import Trainer

ROW, READ, WRITE = 2.0, 0.5, 0.25  # seconds: a row of a step, of dev, a row's first and next token


class FakeClock:
    """A clock that only goes on when something that is timed says so."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """A clock on which a row of a step, of dev and of answers takes a fixed time."""
    clock = FakeClock()

    def take(seconds):
        clock.now += seconds

    def answer_rows(adapted, task, rows, batcher, options, more):
        take(len(rows) * READ)
        for _ in range(more["max_new_tokens"]):
            more["stopping_criteria"][0](torch.zeros(len(rows), 1), None)
            take(len(rows) * WRITE)

    monkeypatch.setattr(
        Trainer, "train_step", lambda self: take(len(self.seeds) * self.spec.training.batch * ROW)
    )
    monkeypatch.setattr(
        Trainer,
        "dev_losses",
        lambda self, seeds, copy: take(len(seeds) * len(self.episodes[0].dev) * READ),
    )
    monkeypatch.setattr(evaluation, "answer_rows", answer_rows)
    monkeypatch.setattr(estimate._Trial, "tokens", lambda self, rows: len(rows))
    monkeypatch.setattr(estimate._Trial, "_new_tokens", lambda self, rows: 4)
    monkeypatch.setenv("PEFTCORE_THREADS", "1")
    return clock


SEEDS, STEPS, BATCH, DEV, ANSWERS = 2, 4, 3, 6, 6  # of `small`, which looks at dev three times


def check_parts(found, passes_over_dev=1):
    assert found.parts["training"] == pytest.approx(SEEDS * STEPS * BATCH * ROW)
    assert found.parts["validation"] == pytest.approx(3 * SEEDS * DEV * READ * passes_over_dev)
    rows = SEEDS * ANSWERS
    assert found.parts["answering"] == pytest.approx(rows * (READ + 3 * WRITE))
    assert found.seconds == pytest.approx(sum(found.parts.values()))
    assert found.longest_seconds == pytest.approx(found.seconds + rows * WRITE)  # the fifth token


def test_every_part_of_a_run_is_counted_up_from_its_trial(own, clock):
    from peftcore.models.base_model import load

    check_parts(estimate_cost(small(), load("mine"), clock))


def test_a_simplex_is_judged_at_many_points_of_it(own, clock):
    from peftcore.models.base_model import load

    found = estimate_cost(small(vertices=2), load("mine"), clock)
    check_parts(found, passes_over_dev=11)  # ten copies at random points, and the centroid


def test_a_deep_base_is_tried_on_fewer_rows_with_the_same_result(own, clock, monkeypatch):
    from peftcore.models.base_model import load

    base = load("mine")
    monkeypatch.setattr(estimate, "TRIAL_WORK", 2.0 * base.parameter_count)  # two rows of a token
    check_parts(estimate_cost(small(), base, clock))
    before = clock.now
    check_parts(estimate_cost(small(), base, clock))
    cut = clock.now - before
    monkeypatch.setattr(estimate, "TRIAL_WORK", 1e12)
    estimate_cost(small(), base, clock)
    assert cut < (clock.now - before - cut) / 2


def test_an_estimate_states_exact_numbers(own):
    from peftcore.models.base_model import load

    found = estimate_cost(small(), load("mine"), load_seconds=7.0)
    sites, heads, length, width = 6, 2, 10, 8
    assert found.trainable == sites * 2 * heads * length * width
    assert found.total == build_tiny("t5").parameter_count
    assert all(seconds > 0 for seconds in found.parts.values())
    assert found.seconds == pytest.approx(sum(found.parts.values()))
    assert found.start_seconds > 7.0
    assert found.memory_bytes > estimate.PROCESS_BYTES


@pytest.mark.parametrize("base", ["reader"])
def test_an_encoder_answers_in_one_pass(own, base):
    from peftcore.models.base_model import load

    found = estimate_cost(small(base, "lora"), load(base))
    assert 0 < found.parts["answering"] < 60


def test_what_a_row_adds_is_learnt_from_fewer_rows():
    times = AnswerTimes(4, 1.0, 0.4).beside(AnswerTimes(1, 0.4, 0.25))
    assert times.seconds(4, 3) == pytest.approx(1.0 + 2 * 0.4)
    assert times.seconds(8, 3) == pytest.approx(1.0 + 4 * 0.2 + 2 * (0.4 + 4 * 0.05))
    assert AnswerTimes(4, 1.0, 0.4).seconds(8, 3) == pytest.approx(2 * (1.0 + 2 * 0.4))


def test_memory_grows_with_the_rows_of_a_pass(tiny):
    from peftcore.models.batching import ExampleBatcher

    base = tiny("llama")

    def memory(batch):
        spec = build_spec(
            base, "miniworld_nli", "lora", None, {"seeds": 1}, {"batch": batch, "shots": 8}
        )
        batcher = ExampleBatcher(base, ())
        return estimate.count_memory(spec, base, batcher, 1000)

    assert memory(8) > memory(2) > estimate.PROCESS_BYTES


def test_the_last_answer_ends_between_the_longest_gold_one_and_the_limit(own):
    from peftcore.models.base_model import load

    base, spec = load("mine"), small(max_new_tokens=400)

    def tokens(spec):
        trial = estimate._Trial(spec, base, FakeClock())
        return trial._new_tokens(trial.episode.train)

    few = tokens(spec)
    many = tokens(
        spec.model_copy(update={"training": spec.training.model_copy(update={"steps": 200})})
    )
    assert 1 < many < few < 400
    assert tokens(small(max_new_tokens=3)) == 3
