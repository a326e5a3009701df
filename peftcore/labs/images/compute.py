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
from peftcore.labs.atoms.dictionary import Dictionary
from peftcore.labs.images import atom_interventions
from peftcore.tasks.images import canvas, digits, recognise, scenes
from peftcore.tasks.kinds.images import DrawnTask, is_new
from peftcore.training import checkpoint
from peftcore.training.trainer import autocast_dtype

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import Run

Report = Callable[[int, int], None]
Stop = Callable[[], bool]
Told = dict[str, float]
RANDOM = 2  # random orders of each seed
PROMPTS = 60  # that need two runs at once
AGAIN = 3  # further pictures of each new prompt, for how far they are as asked
LEAST = 1e-12  # chance that is told from none
Order = Literal["earned", "loss", "importance"]
ORDERS: tuple[Order, ...] = ("earned", "loss", "importance")
SHARES = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5)  # of each run's atoms, tried together
MIXES = {"both": (1.0, 1.0), "concept": (1.0, 0.0), "style": (0.0, 1.0), "none": (0.0, 0.0)}


def task_of(run: Run) -> DrawnTask:
    """The task of a run on pictures."""
    found = tasks.find(run.spec.task)
    if not isinstance(found, DrawnTask):
        raise BadInput(f"run {run.id} answers with text; choose one of a task of pictures")
    return found


def dictionary(run: Run, base: BaseModel) -> Dictionary:
    """The atoms of every seed of a run."""
    return Dictionary(checkpoint.load_adapter(run, base))


def order(name: str) -> Order:
    """An order by its name; BadInput tells those there are."""
    for known in ORDERS:
        if name == known:
            return known
    raise BadInput(f"atoms are ordered by {', '.join(ORDERS[:-1])} or {ORDERS[-1]}; got {name!r}")


def order_of(run: Run, found: Dictionary, place: int, by: Order = "earned") -> sparsity.IntArray:
    """A seed's atoms, those that are needed most first.

    By "importance": the mean size of what an atom adds; sizes of early and late layers compare
    badly.  By "loss": how much the loss rises when the atom alone is taken away.  Both on
    validation examples.  By "earned": its share of the loss's fall on new examples of training
    and validation while all atoms come in together, so what it does beside few others counts, too.
    """
    t = run.spec.training
    number = run.spec.population.numbers()[place]
    episode = task_of(run).few_shot(t.shots, number, t.dev)
    if by == "earned":
        new = [row for row in (*episode.train, *episode.dev) if is_new(row)]
        return sparsity.rank_atoms(atom_interventions.earned(found, place, new))
    weigh = atom_interventions.importance if by == "importance" else atom_interventions.rises
    return sparsity.rank_atoms(weigh(found, place, episode.dev))


def counts(size: int) -> list[int]:
    """How many atoms are kept along a curve: powers of two, half as many again, and all but few."""
    powers = sparsity.pruning_counts(size)
    return sorted({*powers, *(3 * k // 2 for k in powers if 3 * k < 2 * size), size * 7 // 8})


def prune(
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
    task, found = task_of(run), dictionary(run, base)
    rows = _judged(task, run, examples)
    steps, numbers = counts(found.size), run.spec.population.numbers()
    kept = [row for row in known if "belief" in row]  # older figures did without
    seen = {(row["seed"], row["order"], row["draw"], row["k"]) for row in kept}
    done, of = 0, len(numbers) * (len(ORDERS) + RANDOM)
    for place, number in enumerate(numbers):
        orders: list[tuple[str, int, sparsity.IntArray]] = [
            (by, 0, order_of(run, found, place, by)) for by in ORDERS
        ]
        orders += [
            ("random", d, sparsity.shuffle_atoms(found.size, d, number)) for d in range(RANDOM)
        ]
        for name, draw, order in orders:
            if stop():
                raise InterruptedError
            asked = steps if name == ORDERS[0] else steps[1:-1]
            asked = [k for k in asked if (number, name, draw, k) not in seen]
            gains = atom_interventions.keeping(order, asked)
            scored = _scores(task, found, place, gains, rows, arithmetic(run, base))
            for k, scores in zip(asked, scored, strict=True):
                kept.append({"seed": number, "order": name, "draw": draw, "k": k} | scores)
                note(kept[-1])
            done += 1
            report(done, of)
    return _facts(run, found, rows) | {"kind": "prune", "rows": kept}


def combine(
    concept: Run,
    style: Run,
    base: BaseModel,
    report: Report = lambda done, of: None,
    stop: Stop = lambda: False,
    examples: int = PROMPTS,
) -> dict[str, Any]:
    """Prompts that need both runs' atoms: with both, each alone, none, and both at chosen shares.

    The shares are those of a grid that do best on prompts of validation, over all seeds; what they
    are worth is measured on others.
    """
    first, second = dictionary(concept, base), dictionary(style, base)
    dev, test = both_examples(examples, "validation"), both_examples(examples)
    pairs = min(first.seeds, second.seeds)
    numbers = concept.spec.population.numbers()[:pairs]
    grid: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []

    def told(place: int, mixes: Sequence[tuple[float, float]], rows: list[Example]) -> list[Told]:
        if stop():
            raise InterruptedError
        both = atom_dictionary.joined(first, second, (place, place))
        gains = atom_dictionary.shares(both, first.each, mixes)
        return [_right(rows, p) for p in _drawn(both, 0, gains, rows, arithmetic(concept, base))]

    shares = [(one, other) for one in SHARES for other in SHARES]
    for place, number in enumerate(numbers):
        for (one, other), scores in zip(shares, told(place, shares, dev), strict=True):
            grid.append({"seed": number, "concept": one, "style": other} | scores)
        report(2 * (place + 1), 3 * pairs)
    mixes = MIXES | {"chosen": best_shares(grid)}
    for place, number in enumerate(numbers):
        for name, scores in zip(mixes, told(place, list(mixes.values()), test), strict=True):
            kept.append({"seed": number, "with": name} | scores)
        report(2 * pairs + place + 1, 3 * pairs)
    facts = _facts(concept, first, test) | {"kind": "combine", "other": style.id, "prompts": "both"}
    return facts | {"chosen": list(mixes["chosen"]), "rows": kept, "grid": grid}


def _right(rows: Sequence[Example], pictures: Sequence[canvas.Picture]) -> Told:
    """Share of scenes that are as asked, and of their facts."""
    told = [scenes.facts(asked(row), p) for row, p in zip(rows, pictures, strict=True)]
    right = sum(value == 1.0 for value in told) / len(told)
    return {"alignment": round(right, 4), "facts": round(fmean(told), 4)}


def best_shares(grid: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The shares of both runs at which most scenes are as asked over all seeds; then most facts."""
    held: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for row in grid:
        at = (row["concept"], row["style"])
        held.setdefault(at, []).append((row["alignment"], row["facts"]))
    return max(held, key=lambda at: tuple(map(fmean, zip(*held[at], strict=True))))


def asked(row: Example) -> scenes.Scene:
    """The scene an example asks for."""
    found = scenes.parse(row.source)
    assert found is not None, "prompts of the world can be read"
    return found


def both_examples(count: int, split: Split = "test") -> list[Example]:
    """Prompts that ask for the unseen shape at night, which neither run was trained on.

    Those of validation are of the same kind, and none of them is one of testing.
    """
    import random

    rng = random.Random(f"pictures/both/{split}")
    tests = split == "test"
    kept = set() if tests else {row.source for row in both_examples(max(count, PROMPTS))}
    found: list[str] = []
    while len(found) < count:
        scene = scenes.draw_scene(rng, "both")
        if scene.prompt not in kept:
            found.append(scene.prompt)
    name = "both" if tests else f"both/{split}"
    return [Example(f"{name}/new/{i}", prompt, "") for i, prompt in enumerate(found)]


def arithmetic(run: Run, base: BaseModel) -> torch.dtype | None:
    """The arithmetic a run was scored in, so that all its atoms score what the run does."""
    return autocast_dtype(run.spec.training.precision, base.device)


def _judged(task: DrawnTask, run: Run, examples: int) -> list[Example]:
    rows = task.load(run.spec.evaluation.split)
    if not examples:
        return rows
    old = [row for row in rows if not is_new(row)]
    step = max(1, len(old) // examples)  # old prompts come sorted by what they ask for
    return [row for row in rows if is_new(row)][:examples] + old[::step][:examples]


def _drawn(
    found: Dictionary,
    place: int,
    gains: torch.Tensor,
    rows: Sequence[Example],
    autocast: torch.dtype | None,
) -> list[list[canvas.Picture]]:
    """For every row of gains the picture of every example, by the chance of the example's id."""
    worn, keys = found.at_gains(place, gains), [row.id for row in rows]
    return atom_interventions.draw(worn, [row.source for row in rows], keys, autocast=autocast)


def _scores(
    task: DrawnTask,
    found: Dictionary,
    place: int,
    gains: torch.Tensor,
    rows: list[Example],
    autocast: torch.dtype | None,
) -> list[dict[str, float]]:
    if not len(gains):
        return []
    more = again(rows)
    found_scores = []
    for each in _drawn(found, place, gains, [*rows, *more], autocast):
        told = task.score([Answer(canvas.code(p)) for p in each[: len(rows)]], rows)
        told |= _beliefs(task, [*rows, *more], each)
        found_scores.append({name: round(value, 4) for name, value in told.items()})
    return found_scores


def again(rows: Sequence[Example]) -> list[Example]:
    """The new prompts of some examples, for further pictures with a chance of their own."""
    new = [row for row in rows if is_new(row)]
    return [replace(row, id=f"{row.id}/again/{i}") for i in range(AGAIN) for row in new]


def _beliefs(
    task: DrawnTask, rows: Sequence[Example], pictures: Sequence[canvas.Picture]
) -> dict[str, float]:
    """How far the pictures of new prompts are as asked, on average.

    "evidence" of digits is the mean logarithm to base ten of the classifier's chance: it tells
    steps towards a digit that no picture shows yet.
    """
    pairs = [(row.source, p) for row, p in zip(rows, pictures, strict=True) if is_new(row)]
    told = recognise.beliefs(task.draws, [prompt for prompt, _ in pairs], [p for _, p in pairs])
    found = {"belief": fmean(told)}
    if task.draws == "digits":
        found["evidence"] = fmean(math.log10(max(chance, LEAST)) for chance in told)
    return found


def _facts(run: Run, found: Dictionary, rows: Sequence[Example]) -> dict[str, Any]:
    """What stands on a figure."""
    draws = tasks.find(run.spec.task).draws
    return {
        "run": run.id,
        "reader": digits.reader().accuracy() if draws == "digits" else 1.0,
        "task": run.spec.task,
        "base": run.spec.base,
        "seeds": run.spec.population.numbers(),
        "atoms": found.size,
        "new": sum(map(is_new, rows)),
        "old": sum(not is_new(row) for row in rows),
        "again": AGAIN,
    }
