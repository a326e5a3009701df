"""Measures what a run's atoms do to its images: with fewer of them, and with two runs' together.

Every figure is a plain dictionary of rows (seed, what, alignment, …), so that intervals over seeds
are taken where it is shown.  All images that are compared are sampled with the same randomness.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

import torch

from peftcore import tasks
from peftcore.analysis import sparsity
from peftcore.data.task import Answer, Example, Split
from peftcore.errors import BadInput
from peftcore.labs.atoms import dictionary as atom_dictionary
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.labs.common.context import LabContext, run_job
from peftcore.labs.images import atom_interventions, results_store
from peftcore.labs.images.request import ImagesJob
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import Run
from peftcore.tasks.images import canvas, digits, recognise, scenes
from peftcore.tasks.kinds.images import ImageTask, is_new
from peftcore.training import checkpoint
from peftcore.training.evaluation import PassControl
from peftcore.training.trainer import autocast_dtype

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

ImageScores = dict[str, float]
RANDOM_ORDERS = 2  # random orders of each seed
COMBINED_PROMPTS = 60  # prompts that need two runs at once
EXTRA_IMAGES = 3  # further images of each new prompt, for the mean belief
MIN_PROBABILITY = 1e-12  # smaller ones count as this, so that their logarithm is finite
AtomOrder = Literal["earned", "loss", "importance"]
ORDERS: tuple[AtomOrder, ...] = ("earned", "loss", "importance")
TRIED_SHARES = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5)  # gains of each run's atoms, all pairs tried
MIX_SHARES = {"both": (1.0, 1.0), "concept": (1.0, 0.0), "style": (0.0, 1.0), "none": (0.0, 0.0)}


class ImagesContext(LabContext[ImagesJob]):
    """A measurement of image runs while it is carried out."""

    @cached_property
    def runs(self) -> list[Run]:
        """Open the runs, shipped ones among them; BadInput unless they have atoms that draw."""
        names = self.job.request.runs
        return [results_store.open_image_run(name, with_atoms=True) for name in names]


def measure_images(context: ImagesContext) -> None:
    """Measure what a job lacks and store its figure; BadInput if its runs have none."""
    request, job = context.job.request, context.job
    context.require_runs(2 if request.kind == "combine" else 1)

    def report(done: int, total: int) -> None:
        context.done, context.total = done, total
        context.write_status()

    control = PassControl(report=report, stop=context.stop_requested)
    if request.kind == "prune":
        known: list[dict[str, Any]] = job.entries()
        figure = measure_pruning(
            context.run, context.base, request.examples, control, known, job.append_value
        )
    else:
        prompts = request.examples or COMBINED_PROMPTS
        concept, style = context.runs
        figure = measure_combination(concept, style, context.base, prompts, control)
    results_store.save_figure(request.figure_name, figure)


run_images_job = partial(run_job, ImagesContext, measure_images)


def image_task(run: Run) -> ImageTask:
    """Return the task of an image run; BadInput for a run that answers with text."""
    task = tasks.find_task(run.spec.task)
    if not isinstance(task, ImageTask):
        raise BadInput(f"run {run.id} answers with text; choose one of a task of pictures")
    return task


def load_dictionary(run: Run, base: BaseModel) -> AtomDictionary:
    """Load the atoms of every seed of a run."""
    return AtomDictionary(checkpoint.load_adapter(run, base))


def parse_order(name: str) -> AtomOrder:
    """Return an order by its name; BadInput lists the known ones."""
    for order_name in ORDERS:
        if name == order_name:
            return order_name
    raise BadInput(f"atoms are ordered by {', '.join(ORDERS[:-1])} or {ORDERS[-1]}; got {name!r}")


def rank_run_atoms(
    run: Run, atom_dict: AtomDictionary, seed_index: int, by: AtomOrder = "earned"
) -> sparsity.IntArray:
    """Return the numbers (m,) of a seed's atoms, those that are needed most first.

    By "importance": the mean size of what an atom adds; sizes of early and late layers compare
    badly.  By "loss": how much the loss rises when the atom alone is removed.  Both on validation
    examples.  By "earned": its share of the loss's fall on new examples of training and validation
    while all atoms grow together, so that what it does beside few others counts, too.
    """
    training = run.spec.training
    seed_number = run.spec.population.seed_numbers()[seed_index]
    episode = image_task(run).few_shot(training.shots, seed_number, training.dev)
    if by == "earned":
        new_examples = [row for row in (*episode.train, *episode.dev) if is_new(row)]
        return sparsity.rank_atoms(
            atom_interventions.integrated_gradients(atom_dict, seed_index, new_examples)
        )
    if by == "importance":
        batcher = ExampleBatcher(atom_dict.base, ())
        weights = atom_dict.mean_importance(seed_index, episode.dev, batcher)
    else:
        weights = atom_interventions.ablation_increases(atom_dict, seed_index, episode.dev)
    return sparsity.rank_atoms(weights)


def kept_counts(size: int) -> list[int]:
    """Return the counts along a curve: powers of two, half as many again, and all but few."""
    powers = sparsity.pruning_counts(size)
    return sorted({*powers, *(3 * k // 2 for k in powers if 3 * k < 2 * size), size * 7 // 8})


def measure_pruning(
    run: Run,
    base: BaseModel,
    examples: int = 0,
    control: PassControl | None = None,
    known: Sequence[dict[str, Any]] = (),
    append: Callable[[dict[str, Any]], None] = lambda row: None,
) -> dict[str, Any]:
    """Measure alignment with the k atoms needed most, by every order, and with k random ones.

    "belief" is how far images of new prompts are as asked, of which more are drawn.
    examples: how many new and old prompts each are drawn; 0 takes all of the run's test split.
    known: rows that were measured before, which are not measured again.  append: gets each new row.
    """
    control, pruned = control or PassControl(), _load_pruned(run, base, examples)
    counts, numbers = kept_counts(pruned.atom_dict.size), run.spec.population.seed_numbers()
    result_rows = [row for row in known if "belief" in row]  # older figures did without
    known_keys = {(row["seed"], row["order"], row["draw"], row["k"]) for row in result_rows}
    done, total = 0, len(numbers) * (len(ORDERS) + RANDOM_ORDERS)
    for seed_index, seed_number in enumerate(numbers):
        for name, shuffle, order in _orders(run, pruned.atom_dict, seed_index):
            if control.stop():
                raise InterruptedError
            # All atoms, and none, are the same in every order: the first one has them.
            wanted = counts if name == ORDERS[0] else counts[1:-1]
            missing = [k for k in wanted if (seed_number, name, shuffle, k) not in known_keys]
            gains = atom_interventions.gains_keeping_first(order, missing)
            for k, scores in zip(missing, pruned.scores(seed_index, gains), strict=True):
                result_rows.append(
                    {"seed": seed_number, "order": name, "draw": shuffle, "k": k} | scores
                )
                append(result_rows[-1])
            done += 1
            control.report(done, total)
    facts = _figure_facts(run, pruned.atom_dict, pruned.rows)
    return facts | {"kind": "prune", "rows": result_rows}


def _orders(
    run: Run, atom_dict: AtomDictionary, seed_index: int
) -> list[tuple[str, int, sparsity.IntArray]]:
    """Return the orders in which a seed's atoms are kept: name, number of the shuffle, atoms."""
    number = run.spec.population.seed_numbers()[seed_index]
    ranked = [(by, 0, rank_run_atoms(run, atom_dict, seed_index, by)) for by in ORDERS]
    shuffled = [
        ("random", shuffle, sparsity.shuffle_atoms(atom_dict.size, shuffle, number))
        for shuffle in range(RANDOM_ORDERS)
    ]
    return [*ranked, *shuffled]


def measure_combination(
    concept: Run,
    style: Run,
    base: BaseModel,
    examples: int = COMBINED_PROMPTS,
    control: PassControl | None = None,
) -> dict[str, Any]:
    """Measure prompts that need both runs' atoms: with both, each alone, none, and chosen shares.

    The shares are those of a grid that do best on prompts of validation, over all seeds; what they
    are worth is measured on others.
    """
    control = control or PassControl()
    first, second = load_dictionary(concept, base), load_dictionary(style, base)
    dev, test = combined_examples(examples, "validation"), combined_examples(examples)
    seed_count = min(first.seeds, second.seeds)
    numbers = concept.spec.population.seed_numbers()[:seed_count]
    grid: list[dict[str, Any]] = []
    result_rows: list[dict[str, Any]] = []

    def score_shares(
        seed_index: int, share_pairs: Sequence[tuple[float, float]], rows: list[Example]
    ) -> list[ImageScores]:
        if control.stop():
            raise InterruptedError
        joined = atom_dictionary.join_dictionaries(first, second, (seed_index, seed_index))
        gains = atom_dictionary.joined_gains(joined, first.atoms_per_site, share_pairs)
        images = _generate_images(joined, 0, gains, rows, run_dtype(concept, base))
        return [_alignment_scores(rows, each) for each in images]

    share_pairs = [(one, other) for one in TRIED_SHARES for other in TRIED_SHARES]
    # Trying counts for two thirds of the work: it draws six times as many images.
    for index, number in enumerate(numbers):
        for pair, scores in zip(share_pairs, score_shares(index, share_pairs, dev), strict=True):
            grid.append({"seed": number, "concept": pair[0], "style": pair[1]} | scores)
        control.report(2 * (index + 1), 3 * seed_count)
    shares_by_mix = MIX_SHARES | {"chosen": best_shares(grid)}
    for index, number in enumerate(numbers):
        mixes = score_shares(index, list(shares_by_mix.values()), test)
        for name, scores in zip(shares_by_mix, mixes, strict=True):
            result_rows.append({"seed": number, "with": name} | scores)
        control.report(2 * seed_count + index + 1, 3 * seed_count)
    facts = {"kind": "combine", "other": style.id, "prompts": "both"}
    chosen = {"chosen": list(shares_by_mix["chosen"]), "rows": result_rows, "grid": grid}
    return _figure_facts(concept, first, test) | facts | chosen


def _alignment_scores(rows: Sequence[Example], pictures: Sequence[canvas.Picture]) -> ImageScores:
    """Return the share of scenes that are as asked, and the share of their facts that hold."""
    fact_shares = [
        scenes.scene_fact_share(requested_scene(row), p)
        for row, p in zip(rows, pictures, strict=True)
    ]
    aligned = sum(value == 1.0 for value in fact_shares) / len(fact_shares)
    return {"alignment": round(aligned, 4), "facts": round(fmean(fact_shares), 4)}


def best_shares(grid: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """Return the shares at which most scenes are as asked over all seeds; ties by their facts."""
    scores_by_shares: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for row in grid:
        share_pair = (row["concept"], row["style"])
        scores_by_shares.setdefault(share_pair, []).append((row["alignment"], row["facts"]))
    return max(
        scores_by_shares,
        key=lambda share_pair: tuple(map(fmean, zip(*scores_by_shares[share_pair], strict=True))),
    )


def requested_scene(row: Example) -> scenes.Scene:
    """Return the scene an example asks for."""
    scene = scenes.parse_prompt(row.source)
    assert scene is not None, "prompts of the world can be read"
    return scene


def combined_examples(count: int, split: Split = "test") -> list[Example]:
    """Draw prompts that ask for the unseen shape at night, which neither run was trained on.

    Those of validation are of the same kind, and none of them is one of the test's.
    """
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
    """Return the precision a run was scored in, so that all its atoms score what the run does."""
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
    """Return for every row of gains (p, atoms) an image of every example, seeded by its id."""
    adapted, keys = atom_dict.at_gains(seed_index, gains), [row.id for row in rows]
    return atom_interventions.generate_images(
        adapted, [row.source for row in rows], keys, autocast=autocast
    )


@dataclass(frozen=True)
class _Pruned:
    """The task, atoms, examples and precision with which pruning draws and scores."""

    task: ImageTask
    atom_dict: AtomDictionary
    rows: list[Example]
    autocast: torch.dtype | None

    def scores(self, seed_index: int, gains: torch.Tensor) -> list[dict[str, float]]:
        """Return the scores of a seed's images at every row of gains (p, atoms)."""
        if not len(gains):
            return []
        rows = [*self.rows, *repeated_examples(self.rows)]  # the repeated count for beliefs only
        score_rows = []
        for images in _generate_images(self.atom_dict, seed_index, gains, rows, self.autocast):
            answers = [Answer(canvas.picture_to_code(p)) for p in images[: len(self.rows)]]
            scores = self.task.score(answers, self.rows) | _mean_beliefs(self.task, rows, images)
            score_rows.append({name: round(value, 4) for name, value in scores.items()})
        return score_rows


def _load_pruned(run: Run, base: BaseModel, examples: int) -> _Pruned:
    task = image_task(run)
    rows = _evaluation_examples(task, run, examples)
    return _Pruned(task, load_dictionary(run, base), rows, run_dtype(run, base))


def repeated_examples(rows: Sequence[Example]) -> list[Example]:
    """Return the new prompts again under other ids, for further images with other randomness."""
    new_rows = [row for row in rows if is_new(row)]
    return [replace(row, id=f"{row.id}/again/{i}") for i in range(EXTRA_IMAGES) for row in new_rows]


def _mean_beliefs(
    task: ImageTask, rows: Sequence[Example], pictures: Sequence[canvas.Picture]
) -> dict[str, float]:
    """Return how far the images of new prompts are as asked, on average.

    "evidence" of digits is the mean logarithm to base ten of the classifier's probability: it
    shows steps towards a digit that no image shows yet.
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
    """Return what a reader must know to judge a figure."""
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
