"""The ladder of novelty: five small tasks, each new to the base in one way more than checking is.

Known words in another format, known words with other meanings, two known skills at once, a new
rule, a new pattern of attention. What lies between the second and the third, words that the base
cannot spell, is `miniworld_nli`. Answers are a word or two, so that loss and score speak of one
thing; what a model writes behind its answer, such as a reason, does not count.
"""

from __future__ import annotations

import random
from typing import ClassVar

from peftcore.data.task import Answer, Example, Split, register
from peftcore.data.wording import INFERENCE, Wording
from peftcore.tasks.miniworld import events
from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.splits import part_of
from peftcore.tasks.miniworld.tasks import MiniworldTask

LISTED = 5  # words of which animals are counted, or the second last is asked for
COUNTS = ("one", "two", "three", "four")


class LadderTask(MiniworldTask):
    """A rung: the answer is what a text begins with, up to the first mark or reason."""

    kind = "classify"
    main_metric = "accuracy"
    max_new_tokens = 8
    # More than four times what seeds draw to learn a rung from, so that their draws differ.
    sizes: ClassVar[dict[Split, int]] = {"train": 1200, "validation": 200, "test": 200}

    def parse(self, text: str) -> Answer:
        """Read the label that a text begins with; a reason behind it is dropped."""
        words = f"{' '.join(text.lower().split())} "
        found = [label for label in self.labels if words.startswith((f"{label} ", f"{label}:"))]
        return Answer(text.strip(), found[0] if found else None)

    @classmethod
    def _row(cls, split: Split, number: int, source: str, target: str, *parts: str) -> Example:
        """Build the row of this number, whose target is its label."""
        return Example(
            f"{cls.name}/{split}/{number}", source, target, target, (), parts or (source,)
        )


class _Check(LadderTask):
    """A statement checked against a story, in a format that pretraining lacks."""

    wording = INFERENCE
    _WORDS: ClassVar[dict[events.Relation, str]]

    @classmethod
    def _sample_row(
        cls, rng: random.Random, number: int, split: Split
    ) -> tuple[str, Example] | None:
        """Sample a story and a statement."""
        relation = events.RELATIONS[number % 3]
        pair = events.sample_story_pair(rng, relation, lambda story: part_of(story) == split)
        source = f"after {pair.story} one may write {pair.statement}"
        row = cls._row(split, number, source, cls._WORDS[relation], pair.story, pair.statement)
        return pair.story, row


@register
class LadderFormat(_Check):
    """A known skill in known words, asked in another format."""

    name = "ladder_format"
    title = "Ladder a: known words, another format"
    labels = ("right", "wrong", "not told")
    _WORDS: ClassVar[dict[events.Relation, str]] = {
        "follows": "right", "clashes": "wrong", "untold": "not told",
    }  # fmt: skip


@register
class LadderMeanings(_Check):
    """The same where each word stands for another's meaning."""

    name = "ladder_meanings"
    title = "Ladder b: known words, other meanings"
    labels = ("wrong", "not told", "right")
    _WORDS: ClassVar[dict[events.Relation, str]] = {
        "follows": "wrong", "clashes": "not told", "untold": "right",
    }  # fmt: skip


@register
class LadderComposition(LadderTask):
    """A statement and two stories: which one tells it, so checking and choosing at once."""

    name = "ladder_composition"
    title = "Ladder d: two known skills at once"
    labels = ("one", "two")
    wording = Wording("From which story does the statement follow?", ("Statement", "One", "Two"))

    @classmethod
    def _sample_row(
        cls, rng: random.Random, number: int, split: Split
    ) -> tuple[str, Example] | None:
        """Sample a statement with a story that fits and one that clashes."""
        fits, clashes = events.sample_two_stories(rng, lambda story: part_of(story) == split)
        label = cls.labels[number % 2]
        stories = [fits.story, clashes.story]
        if label == "two":
            stories.reverse()
        source = f"{fits.statement} . one: {stories[0]} two: {stories[1]}"
        return fits.story, cls._row(split, number, source, label, fits.statement, *stories)


@register
class LadderCounting(LadderTask):
    """A new rule over known words: how many of those listed are animals."""

    name = "ladder_counting"
    title = "Ladder e: a new rule, counting animals"
    labels = COUNTS
    wording = Wording("How many of the words are animals?", ("Words",))

    @classmethod
    def _sample_row(
        cls, rng: random.Random, number: int, split: Split
    ) -> tuple[str, Example] | None:
        """Sample words of which one to four are animals."""
        animals = world.nouns_of(*world.ANIMALS)
        others = world.nouns_of(*world.THINGS, *world.FOODS)
        count = number % len(COUNTS) + 1
        words = rng.sample(animals, count) + rng.sample(others, LISTED - count)
        rng.shuffle(words)
        listed = " ".join(words)
        return listed, cls._row(split, number, f"animals: {listed}", COUNTS[count - 1], listed)


@register
class LadderMention(LadderTask):
    """A new pattern of attention: which of the words stands before the last."""

    name = "ladder_mention"
    title = "Ladder f: a new pattern, the second last word"
    open_labels = True
    wording = Wording("Which word stands before the last?", ("Words",))

    def parse(self, text: str) -> Answer:
        """Read the first word of the answer; a reason behind it is dropped."""
        words = text.lower().split()
        return Answer(text.strip(), words[0] if words else None)

    @classmethod
    def _sample_row(
        cls, rng: random.Random, number: int, split: Split
    ) -> tuple[str, Example] | None:
        """Sample different words."""
        words = rng.sample(sorted(world.NOUNS), LISTED)
        listed = " ".join(words)
        return listed, cls._row(split, number, f"back: {listed}", words[-2], listed)
