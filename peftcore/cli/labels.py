"""Can a base write the labels, and what does it answer by itself: `labels`, `zero-shot`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from peftcore import tasks
from peftcore.analysis.base_answers import reference_of
from peftcore.analysis.judgement import value_format
from peftcore.cli import app, options
from peftcore.data.label_words import parse_words
from peftcore.errors import BadInput
from peftcore.jobs.worker import resolve_device
from peftcore.runs import zero_shot
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import RunStore
from peftcore.system import printing
from peftcore.training import label_check


@app.command()
def labels(
    base: options.Base,
    task: options.Task,
    label_words: options.LabelWords = None,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Say whether a base can write a task's labels, in which pieces, and offer other words."""
    options.use_data(data)
    found = label_check.check_labels(base, task, parse_words(label_words or ()))
    if found is None:
        raise BadInput(
            f"{base} writes no labels of {tasks.find_task(task).title}: it is an encoder, whose "
            "head names them, its tokenizer is not at hand, or the task has no fixed labels"
        )

    def lines() -> Iterator[str]:
        yield found.in_words()
        heads = ["label", "word", "pieces"]
        rows = [(each.label, each.word, " | ".join(each.pieces)) for each in found.words]
        yield from printing.format_table(heads, rows)

    printing.print_result(found.as_values(), as_json, lines)


@app.command("zero-shot")
def ask_untouched_bases(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of finished runs.")],
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Ask the untouched bases of runs the runs' questions, in the words that suit them best.

    A run does this at its end; this is for runs of earlier versions. It is measured once for a
    base, a task and its words, and kept in the workspace.
    """
    options.use_data(data)
    store = RunStore()
    chosen = {run: store.open(run) for run in dict.fromkeys(runs)}
    value: dict[str, Any] = {}
    for run_id, run in chosen.items():
        if zero_shot.of_run(run) is None:
            _measure(run.spec, device)
        metric = tasks.find_task(run.spec.task).main_metric
        found = reference_of(zero_shot.of_run(run), metric)
        value[run_id] = found and {"metric": metric, **found.as_values()}
        if found is None:
            reason = "it has no answer that this metric counts"
            typer.echo(f"run {run_id}: nothing to compare {run.spec.base} by: {reason}", err=True)

    def lines() -> Iterator[str]:
        for run_id, run in chosen.items():
            metric = tasks.find_task(run.spec.task).main_metric
            found = reference_of(zero_shot.of_run(run), metric)
            if found is not None:
                yield f"run {run_id}: {found.in_words(value_format(metric))}"

    printing.print_result(value, as_json, lines)


def _measure(spec: RunSpec, device: str) -> None:
    """Measure what a spec's base answers by itself."""
    from peftcore.models.base_model import load
    from peftcore.training.zero_shot import measure_for_run

    task = tasks.find_task(spec.task)
    measure_for_run(spec, load(spec.base, resolve_device(device)), task)
