"""Measuring atoms: coefficients over text, curves of pruning, paths of runs, two runs at once.

What is measured is written down entry by entry, so a stop loses at most the pass it falls into.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from peftcore.analysis import sparsity
from peftcore.data.task import Answer, Example, Task
from peftcore.errors import BadInput
from peftcore.jobs.background import JobStatus
from peftcore.labs.atoms import dictionary, request
from peftcore.labs.atoms.coefficients import map_atoms, round_significant
from peftcore.labs.atoms.context import AtomsContext
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.labs.atoms.regularization_path import train_path
from peftcore.labs.atoms.request import AtomsJob
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape.context import adapter_digest
from peftcore.models.base_model import BaseModel
from peftcore.training import checkpoint

SHOWN_EXAMPLES = 8  # examples whose answers are kept along a curve, for the page to show


def run_atoms_job(
    job: AtomsJob,
    *,
    device: str = "cpu",
    base: BaseModel | None = None,
    report: Callable[[JobStatus], None] = lambda status: None,
    stop: Callable[[], bool] = lambda: False,
) -> JobStatus:
    """Bring a measurement to its end, or to where it is stopped; returns its status."""
    return job.run(lambda: _compute(AtomsContext(job, device, base, report, stop)))


def _compute(context: AtomsContext) -> None:
    """Measure what is still missing."""
    needed = 2 if context.request.kind == "combine" else 1
    if len(context.adapter_refs) != needed:
        raise BadInput(f"{context.request.kind} takes {needed} run{'s' * (needed > 1)}")
    digests = [adapter_digest(run, None) for run in context.runs]
    if context.job.facts.get("adapters", digests) != digests:
        context.job.clear()  # an adapter has changed since
    handlers = {"map": map_atoms, "prune": _prune, "path": train_path, "combine": _combine}
    handlers[context.request.kind](context)


def _prune(context: AtomsContext) -> None:
    """Weights of the atoms of every seed, then losses and scores along each order."""
    run, job, job_request = context.runs[0], context.job, context.request
    atom_dict = AtomDictionary(checkpoint.load_adapter(run, context.base))
    shown_pairs = [
        (example.source, example.target) for example in context.examples()[:SHOWN_EXAMPLES]
    ]
    context.write_facts(atom_dict, shown=shown_pairs)
    seed_numbers = run.spec.population.seed_numbers()
    inner_counts = sparsity.pruning_counts(atom_dict.size)[1:-1]
    quantity_count = 1 + job_request.answers
    curve_cost = quantity_count * (2 + len(inner_counts) * (2 + job_request.draws))
    context.total = len(seed_numbers) * (atom_dict.size + 1 + curve_cost)
    known_entries = {_entry_key(entry): entry for entry in job.entries()}
    context.done = sum(_entry_cost(atom_dict, entry) for entry in known_entries.values())
    for seed, number in enumerate(seed_numbers):
        weights = _atom_weights(context, atom_dict, seed, number, known_entries)
        orders: list[tuple[str, int, sparsity.IntArray, list[int]]] = [
            ("ends", 0, np.arange(atom_dict.size), [0, atom_dict.size])
        ]
        orders += [
            (name, 0, sparsity.rank_atoms(atom_weights), inner_counts)
            for name, atom_weights in weights.items()
        ]
        orders += [
            (
                "random",
                shuffle_number,
                sparsity.shuffle_atoms(atom_dict.size, shuffle_number, number),
                inner_counts,
            )
            for shuffle_number in range(job_request.draws)
        ]
        evaluator = context.evaluator_for(atom_dict, seed, context.examples())
        for name, shuffle_number, order, counts in orders:
            entry_fields = {"seed": number, "order": name, "draw": shuffle_number}
            for quantity in ("loss", "score")[:quantity_count]:
                if ("curve", quantity, number, name, shuffle_number) not in known_entries:
                    _measure_curve(
                        context, evaluator, entry_fields | {"what": quantity}, order, counts
                    )
    context.report_progress()


def _entry_key(entry: dict[str, Any]) -> tuple[Any, ...]:
    if entry["what"] == "weights":
        return "weights", entry["order"], entry["seed"]
    return "curve", entry["what"], entry["seed"], entry["order"], entry["draw"]


def _entry_cost(atom_dict: AtomDictionary, entry: dict[str, Any]) -> int:
    if entry["what"] == "weights":
        return atom_dict.size if entry["order"] == "ablation" else 1
    return len(entry["k"])


def _atom_weights(
    context: AtomsContext,
    atom_dict: AtomDictionary,
    seed: int,
    seed_number: int,
    known_entries: dict[tuple[Any, ...], Any],
) -> dict[str, sparsity.Array]:
    """Both weights of every atom of a seed on its validation examples, as far as not known yet."""
    compute_by_name: dict[str, Callable[[], sparsity.Array]] = {
        "importance": lambda: _mean_importance(context, atom_dict, seed),
        "ablation": lambda: _ablation_increase(context, atom_dict, seed, seed_number),
    }
    weights = {}
    for name, compute in compute_by_name.items():
        entry = known_entries.get(("weights", name, seed_number))
        if entry is None:
            context.report_progress(f"Seed {seed_number}, {name}")
            values = compute()
            entry = {
                "what": "weights",
                "order": name,
                "seed": seed_number,
                "values": round_significant(values),
            }
            context.job.append_value(entry)
            context.done += int(name == "importance")
        weights[name] = np.asarray(entry["values"])
    return weights


def _mean_importance(context: AtomsContext, atom_dict: AtomDictionary, seed: int) -> sparsity.Array:
    codes = atom_dict.read_coefficients(
        seed, context.validation_examples(seed), context.batcher_for()
    )
    norms = atom_dict.norms()[seed]
    return np.concatenate(
        [
            sparsity.atom_importance(site_codes, site_norms)
            for site_codes, site_norms in zip(codes, norms, strict=True)
        ]
    )


def _ablation_increase(
    context: AtomsContext, atom_dict: AtomDictionary, seed: int, seed_number: int
) -> sparsity.Array:
    """How much the loss on a seed's validation examples rises when each atom is removed alone."""
    evaluator = context.evaluator_for(atom_dict, seed, context.validation_examples(seed))
    gains = torch.cat([torch.ones(1, atom_dict.size), 1 - torch.eye(atom_dict.size)])
    values: list[float] = []
    for start in range(0, len(gains), evaluator.block):
        values += evaluator.losses(gains[start : start + evaluator.block])
        context.done += (
            min(evaluator.block, atom_dict.size - start) if start < atom_dict.size else 0
        )
        context.report_progress(f"Seed {seed_number}, removing atoms one by one")
    return np.asarray(values[1:]) - values[0]


def _measure_curve(
    context: AtomsContext,
    evaluator: PointEvaluator,
    entry_fields: dict[str, Any],
    order: Sequence[int] | sparsity.IntArray,
    counts: Sequence[int],
) -> None:
    """Losses or scores with the first k atoms of an order, and what it answered on the way."""
    gains = torch.from_numpy(
        np.stack([sparsity.kept_mask(order, count) for count in counts])
    ).float()
    task, evaluation = context.tasks[0], context.runs[0].spec.evaluation
    values: list[float] = []
    shown_answers: list[list[str]] = []
    for start in range(0, len(counts), evaluator.block):
        label = "Losses" if entry_fields["what"] == "loss" else "Answers"
        context.report_progress(
            f"{label} of seed {entry_fields['seed']}, "
            f"{request.ORDERS.get(entry_fields['order'], '')}"
        )
        gain_block = gains[start : start + evaluator.block]
        if entry_fields["what"] == "loss":
            values += evaluator.losses(gain_block)
        else:
            answers = evaluator.answers(gain_block, task, evaluation, context.stop_requested)
            values += [_score(task, point_answers, evaluator.examples) for point_answers in answers]
            shown_answers += [
                [answer.text for answer in point_answers[:SHOWN_EXAMPLES]]
                for point_answers in answers
            ]
    entry = entry_fields | {"k": list(counts), "values": [round(v, 7) for v in values]}
    if shown_answers and entry_fields["order"] in ("ends", "importance"):
        entry |= {"answers": shown_answers}
    context.job.append_value(entry)
    context.done += len(counts)


def _score(task: Task, answers: Sequence[Answer], rows: Sequence[Example]) -> float:
    return float(task.score(answers, rows)[task.main_metric])


def _combine(context: AtomsContext) -> None:
    """Scores on both tasks with both runs' atoms, with each alone and with none, for every seed."""
    seed_pairs = _seed_pairs(context)
    dictionaries = [
        AtomDictionary(checkpoint.load_adapter(run, context.base)) for run in context.runs
    ]
    context.write_facts(dictionaries[0], tasks=[task.name for task in context.tasks])
    known_entries = {(e["seed"], e["task"]) for e in context.job.entries_of("combined")}
    task_by_name: dict[str, tuple[int, Task]] = {}  # two runs of one task are judged on it once
    for run_index, task in enumerate(context.tasks):
        task_by_name.setdefault(task.name, (run_index, task))
    context.total, context.done = len(task_by_name) * len(seed_pairs), len(known_entries)
    for seed_number, seeds in seed_pairs:
        joined = dictionary.join_dictionaries(dictionaries[0], dictionaries[1], seeds)
        gains = dictionary.joined_gains(
            joined, dictionaries[0].atoms_per_site, [(1, 1), (1, 0), (0, 1), (0, 0)]
        )
        for run_index, task in task_by_name.values():
            if (seed_number, task.name) in known_entries:
                continue
            context.report_progress(f"Seed {seed_number}, {task.title}")
            rows, evaluation = context.examples(run_index), context.runs[run_index].spec.evaluation
            surveyor = joined.evaluator(
                0, rows, context.batcher_for(run_index), context.run_dtype()
            )
            answers = surveyor.answers(gains, task, evaluation, context.stop_requested)
            scores = [_score(task, point_answers, rows) for point_answers in answers]
            names = ("both", "first", "second", "none")
            context.job.append_value(
                {"what": "combined", "seed": seed_number, "task": task.name, "n": len(rows)}
                | {"metric": task.main_metric}
                | dict(zip(names, scores, strict=True))
            )
            context.done += 1
    context.report_progress()


def _seed_pairs(context: AtomsContext) -> list[tuple[int, tuple[int, int]]]:
    """Which seeds meet: those that were named, else the first with the first, and so on."""
    seed_numbers = [run.spec.population.seed_numbers() for run in context.runs]
    for ref, run_seeds in zip(context.adapter_refs, seed_numbers, strict=True):
        if ref.step is not None or (ref.seed is not None and ref.seed >= len(run_seeds)):
            raise BadInput(f"combine takes RUN or RUN/SEED with a seed below {len(run_seeds)}")
    if any(ref.seed is not None for ref in context.adapter_refs):
        first, second = (ref.seed or 0 for ref in context.adapter_refs)
        return [(seed_numbers[0][first], (first, second))]
    return [(seed_numbers[0][s], (s, s)) for s in range(min(map(len, seed_numbers)))]
