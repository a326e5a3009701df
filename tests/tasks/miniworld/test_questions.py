"""Questions of Miniworld."""

import random

from peftcore.tasks.miniworld import questions


def test_questions_have_five_options_and_one_answer():
    rng = random.Random(6)
    for _ in range(2000):
        asked = questions.sample_question(rng)
        assert len(set(asked.options)) == 5
        assert asked.options.count(asked.answer) == 1
