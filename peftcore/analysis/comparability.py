"""Decide which runs may be compared: what they must share, why some may not, what helps.

Scores are comparable only if the same question was asked of the same data. The method, its
settings, the optimiser and the number of steps may differ: they are what is compared, and `caveats`
names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from peftcore.runs.by_spec import remembered
from peftcore.runs.spec import Evaluation, RunSpec

SCORERS = ("sacrebleu", "rouge-score", "scikit-learn", "bert-score")  # versions that move a metric


class Comparable(Protocol):
    """The parts of a run that decide whether it may be compared."""

    @property
    def id(self) -> str:
        """Id of the run."""

    @property
    def spec(self) -> RunSpec:
        """Spec of the run."""

    def manifest(self) -> dict[str, Any]:
        """Return what the run was made from: data hash, base fingerprint, versions."""


R = TypeVar("R", bound=Comparable)


@dataclass(frozen=True)
class Requirement:
    """A property that runs must agree on: its name, a run's value, and what helps."""

    name: str
    value: str
    remedy: str
    part_of: str = ""  # a property whose disagreement implies this one


def requirements(run: Comparable, *, across_bases: bool = False) -> list[Requirement]:
    """List all that a run must share with another before their scores are comparable.

    Another base is another question, so bases and their weights must agree unless asked otherwise.
    """
    asked, manifest = _asked(run.spec), run.manifest()
    data = str(manifest.get("data_hash") or "not recorded")
    weights = str((manifest.get("base") or {}).get("fingerprint") or "not recorded")
    of_weights = Requirement(
        "weights of the base", weights, "train again on the weights you have", "base"
    )
    return [
        asked["task"],
        Requirement("data", data, "train again on one state of the data", "task"),
        *([] if across_bases else (asked["base"], of_weights)),
        *(term for name, term in asked.items() if name not in ("task", "base")),
        Requirement("scoring packages", _scorers(manifest), "score all runs with one version"),
    ]


@remembered
def _asked(spec: RunSpec) -> dict[str, Requirement]:
    """Return by name the requirements that the spec alone decides."""
    training, evaluation = spec.training, spec.evaluation
    seed_numbers = spec.population.seed_numbers()
    again = "train the missing runs with equal settings"
    terms = [
        Requirement("task", spec.task, "choose runs of one task"),
        Requirement("base", spec.base, "choose runs on one base, or compare across bases"),
        Requirement("training examples of a seed", str(training.shots), again),
        Requirement("validation examples of a seed", str(training.dev), again),
        Requirement(
            "seeds", f"{seed_numbers[0]} to {seed_numbers[-1]}", f"{again}, seeds included"
        ),
        Requirement("split that was answered", evaluation.split, again),
        Requirement("limit of answered examples", str(evaluation.limit), again),
        Requirement("protocol of evaluation", evaluation.protocol, again),
        Requirement("decoding", _decoding(evaluation), again),
    ]
    return {term.name: term for term in terms}


def _decoding(evaluation: Evaluation) -> str:
    """Describe how answers were decoded."""
    beams = "1 beam" if evaluation.beams == 1 else f"{evaluation.beams} beams"
    return (
        f"{beams}, answers of at most {evaluation.max_new_tokens or 'the usual number of'} tokens"
    )


def _scorers(manifest: Mapping[str, Any]) -> str:
    """Describe the versions of the scoring libraries."""
    versions = manifest.get("versions") or {}
    known = [f"{name} {versions[name]}" for name in SCORERS if name in versions]
    return ", ".join(known) or "not recorded"


def reasons_not_comparable(
    runs: Sequence[Comparable],
    *,
    across_bases: bool = False,
    names: Mapping[str, str] | None = None,
) -> list[str]:
    """List reasons not to compare these runs, a sentence each with what helps.

    `names` gives the runs' names in the sentences, by id.
    """
    run_names = [(names or {}).get(run.id, run.id) for run in runs]
    columns = zip(*(requirements(run, across_bases=across_bases) for run in runs), strict=True)
    split = [column for column in columns if len({term.value for term in column}) > 1]
    disagreeing = {column[0].name for column in split}
    return [_reason(run_names, column) for column in split if column[0].part_of not in disagreeing]


def _reason(run_names: Sequence[str], column: Sequence[Requirement]) -> str:
    """Describe in a sentence a property on which not all runs agree."""
    groups: dict[str, list[str]] = {}
    for name, term in zip(run_names, column, strict=True):
        groups.setdefault(term.value, []).append(name)
    sides = ", ".join(f"{value} in {' and '.join(who)}" for value, who in groups.items())
    return f"Not the same {column[0].name}: {sides}; {column[0].remedy}."


def comparable_groups(runs: Iterable[R], *, across_bases: bool = False) -> list[list[R]]:
    """Group runs that may be compared, in the order of their first members."""
    groups: dict[tuple[str, ...], list[R]] = {}
    for run in runs:
        key = tuple(term.value for term in requirements(run, across_bases=across_bases))
        groups.setdefault(key, []).append(run)
    return list(groups.values())


ALLOWED_DIFFERENCES: dict[str, Callable[[RunSpec], object]] = {
    "Steps": lambda spec: spec.training.steps,
    "Examples in a step": lambda spec: spec.training.batch,
    "Optimisers": lambda spec: spec.training.optimiser,
    "Precisions": lambda spec: spec.training.precision,
    "Vertices (adapters trained together, as a simplex)": lambda spec: spec.population.vertices,
}


def caveats(runs: Sequence[Comparable], names: Mapping[str, str] | None = None) -> list[str]:
    """List differences that are allowed but that a reader should know, with their runs.

    As in "Steps differ: 60 in b, 30 in the others"; `names` gives the runs' names by id.
    """
    sentences = []
    for name, read in ALLOWED_DIFFERENCES.items():
        groups: dict[str, list[str]] = {}
        for run in runs:
            groups.setdefault(str(read(run.spec)), []).append((names or {}).get(run.id, run.id))
        if len(groups) > 1:
            sentences.append(f"{name} differ: {_sides(groups)}")
    return sentences


def _sides(groups: Mapping[str, Sequence[str]]) -> str:
    """List each value with its runs; those of the largest group, if several, are "the others"."""
    usual = max(groups, key=lambda value: len(groups[value]))
    few = [(value, who) for value, who in groups.items() if value != usual]
    phrases = [f"{value} in {' and '.join(who)}" for value, who in few]
    rest = "the others" if len(groups[usual]) > 1 else groups[usual][0]
    return ", ".join([*phrases, f"{usual} in {rest}"])
