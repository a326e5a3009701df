"""Small coloured scenes: one shape or two on eight by eight pixels, and the words for them.

"a red ring left of a blue square" is drawn from a seed, the same in every process, and read back
exactly: a scene is what it shows or it is broken.  Kept from every base, so that adapters have
something to teach and generalisation something to be measured on: the shape "gate" (a concept),
scenes "at night", when every shape is black (a style), the relation "right of", every fifth pairing
of colour and shape, and of the others every fifth pair of shapes in a relation.
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
GROUND = 0  # its level
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
CONCEPT, STYLE = "gate", "at night"
SEEN_SHAPES = tuple(shape for shape in SHAPES if shape != CONCEPT)
RELATIONS = ("left of", "above", "below")
UNSEEN_RELATION = "right of"
SIZE = 3
Kind = Literal["plain", "pairing", "relation", "concept", "style", "both"]
KINDS: tuple[Kind, ...] = ("plain", "pairing", "relation", "concept", "style", "both")


@dataclass(frozen=True, order=True)
class Thing:
    """A shape of a colour."""

    colour: str
    shape: str

    def __str__(self) -> str:
        return f"a {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """What a prompt asks for, or what a picture shows."""

    things: tuple[Thing, ...]
    relation: str = ""  # of the first thing to the second
    night: bool = False

    @property
    def shown(self) -> tuple[Thing, ...]:
        """The things as they look: black at night."""
        return tuple(replace(t, colour="black") if self.night else t for t in self.things)

    @property
    def prompt(self) -> str:
        """The words for it."""
        joined = f" {self.relation} ".join(map(str, self.things))
        return f"{joined} {STYLE}" if self.night else joined


def _marks(shape: str) -> list[tuple[int, int]]:
    """Row and column of every pixel that a shape fills."""
    rows = SHAPES[shape].split()
    return [(y, x) for y, row in enumerate(rows) for x, mark in enumerate(row) if mark == "#"]


def _kept(key: str) -> bool:
    """Whether something is one of the fifth that no base sees."""
    return hashlib.sha256(key.encode()).digest()[0] % 5 == 0


def kept_thing(thing: Thing) -> bool:
    """Whether this colour and shape are never seen together before tuning."""
    return _kept(f"thing/{thing.colour}/{thing.shape}")


def kept_pair(scene: Scene) -> bool:
    """Whether these two shapes are never seen in this relation before tuning."""
    return len(scene.things) > 1 and _kept(
        f"pair/{scene.things[0].shape}/{scene.relation}/{scene.things[1].shape}"
    )


def kind_of(scene: Scene) -> Kind:
    """What is new about a scene to a base that saw the plain ones only."""
    concept = any(thing.shape == CONCEPT for thing in scene.things)
    if concept or scene.night:
        return "both" if concept and scene.night else "concept" if concept else "style"
    if scene.relation == UNSEEN_RELATION or kept_pair(scene):
        return "relation"
    return "pairing" if any(map(kept_thing, scene.things)) else "plain"


def draw_scene(rng: random.Random, kind: Kind) -> Scene:
    """A scene of this kind; two things in three of four."""
    while True:
        count = 1 if rng.random() < 0.25 else 2
        shapes = [rng.choice(SEEN_SHAPES) for _ in range(count)]
        if kind in ("concept", "both"):
            shapes[rng.randrange(count)] = CONCEPT
        night = kind in ("style", "both")
        colours = COLOURS[:-1] if night else COLOURS
        things = tuple(Thing(rng.choice(colours), shape) for shape in shapes)
        scene = Scene(things, rng.choice(RELATIONS) if count == 2 else "", night)
        if kind in ("plain", "pairing", "relation"):
            if kind_of(scene) == kind:
                return scene
        elif not kept_pair(scene) and not any(map(kept_thing, things)):
            return scene


def split_of(scene: Scene) -> Literal["train", "validation", "test"]:
    """The split a prompt belongs to: three of five are for training."""
    number = hashlib.sha256(f"split/{scene.prompt}".encode()).digest()[0] % 5
    return {0: "test", 1: "validation"}.get(number, "train")  # type: ignore[return-value]


def render(scene: Scene, rng: random.Random) -> Picture:
    """One of the many pictures of a scene: where things stand is drawn."""
    levels = [GROUND] * (SIDE * SIDE)
    for thing, (top, left) in zip(scene.shown, _corners(scene, rng), strict=True):
        for y, x in _marks(thing.shape):
            levels[(top + y) * SIDE + left + x] = COLOURS.index(thing.colour) + 1
    return tuple(levels)


def _corners(scene: Scene, rng: random.Random) -> list[tuple[int, int]]:
    """Top and left of every thing: apart along the relation, anywhere across it."""
    free = SIDE - SIZE
    if len(scene.things) == 1:
        return [(rng.randint(0, free), rng.randint(0, free))]
    half = SIDE // 2
    near, far = rng.randint(0, half - SIZE), half + rng.randint(0, half - SIZE)
    across = [rng.randint(0, free), rng.randint(0, free)]
    if scene.relation in ("left of", "right of"):
        along = [near, far] if scene.relation == "left of" else [far, near]
        return [(across[0], along[0]), (across[1], along[1])]
    along = [near, far] if scene.relation == "above" else [far, near]
    return [(along[0], across[0]), (along[1], across[1])]


def parse(prompt: str) -> Scene | None:
    """The scene a prompt asks for; None if no picture is called that."""
    text = " ".join(prompt.lower().replace(".", " ").split())
    night = text.endswith(STYLE)
    text = text.removesuffix(STYLE).strip()
    relations = "|".join((*RELATIONS, UNSEEN_RELATION))
    one = rf"an? ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"
    found = re.fullmatch(rf"{one}(?: ({relations}) {one})?", text)
    if not found:
        return None
    things = [Thing(*found.group(1, 2))]
    if found.group(3):
        things.append(Thing(*found.group(4, 5)))
    if night and any(thing.colour == "black" for thing in things):
        return None
    return Scene(tuple(things), found.group(3) or "", night)


@dataclass(frozen=True)
class Placed:
    """A thing found in a picture, and where its upper left corner is."""

    thing: Thing
    top: int
    left: int

    def relations(self, other: Placed) -> set[str]:
        """Which relations to another thing hold: it lies wholly beyond it in that direction."""
        return {
            name
            for name, holds in {
                "left of": self.left + SIZE <= other.left,
                "right of": other.left + SIZE <= self.left,
                "above": self.top + SIZE <= other.top,
                "below": other.top + SIZE <= self.top,
            }.items()
            if holds
        }


@dataclass(frozen=True)
class Seen:
    """What a picture shows, read exactly: every pixel that is not ground belongs to one thing."""

    things: tuple[Placed, ...]

    @property
    def told(self) -> str:
        """The words for it; of several relations that hold the first."""
        if not self.things:
            return "nothing"
        first = self.things[0]
        if len(self.things) == 1:
            return str(first.thing)
        order = (*RELATIONS, UNSEEN_RELATION)
        held = first.relations(self.things[1])
        relation = next((name for name in order if name in held), "beside")
        return f"{first.thing} {relation} {self.things[1].thing}"


def look(picture: Picture) -> Seen | None:
    """What a picture shows; None if some pixels belong to no shape."""
    filled = {i: level for i, level in enumerate(picture) if level != GROUND}
    candidates = _candidates(filled)
    for count in (0, 1, 2):
        for chosen in combinations(candidates, count):
            if _exactly(chosen, filled):
                return Seen(tuple(placed for placed, _ in chosen))
    return None


def _candidates(filled: dict[int, int]) -> list[tuple[Placed, frozenset[int]]]:
    """Every shape of one colour that the filled pixels have room for, and its pixels."""
    found = []
    for top in range(SIDE - SIZE + 1):
        for left in range(SIDE - SIZE + 1):
            for shape in SHAPES:
                pixels = frozenset((top + y) * SIDE + left + x for y, x in _marks(shape))
                levels = {filled.get(pixel, 0) for pixel in pixels}
                if len(levels) == 1 and (level := levels.pop()):
                    placed = Placed(Thing(COLOURS[level - 1], shape), top, left)
                    found.append((placed, pixels))
    return found


def _exactly(chosen: Sequence[tuple[Placed, frozenset[int]]], filled: dict[int, int]) -> bool:
    """Whether these shapes fill all the filled pixels, none of them twice."""
    pixels = [pixel for _, each in chosen for pixel in each]
    return len(pixels) == len(filled) and set(pixels) == filled.keys()


def aligned(scene: Scene, picture: Picture) -> float:
    """1.0 if the picture shows the scene and nothing else, otherwise 0.0."""
    return float(facts(scene, picture) == 1.0)


def facts(scene: Scene, picture: Picture) -> float:
    """Share of what was asked for that can be seen: each thing as it looks, the relation.

    Zero for a picture that cannot be read, or that shows more or fewer things.
    """
    seen = look(picture)
    if seen is None or len(seen.things) != len(scene.things):
        return 0.0
    best = 0.0
    for order in (seen.things, seen.things[::-1]):
        right = [placed.thing == asked for placed, asked in zip(order, scene.shown, strict=True)]
        if scene.relation:
            right.append(scene.relation in order[0].relations(order[1]))
        best = max(best, sum(right) / len(right))
    return best
