"""Records the first pictures of the runs that ship with the bases that ship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from peftcore import tasks
from peftcore.adapters.no_adapter import unadapted_model
from peftcore.labs.attention.capture import capture_attention
from peftcore.labs.attention.first_pictures import (
    BASE_PREFIX,
    EXAMPLE,
    SEED,
    FirstPicture,
    comparable_runs,
    opening_layer,
    works_inside_attention,
    write,
)
from peftcore.labs.attention.layer_probe import LayerProbe, ProbeOptions, probe_layers
from peftcore.models.base_model import load
from peftcore.runs.store import Run, RunStore
from peftcore.training.checkpoint import load_adapter

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.data.task import Example
    from peftcore.models.base_model import BaseModel


def shipped_runs() -> list[Run]:
    """Return the demo runs, in the order in which pages list them."""
    return [run for run in RunStore().all() if run.folder.parent == RunStore().demo_folder]


def write_first_pictures(folder: Path) -> Iterator[Path]:
    """Record every demo run, and its base on the same examples; yield what is written."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = shipped_runs()
    for name in dict.fromkeys(run.spec.base for run in runs):
        base = load(name)
        of_base = [run for run in runs if run.spec.base == name]
        subjects = [record_base(base, task) for task in dict.fromkeys(r.spec.task for r in of_base)]
        for each in (*subjects, *(record_run(run, base, runs) for run in of_base)):
            if path := write(each, folder):
                yield path


def record_base(base: BaseModel, task: str) -> FirstPicture:
    """Record an untouched base."""
    return _record(f"{BASE_PREFIX}{base.name}", unadapted_model(base), task)


def record_run(run: Run, base: BaseModel, runs: Sequence[Run]) -> FirstPicture:
    """Record a run, and where it works inside attention layers one of them in detail."""
    adapted = load_adapter(run, base)
    picture = _record(run.id, adapted, run.spec.task)
    if not works_inside_attention(run.spec.method):
        return picture
    path = opening_block(run, base)
    inside = [other for other in runs if works_inside_attention(other.spec.method)]
    compared = [run, *comparable_runs(run, inside)[:1]]
    example = _example(run.spec.task)
    comparisons = {
        each.id: probe_layers(
            LayerProbe(load_adapter(each, base)), example, [path], ProbeOptions(), SEED
        )[path]
        for each in compared
    }
    return replace(picture, block_path=path, comparisons=comparisons)


def opening_block(run: Run, base: BaseModel) -> str:
    """Return the path of the attention block that Limits opens on."""
    blocks = base.structure.attention_blocks
    kind, layer = opening_layer(run, Counter(block.attention_kind for block in blocks))
    return next(b.path for b in blocks if (b.attention_kind, b.layer) == (kind, layer))


def _record(subject: str, adapted: AdaptedModel, task: str) -> FirstPicture:
    example = _example(task)
    patterns = capture_attention(adapted, example, SEED)
    return FirstPicture(subject, adapted.base.name, task, example.source, example.target, patterns)


def _example(task: str) -> Example:
    return tasks.find_task(task).load("test")[EXAMPLE]
