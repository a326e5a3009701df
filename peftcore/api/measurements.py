"""Attention before and after an adapter, and what a prefix may do to it, as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from peftcore.analysis import attention as patterns
from peftcore.api.results import TrainedAdapter
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import RUN_ID, RunStore
from peftcore.training.predict import typed_example

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.analysis.attention import AttentionPattern
    from peftcore.analysis.limits import LayerComparison
    from peftcore.labs.attention.layer_probe import Precision, ProbeOptions
    from peftcore.models.base_model import BaseModel

    Patterns = dict[str, AttentionPattern]
    Subject = TrainedAdapter | AdaptedModel | BaseModel | str

MAX_ANSWER_TOKENS = 48  # of the answer a decoder reads while its attention is recorded


def adapted_of(subject: Subject) -> AdaptedModel:
    """The model meant: a result, a run by its id, or an untouched base, itself or by its name."""
    from peftcore.adapters.no_adapter import unadapted_model
    from peftcore.models.base_model import BaseModel, load

    if isinstance(subject, str):
        if subject in catalog.base_names() or not RUN_ID.fullmatch(subject):
            return unadapted_model(load(subject))
        return TrainedAdapter(RunStore().open(subject)).adapted
    if isinstance(subject, TrainedAdapter):
        return subject.adapted
    return unadapted_model(subject) if isinstance(subject, BaseModel) else subject


def load_pair(subject: Subject, against: Subject | None) -> tuple[AdaptedModel, AdaptedModel]:
    """The model after and that before an adapter; without `against` the latter is its base.

    BadInput if they rest on different weights.
    """
    after = adapted_of(subject)
    before = adapted_of(against or after.base)
    if before.base.fingerprint != after.base.fingerprint:
        names = [s if isinstance(s, str) else "one" for s in (subject, against)]
        raise BadInput(
            f"{names[0]} rests on {after.base.name} and {names[1]} on {before.base.name}; only "
            "runs of one base read the same tokens"
        )
    return after, before


def with_answer(adapted: AdaptedModel, example: Example, target: str, seed_index: int) -> Example:
    """The example with the text a decoder reads: the given one, its own, or the model's answer."""
    from peftcore.labs.attention import capture

    if not target and (example.target or adapted.base.kind == "encoder"):
        return example
    if not target:
        capture.check_length(adapted.base, example)  # before it is answered
    answer = target or capture.generate_answer(adapted, example, seed_index, MAX_ANSWER_TOKENS)
    return replace(example, target=answer)


def record_pair(
    after: AdaptedModel,
    before: AdaptedModel,
    example: Example,
    seed_index: int,
    by_values: bool = False,
) -> tuple[Patterns, Patterns]:
    """Attention of one seed after, and before: attention kind → weights (layers, heads, q, k).

    by_values: shares of the lengths of what each key adds, in the place of weights.
    """
    from peftcore.labs.attention import capture, value_weights

    record = value_weights.capture_value_weights if by_values else capture.capture_attention
    return (
        record(after, example, seed_index),
        record(before, example, min(seed_index, before.seeds - 1)),
    )


def attention(
    subject: Subject,
    text: str | Example,
    *,
    against: Subject | None = None,
    target: str = "",
    seed_index: int = 0,
) -> pd.DataFrame:
    """Measure what every head looks at while a text is read, before and after an adapter.

    One row per attention kind (encoder, decoder, cross), layer, head, query and key, the last four
    counted from 1: the weights before and after.  `subject` is a result of `train`, the id of a
    run, or a base; `against` what it is compared with, otherwise the untouched base.  `target` is
    what a decoder reads, otherwise the answer the subject writes.  A key that only one of the two
    has, such as a position of a prefix, has no attention (0) in the other; a query that one lacks
    is missing (nan) there.

    >>> import peftcore
    >>> run = next(r for r in peftcore.RunStore().all() if r.spec.base == "tiny-t5")
    >>> table = peftcore.attention(run.id, "the cat sees the dog", target="yes")
    >>> sorted(set(table["attention"]))
    ['cross', 'decoder', 'encoder']
    >>> one = table.query("attention == 'encoder' and layer == 1 and head == 1 and query == 1")
    >>> round(float(one["after"].sum()), 3)
    1.0
    """
    after, before = load_pair(subject, against)
    example = typed_example(text) if isinstance(text, str) else text
    example = with_answer(after, example, target, seed_index)
    seen_after, seen_before = record_pair(after, before, example, seed_index)
    tables = [_weights(kind, seen_before[kind], seen_after[kind]) for kind in seen_after]
    return pd.concat(tables, ignore_index=True)


def _weights(kind: str, before: AttentionPattern, after: AttentionPattern) -> pd.DataFrame:
    """The weights of one kind of attention, one row for each head, query and key."""
    first, second = patterns.align_patterns(before, after)
    layer, head, query, key = (axis.ravel() for axis in np.indices(second.weights.shape))
    table = pd.DataFrame(
        {
            "attention": kind,
            "layer": layer + 1,
            "head": head + 1,
            "query": query + 1,
            "query_text": np.array([token.text for token in second.queries], object)[query],
            "key": key + 1,
            "key_text": np.array([token.text for token in second.keys], object)[key],
            "key_kind": np.array([token.kind for token in second.keys], object)[key],
            "before": first.weights.ravel(),
            "after": second.weights.ravel(),
        }
    )
    return table.dropna(subset=["before", "after"], how="all", ignore_index=True)


def bias_only(
    subject: Subject,
    text: str = "",
    *,
    length: int | None = None,
    seed_index: int = 0,
    alone: bool = True,
    dtype: Precision = "fp32",
) -> pd.DataFrame:
    """Measure whether an adapter only scales attention among the content and adds a bias.

    One row per attention layer, means over heads and queries: `share` of attention that goes to
    the prefix, largest `content_drift` of the pattern, largest `residual` from the theory of
    arXiv:2310.19698, how far outputs `moved`, and the length of the bias (`bias_norm`).  An
    untouched base gets a random prefix of `length` positions (4), drawn with `seed_index` as its
    seed; of a trained prefix only the first `length` positions are used.  Each layer has the
    adapter `alone`, or all have it.  `dtype` is fp32, fp64 or bf16.  Without a text the first test
    example of the run's task is read.

    >>> import peftcore
    >>> base = peftcore.load_base("tiny-bert", device="cpu")
    >>> table = peftcore.bias_only(base, "the cat sees the dog", length=4)
    >>> bool(table["residual"].max() < 1e-4)
    True
    """
    from peftcore.labs.attention.layer_probe import ProbeOptions, example_for, random_prefix
    from peftcore.models.base_model import BaseModel

    adapted, task, read = adapted_of(subject), own_task(subject), length
    if isinstance(subject, str | BaseModel) and not task:
        adapted, read = random_prefix(adapted.base, length or 4, seed_index), None
        seed_index = 0  # the only one of a random prefix
    if not task:
        text = text or "the cat sees the dog"
    example = example_for(task, adapted, text or None, seed_index)
    switches = ProbeOptions(alone, length=read)
    return layer_table(compare_layers(adapted, example, switches, dtype, seed_index=seed_index))


def own_task(subject: Subject) -> str:
    """The task a run was trained on; empty for bases."""
    if isinstance(subject, TrainedAdapter):
        return subject.run.spec.task
    if (
        isinstance(subject, str)
        and subject not in catalog.base_names()
        and RUN_ID.fullmatch(subject)
    ):
        return RunStore().open(subject).spec.task
    return ""


def compare_layers(
    adapted: AdaptedModel,
    example: Example,
    switches: ProbeOptions,
    dtype: Precision = "fp32",
    *,
    sites: Sequence[str] = (),
    seed_index: int = 0,
) -> dict[str, LayerComparison]:
    """Each attention block, all unless named, beside itself without the adapter, by path."""
    from peftcore.labs.attention.layer_probe import LayerProbe, probe_layers

    chosen = sites or [site.path for site in adapted.base.structure.attention_blocks]
    return probe_layers(LayerProbe(adapted, dtype), example, chosen, switches, seed_index)


def layer_table(layers: Mapping[str, LayerComparison]) -> pd.DataFrame:
    """Layers in numbers, one row each."""
    return pd.DataFrame([layer_row(path, layer) for path, layer in layers.items()])


def layer_row(path: str, layer: LayerComparison) -> dict[str, Any]:
    """A layer in numbers: means over heads and queries, and largest errors."""
    heads = [layer.summarize_head(number) for number in range(len(layer.before))]

    def mean(name: str) -> float:
        return float(sum(getattr(head, name) for head in heads) / len(heads))

    return {
        "path": path,
        "length": layer.length,
        "content_drift": layer.content_drift,
        "residual": layer.residual,
        "pattern_residual": float(layer.pattern_error.max()),
        "output_residual": float(layer.output_error.max()),
        "share": mean("share"),
        "moved": mean("moved"),
        "bias_norm": mean("bias_norm"),
    }
