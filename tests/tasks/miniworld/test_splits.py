"""The hash of a text decides which part it belongs to."""

from collections import Counter

from peftcore.tasks.miniworld.splits import part_of


def test_parts_have_their_shares_of_many_texts():
    counts = Counter(part_of(f"a text with number {n}") for n in range(16_000))
    wanted = {"pretraining": 9000, "train": 3000, "validation": 2000, "test": 2000}
    assert counts.keys() == wanted.keys()
    assert all(abs(counts[part] - wanted[part]) < 200 for part in wanted)


def test_letters_large_or_small_are_one_text():
    assert part_of("The Dog sleeps") == part_of("the dog sleeps")
