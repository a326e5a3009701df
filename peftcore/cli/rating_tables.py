"""Commands that split ratings: verdicts, and metrics beside automatic scores."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import pandas as pd
import typer

from peftcore import rating, tasks
from peftcore.analysis import preference
from peftcore.cli.rating import ProjectId, open_rating_store, rating_commands
from peftcore.cli.rating_results import show_tables
from peftcore.errors import BadInput, unknown_name
from peftcore.metrics import per_item
from peftcore.rating import assisted
from peftcore.system import printing

Resamples = Annotated[int, typer.Option(min=100, help="Draws of the bootstrap.")]

NO_VERDICTS_IN_PAIRS = (
    "a project of pairs has no verdict on one text; see `rating scores` and `rating export`"
)


@rating_commands.command()
def verdicts(
    project: ProjectId,
    by: Annotated[
        Literal["source", "label", "correct"],
        typer.Option(help="Whose text it is, the right label, or whether the answer is right."),
    ] = "source",
    as_json: printing.AsJson = False,
) -> None:
    """Count how often each verdict was given, and each shortcoming ticked, by run or answer."""
    rating_store, me = open_rating_store()
    mode = rating.find_project(rating_store, me, project).settings.mode
    if mode == "pairwise":
        raise BadInput(NO_VERDICTS_IN_PAIRS)
    rows = rating.scored_table(rating_store, me, project)
    rows = rows.assign(source=rating.source_names(rows["run"], rows["method"]))
    rows[by] = rows[by].astype(object).where(rows[by].notna(), "not known").astype(str)
    tables = {}
    if mode == "single":
        tables["verdicts"] = preference.verdict_shares(rows, by, list(rating.VERDICTS))
    for name in rating.DIMENSIONS if mode == "likert" else ():
        steps = rows.assign(verdict=pd.Series(rows[name], dtype=int).astype(str))
        tables[name] = preference.verdict_shares(steps, by, [str(step) for step in rating.STEPS])
    tables["shortcomings"] = preference.shortcoming_counts(rows, by, list(rating.SHORTCOMINGS))
    show_tables({"project": project}, tables, as_json)


@rating_commands.command()
def metrics(
    project: ProjectId,
    with_models: Annotated[
        bool, typer.Option("--models", help="Score meaning too, which loads models.")
    ] = False,
    resamples: Resamples = 1000,
    as_json: printing.AsJson = False,
) -> None:
    """Correlate the human score of explanations with each automatic one, item by item."""
    rating_store, me = open_rating_store()
    project_info = rating.find_project(rating_store, me, project)
    if project_info.settings.mode == "pairwise":
        raise BadInput(NO_VERDICTS_IN_PAIRS)
    items = rating.item_table(rating_store, me, project)[["item", "example", "label"]]
    texts = rating.origin_table(rating_store, me, project).merge(items, on="item")
    load = (
        tasks.find_task(project_info.task).load if project_info.task in tasks.task_names() else None
    )
    golds = per_item.gold_explanations(texts, load)
    measured = per_item.item_scores(texts, golds, with_models)
    human = (
        rating.verdict_table(rating_store, me, project)
        .groupby("item")["score"]
        .mean()
        .rename("human")
    )
    table = measured.merge(human.dropna(), on="item").merge(items, on="item")
    names = [name for name in per_item.TITLES if name in table]
    rows = []
    for name in names:
        each = preference.human_metric_correlation(
            table["human"], table[name], table["example"], resamples=resamples
        )
        rows.append({"metric": name} | asdict(each))
    show_tables({"project": project}, {"correlations": pd.DataFrame(rows)}, as_json)


@rating_commands.command()
def assist(
    project: ProjectId,
    metric: Annotated[str, typer.Option(help="Automatic score that stands in.")] = "chrf",
    with_models: Annotated[
        bool, typer.Option("--models", help="Score meaning too, which loads models.")
    ] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Estimate the human score of all of a run's explanations, by few ratings and a metric."""
    rating_store, me = open_rating_store()
    rated, all_metrics = assisted.project_metrics(rating_store, me, project, with_models)
    if metric not in per_item.TITLES or metric not in all_metrics:
        known = [name for name in per_item.TITLES if name in all_metrics]
        raise unknown_name("metric", metric, known)
    rows = [
        {
            "run": run,
            "people": each.human.mean,
            "people_low": each.human.low,
            "people_high": each.human.high,
            "mean": each.powered.mean,
            "low": each.powered.low,
            "high": each.powered.high,
            "rated": each.human.n,
            "not_rated": each.rest,
            "weight": each.weight,
            "narrower": each.saved,
            "reason": each.reason,
        }
        for run, each in assisted.assisted_means(rated, all_metrics, metric).items()
    ]
    facts = {"project": project, "metric": metric}
    show_tables(facts, {"means": pd.DataFrame(rows)}, as_json)
