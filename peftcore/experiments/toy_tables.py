"""The table of toys in their README, and what it comes to, written from what ships."""

from __future__ import annotations

from collections.abc import Iterator

from peftcore.labs.toys import results
from peftcore.labs.toys.recipes import TITLES, Recipe, find_recipe
from peftcore.labs.toys.results import ResultRow, StageResult

HEADS = (
    "experiment",
    "model",
    "tested on",
    "numbers trained",
    "steps, rate, starts",
    f"exact match, mean of {len(results.SHIPPED_SEEDS)} seeds (95 % t)",
    "paper, full size",
)


def toys_block() -> str:
    """Write every shipped cell as Markdown, and how many pretrained models reach each skill."""
    lines, notes = [HEADS, ("---",) * len(HEADS)], []
    for number in TITLES:
        recipe = find_recipe(number, "cpu")
        lines += _lines(recipe)
        if number == "02":
            notes.append(results.elicited_in_words(_rows(recipe)))
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\nExperiment 02, {'; '.join(notes)}."


def _rows(recipe: Recipe) -> list[ResultRow]:
    return list(results.result_rows(results.shipped_folder(), recipe, results.SHIPPED_SEEDS))


def _lines(recipe: Recipe) -> Iterator[tuple[str, ...]]:
    """Yield the cells of an experiment: of an adaptation its own task, in 01 all there are."""
    stages = results.completed_stages(results.shipped_folder(), recipe, results.SHIPPED_SEEDS)
    trained = {stage.name: result for stage, result in stages}
    for row in _rows(recipe):
        if recipe.number == "01" or row.task == row.trained_on or row.adaptation == "pretrained":
            yield (
                recipe.number,
                row.adaptation,
                row.task,
                f"{row.numbers:,}",
                _training(trained[row.adaptation]),
                _score(row),
                "" if row.paper is None else f"{row.paper:.1f}",
            )


def _training(result: StageResult) -> str:
    stage = result.stage
    falling = " falling" if stage.get("falling") else ""
    return f"{stage['steps']:,}, {stage['rate']:g}{falling}, {stage.get('starts', 1)}"


def _score(row: ResultRow) -> str:
    limits = "" if row.low is None else f" ({row.low:.1f}-{row.high:.1f})"
    return f"{row.summary}{limits}"
