"""Measures atoms: their coefficients over text, curves of pruning, paths of runs, two runs joined.

Results are appended entry by entry, so that a stop loses at most one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from peftcore.analysis import sparsity
from peftcore.data.task import Answer, Example, Task
from peftcore.errors import BadInput
from peftcore.labs.atoms import dictionary, request
from peftcore.labs.atoms.coefficients import map_atoms, round_significant
from peftcore.labs.atoms.context import AtomsContext
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.labs.atoms.regularization_path import train_path
from peftcore.labs.common.context import run_job
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.training.evaluation import PassControl

SHOWN_EXAMPLES = 8  # examples whose answers are kept along a curve, for the page to show
EntryKey = tuple[Any, ...]  # what tells the entries of a job apart
AtomOrder = tuple[str, int, sparsity.IntArray, list[int]]  # name, shuffle, atoms, counts kept


def measure_atoms(context: AtomsContext) -> None:
    """Measure whatever a job lacks; BadInput if its runs have no such measurement."""
    kind = context.request.kind
    context.require_runs(2 if kind == "combine" else 1)
    context.clear_if_stale()
    measures = {"map": map_atoms, "prune": _prune, "path": train_path, "combine": _combine}
    measures[kind](context)


run_atoms_job = partial(run_job, AtomsContext, measure_atoms)


def _prune(context: AtomsContext) -> None:
    """Append weights of the atoms of every seed, then losses and scores along each order."""
    job, atom_dict = context.job, context.load_atoms()
    shown = [(example.source, example.target) for example in context.examples()[:SHOWN_EXAMPLES]]
    context.write_facts(atom_dict, shown=shown)
    seed_numbers = context.run.spec.population.seed_numbers()
    inner_counts = sparsity.pruning_counts(atom_dict.size)[1:-1]
    quantities = ("loss", "score")[: 1 + context.request.answers]
    known = {_entry_key(entry): entry for entry in job.entries()}
    # Both ends of every curve are measured once, all other counts once for each order.
    curve_cost = len(quantities) * (2 + len(inner_counts) * (2 + context.request.draws))
    tried = context.request.count_tried(atom_dict.size)
    context.total = len(seed_numbers) * (tried + 1 + curve_cost)
    context.done = sum(_entry_cost(tried, entry) for entry in known.values())
    for seed, number in enumerate(seed_numbers):
        weights = _atom_weights(context, atom_dict, seed, known)
        evaluator = context.evaluator_for(atom_dict, seed, context.examples())
        for name, shuffle, order, counts in _orders(context, weights, number, inner_counts):
            fields = {"seed": number, "order": name, "draw": shuffle}
            for quantity in quantities:
                if ("curve", quantity, number, name, shuffle) not in known:
                    _measure_curve(context, evaluator, fields | {"what": quantity}, order, counts)
    context.report_progress()


def _orders(
    context: AtomsContext, weights: dict[str, sparsity.Array], number: int, counts: list[int]
) -> list[AtomOrder]:
    """Return the orders in which a seed's atoms are kept, with the counts measured along each."""
    size = len(next(iter(weights.values())))
    ends: AtomOrder = ("ends", 0, np.arange(size), [0, size])  # the order does not matter there
    by_weight: list[AtomOrder] = [
        (name, 0, sparsity.rank_atoms(values), counts) for name, values in weights.items()
    ]
    shuffled: list[AtomOrder] = [
        ("random", shuffle, sparsity.shuffle_atoms(size, shuffle, number), counts)
        for shuffle in range(context.request.draws)
    ]
    return [ends, *by_weight, *shuffled]


def _entry_key(entry: dict[str, Any]) -> EntryKey:
    if entry["what"] == "weights":
        return "weights", entry["order"], entry["seed"]
    return "curve", entry["what"], entry["seed"], entry["order"], entry["draw"]


def _entry_cost(tried: int, entry: dict[str, Any]) -> int:
    if entry["what"] == "weights":
        return tried if entry["order"] == "ablation" else 1
    return len(entry["k"])


def _atom_weights(
    context: AtomsContext, atom_dict: AtomDictionary, seed: int, known: dict[EntryKey, Any]
) -> dict[str, sparsity.Array]:
    """Return both weights (atoms,) of a seed's atoms on its validation examples, by name."""
    number = context.seed_number(seed)
    weights: dict[str, sparsity.Array] = {}
    compute_by_name: dict[str, Callable[[], sparsity.Array]] = {
        "importance": lambda: atom_dict.mean_importance(
            seed, context.validation_examples(seed), context.batcher
        ),
        "ablation": lambda: _ablation_increase(context, atom_dict, seed, weights["importance"]),
    }
    for name, compute in compute_by_name.items():
        entry = known.get(("weights", name, number))
        if entry is None:
            context.report_progress(f"Seed {number}, {name}")
            values = round_significant(compute())
            entry = {"what": "weights", "order": name, "seed": number, "values": values}
            context.job.append_value(entry)
            context.done += int(name == "importance")  # ablation counts its atoms one by one
        weights[name] = np.asarray(entry["values"])
    return weights


def _ablation_increase(
    context: AtomsContext, atom_dict: AtomDictionary, seed: int, importance: sparsity.Array
) -> sparsity.Array:
    """Return the rise (atoms,) of the loss on validation when each atom is removed alone.

    importance: (atoms,). Where not all are tried the most important ones are, and the rest come
    after them in the order of importance.
    """
    evaluator = context.evaluator_for(atom_dict, seed, context.validation_examples(seed))
    tried = sparsity.rank_atoms(importance)[: context.request.count_tried(atom_dict.size)]
    tried = np.sort(tried)
    removed = 1 - torch.eye(atom_dict.size)[torch.from_numpy(tried)]  # (tried, m)
    gains = torch.cat([torch.ones(1, atom_dict.size), removed])
    values: list[float] = []
    for start in range(0, len(gains), evaluator.block):
        values += evaluator.losses(gains[start : start + evaluator.block])
        # The first row has all atoms and is not counted.
        context.done += max(0, min(evaluator.block, len(tried) - start))
        context.report_progress(f"Seed {context.seed_number(seed)}, removing atoms one by one")
    return sparsity.fill_untried(np.asarray(values[1:]) - values[0], tried, importance)


def _measure_curve(
    context: AtomsContext,
    evaluator: PointEvaluator,
    fields: dict[str, Any],
    order: Sequence[int] | sparsity.IntArray,
    counts: Sequence[int],
) -> None:
    """Append losses or scores with the first k atoms of an order, and some of the answers."""
    masks = np.stack([sparsity.kept_mask(order, count) for count in counts])
    gains = torch.from_numpy(masks).float()  # (counts, atoms)
    task, evaluation = context.task, context.run.spec.evaluation
    control = PassControl(stop=context.stop_requested)
    label = "Losses" if fields["what"] == "loss" else "Answers"
    message = f"{label} of seed {fields['seed']}, {request.ORDERS.get(fields['order'], '')}"
    values: list[float] = []
    shown: list[list[str]] = []
    for start in range(0, len(counts), evaluator.block):
        context.report_progress(message)
        block = gains[start : start + evaluator.block]
        if fields["what"] == "loss":
            values += evaluator.losses(block)
            continue
        for answers in evaluator.answers(block, task, evaluation, control):
            values.append(_score(task, answers, evaluator.examples))
            shown.append([answer.text for answer in answers[:SHOWN_EXAMPLES]])
    entry = fields | {"k": list(counts), "values": [round(v, 7) for v in values]}
    if shown and fields["order"] in ("ends", "importance"):
        entry |= {"answers": shown}
    context.job.append_value(entry)
    context.done += len(counts)


def _score(task: Task, answers: Sequence[Answer], rows: Sequence[Example]) -> float:
    return float(task.score(answers, rows)[task.main_metric])


COMBINATIONS = {"both": (1, 1), "first": (1, 0), "second": (0, 1), "none": (0, 0)}  # run shares


def _combine(context: AtomsContext) -> None:
    """Append scores on both tasks with both runs' atoms, each alone and none, for every seed."""
    seed_pairs = _seed_pairs(context)
    first, second = context.load_atoms(0), context.load_atoms(1)
    context.write_facts(first, tasks=[task.name for task in context.tasks])
    known = {(entry["seed"], entry["task"]) for entry in context.job.entries_of("combined")}
    # Two runs of one task are scored on it once.
    runs_by_task = {task.name: index for index, task in reversed([*enumerate(context.tasks)])}
    context.total, context.done = len(runs_by_task) * len(seed_pairs), len(known)
    for seed_number, seeds in seed_pairs:
        joined = dictionary.join_dictionaries(first, second, seeds)
        gains = dictionary.joined_gains(joined, first.atoms_per_site, [*COMBINATIONS.values()])
        for run_index in sorted(runs_by_task.values()):
            task = context.tasks[run_index]
            if (seed_number, task.name) in known:
                continue
            context.report_progress(f"Seed {seed_number}, {task.title}")
            rows, options = context.examples(run_index), context.runs[run_index].spec.evaluation
            batcher = context.batcher_for(run_index)
            evaluator = joined.evaluator(0, rows, batcher, context.run_dtype())
            control = PassControl(stop=context.stop_requested)
            answers = evaluator.answers(gains, task, options, control)
            scores = [_score(task, point_answers, rows) for point_answers in answers]
            context.job.append_value(
                {"what": "combined", "seed": seed_number, "task": task.name, "n": len(rows)}
                | {"metric": task.main_metric}
                | dict(zip(COMBINATIONS, scores, strict=True))
            )
            context.done += 1
    context.report_progress()


def _seed_pairs(context: AtomsContext) -> list[tuple[int, tuple[int, int]]]:
    """Return the seeds to join: those that were named, else the first with the first, and so on."""
    seed_numbers = [run.spec.population.seed_numbers() for run in context.runs]
    for ref, run_seeds in zip(context.adapter_refs, seed_numbers, strict=True):
        if ref.step is not None or (ref.seed is not None and ref.seed >= len(run_seeds)):
            raise BadInput(f"combine takes RUN or RUN/SEED with a seed below {len(run_seeds)}")
    if any(ref.seed is not None for ref in context.adapter_refs):
        first, second = (ref.seed or 0 for ref in context.adapter_refs)
        return [(seed_numbers[0][first], (first, second))]
    return [(seed_numbers[0][s], (s, s)) for s in range(min(map(len, seed_numbers)))]
