"""Draws images of a prompt: from the base, from a run, with some of its atoms; describes atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.atoms import dictionary
from peftcore.labs.images import atom_interventions, compute
from peftcore.models import catalog
from peftcore.pretraining import image_models
from peftcore.tasks.images import canvas, recognise
from peftcore.tasks.images.canvas import Picture
from peftcore.training import planning

if TYPE_CHECKING:
    import torch

    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.labs.atoms.dictionary import AtomDictionary
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run

MAX_IMAGES = 64  # of one prompt
STRENGTHS = {"off": 0.0, "as it is": 1.0, "2 times": 2.0, "4 times": 4.0}  # gains of one atom


@dataclass(frozen=True)
class GeneratedImages:
    """Images of one prompt and what each shows.

    alignment: share that is as asked.  belief: mean of `recognise.match_scores`.  Both None where
    nothing known is asked for.
    """

    prompt: str
    pictures: tuple[Picture, ...]
    descriptions: tuple[str, ...]
    alignment: float | None
    belief: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the images as codes, and what they show."""
        codes = [canvas.picture_to_code(picture) for picture in self.pictures]
        return {"prompt": self.prompt, "pictures": codes, "told": list(self.descriptions),
                "alignment": self.alignment, "belief": self.belief}  # fmt: skip


def image_world(base: str) -> str:
    """Return the world a base draws; BadInput if it writes text."""
    world = catalog.describe_base(base).image_world
    if not world:
        raise BadInput(
            f"{base} writes text; a base that draws is "
            f"{' or '.join(image_models.IMAGE_MODEL_NAMES)}"
        )
    return world


def check_prompt(base: str, prompt: str) -> str:
    """Return a typed prompt as the base reads it; BadInput names the words it does not know."""
    model_shape = next(
        shape for shape in image_models.IMAGE_MODELS.values() if shape.world == image_world(base)
    )
    return recognise.check_prompt_words(model_shape.world, prompt, model_shape.vocabulary)


def sampling_keys(count: int, first: int = 0) -> list[str]:
    """Return keys that seed the sampling of so many images, the same for every model."""
    if not 1 <= count <= MAX_IMAGES:
        raise BadInput(f"count must lie in [1, {MAX_IMAGES}]; got {count}")
    return [f"asked/{first + i}" for i in range(count)]


def score_images(world: str, prompt: str, pictures: Sequence[Picture]) -> GeneratedImages:
    """Describe and score images of a prompt."""
    aligned = [recognise.matches_prompt(world, prompt, picture) for picture in pictures]
    known = [value for value in aligned if value is not None]
    alignment = sum(known) / len(known) if known else None
    belief = (
        fmean(recognise.match_scores(world, [prompt] * len(pictures), pictures)) if known else None
    )
    return GeneratedImages(
        prompt,
        tuple(pictures),
        tuple(recognise.describe_pictures(world, list(pictures))),
        alignment,
        belief,
    )


def generate_for_prompt(
    adapted: AdaptedModel, prompt: str, count: int, first: int = 0, prompt_length: int = 0
) -> list[GeneratedImages]:
    """Draw so many images of a prompt by every member, with the same randomness for all."""
    checked_prompt = check_prompt(adapted.base.name, prompt)
    pictures_by_member = atom_interventions.generate_images(
        adapted, [checked_prompt] * count, sampling_keys(count, first), prompt_length
    )
    return [
        score_images(image_world(adapted.base.name), checked_prompt, pictures)
        for pictures in pictures_by_member
    ]


def generate_from_base(base: BaseModel, prompt: str, count: int, first: int = 0) -> GeneratedImages:
    """Draw with the base as it is."""
    return generate_for_prompt(unadapted_model(base), prompt, count, first)[0]


def generate_from_run(
    run: Run, adapted: AdaptedModel, seed_index: int, prompt: str, count: int, first: int = 0
) -> GeneratedImages:
    """Draw with one seed of a run."""
    check_image_seed(run, seed_index)
    single_seed = atom_interventions.select_seed(adapted, seed_index)
    return generate_for_prompt(
        single_seed, prompt, count, first, planning.prompt_length(run.spec, adapted.base)
    )[0]


def generate_at_gains(
    atom_dict: AtomDictionary,
    seed_index: int,
    gains: torch.Tensor,
    prompt: str,
    count: int,
    first: int = 0,
) -> list[GeneratedImages]:
    """Draw with a seed's atoms at each row of gains (p, a)."""
    return generate_for_prompt(atom_dict.at_gains(seed_index, gains), prompt, count, first)


def generate_by_layer(
    atom_dict: AtomDictionary, seed_index: int, prompt: str, count: int, first: int = 0
) -> dict[str, GeneratedImages]:
    """Draw with no atoms of a seed, one layer's, all but one layer's, and all; by name."""
    names, gains = atom_interventions.layer_gains(atom_dict)
    images = generate_at_gains(atom_dict, seed_index, gains, prompt, count, first)
    return dict(zip(names, images, strict=True))


def generate_at_strengths(
    atom_dict: AtomDictionary,
    seed_index: int,
    atom: int,
    prompt: str,
    count: int,
    first: int = 0,
) -> dict[str, GeneratedImages]:
    """Draw with one atom of a seed at several gains, all others as they are."""
    import torch

    if not 0 <= atom < atom_dict.size:
        raise BadInput(f"atom must lie in [0, {atom_dict.size - 1}]; got {atom}")
    gains = torch.ones(len(STRENGTHS), atom_dict.size)
    gains[:, atom] = torch.tensor([*STRENGTHS.values()])
    images = generate_at_gains(atom_dict, seed_index, gains, prompt, count, first)
    return dict(zip(STRENGTHS, images, strict=True))


def generate_with_joined_atoms(
    dictionaries: tuple[AtomDictionary, AtomDictionary],
    seed_index: int,
    shares: tuple[float, float],
    prompt: str,
    count: int,
    first: int = 0,
) -> dict[str, GeneratedImages]:
    """Draw with two runs' atoms: none, the first's, the second's, and both at these shares."""
    joined = dictionary.join_dictionaries(*dictionaries, (seed_index, seed_index))
    share_pairs = [(0.0, 0.0), (shares[0], 0.0), (0.0, shares[1]), shares]
    gains = dictionary.joined_gains(joined, dictionaries[0].atoms_per_site, share_pairs)
    images = generate_at_gains(joined, 0, gains, prompt, count, first)
    return dict(zip(("none", "concept", "style", "both"), images, strict=True))


def describe_atoms(
    run: Run, atom_dict: AtomDictionary, seed_index: int, count: int
) -> list[atom_interventions.AtomEffect]:
    """Return the effects of a seed's most important atoms on images of new test prompts.

    The images are those the run drew itself.
    """
    check_image_seed(run, seed_index)
    order = compute.rank_run_atoms(run, atom_dict, seed_index)
    return atom_interventions.atom_effects(
        atom_dict, seed_index, generated_examples(run, seed_index), [int(a) for a in order[:count]]
    )


def generated_examples(run: Run, seed_index: int, count: int = 8) -> list[Example]:
    """Return new prompts with the images that one seed of a run drew for them."""
    table = run.answers()
    number = run.spec.population.seed_numbers()[seed_index]
    rows = table[(table.seed == number) & table.example.str.contains("/new/")][:count]
    if rows.empty:
        raise BadInput(f"run {run.id} has drawn no pictures yet")
    pairs = zip(rows.source, rows.text, rows.example, strict=True)
    return [
        Example(f"own/{key}", source, canvas.picture_to_words(canvas.code_to_picture(text)))
        for source, text, key in pairs
    ]


def check_image_seed(run: Run, seed_index: int) -> None:
    """Raise BadInput unless a run has a seed of this number, counted from 0."""
    seeds = run.spec.population.seeds
    if not 0 <= seed_index < seeds:
        raise BadInput(f"seed must lie in [0, {seeds - 1}]; got {seed_index}")
