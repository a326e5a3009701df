"""What is measured inside the runs on a real base: attention before and after, and the theorem.

Kept as one JSON file beside the runs, so that the report can be written without the base.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from peftcore import tasks
from peftcore.adapters.no_adapter import unadapted_model
from peftcore.analysis.attention import total_variation
from peftcore.experiments import real_runs
from peftcore.experiments.real_runs import MEASURES_FILE, RANDOM_PREFIX
from peftcore.labs.attention import capture
from peftcore.labs.attention.layer_probe import (
    LayerProbe,
    ProbeOptions,
    example_for,
    probe_layers,
    random_prefix,
)
from peftcore.models.base_model import load
from peftcore.runs.ship import ADAPTER_FILE
from peftcore.runs.store import Run
from peftcore.system import atomic_files
from peftcore.training.checkpoint import load_adapter

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.data.task import Example
    from peftcore.models.base_model import BaseModel

READ_EXAMPLES = 2  # test examples whose attention is compared
RANDOM_LENGTH = 4  # positions of it
THEOREM_RUNS = (2, 0)  # of REAL_RUNS: the plain prefix, and LoRA beside it


def measure_inside(folder: Path, runs: Sequence[Run]) -> dict[str, Any]:
    """Return what is measured, from the file in the folder if it is of these runs.

    Keys: `runs`, their ids; `attention`, a row for each run with its change by layer and head;
    `bias_only`, a row for each subject and layer.
    """
    stored = atomic_files.read_json(folder / MEASURES_FILE)
    ids = [run.id for run in runs]
    if stored.get("runs") == ids:
        return stored

    base = load(real_runs.BASE)
    examples = tasks.find_task(real_runs.TASK).load("test")[:READ_EXAMPLES]
    adapted = {
        run.id: load_adapter(run, base) for run in runs if (run.folder / ADAPTER_FILE).is_file()
    }
    theorem = [runs[index].id for index in THEOREM_RUNS if runs[index].id in adapted]
    measured = {
        "runs": ids,
        "attention": measure_attention(adapted, base, examples),
        "bias_only": measure_bias_only({name: adapted[name] for name in theorem}, base),
    }
    text = json.dumps(atomic_files.to_jsonable(measured))
    atomic_files.replace_file(folder / MEASURES_FILE, text.encode())
    return measured


def measure_attention(
    adapted: dict[str, AdaptedModel], base: BaseModel, examples: Sequence[Example]
) -> list[dict[str, Any]]:
    """Measure how far each run moves attention: mean total variation of each head, (l, h).

    Decoders read the example and its gold target; means over examples and seeds.
    """
    untouched = unadapted_model(base)
    before = [capture.capture_attention(untouched, example)["decoder"] for example in examples]
    rows = []
    for run_id, model in adapted.items():
        changes = [
            total_variation(earlier, capture.capture_attention(model, example, seed)["decoder"])
            for example, earlier in zip(examples, before, strict=True)
            for seed in range(model.seeds)
        ]
        mean = np.mean(changes, axis=0)
        rows.append({"run": run_id, "n": len(changes), "variation": mean.round(4).tolist()})
    return rows


def measure_bias_only(adapted: dict[str, AdaptedModel], base: BaseModel) -> list[dict[str, Any]]:
    """Measure in every layer whether a prefix only scales attention among the content.

    Subjects are a random prefix, which needs no training, and the first seed of each run.
    """
    subjects = {RANDOM_PREFIX: random_prefix(base, RANDOM_LENGTH), **adapted}
    paths = [block.path for block in base.structure.attention_blocks]
    rows = []
    for name, model in subjects.items():
        example = example_for(real_runs.TASK, model, None)
        layers = probe_layers(LayerProbe(model, "fp32"), example, paths, ProbeOptions(), 0)
        rows += [
            {
                "subject": name,
                "layer": index + 1,
                "content_drift": float(layers[path].content_drift),
                "residual": float(layers[path].residual),
                "share": round(float(layers[path].share.mean()), 4),
            }
            for index, path in enumerate(paths)
        ]
    return rows
