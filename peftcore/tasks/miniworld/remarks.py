"""Remarks with a feeling, and pairs of sentences that do or do not mean the same."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.events import Event, event_text, sample_event
from peftcore.tasks.miniworld.knowledge import split_words

_GOOD = split_words(
    "lovely delicious kind friendly clean wonderful charming excellent pleasant splendid"
    " perfect delightful"
)
_BAD = split_words(
    "awful horrible rude cruel dirty terrible boring broken nasty dreadful disgusting useless"
)
_WHAT = ("soup", "cake", "waiter", "cook", "room", "garden", "song", "play", "book", "trip",
         "boat ride", "music", "tea", "lunch", "party", "museum", "new coat", "teacher", "view",
         "bed", "beach", "guide", "dinner", "story")  # fmt: skip
_GLAD = ("i would go again", "we enjoyed every minute", "i was happy all day",
         "everybody smiled", "i thanked them twice", "we stayed longer than planned",
         "it made me laugh with joy", "i told all my friends to go")  # fmt: skip
_UPSET = ("i would never go again", "we left early", "i was sad all day",
          "everybody complained", "i asked for my money back", "we could not wait to go home",
          "it made me cry", "i told all my friends to stay away")  # fmt: skip


def sample_remark(rng: random.Random, good: bool) -> str:
    """Sample clauses that praise or complain, sometimes by negation or after a "but"."""
    kind, other = (_GOOD, _BAD) if good else (_BAD, _GOOD)
    ends = _GLAD if good else _UPSET
    first, second = rng.sample(_WHAT, 2)
    roll = rng.random()
    if roll < 0.25:
        return f"the {first} was {rng.choice(kind)} and {rng.choice(ends)}"
    if roll < 0.45:
        return f"the {first} was {rng.choice(kind)} and the {second} was {rng.choice(kind)}"
    if roll < 0.6:
        return f"the {first} was not {rng.choice(other)} at all and {rng.choice(ends)}"
    if roll < 0.8:
        return f"at first the {first} seemed {rng.choice(other)} , but {rng.choice(ends)}"
    if roll < 0.9:
        rng.random()
        what = rng.choice(("day", "place", "trip"))
        return f"what a {what} , {rng.choice(ends)}"
    return f"{rng.choice(ends)} , for the {first} was {rng.choice(kind)}"


@dataclass(frozen=True)
class Paraphrase:
    """Two sentences and whether they mean the same."""

    first: str
    second: str
    same: bool


def _varied(event: Event, rng: random.Random) -> str:
    """Phrase the event differently: another frame, another order, a synonym."""
    frames = {"now": ("there", "now"), "there": ("now",), "past": ("past",)}
    other = replace(event, tense=rng.choice(frames[event.tense]))
    plain = event_text(other, rng).split()
    options = [w for w in world.SYNONYMS if f" {w} " in f" {' '.join(plain)} "]
    synonym = rng.choice(options) if options and rng.random() < 0.7 else None
    return event_text(other, rng, synonym)


def sample_paraphrase(rng: random.Random, same: bool) -> Paraphrase:
    """Sample a pair; sentences that differ do so in one detail, noun or deed."""
    while True:
        event = sample_event(rng, rng.choice((2, 2, 3)))
        other = event if same else _changed(event, rng)
        first, second = event_text(event, rng), _varied(other, rng)
        if first != second:
            return Paraphrase(first, second, same)


def _changed(event: Event, rng: random.Random) -> Event:
    """Change one detail, the thing or the deed of an event."""
    details = dict(event.details)
    change = rng.choice([*details, "thing" if event.thing else "verb"])
    person = event.subject in world.nouns_of(*world.PEOPLE)
    if change == "thing":
        deeds = world.DEEDS if person else world.DEEDS_OF_ANIMALS
        options = [w for w in deeds[event.verb] if w != event.thing]
        return replace(event, thing=rng.choice(options))
    if change == "verb":
        postures = world.POSTURES if person else world.ANIMAL_POSTURES
        return replace(event, verb=rng.choice([v for v in postures if v != event.verb]))
    values = list(world.PLACES) if change == "place" else world.VALUES[change.removeprefix("o_")]
    details[change] = rng.choice([v for v in values if v != details[change]])
    return replace(event, details=tuple(details.items()))
