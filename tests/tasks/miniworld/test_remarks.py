"""Remarks praise or complain by more than one word, and paraphrases mean the same or do not."""

import random

from peftcore.tasks.miniworld import remarks


def many(draw, count=400):
    rng = random.Random(5)
    return [draw(rng) for _ in range(count)]


def test_no_text_is_both_praise_and_complaint():
    good = set(many(lambda rng: remarks.sample_remark(rng, True)))
    bad = set(many(lambda rng: remarks.sample_remark(rng, False)))
    assert len(good) > 300
    assert len(bad) > 300
    assert not good & bad


def test_both_kinds_hold_the_same_adjectives_so_that_one_word_does_not_tell():
    texts = {g: many(lambda rng, g=g: remarks.sample_remark(rng, g), 2000) for g in (True, False)}
    for word in ("lovely", "awful", "perfect", "boring"):
        assert all(any(word in text for text in texts[kind]) for kind in texts)


def test_a_paraphrase_is_never_the_same_text():
    for same in (True, False):
        for pair in many(lambda rng, same=same: remarks.sample_paraphrase(rng, same)):
            assert pair.first != pair.second
            assert pair.same is same
