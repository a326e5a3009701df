"""Pairs of statements that differ in little: one makes sense, the other does not, and why."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.grammar import a, generic, is_mass, plural, some


@dataclass(frozen=True)
class Nonsense:
    """A sensible and a nonsensical statement, and what is wrong with the second."""

    sense: str
    nonsense: str
    reason: str
    topic: str


def _who(rng: random.Random) -> str:
    """Sample a subject."""
    roll = rng.random()
    if roll < 0.35:
        return rng.choice(world.NAMES_SHE + world.NAMES_HE)
    if roll < 0.5:
        return rng.choice(("she", "he", "they", "we"))
    return "the " + rng.choice(world.nouns_of(*world.PEOPLE))


def _where(rng: random.Random) -> str:
    """Sample a place as an adverbial, or nothing."""
    if rng.random() < 0.5:
        return ""
    return " " + rng.choice([p.phrase for p in world.PLACES.values() if p.word not in
                             ("sea", "desert", "airport", "street")])  # fmt: skip


# verb → (what it takes, participle, what the thing would have to be)
_TAKES = {
    "eat": (world.FOODS, "eaten"),
    "drink": (("drink",), "drunk"),
    "wear": (("garment",), "worn"),
    "drive": (("vehicle",), "driven"),
    "read": (("paper",), "read"),
    "play": (("instrument",), "played"),
    "peel": (("fruit", "vegetable"), "peeled"),
}
_NOUNS = ("fruit", "vegetable", "meal", "sweet", "drink", *world.THINGS, "beast", "bird")


def _takes(rng: random.Random) -> Nonsense:
    """Sample a verb with an object that it takes, and one that it does not."""
    verb = rng.choice(list(_TAKES))
    kinds, participle = _TAKES[verb]
    good = rng.choice(world.nouns_of(*kinds))
    closed = set(kinds)
    if verb == "eat":
        closed |= {"drink", "beast", "bird"}
    if verb == "play":
        closed |= {"toy"}
    if verb == "drive":
        closed |= {"beast"}
    bad = rng.choice(world.nouns_of(*(k for k in _NOUNS if k not in closed)))
    who, where = _who(rng), _where(rng)
    return Nonsense(
        f"{who} {world.past_form(verb)} {some(good)}{where}",
        f"{who} {world.past_form(verb)} {some(bad)}{where}",
        f"{generic(bad)} cannot be {participle}",
        "takes",
    )


def _fits(rng: random.Random) -> Nonsense:
    """Sample something that fits into a holder, and something too big."""
    holder = rng.choice(["cup", "bowl", "bag", "basket", "box", "pot", "jar", "bottle"])
    small = rng.choice(world.nouns_of("fruit", "tool", "toy", "vegetable", "paper", largest=1))
    huge = rng.choice(
        world.nouns_of("beast", "vehicle", "furniture", "instrument", "worker", smallest=4)
    )
    who, inside = _who(rng), f"in the {holder}"
    return Nonsense(
        f"{who} put {some(small)} {inside}",
        f"{who} put {some(huge)} {inside}",
        f"{generic(huge)} is too big for {a(holder)}",
        "fits",
    )


_WITH = {
    "cut the bread": ["knife"], "cut the plank": ["saw"], "swept the floor": ["broom"],
    "wrote a letter": ["pencil"], "opened the door": ["key"], "ate the soup": ["spoon"],
    "chopped the wood": ["axe"], "dug a hole": ["spade"], "sewed a dress": ["needle"],
    "hit the nail": ["hammer"], "painted the wall": ["brush"], "tied the boat": ["rope"],
    "tidied the hair": ["comb"], "dried the hands": ["towel"], "gathered leaves": ["rake"],
    "reached the roof": ["ladder"],
}  # fmt: skip
_PARTICIPLES = {
    "cut": "cut", "swept": "sweep", "wrote": "write", "opened": "open", "ate": "eat",
    "chopped": "chop", "dug": "dig", "sewed": "sew", "hit": "hit", "painted": "paint",
    "tied": "tie", "tidied": "tidy", "dried": "dry", "gathered": "gather", "reached": "reach",
}  # fmt: skip


def _tool(rng: random.Random) -> Nonsense:
    """Sample a deed with its tool, and with a wrong one."""
    deed = rng.choice(list(_WITH))
    good = _WITH[deed][0]
    odd = [
        w for w in ("tool", "fruit", "garment", "sweet", "drink", "toy") for w in world.nouns_of(w)
    ]
    near = {"knife", "saw", "axe", "fork", "spoon", "spade", "rake", "broom", "comb", "brush"}
    bad = rng.choice([w for w in odd if w != good and not (good in near and w in near)])
    who = _who(rng)
    verb, _, rest = deed.partition(" ")
    return Nonsense(
        f"{who} {deed} with {some(good)}",
        f"{who} {deed} with {some(bad)}",
        f"one cannot {_PARTICIPLES[verb]} {rest} with {generic(bad)}",
        "tool",
    )


def _able(rng: random.Random) -> Nonsense:
    """Sample an animal able to do a deed, and one that is not."""
    deed = rng.choice(list(world.ABLE))
    good, bad = rng.choice(world.ABLE[deed]), rng.choice(world.UNABLE[deed])
    where = _where(rng)
    form = rng.choice(("can", "past"))
    verb, _, rest = deed.partition(" ")
    verb_phrase = (
        f"can {deed}" if form == "can" else f"{_PASTS.get(verb, verb + 'ed')} {rest}".strip()
    )
    return Nonsense(
        f"the {good} {verb_phrase}{where}",
        f"the {bad} {verb_phrase}{where}",
        f"{a(bad)} cannot {deed}",
        "able",
    )


_PASTS = {"fly": "flew", "swim": "swam", "sing": "sang"}
_MINDFUL = {
    "read a book": "read", "told a story": "speak", "wrote a letter": "write",
    "asked a question": "speak", "cooked a meal": "cook", "laughed at the joke": "laugh",
    "bought a ticket": "buy anything", "drove the bus": "drive", "slept in the bed": "sleep",
    "drank some tea": "drink", "was tired": "be tired", "was hungry": "be hungry",
}  # fmt: skip


def _mindful(rng: random.Random) -> Nonsense:
    """Sample a person, and a thing, doing what only persons do."""
    deed = rng.choice(list(_MINDFUL))
    good = rng.choice(world.nouns_of(*world.PEOPLE))
    bad = rng.choice(world.nouns_of(*world.THINGS, "fruit", "vegetable", "sweet"))
    where = _where(rng)
    return Nonsense(
        f"the {good} {deed}{where}",
        f"the {bad} {deed}{where}",
        f"{generic(bad)} cannot {_MINDFUL[deed]}",
        "mindful",
    )


def _lives(rng: random.Random) -> Nonsense:
    """Sample an animal's home, and a wrong one."""
    animal = rng.choice(world.nouns_of(*world.ANIMALS))
    home = world.NOUNS[animal].place
    wet = {"sea", "river", "pond"}
    dry = [p for p in ("sea", "desert", "forest", "field", "mountain", "pond") if p != home]
    if home not in wet:
        dry = [p for p in dry if p in ("sea", "pond")] if home != "desert" else ["sea", "pond"]
    else:
        dry = ["desert", "field", "mountain", "forest"]
    bad = rng.choice(dry)
    here = world.PLACES[home].phrase
    there = f"in the {bad}"
    subject = rng.choice((f"{a(animal)} lives", f"{plural(animal)} live", f"the {animal} lives"))
    return Nonsense(f"{subject} {here}", f"{subject} {there}", f"{a(animal)} lives {here}", "lives")


def _made(rng: random.Random) -> Nonsense:
    """Sample a thing's material, and a wrong one."""
    thing = rng.choice(
        [w for w in world.nouns_of(*world.THINGS) if world.NOUNS[w].material in world.MATERIALS]
    )
    stuff = world.NOUNS[thing].material
    silly = rng.choice([f for f in ("soup", "milk", "jam", "rice", "honey", "juice", "water", "tea",
                                    "lemonade", "cheese", "chocolate") if f != stuff])  # fmt: skip
    subject = rng.choice((f"the {thing} is", f"this {thing} is", f"{a(thing)} is often"))
    return Nonsense(
        f"{subject} made of {stuff}",
        f"{subject} made of {silly}",
        f"{a(thing)} is made of {stuff}",
        "made",
    )


def _weather(rng: random.Random) -> Nonsense:
    """Sample a garment with its weather, and with a wrong one."""
    garment = rng.choice(list(world.WEATHER_OF_GARMENT))
    good = world.WEATHER_OF_GARMENT[garment]
    bad = world.WEATHER_CLASH[good]
    who = _who(rng)
    first = rng.random() < 0.5
    put = f"put on {a(garment)}"
    say = (lambda w: f"it was {w} and {who} {put}") if first else (
        lambda w: f"{who} {put} as it was {w}")  # fmt: skip
    return Nonsense(say(good), say(bad), f"one wears {a(garment)} when it is {good}", "weather")


def _larger(rng: random.Random) -> Nonsense:
    """Sample a right and a wrong comparison of sizes."""
    nouns = world.nouns_of(*world.ANIMALS, "fruit", "vehicle", "furniture", "tool")
    while True:
        small, big = rng.sample(nouns, 2)
        gap = world.NOUNS[big].size - world.NOUNS[small].size
        if gap >= 2 and not is_mass(small) and not is_mass(big):
            break
    if rng.random() < 0.5:
        return Nonsense(
            f"{a(big)} is bigger than {a(small)}",
            f"{a(small)} is bigger than {a(big)}",
            f"{a(small)} is smaller than {a(big)}",
            "larger",
        )
    who = _who(rng)
    return Nonsense(
        f"{who} can see that {a(small)} is smaller than {a(big)}",
        f"{who} can see that {a(big)} is smaller than {a(small)}",
        f"{a(big)} is bigger than {a(small)}",
        "larger",
    )


def _job(rng: random.Random) -> Nonsense:
    """Sample a job with its deed or tool, and with another job's."""
    good, bad = rng.sample(list(world.OCCUPATIONS.values()), 2)
    while good.tool == bad.tool or good.place == bad.place or {good.word, bad.word} in _ALIKE:
        good, bad = rng.sample(list(world.OCCUPATIONS.values()), 2)
    if rng.random() < 0.5:
        end = rng.choice(("", " every day", " for a living"))
        return Nonsense(
            f"{a(good.word)} {good.deed}{end}",
            f"{a(good.word)} {bad.deed}{end}",
            f"{a(bad.word)} {bad.deed}",
            "job",
        )
    return Nonsense(
        f"{a(good.word)} needs {a(good.tool)} for the work",
        f"{a(good.word)} needs {a(bad.tool)} for the work",
        f"{a(bad.word)} needs {a(bad.tool)}",
        "job",
    )


_ALIKE = [{"nurse", "doctor"}, {"teacher", "student"}, {"builder", "carpenter"},
          {"waiter", "cook"}, {"farmer", "gardener"}, {"singer", "dancer"}]  # fmt: skip


def with_definite_article(word: str) -> str:
    """Return a quality's bearer with its article: "ice", "the sun", "a stone"."""
    if word in world.MASS_QUALITIES:
        return word
    return f"the {word}" if word in world.UNIQUE else a(word)


def _quality(rng: random.Random) -> Nonsense:
    """Sample a bearer with its quality, and with a wrong one."""
    word = rng.choice(list(world.QUALITIES))
    good, bad = world.QUALITIES[word]
    subject = with_definite_article(word)
    frame = rng.choice(("{} is {}", "{} is often {}", "everybody knows that {} is {}",
                        "we learnt that {} is {}"))  # fmt: skip
    return Nonsense(
        frame.format(subject, good), frame.format(subject, bad), f"{subject} is {good}", "quality"
    )


def _part(rng: random.Random) -> Nonsense:
    """Sample a garment on its body part, and on a wrong one."""
    garment = rng.choice(list(world.BODY_PART_OF_GARMENT))
    good = world.BODY_PART_OF_GARMENT[garment]
    bad = rng.choice([b for b in ("head", "hand", "foot", "neck", "waist") if b != good])
    who = _who(rng)
    frame = f"{who} wore {a(garment)} on the {{}}"
    return Nonsense(
        frame.format(good), frame.format(bad), f"{a(garment)} is worn on the {good}", "part"
    )


MAKERS: tuple[Callable[[random.Random], Nonsense], ...] = (
    _takes, _takes, _takes, _fits, _fits, _tool, _tool, _able, _able, _mindful, _mindful, _lives,
    _made, _weather, _larger, _job, _job, _quality, _part,
)  # fmt: skip


def sample_nonsense(rng: random.Random) -> Nonsense:
    """Sample a pair of statements on a random topic."""
    return rng.choice(MAKERS)(rng)
