"""English endings and small words: articles, plurals, numbers."""

from __future__ import annotations

from peftcore.tasks.miniworld import knowledge as world

_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "person": "people", "mouse": "mice",
    "sheep": "sheep", "deer": "deer", "fish": "fish", "trout": "trout", "salmon": "salmon",
    "carp": "carp", "goose": "geese", "wolf": "wolves", "knife": "knives", "shelf": "shelves",
    "piece of furniture": "pieces of furniture", "foot": "feet", "food": "foods",
    "potato": "potatoes", "tomato": "tomatoes",
}  # fmt: skip


def a(phrase: str) -> str:
    """Put "a" or "an" before a phrase."""
    vowel = phrase[0] in "aeiou" and not phrase.startswith(("uni", "use", "one"))
    return f"{'an' if vowel else 'a'} {phrase}"


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    if noun in _PLURALS:
        return _PLURALS[noun]
    if noun.endswith("y") and noun[-2] not in "aeou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "sh", "ch", "x")) else "s")


def is_mass(noun: str) -> bool:
    """Return whether a noun is not counted, such as bread or food."""
    return noun == "food" or (noun in world.NOUNS and world.NOUNS[noun].mass)


def some(noun: str, adjective: str = "") -> str:
    """Return an indefinite noun with its adjective: "a red apple", "some fresh bread"."""
    phrase = f"{adjective} {noun}".strip()
    return f"some {phrase}" if is_mass(noun) else a(phrase)


def generic(noun: str) -> str:
    """Return a noun as a kind: "an apple", "bread"."""
    return noun if is_mass(noun) else a(noun)


def sentence(text: str) -> str:
    """Add a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."
