"""Answers with atoms removed, scaled or put together, beside the answers without that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peftcore.errors import BadInput
from peftcore.jobs.background import AdapterRef
from peftcore.labs.atoms import request
from peftcore.runs.store import Run, RunStore

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.analysis.sparsity import Array
    from peftcore.labs.atoms.dictionary import Dictionary
    from peftcore.models.base_model import BaseModel

ALL, NONE = "all atoms", "no atoms (the base)"


def opened(run: Run, base: BaseModel | None = None) -> Dictionary:
    """The atoms of a run on its base, loaded unless it is given."""
    from peftcore.labs.atoms.dictionary import Dictionary
    from peftcore.models.base_model import load
    from peftcore.training.checkpoint import load_adapter

    return Dictionary(load_adapter(run, base or load(run.spec.base)))


def changed(run_id: str, seed: int, atoms: Sequence[str], gain: float, text: str) -> dict[str, str]:
    """Answers of one seed with all atoms, with some at another gain, and with none."""
    run = RunStore().open(run_id)
    found = opened(run)
    numbers = [request.named(atom, found.sites, found.each) for atom in atoms]
    told = with_gains(run, found, seed, dict.fromkeys(numbers, gain), text)
    words = "without" if gain == 0 else f"{gain:g} times"
    return dict(zip((ALL, f"{words} {', '.join(atoms)}", NONE), told, strict=True))


def with_gains(
    run: Run, found: Dictionary, seed: int, gains: dict[int, float], text: str
) -> list[str]:
    """Answers of one seed to a text: all atoms as they are, some at these gains, none at all."""
    import torch

    if not 0 <= seed < found.seeds:
        raise BadInput(f"seed must lie in [0, {found.seeds - 1}]; got {seed}")
    points = torch.stack([torch.ones(found.size), torch.ones(found.size), torch.zeros(found.size)])
    for number, gain in gains.items():
        points[1, number] = gain
    return [each[0] for each in answers_with(run, found, seed, points, [text])]


def answers_with(
    run: Run, found: Dictionary, seed: int, gains: Tensor, texts: Sequence[str]
) -> list[list[str]]:
    """What one seed at each of several gains (p, …) answers to texts."""
    import torch

    from peftcore import tasks
    from peftcore.models.batching import Encoder
    from peftcore.training import planning, predict

    task = tasks.find(run.spec.task)
    encoder = Encoder(found.base, task.labels, planning.prompt_length(run.spec, found.base))
    rows = [predict.typed_example(text) for text in texts]
    with torch.inference_mode():
        told = found.evaluator(seed, rows, encoder).answers(
            gains, task, run.spec.evaluation, lambda: False
        )
    return [[answer.text for answer in each] for each in told]


def combined(
    names: Sequence[str],
    text: str,
    shares: tuple[float, float] = (1.0, 1.0),
    opened_runs: Sequence[Dictionary] = (),
) -> dict[str, str]:
    """Answers to a text with two runs' atoms at these shares, with each alone, and with none."""
    from peftcore.labs.atoms import dictionary

    if len(names) != 2:
        raise BadInput(f"two runs are combined, as RUN or RUN/SEED; got {len(names)}")
    parts = [AdapterRef.parse(name) for name in names]
    runs = [RunStore().open(part.run) for part in parts]
    held = list(opened_runs)
    if not held:
        first = opened(runs[0])
        held = [first, opened(runs[1], first.base if same_base(*runs) else None)]
    for part, each in zip(parts, held, strict=True):
        if (part.seed or 0) >= each.seeds:
            raise BadInput(f"seed must lie in [0, {each.seeds - 1}]; got {part.seed}")
    both = dictionary.joined(held[0], held[1], (parts[0].seed or 0, parts[1].seed or 0))
    gains = dictionary.shares(both, held[0].each, [shares, (1, 0), (0, 1), (0, 0)])
    told = [each[0] for each in answers_with(runs[0], both, 0, gains, [text])]
    words = f"both, {shares[0]:g} and {shares[1]:g} times"
    return dict(zip((words, "first alone", "second alone", NONE), told, strict=True))


def same_base(one: Run, other: Run) -> bool:
    """Whether two runs rest on a base of the same name."""
    return one.spec.base == other.spec.base


@dataclass(frozen=True)
class SiteReading:
    """What one matrix's atoms did at every token: tokens (t), coefficients (t, m)."""

    site: str
    tokens: tuple[str, ...]
    codes: Array


@dataclass(frozen=True)
class Reading:
    """A text, what was answered to it, and the coefficients of every site on the way."""

    answer: str
    sites: tuple[SiteReading, ...]


def coefficients(run: Run, found: Dictionary, seed: int, text: str) -> Reading:
    """Coefficients while one seed reads a text and writes its own answer."""
    from dataclasses import replace

    import numpy as np
    import torch

    from peftcore import tasks
    from peftcore.labs.atoms import dictionary
    from peftcore.models.batching import Encoder
    from peftcore.training import predict

    if not 0 <= seed < found.seeds:
        raise BadInput(f"seed must lie in [0, {found.seeds - 1}]; got {seed}")
    ((answer,),) = answers_with(run, found, seed, torch.ones(1, found.size), [text])
    read = replace(predict.typed_example(text), target=answer)
    encoder = Encoder(found.base, tasks.find(run.spec.task).labels)
    sites = []
    for place, site in enumerate(found.sites):
        told = dictionary.tokens(found, seed, read, encoder, place)
        words = tuple(token.text for token in told)
        sites.append(SiteReading(site, words, np.stack([token.codes for token in told])))
    return Reading(answer, tuple(sites))
