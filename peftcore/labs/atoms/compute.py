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
from peftcore.labs.atoms.coefficients import map_atoms, short
from peftcore.labs.atoms.context import Bench
from peftcore.labs.atoms.dictionary import Dictionary
from peftcore.labs.atoms.regularization_path import path
from peftcore.labs.atoms.request import Study
from peftcore.labs.common.interpolation import PointEvaluator
from peftcore.labs.landscape.context import stamp
from peftcore.models.base_model import BaseModel
from peftcore.training import checkpoint

TOLD = 8  # examples whose answers are kept along a curve, for the page to show


def carry_out(
    study: Study,
    *,
    device: str = "cpu",
    base: BaseModel | None = None,
    report: Callable[[JobStatus], None] = lambda status: None,
    stop: Callable[[], bool] = lambda: False,
) -> JobStatus:
    """Bring a measurement to its end, or to where it is stopped; returns its status."""
    return study.run(lambda: _work(Bench(study, device, base, report, stop)))


def _work(bench: Bench) -> None:
    """Measure what is still missing."""
    wanted = 2 if bench.ask.kind == "combine" else 1
    if len(bench.parts) != wanted:
        raise BadInput(f"{bench.ask.kind} takes {wanted} run{'s' * (wanted > 1)}")
    stamps = [stamp(run, None) for run in bench.runs]
    if bench.study.facts.get("adapters", stamps) != stamps:
        bench.study.clear()  # an adapter has changed since
    kinds = {"map": map_atoms, "prune": _prune, "path": path, "combine": _combine}
    kinds[bench.ask.kind](bench)


def _prune(bench: Bench) -> None:
    """Weights of the atoms of every seed, then losses and scores along each order."""
    run, study, ask = bench.runs[0], bench.study, bench.ask
    found = Dictionary(checkpoint.load_adapter(run, bench.base))
    shown = [(each.source, each.target) for each in bench.examples()[:TOLD]]
    bench.facts(found, shown=shown)
    numbers = run.spec.population.numbers()
    inner = sparsity.pruning_counts(found.size)[1:-1]
    whats = 1 + ask.answers
    curve = whats * (2 + len(inner) * (2 + ask.draws))
    bench.of = len(numbers) * (found.size + 1 + curve)
    known = {_key(e): e for e in study.entries()}
    bench.done = sum(_cost(found, entry) for entry in known.values())
    for seed, number in enumerate(numbers):
        weights = _weights(bench, found, seed, number, known)
        orders: list[tuple[str, int, sparsity.IntArray, list[int]]] = [
            ("ends", 0, np.arange(found.size), [0, found.size])
        ]
        orders += [(name, 0, sparsity.rank_atoms(w), inner) for name, w in weights.items()]
        orders += [
            ("random", draw, sparsity.shuffle_atoms(found.size, draw, number), inner)
            for draw in range(ask.draws)
        ]
        surveyor = bench.surveyor(found, seed, bench.examples())
        for name, draw, order, ks in orders:
            where = {"seed": number, "order": name, "draw": draw}
            for what in ("loss", "score")[:whats]:
                if ("curve", what, number, name, draw) not in known:
                    _curve(bench, surveyor, where | {"what": what}, order, ks)
    bench.tell()


def _key(entry: dict[str, Any]) -> tuple[Any, ...]:
    if entry["what"] == "weights":
        return "weights", entry["order"], entry["seed"]
    return "curve", entry["what"], entry["seed"], entry["order"], entry["draw"]


def _cost(found: Dictionary, entry: dict[str, Any]) -> int:
    if entry["what"] == "weights":
        return found.size if entry["order"] == "ablation" else 1
    return len(entry["k"])


def _weights(
    bench: Bench, found: Dictionary, seed: int, number: int, known: dict[tuple[Any, ...], Any]
) -> dict[str, sparsity.Array]:
    """Both weights of every atom of a seed on its validation examples, as far as not known yet."""
    made: dict[str, Callable[[], sparsity.Array]] = {
        "importance": lambda: _importance(bench, found, seed),
        "ablation": lambda: _ablation(bench, found, seed, number),
    }
    weights = {}
    for name, make in made.items():
        entry = known.get(("weights", name, number))
        if entry is None:
            bench.tell(f"Seed {number}, {name}")
            values = make()
            entry = {"what": "weights", "order": name, "seed": number, "values": short(values)}
            bench.study.append_value(entry)
            bench.done += int(name == "importance")
        weights[name] = np.asarray(entry["values"])
    return weights


def _importance(bench: Bench, found: Dictionary, seed: int) -> sparsity.Array:
    codes = found.read(seed, bench.dev(seed), bench.encoder())
    norms = found.norms()[seed]
    return np.concatenate(
        [sparsity.atom_importance(c, n) for c, n in zip(codes, norms, strict=True)]
    )


def _ablation(bench: Bench, found: Dictionary, seed: int, number: int) -> sparsity.Array:
    """How much the loss on a seed's validation examples rises when each atom is removed alone."""
    surveyor = bench.surveyor(found, seed, bench.dev(seed))
    gains = torch.cat([torch.ones(1, found.size), 1 - torch.eye(found.size)])
    values: list[float] = []
    for at in range(0, len(gains), surveyor.block):
        values += surveyor.losses(gains[at : at + surveyor.block])
        bench.done += min(surveyor.block, found.size - at) if at < found.size else 0
        bench.tell(f"Seed {number}, removing atoms one by one")
    return np.asarray(values[1:]) - values[0]


def _curve(
    bench: Bench,
    surveyor: PointEvaluator,
    where: dict[str, Any],
    order: Sequence[int] | sparsity.IntArray,
    ks: Sequence[int],
) -> None:
    """Losses or scores with the first k atoms of an order, and what it answered on the way."""
    gains = torch.from_numpy(np.stack([sparsity.kept_mask(order, k) for k in ks])).float()
    task, options = bench.tasks[0], bench.runs[0].spec.evaluation
    values: list[float] = []
    told: list[list[str]] = []
    for at in range(0, len(ks), surveyor.block):
        words = "Losses" if where["what"] == "loss" else "Answers"
        bench.tell(f"{words} of seed {where['seed']}, {request.ORDERS.get(where['order'], '')}")
        some = gains[at : at + surveyor.block]
        if where["what"] == "loss":
            values += surveyor.losses(some)
        else:
            answers = surveyor.answers(some, task, options, bench.asked_to_stop)
            values += [_score(task, each, surveyor.examples) for each in answers]
            told += [[answer.text for answer in each[:TOLD]] for each in answers]
    entry = where | {"k": list(ks), "values": [round(v, 7) for v in values]}
    if told and where["order"] in ("ends", "importance"):
        entry |= {"answers": told}
    bench.study.append_value(entry)
    bench.done += len(ks)


def _score(task: Task, answers: Sequence[Answer], rows: Sequence[Example]) -> float:
    return float(task.score(answers, rows)[task.main_metric])


def _combine(bench: Bench) -> None:
    """Scores on both tasks with both runs' atoms, with each alone and with none, for every seed."""
    pairs = _pairs(bench)
    worn = [Dictionary(checkpoint.load_adapter(run, bench.base)) for run in bench.runs]
    bench.facts(worn[0], tasks=[task.name for task in bench.tasks])
    known = {(e["seed"], e["task"]) for e in bench.study.found("combined")}
    judged: dict[str, tuple[int, Task]] = {}  # two runs of one task are judged on it once
    for place, task in enumerate(bench.tasks):
        judged.setdefault(task.name, (place, task))
    bench.of, bench.done = len(judged) * len(pairs), len(known)
    for number, seeds in pairs:
        both = dictionary.joined(worn[0], worn[1], seeds)
        gains = dictionary.shares(both, worn[0].each, [(1, 1), (1, 0), (0, 1), (0, 0)])
        for place, task in judged.values():
            if (number, task.name) in known:
                continue
            bench.tell(f"Seed {number}, {task.title}")
            rows, options = bench.examples(place), bench.runs[place].spec.evaluation
            surveyor = both.evaluator(0, rows, bench.encoder(place), bench.wanted())
            answers = surveyor.answers(gains, task, options, bench.asked_to_stop)
            scores = [_score(task, each, rows) for each in answers]
            names = ("both", "first", "second", "none")
            bench.study.append_value(
                {"what": "combined", "seed": number, "task": task.name, "n": len(rows)}
                | {"metric": task.main_metric}
                | dict(zip(names, scores, strict=True))
            )
            bench.done += 1
    bench.tell()


def _pairs(bench: Bench) -> list[tuple[int, tuple[int, int]]]:
    """Which seeds meet: those that were named, else the first with the first, and so on."""
    numbers = [run.spec.population.numbers() for run in bench.runs]
    for part, held in zip(bench.parts, numbers, strict=True):
        if part.step is not None or (part.seed is not None and part.seed >= len(held)):
            raise BadInput(f"combine takes RUN or RUN/SEED with a seed below {len(held)}")
    if any(part.seed is not None for part in bench.parts):
        first, second = (part.seed or 0 for part in bench.parts)
        return [(numbers[0][first], (first, second))]
    return [(numbers[0][s], (s, s)) for s in range(min(map(len, numbers)))]
