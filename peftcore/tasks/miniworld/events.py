"""Events, and pairs of a story and a statement that follows, clashes, or stays open.

The statement is sampled first, in the same way for all three relations, and the story is then made
to fit; so a statement alone says nothing about its relation to the story. The story always has one
or two details more than the statement, for every relation.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.grammar import a, generic, is_mass, plural, some

Relation = Literal["follows", "clashes", "untold"]
RELATIONS: tuple[Relation, ...] = ("follows", "clashes", "untold")
ATTEMPTS = 24  # to find a story of the wanted part for one statement
TENSES = ("now", "now", "past", "there")
_SUBJECT_WORDS = ("age", "height", "mood", "fur")
_OBJECT_WORDS = ("colour", "size", "state", "freshness", "o_age", "o_fur")
_TALL = frozenset((*world.PEOPLE, "person", "adult"))


@dataclass(frozen=True)
class Event:
    """One deed: who does what to what, with details, dimension → value."""

    subject: str
    verb: str
    thing: str | None
    details: tuple[tuple[str, str], ...] = ()
    tense: str = "now"

    def get(self, dimension: str) -> str | None:
        """Return the value of a detail, or None."""
        return dict(self.details).get(dimension)


@dataclass(frozen=True)
class StoryPair:
    """A story, a statement, their relation and the reason for it."""

    story: str
    statement: str
    relation: Relation
    reason: str
    reasons: tuple[str, ...]  # all acceptable ones, `reason` among them
    # One of kind, drop, synonym, side, value, noun, verb, missing, narrow.
    reasoning: str


def _kind(word: str) -> str:
    """Return a noun's kind; other words as they are."""
    return world.NOUNS[word].kind if word in world.NOUNS else word


def _is_person(word: str) -> bool:
    """Return whether a word names a person."""
    return _kind(word) in _TALL


def _dimensions(subject: str, thing: str | None) -> dict[str, list[str]]:
    """Return an event's possible details: of the subject, of the thing, of the whole."""
    of_subject = ["age", "height", "mood"] if _is_person(subject) else ["age", "fur"]
    if subject in ("boy", "girl", "child"):
        of_subject.remove("age")
    of_thing: list[str] = []
    if thing:
        kind = _kind(thing)
        if kind in world.FOODS or kind == "food":
            of_thing = ["freshness", "size"] if not is_mass(thing) else ["freshness"]
        elif kind in world.ANIMALS or kind == "animal":
            of_thing = ["o_age", "size", "o_fur"]
        elif kind in world.THINGS or kind == "piece of furniture":
            of_thing = ["colour", "size", "state"]
    return {
        "subject": of_subject,
        "thing": of_thing,
        "all": ["place", "time", "company", "manner", "number"],
    }


def _values(dimension: str) -> tuple[str, ...]:
    """Return the values of a dimension."""
    if dimension == "place":
        return _PLACES
    return world.VALUES[dimension.removeprefix("o_")]


_PLACES = tuple(w for w in world.PLACES if w not in ("sea", "desert", "airport"))


def _sample_details(
    rng: random.Random, subject: str, thing: str | None, present: dict[str, str], count: int,
    excluded: frozenset[str],
) -> dict[str, str]:  # fmt: skip
    """Sample `count` more details, at most one of the subject and one of the thing."""
    groups = _dimensions(subject, thing)
    free: list[str] = []
    for group in ("subject", "thing"):
        if groups[group] and not set(groups[group]) & set(present):
            options = [d for d in groups[group] if d not in excluded]
            if options:
                free.append(rng.choice(options))
    free += [d for d in groups["all"] if d not in present and d not in excluded]
    if "number" in free and rng.random() < 0.5:
        free.remove("number")
    chosen = rng.sample(free, min(count, len(free)))
    return {d: rng.choice(_values(d)) for d in chosen}


def sample_event(rng: random.Random, count: int = 2) -> Event:
    """Sample a plain event with `count` details."""
    if rng.random() < 0.8:
        subject = rng.choice(
            world.NOUNS_BY_KIND["worker"]
            if rng.random() < 0.6
            else world.nouns_of("man", "woman", "child")
        )
        deeds, postures = world.DEEDS, world.POSTURES
    else:
        subject = rng.choice(world.nouns_of("beast", "bird"))
        deeds, postures = world.DEEDS_OF_ANIMALS, world.ANIMAL_POSTURES
    thing: str | None = None
    if rng.random() < 0.78:
        verb = rng.choice(list(deeds))
        thing = rng.choice(deeds[verb])
    else:
        verb = rng.choice(postures)
    details = _sample_details(rng, subject, thing, {}, count, frozenset())
    return Event(subject, verb, thing, tuple(details.items()), rng.choice(TENSES))


def _adjective(event: Event, dimensions: tuple[str, ...]) -> str:
    """Return the event's value in these dimensions, or ""."""
    return next((v for d, v in event.details if d in dimensions), "")


def event_text(event: Event, rng: random.Random | None = None, synonym: str | None = None) -> str:
    """Return the event as a lower-case sentence without a full stop, maybe with a synonym."""
    subject_word = _adjective(event, _SUBJECT_WORDS)
    number = event.get("number")
    if number:
        subject = f"{number} {subject_word} {plural(event.subject)}".replace("  ", " ")
        be = "were" if event.tense == "past" else "are"
    else:
        subject = a(f"{subject_word} {event.subject}".strip())
        be = "was" if event.tense == "past" else "is"
    deed = world.past_form(event.verb) if event.tense == "past" else world.ing_form(event.verb)
    rest = [some(event.thing, _adjective(event, _OBJECT_WORDS))] if event.thing else []
    manner, place, company, time = map(event.get, ("manner", "place", "company", "time"))
    if manner:
        rest.append(manner)
    if place:
        rest.append(world.PLACES[place].phrase if place in world.PLACES else place)
    if company:
        rest.append(company)
    tail = " ".join(rest)
    verb = deed if event.tense == "past" else f"{be} {deed}"
    text = f"there {be} {subject} {deed}" if event.tense == "there" else f"{subject} {verb}"
    text = f"{text} {tail}".strip()
    if time:
        front = rng is not None and rng.random() < 0.4
        text = f"{time} {text}" if front else f"{text} {time}"
    if synonym:
        text = f" {text} ".replace(f" {synonym} ", f" {world.SYNONYMS[synonym]} ").strip()
        text = text.replace("a aged", "an aged").replace("an large", "a large")
        text = text.replace("an cross", "a cross").replace("a old", "an old")
    return text


def sample_story_pair(
    rng: random.Random, relation: Relation, accept_story: Callable[[str], bool] = lambda story: True
) -> StoryPair:
    """Sample a story and a statement in this relation, with the reason."""
    while True:
        statement = _sample_statement(rng)
        statement_text = event_text(statement)
        pair = _pair_for_relation(rng, statement, statement_text, relation)
        if pair is None or not accept_story(pair.story):
            continue
        # a statement that fits one relation only would betray it
        if all(
            _pair_for_relation(rng, statement, statement_text, r)
            for r in RELATIONS
            if r != relation
        ):
            return pair


def sample_two_stories(
    rng: random.Random, accept_story: Callable[[str], bool] = lambda story: True
) -> tuple[StoryPair, StoryPair]:
    """Sample a statement with a story that it follows from, and one that it clashes with."""
    while True:
        statement = _sample_statement(rng)
        text = event_text(statement)
        fits = _accepted_pair(rng, statement, text, "follows", accept_story)
        clashes = _accepted_pair(rng, statement, text, "clashes", accept_story) if fits else None
        if fits and clashes:
            return fits, clashes


def _accepted_pair(
    rng: random.Random,
    statement: Event,
    text: str,
    relation: Relation,
    accept_story: Callable[[str], bool],
) -> StoryPair | None:
    """Find a story for the statement that is accepted; None if no attempt worked."""
    pairs = (_pair_for_relation(rng, statement, text, relation) for _ in range(ATTEMPTS))
    return next((pair for pair in pairs if pair and accept_story(pair.story)), None)


def _pair_for_relation(
    rng: random.Random, statement: Event, statement_text: str, relation: Relation
) -> StoryPair | None:
    """Find a story for the statement; None if none of three attempts worked."""
    for _ in range(3):
        built = _story_for_relation(rng, statement, relation)
        if built is not None:
            story, reasons, synonym = built
            story_text = event_text(story, rng, synonym)
            if story_text != statement_text:
                reason, reasoning = rng.choice(reasons)
                texts = tuple(dict.fromkeys([reason, *(text for text, _ in reasons)]))
                return StoryPair(story_text, statement_text, relation, reason, texts, reasoning)
    return None


def _sample_statement(rng: random.Random) -> Event:
    """Sample a claim of one or two details; a noun may be named by its kind."""
    event = sample_event(rng, rng.choice((0, 1, 1, 2)))
    subject, thing = event.subject, event.thing
    if rng.random() < 0.35:
        subject = rng.choice(world.kinds_of(subject))
    if thing and _kind(thing) not in world.PEOPLE and rng.random() < 0.35:
        thing = rng.choice(world.kinds_of(thing)) if world.kinds_of(thing) else thing
        thing = event.thing if thing == "thing" else thing
    allowed = {d for group in _dimensions(subject, thing).values() for d in group}
    details = {d: v for d, v in event.details if d in allowed}
    if details.get("place") and rng.random() < 0.2:
        details["place"] = world.PLACES[details["place"]].side
    return replace(event, subject=subject, thing=thing, details=tuple(details.items()))


def _noun_of_kind(rng: random.Random, kind: str, among: tuple[str, ...]) -> str | None:
    """Sample a noun of a kind among some nouns, or None."""
    options = [w for w in among if kind in world.kinds_of(w)]
    return rng.choice(options) if options else None


def _subjects(event: Event) -> tuple[str, ...]:
    """List the subjects that could do this event."""
    kinds = world.PEOPLE if _is_person(event.subject) else ("beast", "bird")
    return world.nouns_of(*kinds)


def _things(event: Event) -> tuple[str, ...]:
    """List the things this event could be done to."""
    deeds = world.DEEDS if _is_person(event.subject) else world.DEEDS_OF_ANIMALS
    return deeds[event.verb]


def _story_for_relation(
    rng: random.Random, statement: Event, relation: Relation
) -> tuple[Event, list[tuple[str, str]], str | None] | None:
    """Make a story for the statement, reasons with kinds, and a word to replace."""
    details = dict(statement.details)
    excluded: frozenset[str] = frozenset()
    change = _role_to_change(rng, statement, relation) if relation != "follows" else None
    narrowed = _narrow_nouns(rng, statement, change)
    if narrowed is None:
        return None
    story, reasons = narrowed
    if relation == "clashes":
        changed = _clashing_story(rng, story, statement, change, details)
        if changed is None:
            return None
        story, reason, reasoning = changed
        reasons = [(reason, reasoning)]
    elif relation == "untold":
        changed = _open_story(rng, story, statement, change, details)
        if changed is None:
            return None
        story, reason, reasoning = changed
        excluded = frozenset([change] if change in details else [])
        reasons = [(reason, reasoning)]
    elif details.get("place") in ("inside", "outside"):
        place = rng.choice([p for p in _PLACES if world.PLACES[p].side == details["place"]])
        story = replace(story, details=tuple((details | {"place": place}).items()))
        reasons.append((f"the {place} is {details['place']}", "side"))
    kept_details = dict(story.details)
    wanted = len(details) - len(kept_details) + rng.choice((1, 2))
    extra = _sample_details(rng, story.subject, story.thing, kept_details, wanted, excluded)
    if relation == "follows" and not extra and not reasons:
        return None
    allowed = {d for group in _dimensions(story.subject, story.thing).values() for d in group}
    if not set(kept_details) <= allowed:
        return None
    merged = kept_details | extra
    story = replace(story, details=tuple(merged.items()))
    synonym = None
    shared = [
        w for w in _content_words(statement) if w in world.SYNONYMS and w in _content_words(story)
    ]
    if shared and rng.random() < 0.35:
        synonym = rng.choice(shared)
        if relation == "follows":
            reasons = [(f"{world.SYNONYMS[synonym]} means {synonym}", "synonym")]
    if not reasons:
        reasons = [(_omission_reason(story, statement, extra), "drop")]
    return story, reasons, synonym


def _role_to_change(rng: random.Random, statement: Event, relation: Relation) -> str:
    """Draw which part of a statement its story says differently: a detail, a noun or the verb."""
    options = [key for key, _ in statement.details] * 2
    if statement.thing is None and relation == "clashes":
        options += ["verb", "verb"]
    options += ["subject"] + (["thing", "thing"] if statement.thing else [])
    return rng.choice(options)


def _narrow_nouns(
    rng: random.Random, statement: Event, change: str | None
) -> tuple[Event, list[tuple[str, str]]] | None:
    """Put narrower nouns for most general ones, with the reasons; None where there is none."""
    story, reasons = statement, []
    for role, among in (("subject", _subjects(statement)), ("thing", None)):
        word = getattr(story, role)
        if word is None or word in world.NOUNS or change == role:
            continue
        if rng.random() < 0.65:
            lower = _noun_of_kind(rng, word, among or _things(statement))
            if lower is None:
                return None
            story = _with_role(story, role, lower)
            reasons.append((f"{generic(lower)} is {generic(word)}", "kind"))
    return story, reasons


def _with_role(event: Event, role: str, word: str) -> Event:
    """Replace the event's subject or thing."""
    return replace(event, subject=word) if role == "subject" else replace(event, thing=word)


def _content_words(event: Event) -> list[str]:
    """List the event's verb form and details."""
    form = world.past_form(event.verb) if event.tense == "past" else world.ing_form(event.verb)
    return [form, *(v for _, v in event.details)]


def _omission_reason(story: Event, statement: Event, extra: dict[str, str]) -> str:
    """Return the reason when the statement only leaves something out."""
    for dimension, value in extra.items():
        if dimension in _SUBJECT_WORDS:
            return f"{a(f'{value} {story.subject}')} is {a(story.subject)}"
        if dimension in _OBJECT_WORDS and story.thing:
            phrase = f"{value} {story.thing}"
            return f"{generic_of(phrase, story.thing)} is {generic(story.thing)}"
    dimension, value = next(iter(extra.items()))
    if dimension == "number":
        return f"where there are {value} {plural(story.subject)} there is {a(story.subject)}"
    phrase = world.PLACES[value].phrase if dimension == "place" else value
    doing = world.ing_form(story.verb)
    return f"{doing} {phrase} is {doing}"


def generic_of(phrase: str, noun: str) -> str:
    """Add the article that the phrase's noun needs."""
    return phrase if is_mass(noun) else a(phrase)


def _clashing_story(
    rng: random.Random, story: Event, statement: Event, change: str | None, details: dict[str, str]
) -> tuple[Event, str, str] | None:
    """Make one thing of the story incompatible with the statement, or return None."""
    if change == "verb":
        postures = world.POSTURES if _is_person(statement.subject) else world.ANIMAL_POSTURES
        other = rng.choice([v for v in postures if v != statement.verb])
        reason = f"one cannot {other} and {statement.verb} at once"
        return replace(story, verb=other), reason, "verb"
    if change in ("subject", "thing"):
        word = str(getattr(statement, change))
        among = _subjects(statement) if change == "subject" else _things(statement)
        options = [w for w in among if w != word and word not in world.kinds_of(w)]
        if not options:
            return None
        other = rng.choice(options)
        reason = f"{generic(other)} is not {generic(word)}"
        return _with_role(story, change, other), reason, "noun"
    assert change is not None
    value = details[change]
    if value in ("inside", "outside"):
        other = rng.choice([p for p in _PLACES if world.PLACES[p].side != value])
        reason = f"the {other} is not {value}"
        side = True
    else:
        other = rng.choice([v for v in _values(change) if v != value])
        reason, side = _clash_reason(change, other, value), False
    new = replace(story, details=tuple((details | {change: other}).items()))
    return new, reason, "side" if side else "value"


def _clash_reason(dimension: str, story_value: str, statement_value: str) -> str:
    """Return why two values of a dimension exclude each other."""
    if dimension == "place":
        there, here = world.PLACES[story_value].phrase, world.PLACES[statement_value].phrase
        return f"one cannot be {there} and {here} at once"
    if (story_value, statement_value) in world.OPPOSITES or (
        statement_value,
        story_value,
    ) in world.OPPOSITES:
        return f"{story_value} is the opposite of {statement_value}"
    return f"{story_value} is not {statement_value}"


def _open_story(
    rng: random.Random, story: Event, statement: Event, change: str | None, details: dict[str, str]
) -> tuple[Event, str, str] | None:
    """Leave something of the statement open in the story, or return None."""
    if change == "verb":
        return None
    if change in ("subject", "thing"):
        word = str(getattr(statement, change))
        if word not in world.NOUNS:
            return None
        wider = [k for k in world.kinds_of(word) if k != "thing"]
        if not wider:
            return None
        kind = rng.choice(wider)
        reason = f"not every {kind} is {generic(word)}"
        return _with_role(story, change, kind), reason, "narrow"
    assert change is not None
    left = {d: v for d, v in details.items() if d != change}
    reason = f"it is not said {_QUESTIONS[change]}".format(subject=story.subject, thing=story.thing)
    return replace(story, details=tuple(left.items())), reason, "missing"


_QUESTIONS = {
    "age": "how old the {subject} is", "height": "how tall the {subject} is",
    "mood": "how the {subject} feels", "fur": "what colour the {subject} is",
    "colour": "what colour the {thing} is", "size": "how big the {thing} is",
    "state": "how clean the {thing} is", "freshness": "how fresh the {thing} is",
    "o_age": "how old the {thing} is", "o_fur": "what colour the {thing} is",
    "place": "where it happens", "time": "when it happens", "company": "who else is there",
    "manner": "how fast it happens", "number": "how many there are",
}  # fmt: skip
