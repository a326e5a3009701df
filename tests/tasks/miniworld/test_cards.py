"""Cards of venues, and the texts that tell them."""

import random

from peftcore.tasks.miniworld import cards


def test_venue_texts_tell_the_name_and_every_value_that_is_a_name():
    rng = random.Random(7)
    for _ in range(300):
        slots = cards.sample_venue(rng)
        texts = cards.guidebook_texts(slots, rng)
        assert 1 <= len(set(texts)) == len(texts) <= 4
        for text in (*texts, cards.describe_venue(slots, rng)):
            assert text.endswith(".")
            for key in ("name", "kind", "food", "near", "area"):
                assert slots.get(key, "").lower() in text.lower()
