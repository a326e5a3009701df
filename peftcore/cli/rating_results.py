"""Commands that read ratings: scores, agreement, disagreements; and settle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import pandas as pd
import typer

from peftcore import rating
from peftcore.analysis import agreement as statistics
from peftcore.analysis import preference
from peftcore.cli import options
from peftcore.cli.rating import ProjectId, open_rating_store, rating_commands
from peftcore.rating import questions
from peftcore.system import printing

Careful = Annotated[
    bool, typer.Option("--careful", help="Leave out raters who failed an attention check.")
]


@rating_commands.command()
def scores(
    project: ProjectId,
    reference: Annotated[
        str, typer.Option(help="Run or method that the others are set against; else the best.")
    ] = "",
    careful: Careful = False,
    as_json: printing.AsJson = False,
) -> None:
    """Score each run's explanations, with their differences; or rank the runs of pairs."""
    rating_store, me = open_rating_store()
    mode = rating.find_project(rating_store, me, project).settings.mode
    careless = rating.raters_failing_checks(rating_store, me, project) if careful else {}
    if mode == "pairwise":
        pairs = rating.comparison_table(rating_store, me, project).rename(
            columns={"winner": "outcome"}
        )
        pairs = pairs[~pairs["rater"].isin(careless)]
        ends = {
            end: rating.source_names(pairs[f"{end}_run"], pairs[end]) for end in ("first", "second")
        }
        tables = {"ranking": preference.rank_methods(pairs.assign(**ends)).methods}
    else:
        rows = rating.scored_table(rating_store, me, project)
        rows = rows[~rows["rater"].isin(careless)]
        rows = rows.assign(source=rating.source_names(rows["run"], rows["method"]))
        tables = {"score": preference.score_methods(rows, "source")}
        for name in rating.DIMENSIONS if mode == "likert" else ():
            each = rows.assign(score=rating.step_score(rows[name].astype(float)))
            tables[name] = preference.score_methods(each, "source")
        if len(tables["score"]):
            other = reference or str(tables["score"]["source"][0])
            gaps = preference.score_differences(rows, other, "source")
            tables["differences"] = gaps.assign(reference=other)
    show_tables({"project": project}, tables, as_json)


@rating_commands.command()
def agreement(
    project: ProjectId,
    careful: Careful = False,
    as_json: printing.AsJson = False,
) -> None:
    """Measure how far raters agree: on the scale, on yes or no, on who won, or by dimension."""
    rating_store, me = open_rating_store()
    mode = rating.find_project(rating_store, me, project).settings.mode
    ratings = rating.verdict_table(rating_store, me, project)
    if careful:
        ratings = ratings[
            ~ratings["rater"].isin(rating.raters_failing_checks(rating_store, me, project))
        ]
    example_of_item = dict(zip(ratings["item"], ratings["example"], strict=True))
    names = ratings.drop_duplicates("rater").set_index("rater")["name"]
    by_question, pairs = {}, {}
    for question in questions.QUESTIONS_BY_MODE[mode]:
        words, order = questions.verdict_categories(ratings, mode, question)
        rows = ratings.assign(category=words)
        table = statistics.pivot_verdicts(rows, item="item", rater="rater", verdict="category")
        measured = statistics.agreement_statistics(table, order, examples=example_of_item)
        by_question[question] = [asdict(each) for each in measured]
        each_two = statistics.cohen_kappas(table, order, examples=example_of_item)
        named = {end: each_two[end].map(names) for end in ("first", "second")}
        pairs[question] = _records(each_two.assign(**named))

    def lines() -> Iterator[str]:
        for question, rows in by_question.items():
            yield f"{question}:"
            shown = [(r["name"], r["value"], r["low"], r["high"], r["reason"]) for r in rows]
            yield from printing.format_table(["measure", "value", "low", "high", "note"], shown)

    printing.print_result({"project": project} | by_question | {"pairs": pairs}, as_json, lines)


@rating_commands.command()
def disagreements(
    project: ProjectId,
    dimension: Annotated[
        str, typer.Option(help="Of a project of dimensions; otherwise the widest of an item.")
    ] = "",
    as_json: printing.AsJson = False,
) -> None:
    """List items on which raters differ, the widest spread first, and how they were settled."""
    rating_store, me = open_rating_store()
    mode = rating.find_project(rating_store, me, project).settings.mode
    table = questions.verdict_spread(
        rating.verdict_table(rating_store, me, project), mode, dimension
    )
    settled = rating.adjudication_table(rating_store, me, project).set_index("item")["verdict"]
    apart = table[table["spread"] > 0]
    show_tables(
        {"project": project, "items": len(table)},
        {"disagreements": apart.assign(settled=apart["item"].map(settled))},
        as_json,
    )


@rating_commands.command()
def settle(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Id, as in `rating disagreements`.")],
    verdict: Annotated[str, typer.Option(help="A verdict; of a pair left, tie or right.")] = "",
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="A dimension's step as fluent=4.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Settle an item that raters disagree about; their ratings stay as they are."""
    rating_store, me = open_rating_store()
    steps = options.parse_settings(sets)
    judgement = rating.Judgement.make({"verdict": verdict, "scales": steps, "comment": reason})
    adjudication = rating.adjudicate(rating_store, me, item, judgement)
    value = {"item": item, "adjudication": adjudication}
    printing.print_result(value, as_json, lambda: iter([f"{item} is settled"]))


def _records(table: pd.DataFrame) -> Any:
    return json.loads(table.to_json(orient="records"))


def show_tables(value: dict[str, Any], tables: dict[str, pd.DataFrame], as_json: bool) -> None:
    """Print tables by name, as JSON beside `value` if asked for."""

    def lines() -> Iterator[str]:
        for name, table in tables.items():
            yield f"{name}:"
            yield from printing.format_records(table)

    records = {name: _records(table) for name, table in tables.items()}
    printing.print_result(value | records, as_json, lines)
