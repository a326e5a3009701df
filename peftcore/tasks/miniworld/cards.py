"""Cards (key and value) about venues, people, animals and things, and sentences for them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from peftcore.tasks.miniworld import knowledge as world
from peftcore.tasks.miniworld.grammar import a, plural
from peftcore.tasks.miniworld.knowledge import split_words

Slots = dict[str, str]

KINDS = ("cafe", "pub", "restaurant", "tea room", "coffee shop", "bar", "bistro", "inn")
FOODS = ("soup", "pizza", "fish", "cheese", "pasta", "cakes", "sandwiches", "sausages", "pies",
         "salads", "noodles", "Italian food", "French food", "Indian food", "English food",
         "Chinese food", "Japanese food", "fast food", "curry", "chips", "pancakes")  # fmt: skip
PRICES = ("cheap", "moderate", "high", "less than £20", "£20-25", "more than £30")
RATINGS = ("low", "average", "high", "1 out of 5", "3 out of 5", "5 out of 5")
_RATED = ("low", "average", "high")
AREAS = ("by the river", "in the city centre", "at the harbour", "in the old town",
         "near the park", "by the station", "on the hill", "by the sea", "at the market",
         "in the riverside area")  # fmt: skip
_FIRST = split_words(
    "Green Blue Red Golden Silver Old Little Happy Blind Hungry White Black Jolly Quiet"
    " Merry Lucky Sleepy Purple Wild Crooked"
)
_SECOND = split_words(
    "Lamp Fox Horse Barrel Spoon Anchor Crown Eagle Duck Kettle Bell Lion Boat Bridge"
    " Garden Wheel Owl Ship Rose Oven Mill Bear Star Table Key"
)
_OWNERS = split_words("Anna Tom Rosa Hugo Clara Leo Vera Otto Nina Carl Ella Frank")
TOWNS = split_words(
    "Northport Millbridge Oakfield Stoneham Westbury Applewick Riverton Harwell Greenhill"
    " Saltmouth Eastvale Foxley"
)


def venue_name(rng: random.Random) -> str:
    """Sample a proper name such as "The Green Lamp" or "Rosa's Kettle"."""
    roll = rng.random()
    if roll < 0.6:
        return f"The {rng.choice(_FIRST)} {rng.choice(_SECOND)}"
    if roll < 0.8:
        return f"{rng.choice(_OWNERS)}'s {rng.choice(_SECOND)}"
    first, second = rng.sample(_SECOND, 2)
    return rng.choice((f"The {first} and {second}", f"{rng.choice(_FIRST)} {first}"))


def sample_venue(rng: random.Random) -> Slots:
    """Sample a name, a kind and two to four more slots."""
    slots = {
        "food": rng.choice(FOODS), "price": rng.choice(PRICES), "rating": rng.choice(RATINGS),
        "area": rng.choice(AREAS), "family": rng.choice(("yes", "no")), "near": venue_name(rng),
    }  # fmt: skip
    kept_slots = rng.sample(list(slots), rng.choice((2, 3, 3, 4)))
    return {"name": venue_name(rng), "kind": rng.choice(KINDS)} | {
        k: v for k, v in slots.items() if k in kept_slots
    }


def _price_adjective(price: str) -> str:
    """Return the adjective for a price."""
    return {"cheap": "cheap", "moderate": "moderately priced", "high": "expensive"}.get(price, "")


def _slot_after_noun(slot: str, value: str, rng: random.Random) -> str:
    """Return the slot as words behind the noun."""
    if slot == "food":
        return rng.choice((f"serving {value}", f"that serves {value}", f"that offers {value}"))
    if slot == "price":
        if value[0] in "lm£" and value != "moderate":
            return rng.choice((f"with a price range of {value}", f"with prices of {value}"))
        return f"with {'low' if value == 'cheap' else value} prices"
    if slot == "rating":
        if value in _RATED:
            return f"with {a(value)} customer rating"
        return rng.choice((f"rated {value}", f"with a customer rating of {value}"))
    if slot == "near":
        return rng.choice((f"near {value}", f"close to {value}"))
    if slot == "family":
        return "for families" if value == "yes" else "for adults only"
    return value  # an area


def _slot_clause(slot: str, value: str, rng: random.Random) -> str:
    """Return the slot as a verb phrase about "it"."""
    if slot == "food":
        return rng.choice((f"serves {value}", f"offers {value}"))
    if slot == "price":
        if value[0] in "lm£" and value != "moderate":
            return f"has a price range of {value}"
        return rng.choice((f"has {'low' if value == 'cheap' else value} prices",
                           f"is {_price_adjective(value)}"))  # fmt: skip
    if slot == "rating":
        if value in _RATED:
            return rng.choice((f"has {a(value)} customer rating", f"has {a(value)} rating"))
        return rng.choice((f"has a customer rating of {value}", f"is rated {value}"))
    if slot == "near":
        return rng.choice((f"is near {value}", f"lies close to {value}"))
    if slot == "family":
        if value == "yes":
            return rng.choice(("is family friendly", "welcomes children"))
        return rng.choice(("is not family friendly", "does not welcome children"))
    return rng.choice((f"is {value}", f"lies {value}"))


def _joined(parts: Sequence[str]) -> str:
    """Join phrases by commas and "and"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def describe_venue(slots: Slots, rng: random.Random) -> str:
    """Verbalise every slot once, in one or two sentences."""
    open_slots = [s for s in slots if s not in ("name", "kind")]
    name, kind = slots["name"], slots.get("kind", "place")
    if rng.random() < 0.3:
        rng.shuffle(open_slots)
    adjective = ""
    if "family" in open_slots and slots["family"] == "yes" and rng.random() < 0.3:
        adjective = "family friendly"
        open_slots.remove("family")
    elif "price" in open_slots and _price_adjective(slots["price"]) and rng.random() < 0.4:
        adjective = _price_adjective(slots["price"])
        open_slots.remove("price")
    split = min(len(open_slots), rng.choice((1, 1, 2)))
    after_noun = [s for s in open_slots if s in ("food", "area", "near", "rating")][:split]
    rest = [s for s in open_slots if s not in after_noun]
    noun = a(f"{adjective} {kind}".strip())
    first = " ".join(
        [f"{name} is {noun}", *(_slot_after_noun(s, slots[s], rng) for s in after_noun)]
    )
    if not rest:
        return f"{first}."
    clauses = [_slot_clause(s, slots[s], rng) for s in rest]
    return f"{first}. It {_joined(clauses)}."


_SUMS = {"cheap": "little", "moderate": "a fair sum", "high": "a lot"}


def guidebook_text(slots: Slots, rng: random.Random) -> str:
    """Verbalise the slots in the style of a guide book, which pretraining never uses."""
    name, kind = slots["name"], a(slots["kind"])
    area, food, near = slots.get("area", ""), slots.get("food", ""), slots.get("near", "")
    beside = f" beside {near}" if near else ""
    where = f" {area}" if area else ""
    openings = []
    if area:
        menu = f" with {food} on the menu" if food else ""
        openings.append(f"{area[0].upper()}{area[1:]} you can find {name}, {kind}{menu}{beside}.")
    if food:
        openings.append(f"You can eat {food} at {name}, {kind}{where}{beside}.")
        openings.append(f"Go to {name}, {kind}{where}{beside}, for {food}.")
    else:
        openings.append(f"Go to {name}, {kind}{where}{beside}.")
        openings.append(f"You may like {name}, {kind}{where}{beside}.")
    rest = []
    if "rating" in slots:
        mark = slots["rating"]
        rest.append(f"guests give it {a(f'{mark} rating') if mark in _RATED else mark}")
    if "price" in slots:
        rest.append(f"a meal costs {_SUMS.get(slots['price'], slots['price'])}")
    joined = " and ".join(rest)
    lines = [rng.choice(openings), f"{joined[0].upper()}{joined[1:]}." if joined else ""]
    if "family" in slots:
        lines.append(
            "Bring the children." if slots["family"] == "yes" else "Come without children."
        )
    return " ".join(line for line in lines if line)


def guidebook_texts(slots: Slots, rng: random.Random) -> tuple[str, ...]:
    """Return up to four different guide-book texts of a venue."""
    return tuple(dict.fromkeys(guidebook_text(slots, rng) for _ in range(8)))[:4]


@dataclass(frozen=True)
class Facts:
    """Facts about one subject, as relations and objects."""

    category: str
    subject: str
    facts: tuple[tuple[str, str], ...]


# relation → ways of saying it as a verb phrase
_RELATION_PHRASES: dict[str, tuple[str, ...]] = {
    "job": ("is {a}", "works as {a}"),
    "home": ("lives in {v}", "comes from {v}"),
    "pet": ("has {a}", "keeps {a}"),
    "likes": ("likes {v}", "is fond of {v}"),
    "age": ("is {v} years old",),
    "species": ("is {a}",),
    "colour": ("is {v}",),
    "owner": ("belongs to {v}", "is owned by {v}"),
    "eats": ("eats {v}", "feeds on {v}"),
    "goods": ("sells {v}", "offers {v}"),
    "street": ("stands in {v}", "lies in {v}"),
    "type": ("is {a}",),
    "captain": ("is led by {v}", "has {v} as its captain"),
    "harbour": ("sails from {v}", "leaves from {v}"),
    "load": ("carries {v}",),
    "built in": ("was built in {v}", "dates from {v}"),
    "material": ("is made of {v}",),
    "height": ("is {v} metres high",),
    "town": ("stands in {v}", "is found in {v}"),
}
SEEN_CATEGORIES = ("person", "animal", "shop")
UNSEEN_CATEGORIES = ("ship", "building")


def sample_facts(rng: random.Random, category: str) -> Facts:
    """Sample two to four facts about a subject of a category."""
    goods = [plural(w) for w in world.nouns_of("fruit", "tool", "garment", "toy", "container")]
    person = rng.choice(_OWNERS)
    street = f"{rng.choice(_SECOND)} Street"
    town = rng.choice(TOWNS)
    if category == "person":
        subject = person
        facts = {"job": rng.choice(list(world.OCCUPATIONS)), "home": town,
                 "pet": rng.choice(("dog", "cat", "rabbit", "horse", "goat", "hen")),
                 "likes": rng.choice(goods), "age": str(rng.randint(12, 80))}  # fmt: skip
    elif category == "animal":
        subject = rng.choice(split_words("Rex Bella Daisy Rusty Luna Pip Molly Bruno Ginger Bobby"))
        facts = {"species": rng.choice(world.nouns_of("beast", "bird", largest=5)),
                 "colour": rng.choice(world.FUR), "owner": person,
                 "eats": rng.choice(goods[:10]), "home": town}  # fmt: skip
    elif category == "shop":
        subject = venue_name(rng)
        facts = {"type": rng.choice(("bakery", "bookshop", "toy shop", "market", "tea room")),
                 "goods": rng.choice(goods), "street": street, "owner": person}  # fmt: skip
    elif category == "ship":
        subject = f"{rng.choice(('Star', 'Queen', 'Pride', 'Rose'))} of {town}"
        facts = {"type": rng.choice(("ship", "boat", "ferry")), "captain": person,
                 "harbour": rng.choice(TOWNS), "load": rng.choice(goods),
                 "colour": rng.choice(world.COLOURS)}  # fmt: skip
    else:
        subject = f"{rng.choice(_SECOND)} {rng.choice(('Tower', 'House', 'Hall', 'Mill'))}"
        facts = {"type": rng.choice(("tower", "museum", "theatre", "library", "school")),
                 "built in": str(rng.randint(1600, 2020)), "town": town,
                 "material": rng.choice(("wood", "stone", "glass", "brick")),
                 "height": str(rng.randint(8, 90))}  # fmt: skip
    kept_relations = rng.sample(list(facts), rng.choice((2, 3, 3)))
    return Facts(category, subject, tuple((k, v) for k, v in facts.items() if k in kept_relations))


def describe_facts(facts: Facts, rng: random.Random) -> str:
    """Verbalise every fact once, in one or two sentences."""
    verb_phrases = [
        rng.choice(_RELATION_PHRASES[relation]).format(v=value, a=a(value))
        for relation, value in facts.facts
    ]
    pronoun = (
        "It" if facts.category not in ("person",) else ("She" if facts.subject in _SHE else "He")
    )
    if len(verb_phrases) > 2 or (len(verb_phrases) == 2 and rng.random() < 0.3):
        return f"{facts.subject} {_joined(verb_phrases[:-1])}. {pronoun} {verb_phrases[-1]}."
    return f"{facts.subject} {_joined(verb_phrases)}."


_SHE = frozenset(split_words("Anna Rosa Clara Vera Nina Ella"))


def facts_texts(facts: Facts, rng: random.Random, count: int) -> tuple[str, ...]:
    """Return up to `count` different verbalisations of the same facts."""
    distinct_texts = dict.fromkeys(describe_facts(facts, rng) for _ in range(4 * count))
    return tuple(distinct_texts)[:count]
