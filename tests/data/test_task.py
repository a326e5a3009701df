"""Few-shot draws are balanced, disjoint and the same in every process; answers are read as said."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from peftcore import paths
from peftcore.data.task import Answer, Example, Task
from peftcore.errors import BadInput


class Toy(Task):
    """Invented examples with the labels it is given."""

    name, title, kind, main_metric = "toy", "Toy", "explain", "accuracy"
    labels = ("no", "not sure", "yes")

    def __init__(self, labels, kind="explain"):
        self.given, self.kind = labels, kind
        if kind == "generate":
            self.labels = ()

    def load(self, split):
        return [
            Example(f"{split}-{i}", f"text {i}", str(label), label)
            for i, label in enumerate(self.given)
        ]

    def score(self, answers, gold):
        return {}


def test_rows_a_task_makes_itself_can_be_had_at_any_time(monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path / "nothing"))
    assert Toy(["no"]).available()


def test_downloaded_rows_can_be_had_once_their_folder_is_there(monkeypatch, tmp_path):
    class Fetched(Toy):
        name, downloaded = "fetched", True

    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    assert not Fetched(["no"]).available()
    (tmp_path / "fetched").mkdir()
    assert Fetched(["no"]).available()


given_labels = some.lists(some.sampled_from(Toy.labels), min_size=1, max_size=40)


@given(given_labels, some.data())
def test_draws_have_the_size_asked_for_and_no_example_twice(labels, data):
    k, dev = (data.draw(some.integers(1, len(labels))) for _ in range(2))
    episode = Toy(labels).few_shot(k, data.draw(some.integers(0, 10**6)), dev)
    ids = [row.id for row in (*episode.train, *episode.dev)]
    assert (len(episode.train), len(episode.dev)) == (k, dev)
    assert len(set(ids)) == k + dev


@given(given_labels, some.data())
def test_draws_are_as_balanced_as_the_data_allow(labels, data):
    k = data.draw(some.integers(1, len(labels)))
    drawn = Counter(row.label for row in Toy(labels).few_shot(k, 0, 1).train)
    there = Counter(labels)
    for label in there:
        if drawn[label] < there[label]:  # it could have been drawn more often
            assert drawn[label] >= max(drawn.values()) - 1


@given(some.integers(1, 60), some.integers(0, 99))
def test_a_larger_draw_of_labels_in_stock_is_exactly_balanced(shots, seed):
    labels = list(Toy.labels) * 60
    drawn = Counter(row.label for row in Toy(labels).few_shot(3 * shots, seed, 1).train)
    assert set(drawn.values()) == {shots}


def test_seeds_and_splits_draw_differently():
    task = Toy(list(Toy.labels) * 50)
    first, second = task.few_shot(30, 0, 30), task.few_shot(30, 1, 30)
    assert first.train != second.train
    numbers = [{row.source for row in rows} for rows in (first.train, first.dev)]
    assert numbers[0] != numbers[1]


def test_a_training_draw_does_not_depend_on_the_number_of_validation_examples():
    task = Toy(list(Toy.labels) * 50)
    assert task.few_shot(12, 3, 4).train == task.few_shot(12, 3, 40).train


def test_free_text_is_drawn_without_regard_to_labels():
    task = Toy(["yes"] * 30 + ["no"] * 2, "generate")
    draws = [Counter(row.label for row in task.few_shot(8, seed, 1).train) for seed in range(20)]
    assert any(draw["no"] == 0 for draw in draws)


def test_the_same_examples_are_drawn_in_every_process():
    code = (
        "from test_task import Toy;"
        "episode = Toy(list(Toy.labels) * 30).few_shot(16, 5, 8);"
        "print([row.id for row in episode.train + episode.dev])"
    )
    path = os.pathsep.join([str(paths.ROOT), str(Path(__file__).parent)])
    seen = set()
    for number in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": number, "PYTHONPATH": path}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        seen.add(done.stdout)
    episode = Toy(list(Toy.labels) * 30).few_shot(16, 5, 8)
    assert seen == {f"{[row.id for row in episode.train + episode.dev]}\n"}


def test_more_examples_than_there_are_is_refused():
    with pytest.raises(BadInput, match="Toy has 3 training examples; 4 were asked for"):
        Toy(["yes"] * 3).few_shot(4, 0, 1)
    with pytest.raises(BadInput, match="Toy has 3 validation examples; 9 were asked for"):
        Toy(["yes"] * 3).few_shot(1, 0, 9)


@pytest.mark.parametrize(
    ("text", "label", "explanation"),
    [
        ("yes because it rains", "yes", "it rains"),
        (" Not Sure because a because b ", "not sure", "a because b"),
        ("yes because", "yes", ""),
        ("yes", "yes", None),
        ("yesbecause it rains", None, None),
        ("maybe because x", None, "x"),
        ("", None, None),
    ],
)
def test_answers_are_split_at_the_first_separator(text, label, explanation):
    assert Toy([]).parse(text) == Answer(text.strip(), label, explanation)


@given(some.text())
def test_any_text_can_be_read(text):
    assert Toy([], "generate").parse(text) == Answer(text.strip())
    assert Toy([]).parse(text).label in (None, *Toy.labels)


def test_the_hash_of_the_data_follows_every_row():
    same = Toy(["yes", "no"]).data_hash()
    assert Toy(["yes", "no"]).data_hash() == same
    assert Toy(["no", "yes"]).data_hash() != same
