"""Questions about the world with five options, one of them right, and the reason."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.grammar import a, generic, some
from peftcore.tasks.miniworld.nonsense import with_definite_article


@dataclass(frozen=True)
class MultipleChoiceQuestion:
    """A question, its options in a random order, the right one and why."""

    text: str
    options: tuple[str, ...]
    answer: str
    reason: str
    topic: str


def _make_question(
    rng: random.Random, text: str, answer: str, others: Iterable[str], reason: str, topic: str
) -> MultipleChoiceQuestion:
    """Build a question with four wrong options, in random order."""
    options = [answer, *rng.sample(sorted(set(others) - {answer}), 4)]
    rng.shuffle(options)
    return MultipleChoiceQuestion(text, tuple(options), answer, reason, topic)


def _kind(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask which noun is of a kind."""
    kinds = ["fruit", "vegetable", "drink", "tool", "garment", "container", "vehicle",
             "instrument", "toy", "bird", "fish", "insect"]  # fmt: skip
    kind = rng.choice(kinds)
    answer = rng.choice(world.nouns_of(kind))
    others = world.nouns_of(*(k for k in kinds if k != kind), "beast", "worker")
    text = rng.choice((f"which of these is {a(kind)}", f"what can be called {a(kind)}"))
    return _make_question(rng, text, answer, others, f"{generic(answer)} is {a(kind)}", "kind")


def _use(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask for the tool of a deed."""
    tool = rng.choice(list(world.USES))
    deed = world.USES[tool]
    text = rng.choice((f"what does one need to {deed}", f"with what can one {deed}"))
    return _make_question(
        rng, text, tool, list(world.USES), f"one can {deed} with {a(tool)}", "use"
    )


def _home(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask where an animal lives."""
    animal = rng.choice(world.nouns_of(*world.ANIMALS))
    home = world.NOUNS[animal].place
    places = ["sea", "desert", "pond", "farm", "forest", "mountain", "beach", "river", "kitchen",
              "house", "garden", "field"]  # fmt: skip
    text = rng.choice((f"where does {a(animal)} live", f"where can one meet {a(animal)}"))
    reason = f"{a(animal)} lives {world.PLACES[home].phrase}"
    return _make_question(rng, text, home, places, reason, "home")


def _work(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask who does a deed, or where a job is done."""
    job = rng.choice(list(world.OCCUPATIONS.values()))
    if rng.random() < 0.5:
        text = rng.choice((f"who {job.deed}", f"which person {job.deed}"))
        others = [j.word for j in world.OCCUPATIONS.values() if j.place != job.place]
        return _make_question(rng, text, job.word, others, f"{a(job.word)} {job.deed}", "work")
    text = rng.choice((f"where does {a(job.word)} work", f"where can one find {a(job.word)}"))
    others = sorted({j.place for j in world.OCCUPATIONS.values()})
    reason = f"{a(job.word)} works {world.PLACES[job.place].phrase}"
    return _make_question(rng, text, job.place, others, reason, "work")


def _stuff(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask for a thing's material."""
    thing = rng.choice(
        [w for w in world.nouns_of(*world.THINGS) if world.NOUNS[w].material in world.MATERIALS]
    )
    stuff = world.NOUNS[thing].material
    text = rng.choice((f"what is {a(thing)} made of", f"of what does one make {a(thing)}"))
    return _make_question(
        rng, text, stuff, world.MATERIALS, f"{a(thing)} is made of {stuff}", "stuff"
    )


def _opposite(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask for a word's opposite."""
    pair = rng.choice(world.OPPOSITES)
    word, answer = pair if rng.random() < 0.5 else pair[::-1]
    others = [w for p in world.OPPOSITES for w in p if w not in pair]
    text = rng.choice((f"what is the opposite of {word}", f"which word is least like {word}"))
    return _make_question(
        rng, text, answer, others, f"{answer} is the opposite of {word}", "opposite"
    )


def _clothing(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask for the garment of a body part."""
    garment = rng.choice(list(world.BODY_PART_OF_GARMENT))
    part = world.BODY_PART_OF_GARMENT[garment]
    same = [g for g, p in world.BODY_PART_OF_GARMENT.items() if p == part]
    others = [g for g in world.BODY_PART_OF_GARMENT if g not in same] + ["shirt", "dress", "coat"]
    text = rng.choice((f"what is worn on the {part}", f"what can one put on the {part}"))
    return _make_question(rng, text, garment, others, f"{a(garment)} is worn on the {part}", "worn")


def _able(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask which animal can do a deed."""
    deed = rng.choice(list(world.ABLE))
    answer = rng.choice(world.ABLE[deed])
    text = rng.choice((f"which animal can {deed}", f"what is able to {deed}"))
    return _make_question(rng, text, answer, world.UNABLE[deed], f"{a(answer)} can {deed}", "able")


def _biggest(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask which thing is the biggest."""
    answer = rng.choice(world.nouns_of("beast", "vehicle", "furniture", "instrument", smallest=5))
    others = world.nouns_of("fruit", "tool", "toy", "insect", "bird", "container", largest=3)
    text = rng.choice(("which of these is the biggest", "what is larger than all the others"))
    return _make_question(rng, text, answer, others, f"{a(answer)} is huge", "biggest")


def _quality(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask which thing has a quality."""
    word = rng.choice(list(world.QUALITIES))
    good = world.QUALITIES[word][0]
    others = [w for w, (yes, _) in world.QUALITIES.items() if yes != good]
    bad = {w for w in others if (world.QUALITIES[w][0], good) in world.OPPOSITES
           or (good, world.QUALITIES[w][0]) in world.OPPOSITES}  # fmt: skip
    pool = sorted(bad) if len(bad) >= 4 else others
    text = rng.choice((f"what is known to be {good}", f"which of these is {good}"))
    return _make_question(
        rng, text, word, pool, f"{with_definite_article(word)} is {good}", "quality"
    )


def _eat(rng: random.Random) -> MultipleChoiceQuestion:
    """Ask what one can eat, drink, read or drive."""
    deed, kinds = rng.choice((("eat", world.FOODS), ("drink", ("drink",)),
                              ("read", ("paper",)), ("drive", ("vehicle",))))  # fmt: skip
    answer = rng.choice(world.nouns_of(*kinds))
    closed = {*kinds, *world.ANIMALS, "drink" if deed == "eat" else "", *world.FOODS}
    others = world.nouns_of("tool", "toy", "furniture", "instrument", "garment", "container")
    assert not closed & {"tool", "toy"}
    text = rng.choice((f"what can one {deed}", f"what would a person {deed}"))
    return _make_question(rng, text, answer, others, f"one can {deed} {some(answer)}", "eat")


MAKERS: tuple[Callable[[random.Random], MultipleChoiceQuestion], ...] = (
    _kind, _kind, _use, _home, _work, _work, _stuff, _opposite, _clothing, _able, _biggest,
    _quality, _eat,
)  # fmt: skip


def sample_question(rng: random.Random) -> MultipleChoiceQuestion:
    """Sample a question on a random topic."""
    return rng.choice(MAKERS)(rng)
