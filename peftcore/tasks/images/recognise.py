"""What a picture shows, in the words of its world, and whether that is what was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from peftcore.errors import BadInput
from peftcore.tasks.images import digits, scenes
from peftcore.tasks.images.canvas import Picture

BROKEN = "no shapes"  # what a scene is called that cannot be read
LEVELS: dict[str, tuple[str, ...]] = {
    "digits": ("blank", "faint", "grey", "dark", "ink"),
    "scenes": ("ground", *scenes.COLOURS),
}


def told(world: str, pictures: list[Picture]) -> list[str]:
    """What each picture shows: the digit a classifier reads, or the scene, exactly."""
    if world == "digits":
        return digits.reader().read(pictures)
    seen = [scenes.look(picture) for picture in pictures]
    return [BROKEN if found is None else found.told for found in seen]


def aligned(world: str, prompt: str, picture: Picture) -> bool | None:
    """Whether the picture shows what the prompt asks for; None if the prompt asks nothing known."""
    if world == "digits":
        word = asked_digit(prompt)
        return None if word is None else digits.reader().read([picture])[0] == word
    scene = scenes.parse(prompt)
    return None if scene is None else scenes.aligned(scene, picture) == 1.0


def beliefs(world: str, prompts: Sequence[str], pictures: Sequence[Picture]) -> list[float]:
    """How far each picture is as asked: the classifier's chance of the digit, or share of facts.

    nan where a prompt asks for nothing known.
    """
    if world == "digits":
        words = [asked_digit(prompt) for prompt in prompts]
        told = {w: digits.reader().chances(list(pictures), w) for w in dict.fromkeys(words) if w}
        return [told[w][i] if w else math.nan for i, w in enumerate(words)]
    asked = [scenes.parse(prompt) for prompt in prompts]
    pairs = zip(asked, pictures, strict=True)
    return [math.nan if scene is None else scenes.facts(scene, p) for scene, p in pairs]


def asked_digit(prompt: str) -> str | None:
    """The digit a prompt names, if it names just one."""
    found = [word for word in prompt.lower().replace(".", " ").split() if word in digits.WORDS]
    return found[0] if len(found) == 1 else None


def must_be_known(world: str, prompt: str, vocabulary: tuple[str, ...]) -> str:
    """The prompt without spaces around it; BadInput names the words the base does not know."""
    words = prompt.lower().replace(",", " ").replace(".", " ").split()
    if not words:
        raise BadInput("there is nothing to draw: type a prompt first")
    strange = [word for word in dict.fromkeys(words) if word not in vocabulary]
    if strange:
        raise BadInput(
            f"the base that draws {world} does not know {', '.join(map(repr, strange))}; "
            f"its words are: {', '.join(vocabulary)}"
        )
    return " ".join(words)
