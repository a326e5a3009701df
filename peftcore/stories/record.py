"""Records what stories draw, from runs that ship; the only part of the stories that needs models.

The row of attention comes from a pretrained base, which must be at hand; everything else from the
bases that ship. Choices are written here once, so the same command gives the same pictures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from peftcore import tasks
from peftcore.analysis import scaling
from peftcore.errors import BadInput
from peftcore.labs.atoms import interventions
from peftcore.labs.attention.capture import example_tokens
from peftcore.labs.attention.layer_probe import LayerProbe, ProbeOptions, probe_layers
from peftcore.labs.images import atom_interventions, compute, queries, results_store
from peftcore.labs.landscape.compute import answer_at_point
from peftcore.labs.landscape.request import LandscapeJob, LandscapeRequest
from peftcore.labs.scaling import readout
from peftcore.labs.toys import results, training
from peftcore.labs.toys.digits import ANSWERS, sample_inputs
from peftcore.labs.toys.recipes import find_recipe
from peftcore.models.base_model import load
from peftcore.runs.store import Run, RunStore
from peftcore.stories import recordings
from peftcore.system import atomic_files
from peftcore.tasks.images import canvas
from peftcore.training.checkpoint import load_adapter

if TYPE_CHECKING:
    from peftcore.labs.images.queries import GeneratedImages
    from peftcore.models.base_model import BaseModel

DIGITS = 8  # significant digits of stored numbers, those of single precision
TRIANGLE_GRID = 15  # steps of the landscape along a side
EXAMPLES_TRIED = 24  # test examples among which the one with the most different answers is taken
SPREAD = 10  # rows of the landscape from one point that is tried to the next
TOY_EXPERIMENT, TOY_SEQUENCES = "01", 12


@dataclass(frozen=True)
class HeadChoice:
    """Which head is recorded, on which text; layer, head and query from 0."""

    prefix_run: str
    lora_run: str
    example: int
    layer: int
    head: int
    query: int
    tokens: int  # of the text that are kept, from its start


# The row is one where the prefix takes about half, and where LoRA changes the order of words: most
# rows of the pretrained base look at its first token alone.
HEAD = HeadChoice("d342e3768bdd", "bba6d4e04ae4", example=1, layer=22, head=1, query=9, tokens=23)
DIGIT_RUN, IMAGES = "93dab23d28d0", 8  # drawings of a prompt
SIMPLEX_RUN, PROMPT_RUN, ATOM_RUN = "adc61b838dd8", "0bdd07cc0e5c", "a804a6f73138"


def write_recordings(folder: Path, wanted: tuple[str, ...] = recordings.NAMES) -> list[Path]:
    """Write the recordings of these names into a folder."""
    makers: Mapping[str, Callable[[], dict[str, Any]]] = {
        recordings.HEAD: lambda: record_head(HEAD),
        recordings.TRIANGLE: lambda: record_triangle(SIMPLEX_RUN),
        recordings.TOY: record_toy,
        recordings.SOFT_PROMPT: lambda: record_soft_prompt(PROMPT_RUN),
        recordings.ATOMS: lambda: record_atoms(ATOM_RUN),
        recordings.DRAWN: lambda: record_digits(DIGIT_RUN),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in wanted:
        path = folder / f"{name}.json"
        text = json.dumps(_rounded(makers[name]()), ensure_ascii=False)
        atomic_files.replace_file(path, f"{text}\n".encode())
        written.append(path)
    return written


def _rounded(value: Any) -> Any:
    """Return a value for JSON, its numbers to significant digits."""
    if isinstance(value, Mapping):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(part) for part in value]
    if isinstance(value, np.ndarray):
        return _rounded(value.tolist())
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def _open(run: str) -> tuple[Run, BaseModel]:
    """Open a run with its base."""
    opened = RunStore().open(run)
    return opened, _load(opened.spec.base)


def record_head(choice: HeadChoice) -> dict[str, Any]:
    """Read a text with one layer untouched, with the prefix, and with LoRA in it alone.

    BadInput unless LoRA leaves keys alone, so that its strength moves scores along a line.
    """
    run, base = _open(choice.prefix_run)
    lora = RunStore().open(choice.lora_run)
    if "attention.key" in lora.spec.settings.get("components", ()):
        raise BadInput(f"run {lora.id} changes keys; a run that changes queries alone is needed")
    example = tasks.find_task(run.spec.task).load("test")[choice.example]
    path = [
        block.path
        for block in base.structure.attention_blocks
        if block.attention_kind != "cross" and block.attention_kind == _read_kind(base)
    ][choice.layer]
    found = [
        probe_layers(LayerProbe(load_adapter(each, base)), example, [path], ProbeOptions(), 0)[path]
        for each in (run, lora)
    ]
    head, kept = choice.head, slice(choice.tokens)
    prefixed, with_lora = found
    length = prefixed.length
    tokens = [token for side in example_tokens(base, example) for token in side]
    return {
        "base": base.name,
        "prefix_run": run.id,
        "lora_run": lora.id,
        "layer": choice.layer + 1,
        "head": choice.head + 1,
        "text": example.source,
        "tokens": [token.text.removeprefix("·") for token in tokens[kept]],
        "query": choice.query,
        "before": prefixed.before[head, kept, kept],
        "prefixed": prefixed.adapted.weights[head, kept, : length + choice.tokens],
        "value": prefixed.adapted.value[head, : length + choice.tokens],
        "lora": with_lora.after[head, kept, kept],
    }


def _read_kind(base: BaseModel) -> str:
    """Return the kind of attention in which a text is read."""
    return "decoder" if base.kind == "decoder" else "encoder"


def record_triangle(run: str) -> dict[str, Any]:
    """Answer one test example at every point of the triangle that ships.

    The example is the one of the first few that is answered in most ways.
    """
    _, base = _open(run)
    request = LandscapeRequest.make({"kind": "face", "runs": (run,), "steps": TRIANGLE_GRID})
    job = LandscapeJob.find(request)
    if job is None:
        raise BadInput(f"the landscape of run {run} over its triangle is not measured")
    table = job.table()
    rows = tasks.find_task(RunStore().open(run).spec.task).load("test")[:EXAMPLES_TRIED]
    spread = list(table["weights"])[::SPREAD]

    def differences(source: str) -> int:
        """Count the different answers at a few points of the triangle."""
        return len({answer_at_point(request, weights, base, source) for weights in spread})

    example = max(rows, key=lambda row: differences(row.source))
    answers = [answer_at_point(request, each, base, example.source) for each in table["weights"]]
    return {
        "landscape": job.id,
        "run": run,
        "source": example.source,
        "target": example.target,
        "answers": answers,
    }


def record_toy() -> dict[str, Any]:
    """Let every adaptation of the sorting transformer answer sequences kept for testing."""
    recipe, folder = find_recipe(TOY_EXPERIMENT, "cpu"), results.shipped_folder()
    stages = results.completed_stages(folder, recipe, results.SHIPPED_SEEDS)
    base_weights = results.load_weights(folder, stages[0][1].key)
    inputs = sample_inputs(
        TOY_SEQUENCES, recipe.shape.length, torch.Generator().manual_seed(0), test=True
    )
    answers = {
        stage.name: training.greedy_answers(
            recipe.shape, stage.kind, results.load_weights(folder, result.key), base_weights, inputs
        )
        for stage, result in stages
    }
    right = {task: ANSWERS[task](inputs) for task in ("ascending", "descending")}

    def digits(row: torch.Tensor) -> str:
        """Write the digits of a sequence (t,) one after another."""
        return "".join(map(str, row.tolist()))

    return {
        "experiment": TOY_EXPERIMENT,
        "rows": [
            {
                "digits": digits(inputs[n]),
                "answers": {name: digits(found[n]) for name, found in answers.items()},
                "right": {task: digits(found[n]) for task, found in right.items()},
            }
            for n in range(len(inputs))
        ],
    }


def record_soft_prompt(run: str) -> dict[str, Any]:
    """Read scales and lengths of soft tokens, and measure their gap to the words of the data."""
    opened, base = _open(run)
    found = readout.build_readout(opened, base)
    final = found.final
    gaps = readout.seed_gaps(found, base)
    return {
        "run": run,
        "seeds": list(final.seeds),
        "scale": final.scale,
        "length": np.stack([scaling.row_norms(each) for each in final.before]),
        "word_length": scaling.row_norms(found.words.vectors),
        "gaps": [
            {"seed": gap.seed, "before": asdict(gap.before), "after": asdict(gap.after)}
            for gap in gaps
        ],
    }


def record_atoms(run: str, seed: int = 0) -> dict[str, Any]:
    """Read the atoms' coefficients while a seed answers the first test example.

    The matrix is the one whose coefficients are largest.
    """
    opened, base = _open(run)
    example = tasks.find_task(opened.spec.task).load("test")[0]
    found = interventions.codes_of_answer(
        opened, interventions.load_atoms(opened, base), seed, example.source
    )
    site = max(found.sites, key=lambda each: float(np.abs(each.codes).max()))
    return {
        "run": run,
        "seed": opened.spec.population.seed_numbers()[seed],
        "site": site.site,
        "text": example.source,
        "answer": found.answer,
        "tokens": list(site.tokens),
        "codes": site.codes,
    }


def record_digits(run: str, seed: int = 0) -> dict[str, Any]:
    """Draw one prompt with fewer and fewer atoms of a run, those that earn most kept longest."""
    opened = results_store.image_store().open(run)
    base = _load(opened.spec.base)
    atoms = interventions.load_atoms(opened, base)
    order = compute.rank_run_atoms(opened, atoms, seed)
    counts = compute.kept_counts(atoms.size)
    prompt = tasks.find_task(opened.spec.task).load("test")[0].source
    gains = atom_interventions.gains_keeping_first(order, counts)
    images = queries.generate_at_gains(atoms, seed, gains, prompt, IMAGES)
    return {
        "run": run,
        "seed": opened.spec.population.seed_numbers()[seed],
        "world": queries.image_world(base.name),
        "prompt": prompt,
        "drawings": [
            {"atoms": count, **_drawing(found)} for count, found in zip(counts, images, strict=True)
        ],
    }


def _drawing(images: GeneratedImages) -> dict[str, Any]:
    """Return images as codes, with what is read in them."""
    return {
        "pictures": [canvas.picture_to_code(picture) for picture in images.pictures],
        "descriptions": list(images.descriptions),
        "alignment": images.alignment,
    }


def _load(base: str) -> BaseModel:
    """Load a base."""
    return load(base)
