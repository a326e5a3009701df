"""`evaluate RUN`: a finished run asked another task, split, table or template."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from peftcore.analysis import comparability, judgement, run_tables
from peftcore.api.results import main_metric
from peftcore.cli import app, options, run_scores
from peftcore.errors import BadInput
from peftcore.jobs.worker import resolve_device
from peftcore.labs.evaluation.request import EvaluatedRun, EvaluationJob, EvaluationRequest
from peftcore.system import printing
from peftcore.system.option_groups import grouped


@dataclass(frozen=True)
class Asked:
    """The examples that finished runs are asked, and how each reads."""

    task: Annotated[str, typer.Option(help="Task or table; empty: the run's own.")] = ""
    split: Annotated[str, typer.Option(help="validation or test.")] = "test"
    limit: Annotated[int, typer.Option(help="Most examples answered, drawn balanced.")] = 200
    template: Annotated[
        str, typer.Option(help="How an example reads, with {1}, {2} where its texts go.")
    ] = ""


@app.command()
@grouped
def evaluate(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of finished runs.")],
    asked: Asked,
    data: options.Data = None,
    device: options.Device = "auto",
    as_json: printing.AsJson = False,
) -> None:
    """Let finished runs answer other examples: any task, split, table, template or limit.

    The runs stay as they are; answers and scores are kept in the workspace, and what was asked
    before is only printed. Several runs are judged pair by pair.
    """
    options.use_data(data)
    found = [_evaluate(run, asdict(asked), device) for run in dict.fromkeys(runs)]
    pairs = _verdicts(found)
    value: dict[str, Any] = {
        "evaluations": [_value(each) for each in found],
        "verdicts": pairs,
    }

    def lines() -> Iterator[str]:
        for each in value["evaluations"]:
            head = f"run {each['run']} on {each['task']}, {each['split']}, {each['items']} examples"
            yield f"{head}; kept as {each['evaluation']}"
            yield from run_scores.score_lines(each["scores"])
        yield from (f"{row['in_words']}." for row in pairs)

    printing.print_result(value, as_json, lines)


def _evaluate(run: str, asked: Mapping[str, Any], device: str) -> EvaluatedRun:
    """Evaluate one run unless that was done before."""
    job = EvaluationJob.create(EvaluationRequest.make({"runs": (run,), **asked}))
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    with printing.job_bar(f"evaluating {run}") as report:
        from peftcore.labs.evaluation.compute import run_evaluation_job  # loads torch

        run_evaluation_job(job, device=resolve_device(device), report=report)
    found = job.result()
    if found is None:
        raise BadInput(f"the evaluation of run {run} was stopped; the same command goes on")
    return found


def _value(found: EvaluatedRun) -> dict[str, Any]:
    """Return one evaluation as it is printed."""
    spec, facts = found.spec, found.job.facts
    return {
        "run": found.id,
        "evaluation": found.job.id,
        "task": spec.task,
        "trained_on": found.run.spec.task,
        "split": spec.evaluation.split,
        "template": found.job.request.template,
        "items": facts.get("items"),
        "data_hash": facts.get("data_hash"),
        "may_have_chosen_the_step": facts.get("chosen_on"),
        "scores": run_scores.scores_with_intervals(found, "this task"),
    }


def _verdicts(found: list[EvaluatedRun]) -> list[dict[str, Any]]:
    """Judge every pair by the task's first metric; BadInput where they must not be compared."""
    if len(found) < 2:
        return []
    if reasons := comparability.reasons_not_comparable(found, across_bases=True):
        raise BadInput(" ".join(reasons))
    metric = main_metric(found[0].spec.task, found[0].scores())
    tables = {each.id: run_tables.table_of_run(each, metric) for each in found}
    judged = judgement.judge({k: t for k, t in tables.items() if t is not None}, metric)
    names = {each.id: f"{each.run.spec.method} {each.id}" for each in found}
    return [
        row | {"in_words": judgement.pair_in_words(row, names, metric, judged.margin)}
        for one, other in itertools.combinations(judged.tables, 2)
        for row in [judged.between(one, other)]
    ]
