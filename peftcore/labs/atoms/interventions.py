"""Answers texts with atoms removed, scaled or joined, and without that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.jobs.background import AdapterRef
from peftcore.labs.atoms import dictionary, request
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.models.base_model import BaseModel, load
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.store import Run, RunStore
from peftcore.training import planning, predict
from peftcore.training.checkpoint import load_adapter

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.analysis.sparsity import Array

ALL_ATOMS, NO_ATOMS = "all atoms", "no atoms (the base)"


def load_atoms(run: Run, base: BaseModel | None = None) -> AtomDictionary:
    """Load the atoms of a run, with its base unless that is passed in."""
    return AtomDictionary(load_adapter(run, base or load(run.spec.base)))


def answers_with_changed_atoms(
    run_id: str, seed: int, atoms: Sequence[str], gain: float, text: str
) -> dict[str, str]:
    """Answer a text by one seed with all atoms, with some at another gain, and with none."""
    run = RunStore().open(run_id)
    atom_dict = load_atoms(run)
    atom_numbers = [
        request.parse_atom(atom, atom_dict.sites, atom_dict.atoms_per_site) for atom in atoms
    ]
    answers = answers_with_gains(run, atom_dict, seed, dict.fromkeys(atom_numbers, gain), text)
    label = "without" if gain == 0 else f"{gain:g} times"
    return dict(zip((ALL_ATOMS, f"{label} {', '.join(atoms)}", NO_ATOMS), answers, strict=True))


def answers_with_gains(
    run: Run, atom_dict: AtomDictionary, seed: int, gains: dict[int, float], text: str
) -> list[str]:
    """Answer a text by one seed: all atoms as they are, some at these gains, none at all."""
    import torch

    if not 0 <= seed < atom_dict.seeds:
        raise BadInput(f"seed must lie in [0, {atom_dict.seeds - 1}]; got {seed}")
    points = torch.stack(
        [torch.ones(atom_dict.size), torch.ones(atom_dict.size), torch.zeros(atom_dict.size)]
    )
    for atom_number, gain in gains.items():
        points[1, atom_number] = gain
    return [
        point_answers[0] for point_answers in answers_at_gains(run, atom_dict, seed, points, [text])
    ]


def answers_at_gains(
    run: Run, atom_dict: AtomDictionary, seed: int, gains: Tensor, texts: Sequence[str]
) -> list[list[str]]:
    """Answer texts by one seed at each row of gains (p, a): p lists of answers."""
    import torch

    task = tasks.task_of(run.spec)
    batcher = ExampleBatcher(
        atom_dict.base, task.labels, planning.prompt_length(run.spec, atom_dict.base)
    )
    rows = [predict.typed_example(text) for text in texts]
    with torch.inference_mode():
        answers = atom_dict.evaluator(seed, rows, batcher).answers(gains, task, run.spec.evaluation)
    return [[answer.text for answer in point_answers] for point_answers in answers]


def answers_with_joined_atoms(
    run_names: Sequence[str],
    text: str,
    shares: tuple[float, float] = (1.0, 1.0),
    loaded: Sequence[AtomDictionary] = (),
) -> dict[str, str]:
    """Answer a text with two runs' atoms at these shares, with each alone, and with none."""
    if len(run_names) != 2:
        raise BadInput(f"two runs are combined, as RUN or RUN/SEED; got {len(run_names)}")
    adapter_refs = [AdapterRef.parse(name) for name in run_names]
    runs = [RunStore().open(part.run) for part in adapter_refs]
    dictionaries = list(loaded)
    if not dictionaries:
        first_dictionary = load_atoms(runs[0])
        dictionaries = [
            first_dictionary,
            load_atoms(runs[1], first_dictionary.base if same_base(*runs) else None),
        ]
    for part, atom_dict in zip(adapter_refs, dictionaries, strict=True):
        if (part.seed or 0) >= atom_dict.seeds:
            raise BadInput(f"seed must lie in [0, {atom_dict.seeds - 1}]; got {part.seed}")
    joined = dictionary.join_dictionaries(
        dictionaries[0], dictionaries[1], (adapter_refs[0].seed or 0, adapter_refs[1].seed or 0)
    )
    gains = dictionary.joined_gains(
        joined, dictionaries[0].atoms_per_site, [shares, (1, 0), (0, 1), (0, 0)]
    )
    answers = [atom_dict[0] for atom_dict in answers_at_gains(runs[0], joined, 0, gains, [text])]
    label = f"both, {shares[0]:g} and {shares[1]:g} times"
    return dict(zip((label, "first alone", "second alone", NO_ATOMS), answers, strict=True))


def same_base(first: Run, second: Run) -> bool:
    """Return whether two runs rest on a base of the same name."""
    return first.spec.base == second.spec.base


@dataclass(frozen=True)
class SiteCodes:
    """The coefficients (t, m) of one matrix's atoms at every token."""

    site: str
    tokens: tuple[str, ...]
    codes: Array


@dataclass(frozen=True)
class AnswerCodes:
    """The answer to a text, and the coefficients of every site while it was written."""

    answer: str
    sites: tuple[SiteCodes, ...]


def codes_of_answer(run: Run, atom_dict: AtomDictionary, seed: int, text: str) -> AnswerCodes:
    """Read the coefficients while one seed reads a text and writes its own answer."""
    from dataclasses import replace

    import numpy as np
    import torch

    if not 0 <= seed < atom_dict.seeds:
        raise BadInput(f"seed must lie in [0, {atom_dict.seeds - 1}]; got {seed}")
    ((answer,),) = answers_at_gains(run, atom_dict, seed, torch.ones(1, atom_dict.size), [text])
    example = replace(predict.typed_example(text), target=answer)
    batcher = ExampleBatcher(atom_dict.base, tasks.task_of(run.spec).labels)
    site_codes = []
    for site_index, site in enumerate(atom_dict.sites):
        tokens = dictionary.token_codes(atom_dict, seed, example, batcher, site_index)
        texts = tuple(token.text for token in tokens)
        site_codes.append(SiteCodes(site, texts, np.stack([token.codes for token in tokens])))
    return AnswerCodes(answer, tuple(site_codes))
