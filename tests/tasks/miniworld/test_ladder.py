"""Tasks of the ladder: what is new on a rung is new, and everything else is known to the base."""

import pytest

from peftcore import tasks
from peftcore.experiments.ladder import RUNGS
from peftcore.models.base_model import load
from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.splits import part_of

NAMES = [rung.task for rung in RUNGS if rung.task.startswith("ladder_")]


@pytest.mark.parametrize("name", NAMES)
def test_splits_share_no_text_and_gold_answers_score_as_perfect(name):
    task = tasks.find_task(name)
    rows = {split: task.load(split) for split in ("train", "validation", "test")}
    assert [len(r) for r in rows.values()] == [1200, 200, 200]
    sources = [row.source for split in rows.values() for row in split]
    assert len(set(sources)) == len(sources)
    answers = [task.parse(row.target) for row in rows["test"]]
    assert task.score(answers, rows["test"])["accuracy"] == 1
    if task.labels:
        counts = [sum(row.label == label for row in rows["test"]) for label in task.labels]
        assert max(counts) - min(counts) <= 1


def test_every_label_is_one_or_two_words_of_the_bases_vocabulary():
    tokenizer = load("tiny-t5").tokenizer
    for name in NAMES:
        task = tasks.find_task(name)
        labels = task.labels or sorted({row.target for row in task.load("test")})
        for label in labels:
            assert len(tokenizer.tokenize(label)) == len(label.split()) <= 2, label


def test_what_stands_behind_an_answer_does_not_count():
    task = tasks.find_task("ladder_format")
    assert task.parse("not told , for it is not said where").label == "not told"
    assert task.parse("Right because a wolf is a beast").label == "right"
    assert task.parse("right: it is so").label == "right"
    assert task.parse("rightly").label is None
    assert task.parse("not , because").label is None
    assert tasks.find_task("ladder_mention").parse("wolf , for it is").label == "wolf"


def test_other_meanings_are_those_of_the_same_relations():
    """Each word stands for another's meaning, so an answer in the old meaning is never right."""
    old, new = (tasks.find_task(name) for name in ("ladder_format", "ladder_meanings"))
    assert sorted(old.labels) == sorted(new.labels)
    pairs = list(zip(old._WORDS.values(), new._WORDS.values(), strict=True))
    assert all(one != other for one, other in pairs)


def test_counts_and_positions_are_right():
    names = ("one", "two", "three", "four")
    for row in tasks.find_task("ladder_counting").load("test"):
        words = row.parts[0].split()
        animals = [word for word in words if world.NOUNS[word].kind in world.ANIMALS]
        assert row.target == names[len(animals) - 1]
    for row in tasks.find_task("ladder_mention").load("test"):
        assert row.target == row.parts[0].split()[-2]


def test_both_stories_of_a_composition_belong_to_the_split_and_one_is_named():
    for row in tasks.find_task("ladder_composition").load("validation"):
        statement, one, two = row.parts
        assert part_of(one) == part_of(two) == "validation"
        assert one != two
        assert row.source == f"{statement} . one: {one} two: {two}"
