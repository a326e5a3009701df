"""Mixes the changes of two or three runs: the loss of each task on a line or a triangle between
them, and a run made of a mixture.

Changes of LoRA are mixed as products, not factor by factor: the products stand side by side in one
of the sum of their ranks, so a mixture is exactly the weighted sum of the changes.  Other methods
are mixed tensor by tensor.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from peftcore.analysis import interference, simplex
from peftcore.errors import BadInput
from peftcore.exchange.peft_export import centroid
from peftcore.labs.common.context import LabContext, run_job
from peftcore.labs.common.interpolation import (
    PointEvaluator,
    centroid_span,
    corner_mixtures,
    span_of_centroids,
    span_of_run,
)
from peftcore.labs.weights import changes
from peftcore.labs.weights.changes import Recording
from peftcore.labs.weights.request import SITE, CombiningJob
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files
from peftcore.training import planning
from peftcore.training.checkpoint import load_adapter, save_adapter

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel


def check_alike(runs: Sequence[Run]) -> None:
    """Raise BadInput unless two or three runs can be mixed: one base that writes, one method."""
    for first, second in itertools.combinations(runs, 2):
        if first.id == second.id:
            raise BadInput(f"run {first.id} cannot be combined with itself; name another run")
        for name, one, other in (
            ("base", first.spec.base, second.spec.base),
            ("method", first.spec.method, second.spec.method),
        ):
            if one != other:
                raise BadInput(f"runs of one {name} can be combined; got {one} and {other}")


def span_of_runs(models: Sequence[AdaptedModel], seeds: Sequence[int]) -> AdaptedModel:
    """Return the span between adapters (1, number of adapters, …), one seed of each."""
    if models[0].base.kind == "encoder":
        raise BadInput(
            f"{models[0].base.name} answers through a head of each task, so changes for two tasks "
            "have no answers in common; combine runs of a base that writes"
        )
    if models[0].adapter.name == "lora":
        return _stacked_products(models, seeds)
    spans = [centroid_span(span_of_run(model)) for model in models]
    return span_of_centroids(spans, [[seed] for seed in seeds])


def _stacked_products(models: Sequence[AdaptedModel], seeds: Sequence[int]) -> AdaptedModel:
    """Return the span in which all products stand side by side: in each corner one up is not zero.

    A corner's `down` holds those of all adapters, so what a mixture weighs are the ups alone.
    """
    parts = [centroid(model, seed).tensors for model, seed in zip(models, seeds, strict=True)]
    if any(part.keys() != parts[0].keys() for part in parts):
        raise BadInput("these runs change different modules, so they have no line between them")
    scales = [model.adapter.config.alpha / model.adapter.config.rank for model in models]
    tensors: dict[str, Tensor] = {}
    for name in parts[0]:
        if name.startswith("down:"):
            all_downs = torch.cat([part[name] for part in parts], -1)  # (1, 1, i, sum of ranks)
            tensors[name] = all_downs.expand(-1, len(parts), -1, -1).contiguous()
            continue
        ups = [part[name] * (scale / scales[0]) for part, scale in zip(parts, scales, strict=True)]
        corners = [
            torch.cat([up if n == corner else torch.zeros_like(up) for n, up in enumerate(ups)], -2)
            for corner in range(len(ups))
        ]
        tensors[name] = torch.cat(corners, 1)
    return models[0].with_tensors({name: t.detach() for name, t in tensors.items()})


def _points(count: int, steps: int) -> Tensor:
    """Return even points (p, count) of the line between two runs or the triangle of three."""
    if count == 3:
        return torch.tensor(simplex.triangle_lattice(steps), dtype=torch.float32)
    shares = torch.linspace(0, 1, steps + 1)
    return torch.stack([1 - shares, shares], 1)


def measure_mixtures(context: LabContext[CombiningJob]) -> None:
    """Measure every task's loss at all mixtures, and what the changes predict, seed by seed."""
    context.clear_if_stale()
    check_alike(context.runs)
    request = context.job.request
    models = [load_adapter(run, context.base) for run in context.runs]
    count = min(request.seeds, *(model.seeds for model in models))
    # Refuses what cannot be mixed before anything is measured.
    span_of_runs(models, [0] * len(models))
    points = _points(len(models), request.steps)  # (p, 2 or 3)
    # Along a line the second run's share says all.
    shares = points[:, 1].tolist() if len(models) == 2 else points.tolist()
    facts = context.common_facts() | {
        "tasks": [run.spec.task for run in context.runs],
        "n": request.examples,
        "seeds": count,
    }
    context.job.clear()
    context.job.write_plan(facts, [{"share": share} for share in shares])
    context.total = count * len(models)
    for seed in range(count):
        span = span_of_runs(models, [seed] * len(models))
        for index, run in enumerate(context.runs):
            context.report_progress(f"Task {run.spec.task}")
            losses = _losses(context, span, points, index, seed)
            context.job.append_value(
                {
                    "what": "loss_line" if len(models) == 2 else "loss_triangle",
                    "seed": seed,
                    "run": run.id,
                    "task": run.spec.task,
                    "shares": shares,
                    "losses": losses,
                }
            )
            context.done += 1
        for first, second in itertools.combinations(range(len(models)), 2):
            pair = {"what": "prediction", "seed": seed, "pair": [first, second]}
            for entry in _predictions([models[first], models[second]], seed):
                context.job.append_value(pair | entry)
    context.write_status()


def _losses(
    context: LabContext[CombiningJob], span: AdaptedModel, points: Tensor, index: int, seed: int
) -> list[float]:
    """Return the loss of one run's task at every point (p, number of runs)."""
    run = context.runs[index]
    training = run.spec.training
    number = run.spec.population.seed_numbers()[seed]
    episode = context.tasks[index].few_shot(training.shots, number, training.dev)
    rows = episode.dev[: context.job.request.examples]
    return PointEvaluator(span, 0, rows, context.batcher_for(index)).losses(points)


def _predictions(models: Sequence[AdaptedModel], seed: int) -> list[dict[str, Any]]:
    """Return cosine and sign conflicts of both changes at every site that has a fixed change."""
    if models[0].adapter.injects != "output":
        return _tensor_predictions(models, seed)
    nothing = Recording({}, {})
    by_site = [
        {
            (each.component, each.path): each
            for each in changes.site_changes(model, seed, nothing)
            if each.change is not None
        }
        for model in models
    ]
    rows = []
    for key, mine in by_site[0].items():
        theirs = by_site[1].get(key)
        if theirs is None:
            continue
        assert mine.change is not None, "only these are listed"
        assert theirs.change is not None, "only these are listed"
        here = {name: getattr(mine, name) for name in SITE}
        rows.append(here | _agreement(mine.change, theirs.change))
    return rows


def _tensor_predictions(models: Sequence[AdaptedModel], seed: int) -> list[dict[str, Any]]:
    """Return the same of what is put beside the base's own, tensor by tensor."""
    one, other = (centroid(model, seed).tensors for model in models)
    return [
        {"component": name.partition(":")[0], "path": name.partition(":")[2]}
        | _agreement(one[name], other[name])
        for name in one
        if name in other and one[name].shape == other[name].shape
    ]


def _agreement(first: Tensor, second: Tensor) -> dict[str, float]:
    """Return cosine and sign conflicts of two changes (…), and the size of each."""
    one, other = (t.detach().double().cpu().numpy() for t in (first, second))
    return {
        "cosine": interference.cosine(one, other),
        "conflicts": interference.sign_conflicts(one, other),
        "product": float((one * other).sum()),
        "first_square": float(np.square(one).sum()),
        "second_square": float(np.square(other).sum()),
    }


run_combining_job = partial(run_job, LabContext[CombiningJob], measure_mixtures)


def save_mixture(
    runs: Sequence[Run],
    shares: Sequence[float],
    base: BaseModel,
    store: RunStore | None = None,
) -> Run:
    """Store the mixture of two or three runs, seed by seed, as a run of the first one's task.

    shares: of the runs after the first, which has the rest.  The same mixture is one run; it has no
    scores yet, and `evaluate` scores it on any task.
    """
    check_alike(runs)
    rest = round(1 - sum(shares), 9)
    if len(shares) != len(runs) - 1 or min(rest, *shares) < 0:
        raise BadInput(
            f"a mixture of {len(runs)} runs has the shares of all but the first, each in [0, 1] "
            f"and together at most 1; got {', '.join(f'{share:g}' for share in shares)}"
        )
    models = [load_adapter(run, base) for run in runs]
    count = min(model.seeds for model in models)
    point = torch.tensor([[rest, *shares]])
    spans = [span_of_runs(models, [seed] * len(models)) for seed in range(count)]
    mixed = [corner_mixtures(span, 0, point) for span in spans]
    tensors = {name: torch.cat([each[name] for each in mixed]) for name in mixed[0]}
    spec = runs[0].spec
    settings = dict(spec.settings)
    if spec.method == "lora":
        rank = next(t.shape[-1] for name, t in tensors.items() if name.startswith("down:"))
        settings |= {"rank": rank, "alpha": rank * settings["alpha"] / settings["rank"]}
    population = {"seeds": count, "first_seed": spec.population.first_seed}
    mixture = spec.model_copy(
        update={
            "settings": settings,
            "population": spec.population.model_copy(update=population | {"vertices": 1}),
        }
    )
    adapted = planning.build_adapted(base, mixture, fresh=False)
    _fill(adapted, tensors)
    return _store(mixture, adapted, runs, shares, store or RunStore())


def _fill(adapted: AdaptedModel, tensors: Mapping[str, Tensor]) -> None:
    """Copy mixed tensors (s, 1, …) into an adapter that has them; BadInput if it computes them."""
    if adapted.tensors.keys() != tensors.keys():
        raise BadInput(
            f"{adapted.adapter.title} with these settings computes its tensors from others, so a "
            "mixture of them cannot be stored as a run"
        )
    for name, tensor in adapted.tensors.items():
        tensor.data.copy_(tensors[name].expand_as(tensor))


def _store(
    spec: Any, adapted: AdaptedModel, runs: Sequence[Run], shares: Sequence[float], store: RunStore
) -> Run:
    """Write the run, named by a hash of what was mixed: its spec alone says too little."""
    of_others = {"share": shares[0]} if len(shares) == 1 else {"shares": list(shares)}
    origin = {"runs": [run.id for run in runs]} | of_others
    text = spec.canonical() + json.dumps(origin, sort_keys=True)
    store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    run = Run(store.folder / hashlib.sha256(text.encode()).hexdigest()[:12], spec)
    if run.status().state == "done":
        return run
    run.folder.mkdir(mode=0o700, exist_ok=True)
    save_adapter(run, adapted, adapted.base)
    run.write_manifest(
        {
            "base": {
                "name": adapted.base.name,
                "fingerprint": adapted.base.fingerprint,
                "parameters": adapted.base.parameter_count,
                "kind": adapted.base.kind,
            },
            "mixture": origin,
        }
    )
    others = [f"{share:.0%} of {run.id}" for share, run in zip(shares, runs[1:], strict=True)]
    words = f"Mixture of {runs[0].id} and {' and '.join(others)}; not trained, not scored"
    run.append_log(words)
    run.write_status(
        state="done",
        done=spec.training.steps,
        of=spec.training.steps,
        trainable=adapted.trainable_count,
        message=words,
        started=time.time(),
    )
    ready = json.dumps(spec.model_dump(mode="json"), indent=1)
    atomic_files.replace_file(run.folder / "spec.json", ready.encode())  # last: now it is a run
    return run
