"""What there is in the world of Miniworld."""

import random

from peftcore.tasks.miniworld import events, nonsense, questions, skills


def test_the_world_has_about_a_thousand_words():
    rng = random.Random(10)
    words: set[str] = set()
    for _ in range(4000):
        words |= set(events.sample_story_pair(rng, rng.choice(events.RELATIONS)).story.split())
        found = nonsense.sample_nonsense(rng)
        words |= set(f"{found.sense} {found.nonsense} {found.reason}".split())
        asked = questions.sample_question(rng)
        words |= set(" ".join((asked.text, asked.reason, *asked.options)).split())
        words |= set(skills.sample_passage(rng).split()) & set(skills.COMMON)
    assert 800 <= len(words) <= 1500
