"""What a diagnosis asks of a run's model: gradient, movement, attention, effect on the next token.

A few examples of the run's own test split are enough, since what is looked for is large.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.linalg import vector_norm

from peftcore import tasks
from peftcore.adapters.no_adapter import unadapted_model
from peftcore.analysis.run_diagnosis import AdapterMeasures
from peftcore.errors import BadInput
from peftcore.labs.attention import capture
from peftcore.labs.weights import changes
from peftcore.models.batching import ExampleBatcher
from peftcore.training import planning
from peftcore.training.checkpoint import load_adapter

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.data.task import Example
    from peftcore.models.base_model import BaseModel
    from peftcore.models.batching import Batch
    from peftcore.runs.store import Run

EXAMPLES = 20  # texts on which the next token is compared
FEW = 4  # texts in one pass, and texts whose states are compared
GRADIENT_EXAMPLES = 8


def measure_adapter(
    run: Run, base: BaseModel, adapted: AdaptedModel | None = None
) -> AdapterMeasures:
    """Measure a run's adapter on a few test examples; BadInput if it is not stored.

    adapted: of the run, where it is loaded already.
    """
    adapted = adapted or load_adapter(run, base)
    task = tasks.find_task(run.spec.task)
    batcher = ExampleBatcher(base, task.labels, planning.prompt_length(run.spec, base))
    examples = [row for row in task.load(run.spec.evaluation.split) if batcher.fits(row)]
    if not examples:
        raise BadInput(f"no example of {task.title} fits the window of {base.name}")
    examples = examples[:EXAMPLES]
    batch = batcher.batch(examples[:GRADIENT_EXAMPLES])
    few = [batcher.batch([example]) for example in examples[:FEW]]
    size, beside = _size(adapted, base, few)
    parts = [batcher.batch(examples[n : n + FEW]) for n in range(0, len(examples), FEW)]
    return AdapterMeasures(
        len(examples),
        _gradient_norm(adapted, batch.repeated(adapted.seeds)),
        _movement(run, base, adapted),
        _learned_share(adapted, examples[0]),
        _prompt_scale(adapted, base),
        None if base.kind == "encoder" else _effect(adapted, base, parts),
        batcher.unwritable_labels(),
        size,
        beside,
        () if adapted.towers else _change_by_layer(adapted, base, few),
    )


def _size(
    adapted: AdaptedModel, base: BaseModel, batches: Sequence[Batch]
) -> tuple[float | None, bool]:
    """Return the median size of what one seed changed relative to the base's own.

    With it comes whether that is the length of what stands beside it, as of a prefix.
    """
    if adapted.adapter.injects == "prompt":
        return None, False  # `_prompt_scale` compares it with words
    recording = changes.record_base(base, batches, changes.recorded_paths(adapted))
    sizes, beside = [], False
    for site in changes.site_changes(adapted, 0, recording):
        if site.change is None or site.base is None:
            continue
        if site.form in ("keys", "values"):
            lengths, own, beside = site.change.float().norm(dim=-1), site.base, True
            sizes.append(float(lengths.median() / own.clamp(min=1e-12)))
        else:
            norm = site.base.float().norm().clamp(min=1e-12)
            sizes.append(float(site.change.float().norm() / norm))
    return (float(np.median(sizes)) if sizes else None), beside


def _change_by_layer(
    adapted: AdaptedModel, base: BaseModel, batches: Sequence[Batch]
) -> tuple[tuple[str, int, float], ...]:
    """Return how much states change behind each layer, relative to their norm.

    Means over texts of one row each and seeds; soft tokens are left out.
    """
    untouched = unadapted_model(base)
    found: dict[tuple[str, int], list[float]] = {}
    for batch in batches:
        before = untouched.hidden_states(batch, untouched.centroid())
        after = adapted.hidden_states(batch.repeated(adapted.seeds), adapted.centroid())
        for stack, layers in before.items():
            for number, own in enumerate(layers[1:], 1):
                count = own.shape[1]
                moved = after[stack][number][:, -count:] - own  # (s, t, d)
                share = vector_norm(moved.float()) / vector_norm(own.float().expand_as(moved))
                found.setdefault((stack, number), []).append(float(share))
    return tuple((*place, float(np.mean(values))) for place, values in found.items())


def _gradient_norm(adapted: AdaptedModel, batch: Batch) -> float:
    """Return the norm of the loss's gradient over all trained numbers, the median over seeds."""
    tensors = {
        name: tensor.detach().clone().requires_grad_(name in adapted.trainable_tensors)
        for name, tensor in adapted.tensors.items()
    }
    trained = [tensors[name] for name in adapted.trainable_tensors]
    with torch.enable_grad():
        rows = adapted.losses(batch, adapted.centroid(), tensors).view(adapted.seeds, -1)
        # Seeds share no number, so the gradient of the sum has each seed's own in its rows.
        grads = torch.autograd.grad(rows.mean(1).sum(), trained, allow_unused=True)
    squares = sum(
        (grad.float().flatten(1).square().sum(1) for grad in grads if grad is not None),
        torch.zeros(adapted.seeds),
    )
    return float(squares.sqrt().median())


def _movement(run: Run, base: BaseModel, adapted: AdaptedModel) -> float:
    """Return how far training moved an adapter, relative to its start; the median over seeds."""
    start = planning.build_adapted(base, run.spec, fresh=False)
    names = list(adapted.trainable_tensors)

    def norms(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the norm (s,) over all tensors (s, …)."""
        squares = [
            vector_norm(each.detach().float().flatten(1), dim=1).square() for each in tensors
        ]
        return torch.stack(squares).sum(0).sqrt()

    moved = norms([adapted.tensors[name] - start.tensors[name] for name in names])
    return float((moved / norms([start.tensors[name] for name in names]).clamp(min=1e-12)).median())


def _learned_share(adapted: AdaptedModel, example: Example) -> float | None:
    """Return the share of attention on learned positions, over layers, heads and queries."""
    if adapted.adapter.injects not in ("prefix", "prompt", "several"):
        return None
    places = capture.head_statistics(adapted, [example]).values()
    shares = [each.measures["learnt"] for each in places]  # (s, l, h) of each place
    met = [share for share in shares if share.any()]  # not every place has such positions
    return float(np.mean([share.mean() for share in met])) if met else None


def _prompt_scale(adapted: AdaptedModel, base: BaseModel) -> float | None:
    """Return the length of a soft token relative to that of a word's embedding, by medians."""
    if adapted.adapter.injects != "prompt":
        return None
    coords = adapted.centroid()
    with torch.no_grad(), adapted.active(coords, adapted.seeds, None) as (mix, _):
        soft = adapted.adapter.soft_tokens(mix, adapted.seeds)  # (s, p, d)
    if soft is None:
        return None
    words = vector_norm(base.embeddings.detach().float(), dim=-1)
    lengths = vector_norm(soft.detach().float(), dim=-1)
    return float(lengths.median() / words.median())


def _effect(adapted: AdaptedModel, base: BaseModel, batches: Sequence[Batch]) -> float:
    """Return how much the first answer token's distribution differs from the base's.

    Total variation distance, mean over examples and seeds.
    """
    untouched = unadapted_model(base)
    distances = []
    with torch.no_grad():
        for batch in batches:
            before = _first_token(untouched.logits(batch, untouched.centroid()))
            rows = adapted.logits(batch.repeated(adapted.seeds), adapted.centroid())
            after = _first_token(rows).view(adapted.seeds, *before.shape)
            distances.append((after - before).abs().sum(-1).flatten() / 2)
    return float(torch.cat(distances).mean())


def _first_token(logits: torch.Tensor) -> torch.Tensor:
    """Return the distribution (n, words) of the first token of logits (n, t, words)."""
    return logits[:, 0].float().softmax(-1)
