"""Recognise what an image shows, in its world's words, and whether it matches the prompt."""

from __future__ import annotations

import math
from collections.abc import Sequence

from peftcore.errors import BadInput
from peftcore.tasks.images import digits, scenes
from peftcore.tasks.images.canvas import Picture

UNREADABLE = "no shapes"  # what a scene is called that cannot be read
LEVEL_NAMES: dict[str, tuple[str, ...]] = {
    "digits": ("blank", "faint", "grey", "dark", "ink"),
    "scenes": ("ground", *scenes.COLOURS),
}


def describe_pictures(world: str, pictures: list[Picture]) -> list[str]:
    """Describe each image: the digit by the classifier, or the scene, exactly."""
    if world == "digits":
        return digits.digit_classifier().predict(pictures)
    scenes_seen = [scenes.recognise_scene(picture) for picture in pictures]
    return [UNREADABLE if scene is None else scene.description for scene in scenes_seen]


def matches_prompt(world: str, prompt: str, picture: Picture) -> bool | None:
    """Return whether the image shows what the prompt asks for; None if that is unknown."""
    if world == "digits":
        word = digit_in_prompt(prompt)
        return None if word is None else digits.digit_classifier().predict([picture])[0] == word
    scene = scenes.parse_prompt(prompt)
    return None if scene is None else scenes.scene_match(scene, picture) == 1.0


def match_scores(world: str, prompts: Sequence[str], pictures: Sequence[Picture]) -> list[float]:
    """Return how far each image matches: the digit's probability, or the share of facts.

    nan where a prompt asks for nothing known.
    """
    if world == "digits":
        words = [digit_in_prompt(prompt) for prompt in prompts]
        probabilities_by_word = {
            w: digits.digit_classifier().probabilities(list(pictures), w)
            for w in dict.fromkeys(words)
            if w
        }
        return [probabilities_by_word[w][i] if w else math.nan for i, w in enumerate(words)]
    requested_scenes = [scenes.parse_prompt(prompt) for prompt in prompts]
    pairs = zip(requested_scenes, pictures, strict=True)
    return [math.nan if scene is None else scenes.scene_fact_share(scene, p) for scene, p in pairs]


def digit_in_prompt(prompt: str) -> str | None:
    """Return the digit that a prompt names, if it names just one."""
    digit_words = [
        word for word in prompt.lower().replace(".", " ").split() if word in digits.DIGIT_WORDS
    ]
    return digit_words[0] if len(digit_words) == 1 else None


def check_prompt_words(world: str, prompt: str, vocabulary: tuple[str, ...]) -> str:
    """Strip the prompt; BadInput names the words that the base does not know."""
    words = prompt.lower().replace(",", " ").replace(".", " ").split()
    if not words:
        raise BadInput("there is nothing to draw: type a prompt first")
    unknown_words = [word for word in dict.fromkeys(words) if word not in vocabulary]
    if unknown_words:
        raise BadInput(
            f"the base that draws {world} does not know {', '.join(map(repr, unknown_words))}; "
            f"its words are: {', '.join(vocabulary)}"
        )
    return " ".join(words)
