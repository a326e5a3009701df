"""What the Toys page shows, in sentences computed from its results and from one head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from app.figures.toys import adaptation_title
from app.labs.toys.cache import ResultSource
from app.ui.frame import provenance
from app.ui.widgets import escape_markdown
from peftcore.analysis import change_sentences, judgement
from peftcore.analysis.comparison import paired_difference
from peftcore.labs.toys.recipes import SOURCE, TASKS, Recipe, Stage, find_recipe
from peftcore.labs.toys.request import ToyRequest
from peftcore.labs.toys.results import (
    ResultRow,
    StageResult,
    completed_stages,
    elicited_in_words,
)

Cells = Mapping[tuple[str, str], ResultRow]  # by adaptation and task
COMPARED = {  # by experiment: what is judged against what, each an adaptation and a task
    "01": (("prefix: descending", "descending"), ("fine-tuned: descending", "descending")),
    "04": (("prefix: histogram", "histogram"), ("rank-1 LoRA: histogram", "histogram")),
}
NAMED = {  # by experiment: the form of its sentence, and the cells whose scores it takes
    "01": (
        "Sorting the other way round: fine-tuning gets {1} of answers right, a prefix {0}.",
        COMPARED["01"],
    ),
    "02": (
        "A prefix picks one of four skills that the base mixes up: {0} right for sorting up, {1} "
        "for sorting down, {2} for adding one, {3} for adding two.",
        tuple((f"prefix: {task}", task) for task in ("ascending", "descending", "add1", "add2")),
    ),
    "03": (
        "A prefix reaches {0} of a skill that the base has seen, {1} of a composition of two, and "
        "{2} of counting.",
        (
            ("prefix: ascending", "ascending"),
            ("prefix: ascending_add1", "ascending_add1"),
            ("prefix: histogram", "histogram"),
        ),
    ),
    "04": (
        "Counting, with equally many trainable parameters: rank-1 LoRA gets {1} right, a prefix "
        "{0}.",
        COMPARED["04"],
    ),
}
ELICITING = "02"  # the experiment whose skills the base has
LAST_PART = 1 / 6  # of the steps, over which curves should be flat
POOR_START = 2.0  # times the loss of the start that was kept
FAR_FROM_PAPER = 15.0  # points from which a score here says something else than the paper's


def experiment_finding(number: str, rows: Sequence[ResultRow]) -> str:
    """What came out; empty while one of the trainings it speaks of is missing."""
    cells = _cells(rows)
    form, named = NAMED[number]
    if any(key not in cells for key in named):
        return ""
    return form.format(*(_percent(cells[key]) for key in named))


def experiment_guard(number: str, rows: Sequence[ResultRow]) -> str:
    """The verdict between two adaptations where there is one, and what a constant reaches."""
    cells, parts = _cells(rows), []
    if number in COMPARED and all(key in cells for key in COMPARED[number]):
        one, other = COMPARED[number]
        first, second = (dict(enumerate(cells[key].seeds)) for key in (other, one))
        gap = paired_difference(first, second, (-100.0, 100.0))
        verdict = change_sentences.change_in_words(gap, ".1f", judgement.DEFAULT_MARGIN)
        names = (key[0].partition(":")[0] for key in (one, other))
        parts.append("{} against {}, in points: ".format(*names).capitalize() + verdict)
    if number == ELICITING:
        parts += filter(None, [elicited_in_words(rows).capitalize()])
    constant = next((row.constant for row in rows if row.constant is not None), None)
    if constant is not None:
        parts.append(f"always giving one answer gets {constant:.1f} % of counting")
    parts.append("intervals are about other seeds on the same test sequences")
    return escape_markdown(" · ".join(parts))


def training_note(trained: Sequence[tuple[Stage, StageResult]]) -> str:
    """How adaptations with several starts were trained, what starts matter, whether it was flat."""
    first = trained[0][0]
    losses = [seed for _, result in trained for seed in result.start_losses]
    poor = sum(max(seed) > POOR_START * min(seed) for seed in losses)
    falling = ", falling to nothing" if first.falling else ""
    return (
        f"Each adaptation has {first.starts} starts for every seed, trained side by side on the "
        f"same sequences; the one with the lowest training loss is kept. {first.steps:,} steps at "
        f"a rate of {first.rate:g}{falling}. In {poor} of {len(losses)} cases another start ends "
        f"at over {POOR_START:g} times the loss that was kept. {_flatness(trained)}"
    )


def _flatness(trained: Sequence[tuple[Stage, StageResult]]) -> str:
    """How much the share right in training still rises at the end, at most over adaptations."""
    rises = {}
    for stage, result in trained:
        if not result.right:
            return ""
        before = [values for step, values in result.right if step <= stage.steps * (1 - LAST_PART)]
        rises[stage.name] = float(np.mean(result.right[-1][1]) - np.mean(before[-1]))
    name = max(rises, key=lambda each: rises[each])
    return (
        "Over the last sixth of the steps the mean share right in training rises by at most "
        f"{rises[name]:.1f} points ({adaptation_title(name)})."
    )


def paper_note(here: Recipe, rows: Sequence[ResultRow]) -> str:
    """Where these scores are far from the paper's, and how much smaller these models are."""
    far = [
        f"{adaptation_title(row.adaptation)}: {row.paper:.1f} % there, {row.mean:.1f} % here"
        for row in rows
        if row.paper is not None
        and abs(row.mean - row.paper) > FAR_FROM_PAPER
        and row.adaptation.endswith(f": {row.task}")
    ]
    if not far:
        return ""
    full = find_recipe(here.number, "full")
    steps, full_steps = (sum(stage.steps for stage in each.stages) for each in (here, full))
    return (
        f"**Not the paper's figures.** {escape_markdown('; '.join(far))}. The paper's models are "
        f"{full.shape.width} wide and read {full.shape.length} digits, and all their trainings "
        f"take {full_steps:,} steps; these are {here.shape.width} wide, read {here.shape.length} "
        f"digits and take {steps:,}. What a prefix cannot learn here it may learn there. "
        f"Paper: {SOURCE}."
    )


def _cells(rows: Sequence[ResultRow]) -> Cells:
    return {(row.adaptation, row.task): row for row in rows}


def _percent(row: ResultRow) -> str:
    if row.groups is None:
        return f"{row.mean:.1f} %"
    return f"{row.groups.above} of {row.groups.n} seeds above {row.groups.threshold:g} %"


def quiet_line(source: ResultSource) -> str:
    """What the scores rest on, and the command that makes them."""
    stages = completed_stages(source.folder, source.recipe, source.seeds)
    shape, seeds = source.recipe.shape, len(source.seeds)
    missing = len(source.recipe.stages) - len(stages)
    asked = {"number": source.recipe.number, "size": source.recipe.size, "seeds": seeds}
    command = " ".join(ToyRequest.make(asked | {"first_seed": source.seeds[0]}).command())
    return provenance(
        f"n = {stages[0][1].tested:,} test sequences",
        f"{seeds} seed{'s' * (seeds > 1)}, each with a pretraining of its own",
        f"{shape.layers} layer{'s' * (shape.layers > 1)}, {shape.heads} "
        f"head{'s' * (shape.heads > 1)}, width {shape.width}",
        f"weights {stages[-1][1].key[:8]}",
        f"{missing} trainings are not there yet" if missing else "",
        "fp32",
        command=command,
    )


def among_digits(weights: np.ndarray, pads: int) -> np.ndarray:
    """Leave the positions in front out of (q, m + k) and scale each row to one again: (q, k)."""
    content = weights[:, pads:]
    scaled: np.ndarray = content / content.sum(1, keepdims=True)
    return scaled


def pattern_note(weights: Mapping[str, np.ndarray], pads: int, layer: int) -> str:
    """How far each adaptation moves what the digits get of a head, from what it was before."""
    first, *others = weights
    before = among_digits(weights[first], pads)
    changes = {
        name: float(np.abs(among_digits(weights[name], pads) - before).max()) for name in others
    }
    words = "; ".join(
        f"**{escape_markdown(adaptation_title(name))}**: largest change {change:.2g}"
        for name, change in changes.items()
    )
    where = (
        "In the first layer a prefix cannot do otherwise: it takes a share of each row and leaves "
        "what is left in its old proportions"
        if layer == 0
        else "In later layers a prefix also changes what is read, so proportions may move"
    )
    return f"Among the digits, against the pretrained model: {words}. {where}."


def task_of(adaptation: str) -> str:
    """Return the task an adaptation was trained on, by its name; empty for the pretraining."""
    task = adaptation.partition(": ")[2]
    return task if task in TASKS else ""
