"""A methods paragraph for a paper, and its references, made from specs and methods' own words.

Nothing is in it that runs, tasks, metrics and methods do not say themselves: of a paper only its
number at arXiv, since that is what the tree holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from peftcore.adapters.base import METHODS
from peftcore.analysis import best_steps
from peftcore.analysis.verdicts import LEVEL
from peftcore.metrics.scores import find_measure
from peftcore.reports.groups import GroupedRuns, RunGroup
from peftcore.reports.run_styles import method_title
from peftcore.reports.text import count, list_words, plain
from peftcore.runs.spec import Training

ARXIV = re.compile(r"arXiv:(\d{4}\.\d{4,5})")
SIMPLEX_SOURCES = ("2102.10472", "2310.15793")


def paragraphs(grouped: GroupedRuns) -> list[str]:
    """Write what was compared, how it was trained and judged: a paragraph for each."""
    parts = [_setup_sentence(group) for group in grouped.groups]
    parts.append(" ".join(_method_sentence(name) for name in _methods(grouped)))
    parts += _training_paragraphs(grouped)
    parts.append(_judgement_text(grouped))
    return parts


def _methods(grouped: GroupedRuns) -> list[str]:
    return list(dict.fromkeys(run.spec.method for run in grouped.runs))


def _setup_sentence(group: RunGroup) -> str:
    """Say task, base, data and answers of a group."""
    spec, task = group.runs[0].spec, group.task
    bases = list(dict.fromkeys(run.spec.base for run in group.runs))
    names = list(dict.fromkeys(method_title(run.spec.method) for run in group.runs))
    what = f"{plain(task.title)} ({plain(task.source_note)})" if task else plain(spec.task)
    frozen = f"the frozen base{'s' * (len(bases) > 1)} {list_words([plain(b) for b in bases])}"
    answered = group.tables(group.metric)[group.runs[0].id]
    items = f"{len(answered.items):,} " if group.has_items(group.metric) else ""
    numbers = spec.population.seeds
    measure = find_measure(group.metric)
    return (
        f"On {what} we trained {list_words([plain(name) for name in names])} on {frozen}, each "
        f"with {count(numbers, 'seed')}. A seed has its own sample of {spec.training.shots} "
        f"training and {spec.training.dev} validation examples, order and initial values; equal "
        f"seeds of two methods share the sample. Each seed answered the same {items}examples of "
        f"the {spec.evaluation.split} split with {_beams(spec.evaluation.beams)}. The measure is "
        f"{measure.title.lower()}: {measure.description[:1].lower()}{measure.description[1:]}"
    )


def _beams(beams: int) -> str:
    return "greedy search" if beams == 1 else f"{beams} beams"


def _method_sentence(method: str) -> str:
    """Say what a method is, in its own words, with its source."""
    if method not in METHODS:
        return f"{plain(method)}: not among the methods of this version."
    kind = METHODS[method]
    cited = "" if kind.source == "baseline" else f" [{kind.source}]"
    summary = kind.summary.rstrip(".")
    return f"{kind.title}{cited}: {summary[:1].lower()}{summary[1:]}."


def _training_paragraphs(grouped: GroupedRuns) -> list[str]:
    """Say how runs were trained, once for each way, with the runs' methods."""
    ways: dict[str, list[str]] = {}
    for group in grouped.groups:
        for run in group.runs:
            words = _training_words(run.spec.training)
            if run.spec.population.vertices > 1:
                cited = " and ".join(f"arXiv:{number}" for number in SIMPLEX_SOURCES)
                words += (
                    f", as a simplex of {run.spec.population.vertices} adapters trained together "
                    f"[{cited}], of which the centroid answers"
                )
            kept = best_steps.kept_by([run.spec.training])
            words += f"; of each seed the step with the {kept} was kept"
            rate = (
                f"{group.name(run.id)} {run.spec.training.learning_rate:g}"
                if (run.spec.training.learning_rate)
                else group.name(run.id)
            )
            ways.setdefault(words, []).append(plain(rate))
    return [
        f"Trained with {words}. Peak learning rates: {list_words(list(dict.fromkeys(names)))}."
        for words, names in ways.items()
    ]


def _training_words(training: Training) -> str:
    """Say the settings of training but the rate."""
    words = f"{training.optimiser} for {count(training.steps, 'step')} of {training.batch} examples"
    words += (
        f", a {training.schedule} schedule after a warm-up of {training.warmup:.0%} of the steps"
    )
    if training.weight_decay:
        words += f", weight decay {training.weight_decay:g}"
    words += f", gradients clipped at norm {training.clip:g}"
    if training.patience:
        words += f", stopped after {training.patience} evaluations without a better one"
    return words


def _judgement_text(grouped: GroupedRuns) -> str:
    """Say how intervals and verdicts are made, and for whom they hold."""
    populations = {group.population(group.metric) for group in grouped.groups}
    parts = []
    if "this task" in populations:
        parts.append(
            "Intervals are 95 % intervals for other seeds and other test examples "
            "(variance components of the table seeds × items by mean squares, Student's t with "
            "Satterthwaite's degrees of freedom, Satterthwaite 1946); items count within gold "
            "labels where every example has one of few."
        )
    if "these examples" in populations:
        parts.append(
            "Intervals for these very test examples are Student's t intervals over the seeds."
        )
    pairs = [group for group in grouped.groups if len(group.runs) > 1]
    if pairs:
        margins = dict.fromkeys(f"{group.judgement(group.metric).margin:g}" for group in pairs)
        parts.append(
            "Differences are paired by seed and item. A run is ahead or behind where the "
            f"difference is significant at {LEVEL:g}, equal where two one-sided tests "
            f"(Schuirmann 1987) tell it from the margin of {list_words(list(margins))} points "
            "(hundredths of the measure's largest value) on both sides; else the data cannot "
            "tell. Holm's correction (1979) counts all pairs of a table, for both kinds of tests."
        )
    return " ".join(parts)


def references(grouped: GroupedRuns) -> list[str]:
    """List the arXiv numbers that the paragraph cites, in its order."""
    found: list[str] = []
    for method in _methods(grouped):
        if method in METHODS:
            found += ARXIV.findall(METHODS[method].source)
    if any(run.spec.population.vertices > 1 for run in grouped.runs):
        found += SIMPLEX_SOURCES
    return list(dict.fromkeys(found))


def bibtex(numbers: Sequence[str]) -> str:
    """Write an entry for each arXiv number, to be completed from the preprint's own page."""
    return "\n".join(
        f"@misc{{arxiv{number.replace('.', '')},\n  eprint = {{{number}}},\n"
        f"  archivePrefix = {{arXiv}},\n  url = {{https://arxiv.org/abs/{number}}}\n}}"
        for number in numbers
    )
