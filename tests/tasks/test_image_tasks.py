"""Tasks of pictures: what a seed sees, how answers are read and scored."""

import pytest

from peftcore import tasks
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks.images import canvas, digits, scenes
from peftcore.tasks.kinds.images import is_new

NAMES = ("pictures_digit", "pictures_digit_alone", "pictures_concept", "pictures_style")


@pytest.mark.parametrize("name", NAMES)
def test_real_pictures_score_well_and_blank_ones_do_not(name):
    task = tasks.find_task(name)
    gold = task.load("test")
    best = task.score([task.parse(row.target) for row in gold], gold)
    assert best["alignment"] == best["facts"] == 1.0
    assert best["old_alignment"] > 0.95
    blank = task.score([Answer(canvas.picture_to_code((0,) * 64))] * len(gold), gold)
    assert blank["alignment"] == 0.0


@pytest.mark.parametrize(("name", "old"), [("pictures_digit", 20), ("pictures_digit_alone", 0)])
def test_ten_new_digits_come_with_old_ones_of_every_kind(name, old):
    drawn = tasks.find_task(name).few_shot(10, 0, 20)
    fresh = [row for row in drawn.train if is_new(row)]
    assert {row.label for row in fresh} == {digits.UNSEEN_DIGIT}
    assert (len(fresh), len(drawn.train)) == (10, 10 + old)
    assert len(drawn.dev) == 20
    assert all(map(is_new, drawn.dev))
    train = {row.target for row in tasks.find_task(name).load("test")}
    assert not train & {row.target for row in (*drawn.train, *drawn.dev)}


@pytest.mark.parametrize("name", ["pictures_concept", "pictures_style"])
def test_prompts_of_testing_are_new_to_training(name):
    task = tasks.find_task(name)
    splits = [{row.source for row in task.load(s)} for s in ("train", "validation", "test")]
    assert not splits[0] & splits[2]
    assert not splits[1] & splits[2]
    kinds = {
        scenes.scene_kind(scenes.parse_prompt(row.source))
        for row in task.load("test")
        if is_new(row)
    }
    assert kinds == {task.new_kind}


def test_the_digit_that_is_read_becomes_the_label():
    task = tasks.find_task("pictures_digit")
    row = next(row for row in task.load("test") if row.label == "seven")
    assert task.parse(row.target).label == "seven"


def test_more_examples_than_there_are_is_bad_input():
    with pytest.raises(BadInput, match="110 new examples"):
        tasks.find_task("pictures_digit").few_shot(111, 0, 10)


def test_every_example_has_chance_of_its_own():
    from peftcore.pretraining.image_models import make_tokenizer

    task = tasks.find_task("pictures_digit")
    rows = task.load("test")[:2]
    asked = task.generation_options(rows, make_tokenizer("tiny-digits"))
    noise = asked["logits_processor"][0].noise
    assert noise.shape == (2, 64, 5)
    assert not bool((noise[0] == noise[1]).any())
