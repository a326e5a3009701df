"""Small coloured scenes: one shape or two on eight by eight pixels, and the words for them.

"a red ring left of a blue square" is rendered from a seed, the same in every process, and
recognised exactly: an image shows a scene or is broken. Never shown to a base, so that adapters
have something to learn and generalisation can be measured: the shape "gate" (a concept), scenes "at
night", when every shape is black (a style), the relation "right of", every fifth pairing of colour
and shape, and of the others every fifth pair of shapes in a relation.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from peftcore.tasks.images.canvas import SIDE, Picture

COLOURS = ("red", "green", "blue", "yellow", "purple", "black")  # levels 1 to 6
BACKGROUND = 0  # its level
LEVELS = 7
SHAPES: dict[str, str] = {
    "square": "### ### ###",
    "ring": "### #.# ###",
    "cross": ".#. ### .#.",
    "star": "#.# .#. #.#",
    "hook": "#.. #.. ###",
    "cup": "#.# #.# ###",
    "diamond": ".#. #.# .#.",
    "gate": "### #.# #.#",
}
UNSEEN_SHAPE, UNSEEN_STYLE = "gate", "at night"
SEEN_SHAPES = tuple(shape for shape in SHAPES if shape != UNSEEN_SHAPE)
RELATIONS = ("left of", "above", "below")
UNSEEN_RELATION = "right of"
SHAPE_SIZE = 3
SceneKind = Literal["plain", "pairing", "relation", "concept", "style", "both"]
SCENE_KINDS: tuple[SceneKind, ...] = ("plain", "pairing", "relation", "concept", "style", "both")


@dataclass(frozen=True, order=True)
class Thing:
    """A shape of a colour."""

    colour: str
    shape: str

    def __str__(self) -> str:
        """Return the thing in words, as in "a red ring"."""
        return f"a {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """The scene of a prompt, or of an image."""

    things: tuple[Thing, ...]
    relation: str = ""  # of the first thing to the second
    night: bool = False

    @property
    def visible_things(self) -> tuple[Thing, ...]:
        """Things as they look: black at night."""
        return tuple(replace(t, colour="black") if self.night else t for t in self.things)

    @property
    def prompt(self) -> str:
        """The prompt for this scene."""
        joined = f" {self.relation} ".join(map(str, self.things))
        return f"{joined} {UNSEEN_STYLE}" if self.night else joined


def _shape_pixels(shape: str) -> list[tuple[int, int]]:
    """List row and column of every pixel that a shape fills."""
    rows = SHAPES[shape].split()
    return [(y, x) for y, row in enumerate(rows) for x, mark in enumerate(row) if mark == "#"]


def _is_held_out(key: str) -> bool:
    """Return whether a key is in the fifth that no base sees."""
    return hashlib.sha256(key.encode()).digest()[0] % 5 == 0


def is_held_out_thing(thing: Thing) -> bool:
    """Return whether this colour and shape never occur together in pretraining."""
    return _is_held_out(f"thing/{thing.colour}/{thing.shape}")


def is_held_out_pair(scene: Scene) -> bool:
    """Return whether these two shapes never occur in this relation in pretraining."""
    return len(scene.things) > 1 and _is_held_out(
        f"pair/{scene.things[0].shape}/{scene.relation}/{scene.things[1].shape}"
    )


def scene_kind(scene: Scene) -> SceneKind:
    """Return what is new in a scene for a base that saw the plain ones only."""
    concept = any(thing.shape == UNSEEN_SHAPE for thing in scene.things)
    if concept or scene.night:
        return "both" if concept and scene.night else "concept" if concept else "style"
    if scene.relation == UNSEEN_RELATION or is_held_out_pair(scene):
        return "relation"
    return "pairing" if any(map(is_held_out_thing, scene.things)) else "plain"


def sample_scene(rng: random.Random, kind: SceneKind) -> Scene:
    """Sample a scene of this kind; three of four have two things."""
    while True:
        count = 1 if rng.random() < 0.25 else 2
        shapes = [rng.choice(SEEN_SHAPES) for _ in range(count)]
        if kind in ("concept", "both"):
            shapes[rng.randrange(count)] = UNSEEN_SHAPE
        night = kind in ("style", "both")
        colours = COLOURS[:-1] if night else COLOURS
        things = tuple(Thing(rng.choice(colours), shape) for shape in shapes)
        scene = Scene(things, rng.choice(RELATIONS) if count == 2 else "", night)
        if kind in ("plain", "pairing", "relation"):
            if scene_kind(scene) == kind:
                return scene
        elif not is_held_out_pair(scene) and not any(map(is_held_out_thing, things)):
            return scene


def split_of(scene: Scene) -> Literal["train", "validation", "test"]:
    """Return the split of a prompt; three of five are for training."""
    number = hashlib.sha256(f"split/{scene.prompt}".encode()).digest()[0] % 5
    return {0: "test", 1: "validation"}.get(number, "train")  # type: ignore[return-value]


def render_scene(scene: Scene, rng: random.Random) -> Picture:
    """Render one of the many images of a scene: positions are random."""
    levels = [BACKGROUND] * (SIDE * SIDE)
    for thing, (top, left) in zip(scene.visible_things, _corners(scene, rng), strict=True):
        for y, x in _shape_pixels(thing.shape):
            levels[(top + y) * SIDE + left + x] = COLOURS.index(thing.colour) + 1
    return tuple(levels)


def _corners(scene: Scene, rng: random.Random) -> list[tuple[int, int]]:
    """Sample top and left of every thing: apart along the relation, anywhere across it."""
    max_corner = SIDE - SHAPE_SIZE
    if len(scene.things) == 1:
        return [(rng.randint(0, max_corner), rng.randint(0, max_corner))]
    half = SIDE // 2
    near, far = rng.randint(0, half - SHAPE_SIZE), half + rng.randint(0, half - SHAPE_SIZE)
    across = [rng.randint(0, max_corner), rng.randint(0, max_corner)]
    if scene.relation in ("left of", "right of"):
        along = [near, far] if scene.relation == "left of" else [far, near]
        return [(across[0], along[0]), (across[1], along[1])]
    along = [near, far] if scene.relation == "above" else [far, near]
    return [(along[0], across[0]), (along[1], across[1])]


def parse_prompt(prompt: str) -> Scene | None:
    """Parse the scene that a prompt asks for; None if it is no such prompt."""
    text = " ".join(prompt.lower().replace(".", " ").split())
    night = text.endswith(UNSEEN_STYLE)
    text = text.removesuffix(UNSEEN_STYLE).strip()
    relations = "|".join((*RELATIONS, UNSEEN_RELATION))
    thing_pattern = rf"an? ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"
    match = re.fullmatch(rf"{thing_pattern}(?: ({relations}) {thing_pattern})?", text)
    if not match:
        return None
    things = [Thing(*match.group(1, 2))]
    if match.group(3):
        things.append(Thing(*match.group(4, 5)))
    if night and any(thing.colour == "black" for thing in things):
        return None
    return Scene(tuple(things), match.group(3) or "", night)


@dataclass(frozen=True)
class PlacedThing:
    """A thing found in an image, and its upper left corner."""

    thing: Thing
    top: int
    left: int

    def relations(self, other: PlacedThing) -> set[str]:
        """Return which relations to another thing hold: it lies wholly beyond it that way."""
        return {
            name
            for name, holds in {
                "left of": self.left + SHAPE_SIZE <= other.left,
                "right of": other.left + SHAPE_SIZE <= self.left,
                "above": self.top + SHAPE_SIZE <= other.top,
                "below": other.top + SHAPE_SIZE <= self.top,
            }.items()
            if holds
        }


@dataclass(frozen=True)
class RecognisedScene:
    """A scene recognised exactly: every filled pixel belongs to one thing."""

    things: tuple[PlacedThing, ...]

    @property
    def description(self) -> str:
        """The scene in words; of several relations that hold the first."""
        if not self.things:
            return "nothing"
        first = self.things[0]
        if len(self.things) == 1:
            return str(first.thing)
        order = (*RELATIONS, UNSEEN_RELATION)
        relations = first.relations(self.things[1])
        relation = next((name for name in order if name in relations), "beside")
        return f"{first.thing} {relation} {self.things[1].thing}"


def recognise_scene(picture: Picture) -> RecognisedScene | None:
    """Recognise an image's scene; None if some pixels belong to no shape."""
    level_by_pixel = {i: level for i, level in enumerate(picture) if level != BACKGROUND}
    candidates = _candidate_things(level_by_pixel)
    for count in (0, 1, 2):
        for chosen in combinations(candidates, count):
            if _cover_exactly(chosen, level_by_pixel):
                return RecognisedScene(tuple(placed for placed, _ in chosen))
    return None


def _candidate_things(level_by_pixel: dict[int, int]) -> list[tuple[PlacedThing, frozenset[int]]]:
    """List every shape of one colour that fits into the filled pixels, with its pixels."""
    candidates = []
    for top in range(SIDE - SHAPE_SIZE + 1):
        for left in range(SIDE - SHAPE_SIZE + 1):
            for shape in SHAPES:
                pixels = frozenset((top + y) * SIDE + left + x for y, x in _shape_pixels(shape))
                levels = {level_by_pixel.get(pixel, 0) for pixel in pixels}
                if len(levels) == 1 and (level := levels.pop()):
                    placed = PlacedThing(Thing(COLOURS[level - 1], shape), top, left)
                    candidates.append((placed, pixels))
    return candidates


def _cover_exactly(
    chosen: Sequence[tuple[PlacedThing, frozenset[int]]], level_by_pixel: dict[int, int]
) -> bool:
    """Return whether these shapes cover all filled pixels, none of them twice."""
    pixels = [pixel for _, thing_pixels in chosen for pixel in thing_pixels]
    return len(pixels) == len(level_by_pixel) and set(pixels) == level_by_pixel.keys()


def scene_match(scene: Scene, picture: Picture) -> float:
    """Return 1.0 if the image shows the scene and nothing else, else 0.0."""
    return float(scene_fact_share(scene, picture) == 1.0)


def scene_fact_share(scene: Scene, picture: Picture) -> float:
    """Return the share of what was asked for that is visible: each thing, the relation.

    Zero for an image that cannot be recognised, or that shows more or fewer things.
    """
    recognised = recognise_scene(picture)
    if recognised is None or len(recognised.things) != len(scene.things):
        return 0.0
    best = 0.0
    for order in (recognised.things, recognised.things[::-1]):
        facts_right = [
            placed.thing == requested
            for placed, requested in zip(order, scene.visible_things, strict=True)
        ]
        if scene.relation:
            facts_right.append(scene.relation in order[0].relations(order[1]))
        best = max(best, sum(facts_right) / len(facts_right))
    return best
