"""What the command line and the page ask of pictures: draw, split by layer, name atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.images import atom_interventions, compute
from peftcore.pretraining import image_models
from peftcore.tasks.images import canvas, recognise
from peftcore.tasks.images.canvas import Picture

if TYPE_CHECKING:
    import torch

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.labs.atoms.dictionary import Dictionary
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run

MOST = 64  # pictures of one prompt


@dataclass(frozen=True)
class Drawn:
    """Pictures of one prompt and what each shows; None where nothing known is asked for.

    alignment: share that is as asked.  belief: how far they are, on average (`reading.beliefs`).
    """

    prompt: str
    pictures: tuple[Picture, ...]
    told: tuple[str, ...]
    alignment: float | None
    belief: float | None = None

    def shown(self) -> dict[str, Any]:
        """As JSON has it."""
        codes = [canvas.code(picture) for picture in self.pictures]
        return {"prompt": self.prompt, "pictures": codes, "told": list(self.told),
                "alignment": self.alignment, "belief": self.belief}  # fmt: skip


def world_of(base: str) -> str:
    """What a base draws; BadInput if it writes text."""
    from peftcore.models import catalog

    world = catalog.describe(base).draws
    if not world:
        raise BadInput(
            f"{base} writes text; a base that draws is {' or '.join(image_models.NAMES)}"
        )
    return world


def prompt_for(base: str, prompt: str) -> str:
    """A typed prompt as the base reads it; BadInput names the words it does not know."""
    known = next(shape for shape in image_models.SHAPES.values() if shape.world == world_of(base))
    return recognise.must_be_known(known.world, prompt, known.vocabulary)


def keys(count: int, first: int = 0) -> list[str]:
    """The chance of so many pictures, the same whoever draws them."""
    if not 1 <= count <= MOST:
        raise BadInput(f"count must lie in [1, {MOST}]; got {count}")
    return [f"asked/{first + i}" for i in range(count)]


def judged(world: str, prompt: str, pictures: Sequence[Picture]) -> Drawn:
    """Pictures with what they show."""
    right = [recognise.aligned(world, prompt, picture) for picture in pictures]
    known = [value for value in right if value is not None]
    share = sum(known) / len(known) if known else None
    far = fmean(recognise.beliefs(world, [prompt] * len(pictures), pictures)) if known else None
    return Drawn(prompt, tuple(pictures), tuple(recognise.told(world, list(pictures))), share, far)


def draw(worn: AdaptedModel, prompt: str, count: int, first: int = 0, room: int = 0) -> list[Drawn]:
    """For every member so many pictures of a prompt, with the same chance for all members."""
    asked = prompt_for(worn.base.name, prompt)
    drawn = atom_interventions.draw(worn, [asked] * count, keys(count, first), room)
    return [judged(world_of(worn.base.name), asked, pictures) for pictures in drawn]


def plain(base: BaseModel, prompt: str, count: int, first: int = 0) -> Drawn:
    """What the untouched base draws."""
    from peftcore.labs.attention import capture

    return draw(capture.untouched(base), prompt, count, first)[0]


def by_run(
    run: Run, worn: AdaptedModel, place: int, prompt: str, count: int, first: int = 0
) -> Drawn:
    """What one seed of a run draws."""
    from peftcore.training import planning

    check_seed(run, place)
    alone = atom_interventions.one_seed(worn, place)
    return draw(alone, prompt, count, first, planning.prompt_length(run.spec, worn.base))[0]


def at_gains(
    found: Dictionary, place: int, gains: torch.Tensor, prompt: str, count: int, first: int = 0
) -> list[Drawn]:
    """What one seed draws with its atoms at each row of gains."""
    return draw(found.at_gains(place, gains), prompt, count, first)


def fewer(
    found: Dictionary,
    order: Sequence[int],
    place: int,
    counts: Sequence[int],
    prompt: str,
    count: int,
    first: int = 0,
) -> list[Drawn]:
    """What one seed draws with so many of its most important atoms."""
    for kept in counts:
        if not 0 <= kept <= found.size:
            raise BadInput(f"atoms kept must lie in [0, {found.size}]; got {kept}")
    return at_gains(found, place, atom_interventions.keeping(order, counts), prompt, count, first)


def split(
    found: Dictionary, place: int, prompt: str, count: int, first: int = 0
) -> dict[str, Drawn]:
    """What one seed draws with no atoms, one layer's, all but one layer's, and all."""
    names, gains = atom_interventions.by_layer(found)
    return dict(zip(names, at_gains(found, place, gains, prompt, count, first), strict=True))


def strengths(
    found: Dictionary,
    place: int,
    atom: int,
    prompt: str,
    count: int,
    first: int = 0,
    gains: Sequence[float] = (0.0, 1.0, 2.0, 4.0),
) -> dict[str, Drawn]:
    """What one seed draws with one atom at several gains, all others as they are."""
    import torch

    if not 0 <= atom < found.size:
        raise BadInput(f"atom must lie in [0, {found.size - 1}]; got {atom}")
    points = torch.ones(len(gains), found.size)
    points[:, atom] = torch.tensor(gains)
    names = ["off" if gain == 0 else "as it is" if gain == 1 else f"{gain:g} times"
             for gain in gains]  # fmt: skip
    return dict(zip(names, at_gains(found, place, points, prompt, count, first), strict=True))


def together(
    concept: Dictionary,
    style: Dictionary,
    place: int,
    shares: tuple[float, float],
    prompt: str,
    count: int,
    first: int = 0,
) -> dict[str, Drawn]:
    """What two runs' atoms draw: none, the first's, the second's, and both at these shares."""
    from peftcore.labs.atoms import dictionary

    both = dictionary.joined(concept, style, (place, place))
    mixes = [(0.0, 0.0), (shares[0], 0.0), (0.0, shares[1]), shares]
    drawn = at_gains(both, 0, dictionary.shares(both, concept.each, mixes), prompt, count, first)
    return dict(zip(("none", "concept", "style", "both"), drawn, strict=True))


def named(run: Run, found: Dictionary, place: int, most: int) -> list[atom_interventions.Effect]:
    """What each of a seed's most important atoms does while test prompts of what is new are drawn.

    The pictures are those the run drew itself.
    """
    check_seed(run, place)
    order = compute.order_of(run, found, place)
    return atom_interventions.effects(
        found, place, own_pictures(run, place), [int(a) for a in order[:most]]
    )


def own_pictures(run: Run, place: int, most: int = 8) -> list[Example]:
    """New prompts with the pictures that one seed of a run drew for them."""
    table = run.answers()
    number = run.spec.population.numbers()[place]
    rows = table[(table.seed == number) & table.example.str.contains("/new/")][:most]
    if rows.empty:
        raise BadInput(f"run {run.id} has drawn no pictures yet")
    pairs = zip(rows.source, rows.text, rows.example, strict=True)
    return [Example(f"own/{key}", s, canvas.words(canvas.decode(text))) for s, text, key in pairs]


def check_seed(run: Run, place: int) -> None:
    """BadInput unless a run has a seed of this number, counted from 0."""
    seeds = run.spec.population.seeds
    if not 0 <= place < seeds:
        raise BadInput(f"seed must lie in [0, {seeds - 1}]; got {place}")
