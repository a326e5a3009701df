"""Measures what runs changed: every site of every seed, and what the directions share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.trained_parts import list_trained_parts
from peftcore.analysis import weight_changes
from peftcore.analysis.weight_changes import Array, Directions
from peftcore.errors import BadInput
from peftcore.exchange.peft_export import centroid
from peftcore.labs.common.context import LabContext, run_job
from peftcore.labs.weights import changes
from peftcore.labs.weights.changes import Form, Recording, SiteChange
from peftcore.labs.weights.request import SITE, WeightsJob, WeightsRequest
from peftcore.models.structure import UNSTACKED
from peftcore.training.checkpoint import load_adapter

KEPT_VALUES = 32  # singular values that are kept of a matrix
DIGITS = 5  # significant digits of them
ROWS = ("keys", "values", "tokens")  # forms whose change is rows beside the base's own

Site = tuple[str, str, int | None, str, Form]  # the fields of SITE
Found = dict[Site, Directions]


def measure_weights(context: LabContext[WeightsJob]) -> None:
    """Measure one run, or the directions that two runs share; BadInput where nothing is trained."""
    context.clear_if_stale()
    request: WeightsRequest = context.job.request
    if len({run.spec.base for run in context.runs}) > 1:
        bases = " and ".join(run.spec.base for run in context.runs)
        raise BadInput(f"directions can only be compared on one base; got {bases}")
    models = [load_adapter(run, context.base) for run in context.runs]
    for run, adapted in zip(context.runs, models, strict=True):
        if not adapted.trainable_tensors:
            raise BadInput(f"run {run.id} trains nothing, so there is no change to look at")
    facts = {"n": request.examples} | context.common_facts()
    facts["method"] = context.run.spec.method
    facts["parameters"] = context.base.parameter_count
    parts = list_trained_parts(models[0].adapter, models[0].tensors)
    context.job.clear()
    context.job.write_plan(facts, [asdict(part) for part in parts])
    context.total = sum(adapted.seeds for adapted in models)
    recording = _record(context, models[0], 0)
    if len(models) == 1:
        found = _measure_seeds(context, models[0], recording)
        pairs = list(combinations(range(len(found)), 2))
        _write_overlaps(context, [(found[one], found[other]) for one, other in pairs], pairs)
    else:
        others = _record(context, models[1], 1)
        first = [
            _directions(context, models[0], seed, recording) for seed in range(models[0].seeds)
        ]
        second = [_directions(context, models[1], seed, others) for seed in range(models[1].seeds)]
        pairs = [(one, other) for one in range(len(first)) for other in range(len(second))]
        _write_overlaps(context, [(first[one], second[other]) for one, other in pairs], pairs)
    context.write_status()


def _record(context: LabContext[WeightsJob], adapted: AdaptedModel, index: int) -> Recording:
    """Pass validation examples of a run's first seed through the base."""
    run = context.runs[index]
    training = run.spec.training
    number = run.spec.population.seed_numbers()[0]
    episode = context.tasks[index].few_shot(training.shots, number, training.dev)
    batcher = context.batcher_for(index)
    batches = [batcher.batch([each]) for each in episode.dev[: context.job.request.examples]]
    return changes.record_base(context.base, batches, changes.recorded_paths(adapted))


def _measure_seeds(
    context: LabContext[WeightsJob], adapted: AdaptedModel, recording: Recording
) -> list[Found]:
    """Write an entry for every site and seed; return the directions of every seed."""
    base_directions: dict[str, Directions] = {}
    found = []
    for seed in range(adapted.seeds):
        context.report_progress(f"Seed {context.seed_number(seed)}")
        here: Found = {}
        for change in changes.site_changes(adapted, seed, recording):
            entry = _entry(change, context.job.request, here, base_directions)
            inputs = recording.inputs.get(change.path.removesuffix(".weight"), ())
            path = change.path.removesuffix(".weight")
            entry["effect"] = changes.output_effect(adapted, path, centroid(adapted, seed), inputs)
            context.job.append_value(entry | {"seed": context.seed_number(seed)})
        found.append(here)
        context.done += 1
    return found


def _directions(
    context: LabContext[WeightsJob], adapted: AdaptedModel, seed: int, recording: Recording
) -> Found:
    """Return the directions of every site of one seed."""
    context.report_progress()
    found: Found = {}
    for change in changes.site_changes(adapted, seed, recording):
        if _has_directions(change):
            assert change.change is not None, "what has directions has a change"
            found[_site(change)] = _decompose(change.change)
    context.done += 1
    return found


def _site(change: SiteChange) -> Site:
    """Return what names the place of a change."""
    return change.component, change.stack, change.layer, change.path, change.form


def _has_directions(change: SiteChange) -> bool:
    """Return whether a change has directions worth a decomposition; tables of words have not."""
    words = any(name in change.component.split(" + ") for name in UNSTACKED)
    return change.form in ("matrix", *ROWS) and not words


def _decompose(matrix: Any) -> Directions:
    """Decompose a change (o, i), or rows (p, d), in double precision."""
    return weight_changes.find_directions(matrix.double().cpu().numpy())


def _entry(
    change: SiteChange,
    request: WeightsRequest,
    found: Found,
    base_directions: dict[str, Directions],
) -> dict[str, Any]:
    """Put one site of one seed in numbers; keeps its directions, and those of the base."""
    entry: dict[str, Any] = {"what": "site"} | dict(zip(SITE, _site(change), strict=True))
    if change.change is None or change.base is None:
        return entry
    delta, own = (t.double().cpu().numpy() for t in (change.change, change.base))
    entry["shape"] = list(delta.shape)
    if change.form in ROWS:
        entry["relative"] = float(np.linalg.norm(delta, axis=1).mean() / own)
    else:
        entry["relative"] = weight_changes.relative_size(delta, own)
    if not _has_directions(change):
        return entry
    directions = weight_changes.find_directions(delta)
    found[_site(change)] = directions
    entry |= {
        "stable_rank": directions.stable_rank,
        "rank": directions.rank,
        "values": _kept(directions.values),
    }
    if change.form == "matrix":
        key = f"{change.component}:{change.path}"
        if key not in base_directions:
            base_directions[key] = weight_changes.find_directions(own)
            entry["base_values"] = _kept(base_directions[key].values)
        entry |= _intruders(own + delta, base_directions[key], request)
    return entry


def _kept(values: Array) -> list[float]:
    """Return the first values (k,) in so many digits as a chart can show."""
    return [float(f"{value:.{DIGITS}g}") for value in values[:KEPT_VALUES]]


def _intruders(tuned: Array, base: Directions, request: WeightsRequest) -> dict[str, Any]:
    """Compare the strongest directions of a tuned matrix (o, i) with all of the base's."""
    strongest = weight_changes.find_directions(tuned)
    cosines = weight_changes.best_cosines(base.outputs, strongest.outputs[:, : request.top])
    return {
        "cosines": _kept(cosines),
        "intruders": int((cosines < request.cosine).sum()),
    }


def _write_overlaps(
    context: LabContext[WeightsJob],
    pairs_found: Sequence[tuple[Found, Found]],
    pairs: Sequence[tuple[int, int]],
) -> None:
    """Write φ of the first directions, on both sides, for every pair of seeds and shared site.

    The space of inputs is what a change reads, that of outputs what it writes; rows have one space.
    """
    for (first, second), (one, other) in zip(pairs_found, pairs, strict=True):
        for site, mine in first.items():
            theirs = second.get(site)
            k = min(context.job.request.directions, mine.rank, theirs.rank if theirs else 0)
            if theirs is None or not k:
                continue
            sides = {"inputs": (mine.inputs, theirs.inputs)}
            if site[-1] not in ROWS:  # positions of two prefixes have nothing to do with each other
                sides["outputs"] = (mine.outputs, theirs.outputs)
            entry: dict[str, Any] = {"what": "overlap", "seeds": [one, other], "k": k}
            entry |= dict(zip(SITE, site, strict=True))
            for side, (a, b) in sides.items():
                entry[side] = weight_changes.subspace_similarity(a, b, k)
                entry[f"{side}_chance"] = weight_changes.chance_similarity(len(a), k)
            context.job.append_value(entry)


run_weights_job = partial(run_job, LabContext[WeightsJob], measure_weights)
