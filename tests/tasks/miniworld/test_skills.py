"""Texts that bases are pretrained on: they show no task."""

import random

from peftcore.data.task import TASKS
from peftcore.tasks.miniworld import skills
from peftcore.tasks.miniworld.splits import part_of


def test_no_pretraining_text_shows_a_format_or_label_of_a_task():
    rng = random.Random(8)
    texts = [skills.sample_passage(rng) for _ in range(1500)]
    for _ in range(6000):
        lesson = skills.sample_skill_example(rng)
        texts.append(f"{lesson.source} {lesson.target}")
    for text in texts:
        assert not [f for f in skills.FORBIDDEN if f in text], text


def test_no_pretraining_text_holds_a_text_of_a_task():
    rng = random.Random(9)
    lessons = [skills.sample_skill_example(rng) for _ in range(5000)]
    stories = {row.parts[0] for split in ("train", "validation", "test")
               for row in TASKS["miniworld_nli"]().load(split)}  # fmt: skip
    for lesson in lessons:
        if lesson.skill == "check":
            assert lesson.parts is not None
            assert lesson.parts[0] not in stories
            assert part_of(lesson.parts[0]) == "pretraining"
