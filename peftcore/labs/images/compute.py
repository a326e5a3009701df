"""What a run's atoms are worth to its pictures: fewer of them, two runs' together, each by name.

Every figure is a plain dictionary of rows (seed, what, alignment, …), so that intervals over seeds
are taken where it is shown.  The same chance draws all pictures that are compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

import torch

from peftcore import tasks
from peftcore.analysis import sparsity
from peftcore.data.task import Answer, Example, Split
from peftcore.errors import BadInput
from peftcore.labs.atoms import dictionary as atom_dictionary
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.labs.images import atom_interventions
from peftcore.tasks.images import canvas, digits, recognise, scenes
from peftcore.tasks.kinds.images import ImageTask, is_new
from peftcore.training import checkpoint
from peftcore.training.trainer import autocast_dtype

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run

Report = Callable[[int, int], None]
Stop = Callable[[], bool]
ImageScores = dict[str, float]
RANDOM_ORDERS = 2  # random orders of each seed
COMBINED_PROMPTS = 60  # that need two runs at once
EXTRA_IMAGES = 3  # further pictures of each new prompt, for how far they are as asked
MIN_PROBABILITY = 1e-12  # chance that is told from none
AtomOrder = Literal["earned", "loss", "importance"]
ORDERS: tuple[AtomOrder, ...] = ("earned", "loss", "importance")
TRIED_SHARES = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5)  # of each run's atoms, tried together
MIX_SHARES = {"both": (1.0, 1.0), "concept": (1.0, 0.0), "style": (0.0, 1.0), "none": (0.0, 0.0)}


def image_task(run: Run) -> ImageTask:
    """The task of a run on pictures."""
    task = tasks.find_task(run.spec.task)
    if not isinstance(task, ImageTask):
        raise BadInput(f"run {run.id} answers with text; choose one of a task of pictures")
    return task


def load_dictionary(run: Run, base: BaseModel) -> AtomDictionary:
    """The atoms of every seed of a run."""
    return AtomDictionary(checkpoint.load_adapter(run, base))


def parse_order(name: str) -> AtomOrder:
    """An order by its name; BadInput tells those there are."""
    for order_name in ORDERS:
        if name == order_name:
            return order_name
    raise BadInput(f"atoms are ordered by {', '.join(ORDERS[:-1])} or {ORDERS[-1]}; got {name!r}")


def rank_run_atoms(
    run: Run, atom_dict: AtomDictionary, seed_index: int, by: AtomOrder = "earned"
) -> sparsity.IntArray:
    """A seed's atoms, those that are needed most first.

    By "importance": the mean size of what an atom adds; sizes of early and late layers compare
    badly.  By "loss": how much the loss rises when the atom alone is taken away.  Both on
    validation examples.  By "earned": its share of the loss's fall on new examples of training
    and validation while all atoms come in together, so what it does beside few others counts, too.
    """
    training = run.spec.training
    seed_number = run.spec.population.seed_numbers()[seed_index]
    episode = image_task(run).few_shot(training.shots, seed_number, training.dev)
    if by == "earned":
        new_examples = [row for row in (*episode.train, *episode.dev) if is_new(row)]
        return sparsity.rank_atoms(
            atom_interventions.integrated_gradients(atom_dict, seed_index, new_examples)
        )
    measure_weights = (
        atom_interventions.mean_importance
        if by == "importance"
        else atom_interventions.ablation_increases
    )
    return sparsity.rank_atoms(measure_weights(atom_dict, seed_index, episode.dev))


def kept_counts(size: int) -> list[int]:
    """How many atoms are kept along a curve: powers of two, half as many again, and all but few."""
    powers = sparsity.pruning_counts(size)
    return sorted({*powers, *(3 * k // 2 for k in powers if 3 * k < 2 * size), size * 7 // 8})


def measure_pruning(
    run: Run,
    base: BaseModel,
    report: Report = lambda done, of: None,
    stop: Stop = lambda: False,
    examples: int = 0,
    known: Sequence[dict[str, Any]] = (),
    note: Callable[[dict[str, Any]], None] = lambda row: None,
) -> dict[str, Any]:
    """Alignment with the k atoms needed most, by every order, and with k random ones, by seed.

    Beside it "belief": how far pictures of new prompts are as asked, of which more are drawn.
    examples: how many new and old prompts each are drawn; 0 takes all of the run's test split.
    known: rows of a figure that was made before, which are not drawn again.
    note: gets every row as it comes.
    """
    task, atom_dict = image_task(run), load_dictionary(run, base)
    rows = _evaluation_examples(task, run, examples)
    counts_to_keep, numbers = kept_counts(atom_dict.size), run.spec.population.seed_numbers()
    result_rows = [row for row in known if "belief" in row]  # older figures did without
    known_keys = {(row["seed"], row["order"], row["draw"], row["k"]) for row in result_rows}
    done, total = 0, len(numbers) * (len(ORDERS) + RANDOM_ORDERS)
    for seed_index, seed_number in enumerate(numbers):
        orders: list[tuple[str, int, sparsity.IntArray]] = [
            (by, 0, rank_run_atoms(run, atom_dict, seed_index, by)) for by in ORDERS
        ]
        orders += [
            ("random", shuffle, sparsity.shuffle_atoms(atom_dict.size, shuffle, seed_number))
            for shuffle in range(RANDOM_ORDERS)
        ]
        for name, shuffle_number, order in orders:
            if stop():
                raise InterruptedError
            missing_counts = counts_to_keep if name == ORDERS[0] else counts_to_keep[1:-1]
            missing_counts = [
                k
                for k in missing_counts
                if (seed_number, name, shuffle_number, k) not in known_keys
            ]
            gains = atom_interventions.gains_keeping_first(order, missing_counts)
            scores_by_count = _score_gains(
                task, atom_dict, seed_index, gains, rows, run_dtype(run, base)
            )
            for k, scores in zip(missing_counts, scores_by_count, strict=True):
                result_rows.append(
                    {"seed": seed_number, "order": name, "draw": shuffle_number, "k": k} | scores
                )
                note(result_rows[-1])
            done += 1
            report(done, total)
    return _figure_facts(run, atom_dict, rows) | {"kind": "prune", "rows": result_rows}


def measure_combination(
    concept: Run,
    style: Run,
    base: BaseModel,
    report: Report = lambda done, of: None,
    stop: Stop = lambda: False,
    examples: int = COMBINED_PROMPTS,
) -> dict[str, Any]:
    """Prompts that need both runs' atoms: with both, each alone, none, and both at chosen shares.

    The shares are those of a grid that do best on prompts of validation, over all seeds; what they
    are worth is measured on others.
    """
    first, second = load_dictionary(concept, base), load_dictionary(style, base)
    dev, test = combined_examples(examples, "validation"), combined_examples(examples)
    seed_count = min(first.seeds, second.seeds)
    numbers = concept.spec.population.seed_numbers()[:seed_count]
    grid: list[dict[str, Any]] = []
    result_rows: list[dict[str, Any]] = []

    def score_shares(
        seed_index: int, share_pairs: Sequence[tuple[float, float]], rows: list[Example]
    ) -> list[ImageScores]:
        if stop():
            raise InterruptedError
        joined = atom_dictionary.join_dictionaries(first, second, (seed_index, seed_index))
        gains = atom_dictionary.joined_gains(joined, first.atoms_per_site, share_pairs)
        return [
            _alignment_scores(rows, pictures)
            for pictures in _generate_images(joined, 0, gains, rows, run_dtype(concept, base))
        ]

    share_pairs = [
        (concept_share, style_share)
        for concept_share in TRIED_SHARES
        for style_share in TRIED_SHARES
    ]
    for seed_index, seed_number in enumerate(numbers):
        for (concept_share, style_share), scores in zip(
            share_pairs, score_shares(seed_index, share_pairs, dev), strict=True
        ):
            grid.append(
                {"seed": seed_number, "concept": concept_share, "style": style_share} | scores
            )
        report(2 * (seed_index + 1), 3 * seed_count)
    shares_by_mix = MIX_SHARES | {"chosen": best_shares(grid)}
    for seed_index, seed_number in enumerate(numbers):
        for name, scores in zip(
            shares_by_mix, score_shares(seed_index, list(shares_by_mix.values()), test), strict=True
        ):
            result_rows.append({"seed": seed_number, "with": name} | scores)
        report(2 * seed_count + seed_index + 1, 3 * seed_count)
    facts = _figure_facts(concept, first, test) | {
        "kind": "combine",
        "other": style.id,
        "prompts": "both",
    }
    return facts | {"chosen": list(shares_by_mix["chosen"]), "rows": result_rows, "grid": grid}


def _alignment_scores(rows: Sequence[Example], pictures: Sequence[canvas.Picture]) -> ImageScores:
    """Share of scenes that are as asked, and of their facts."""
    fact_shares = [
        scenes.scene_fact_share(requested_scene(row), p)
        for row, p in zip(rows, pictures, strict=True)
    ]
    aligned = sum(value == 1.0 for value in fact_shares) / len(fact_shares)
    return {"alignment": round(aligned, 4), "facts": round(fmean(fact_shares), 4)}


def best_shares(grid: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The shares of both runs at which most scenes are as asked over all seeds; then most facts."""
    scores_by_shares: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for row in grid:
        share_pair = (row["concept"], row["style"])
        scores_by_shares.setdefault(share_pair, []).append((row["alignment"], row["facts"]))
    return max(
        scores_by_shares,
        key=lambda share_pair: tuple(map(fmean, zip(*scores_by_shares[share_pair], strict=True))),
    )


def requested_scene(row: Example) -> scenes.Scene:
    """The scene an example asks for."""
    scene = scenes.parse_prompt(row.source)
    assert scene is not None, "prompts of the world can be read"
    return scene


def combined_examples(count: int, split: Split = "test") -> list[Example]:
    """Prompts that ask for the unseen shape at night, which neither run was trained on.

    Those of validation are of the same kind, and none of them is one of testing.
    """
    import random

    rng = random.Random(f"pictures/both/{split}")
    for_test = split == "test"
    excluded = (
        set()
        if for_test
        else {row.source for row in combined_examples(max(count, COMBINED_PROMPTS))}
    )
    prompts: list[str] = []
    while len(prompts) < count:
        scene = scenes.sample_scene(rng, "both")
        if scene.prompt not in excluded:
            prompts.append(scene.prompt)
    name = "both" if for_test else f"both/{split}"
    return [Example(f"{name}/new/{i}", prompt, "") for i, prompt in enumerate(prompts)]


def run_dtype(run: Run, base: BaseModel) -> torch.dtype | None:
    """The arithmetic a run was scored in, so that all its atoms score what the run does."""
    return autocast_dtype(run.spec.training.precision, base.device)


def _evaluation_examples(task: ImageTask, run: Run, examples: int) -> list[Example]:
    rows = task.load(run.spec.evaluation.split)
    if not examples:
        return rows
    old = [row for row in rows if not is_new(row)]
    step = max(1, len(old) // examples)  # old prompts come sorted by what they ask for
    return [row for row in rows if is_new(row)][:examples] + old[::step][:examples]


def _generate_images(
    atom_dict: AtomDictionary,
    seed_index: int,
    gains: torch.Tensor,
    rows: Sequence[Example],
    autocast: torch.dtype | None,
) -> list[list[canvas.Picture]]:
    """For every row of gains the picture of every example, by the chance of the example's id."""
    adapted, keys = atom_dict.at_gains(seed_index, gains), [row.id for row in rows]
    return atom_interventions.generate_images(
        adapted, [row.source for row in rows], keys, autocast=autocast
    )


def _score_gains(
    task: ImageTask,
    atom_dict: AtomDictionary,
    seed_index: int,
    gains: torch.Tensor,
    rows: list[Example],
    autocast: torch.dtype | None,
) -> list[dict[str, float]]:
    if not len(gains):
        return []
    extra_rows = repeated_examples(rows)
    score_rows = []
    for pictures in _generate_images(atom_dict, seed_index, gains, [*rows, *extra_rows], autocast):
        scores = task.score(
            [Answer(canvas.picture_to_code(p)) for p in pictures[: len(rows)]], rows
        )
        scores |= _mean_beliefs(task, [*rows, *extra_rows], pictures)
        score_rows.append({name: round(value, 4) for name, value in scores.items()})
    return score_rows


def repeated_examples(rows: Sequence[Example]) -> list[Example]:
    """The new prompts of some examples, for further pictures with a chance of their own."""
    new_rows = [row for row in rows if is_new(row)]
    return [replace(row, id=f"{row.id}/again/{i}") for i in range(EXTRA_IMAGES) for row in new_rows]


def _mean_beliefs(
    task: ImageTask, rows: Sequence[Example], pictures: Sequence[canvas.Picture]
) -> dict[str, float]:
    """How far the pictures of new prompts are as asked, on average.

    "evidence" of digits is the mean logarithm to base ten of the classifier's chance: it tells
    steps towards a digit that no picture shows yet.
    """
    pairs = [(row.source, p) for row, p in zip(rows, pictures, strict=True) if is_new(row)]
    beliefs = recognise.match_scores(
        task.image_world, [prompt for prompt, _ in pairs], [p for _, p in pairs]
    )
    means = {"belief": fmean(beliefs)}
    if task.image_world == "digits":
        means["evidence"] = fmean(math.log10(max(chance, MIN_PROBABILITY)) for chance in beliefs)
    return means


def _figure_facts(run: Run, atom_dict: AtomDictionary, rows: Sequence[Example]) -> dict[str, Any]:
    """What stands on a figure."""
    world = tasks.find_task(run.spec.task).image_world
    return {
        "run": run.id,
        "reader": digits.digit_classifier().accuracy() if world == "digits" else 1.0,
        "task": run.spec.task,
        "base": run.spec.base,
        "seeds": run.spec.population.seed_numbers(),
        "atoms": atom_dict.size,
        "new": sum(map(is_new, rows)),
        "old": sum(not is_new(row) for row in rows),
        "again": EXTRA_IMAGES,
    }
