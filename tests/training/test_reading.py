"""Runs of methods that only change what is read: nothing to train, everything else as usual."""

import pytest
from support.bases import build_tiny
from support.short_runs import SMALL, small

from peftcore import tasks
from peftcore.adapters.base import METHODS
from peftcore.adapters.initializers import SeededInitializer
from peftcore.data.task import Episode, Example
from peftcore.errors import BadInput
from peftcore.models.base_model import load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import RunStore
from peftcore.training import estimate, planning, reading
from peftcore.training.checkpoint import load_adapter
from peftcore.training.predict import answer_base, answer_texts
from peftcore.training.run_training import execute_run

LETTERS = [Example(str(n), "ab" * 10, "c") for n in range(20)]  # 24 positions with their marks


def reader(family, examples, rows, train=LETTERS):
    base, method = build_tiny(family), METHODS["in_context"]
    config = method.Config.make({"examples": examples})
    adapter = method(base, config, SeededInitializer([0, 1], 1))
    episodes = [Episode(tuple(train), ()), Episode(tuple(train[::-1]), ())]
    return reading.build_reader(adapter, episodes, ExampleBatcher(base, ()), lambda seed: rows)


def test_as_many_examples_are_shown_as_fit_before_the_longest_row():
    found = reader("gpt2", 16, [Example("x", "a", "b"), Example("y", "a" * 20, "b")])
    # 256 positions: the first, 24 for each example (20, break, answer, two breaks), and
    # 20, break, answer, end for the longest row.
    assert found.fitted == (256 - 1 - 23) // 24 == 9
    assert found.note(256) == "9 of 16 examples fitted into the window of 256 positions"
    shorter = reader("gpt2", 3, [Example("x", "a", "b")])
    assert (shorter.fitted, shorter.note(256)) == (3, "")
    assert reader("t5", 16, [Example("y", "a" * 300, "b")]).fitted == 16  # it has no window


def test_each_seed_shows_examples_of_its_own():
    found = reader("gpt2", 1, [Example("x", "a", "b")])
    assert [each[0].id for each in found.shown] == ["0", "19"]


def test_too_few_examples_and_too_long_texts_are_refused_with_numbers():
    with pytest.raises(BadInput, match="16 examples are to be shown, and a seed draws 2"):
        reader("gpt2", 16, LETTERS, LETTERS[:2])
    with pytest.raises(BadInput, match=r"256 positions of .* even with no example"):
        reader("gpt2", 2, [Example("x", "a" * 300, "b")])


@pytest.mark.parametrize(
    ("method", "settings"),
    [("hard_prompt", {"instruction": "say yes ."}), ("in_context", {"examples": 2})],
)
def test_a_run_without_anything_to_train_ends_with_answers_and_scores(own, method, settings):
    spec = planning.build_spec(
        "mine", "miniworld_nli", method, settings, {"seeds": 2}, SMALL,
        {"limit": 6, "max_new_tokens": 5},
    )  # fmt: skip
    run = RunStore().create(spec)
    status = execute_run(run)
    assert (status.state, status.done, status.of, status.trainable) == ("done", 0, 0, 0)
    answers = run.answers()
    task = tasks.find_task(spec.task)
    # What was asked is the example itself, as for every other method.
    assert set(answers.source) <= {row.source for row in task.load("test")}
    assert sorted(run.scores()) == sorted(metrics_of(task))
    assert run.history().step.to_list() == [0, 0]
    assert not (run.folder / "adapter.safetensors").exists()
    base = load("mine")
    adapted = load_adapter(run, base)
    first = answers[answers.seed == 1].iloc[0]
    assert answer_texts(run, adapted, [first.source], seed_index=1) == [first.text]


def test_the_estimate_has_no_training_and_reads_what_is_shown(own):
    base = load("mine")
    spec = lambda examples: planning.build_spec(
        "mine", "miniworld_sentiment", "in_context", {"examples": examples}, {"seeds": 2}, SMALL,
        {"limit": 6, "max_new_tokens": 5},
    )  # fmt: skip
    found = estimate.estimate_cost(spec(4), base)
    assert found.parts["training"] == found.parts["forgetting"] == found.trainable == 0
    assert found.seconds > 0
    trial = estimate._Trial(spec(4), base, lambda: 0.0)
    trial.build_trainer()
    alone = estimate._Trial(spec(0), base, lambda: 0.0)
    alone.build_trainer()
    assert len(trial.episode.dev[0].source) > 3 * len(alone.episode.dev[0].source)


def metrics_of(task):
    """The metrics of a task, as any answers give them."""
    rows = task.load("test")[:2]
    return task.score([task.parse(row.target) for row in rows], rows)


def test_zero_shot_answers_are_those_of_the_untouched_base(own):
    trained = small("mine", "prompt_tuning")
    spec = planning.build_spec(
        "mine", trained.task, "hard_prompt", None, {"seeds": 1}, SMALL,
        {"limit": 6, "max_new_tokens": 5},
    )  # fmt: skip
    run = RunStore().create(spec)
    execute_run(run)
    answers = run.answers()
    assert answers.text.to_list() == answer_base(load("mine"), answers.source.to_list(), 5)
