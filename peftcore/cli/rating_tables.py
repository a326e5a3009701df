"""Commands that split what raters said: rate verdicts, and rate metrics beside automatic scores."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from peftcore.cli.rating import ProjectId, open_book, rate
from peftcore.cli.rating_results import Resamples, show_tables
from peftcore.errors import BadInput
from peftcore.system import printing

PAIRS = "a project of pairs has no verdict on one text; see `rate scores` and `rate export`"


@rate.command()
def verdicts(
    project: ProjectId,
    by: Annotated[
        Literal["source", "label", "correct"],
        typer.Option(help="Whose text it is, the right label, or whether the answer is right."),
    ] = "source",
    as_json: printing.AsJson = False,
) -> None:
    """How often each verdict was given, and each shortcoming ticked, by run, label or answer."""
    import pandas as pd

    from peftcore import rating
    from peftcore.analysis import preference

    book, me = open_book()
    mode = rating.find(book, me, project).settings.mode
    if mode == "pairwise":
        raise BadInput(PAIRS)
    rows = rating.scored(book, me, project)
    rows = rows.assign(source=rating.sources(rows["run"], rows["method"]))
    rows[by] = rows[by].astype(object).where(rows[by].notna(), "not known").astype(str)
    found = {}
    if mode == "single":
        found["verdicts"] = preference.shares(rows, by, list(rating.VERDICTS))
    for name in rating.DIMENSIONS if mode == "likert" else ():
        steps = rows.assign(verdict=pd.Series(rows[name], dtype=int).astype(str))
        found[name] = preference.shares(steps, by, [str(step) for step in rating.STEPS])
    found["shortcomings"] = preference.mentions(rows, by, list(rating.SHORTCOMINGS))
    show_tables({"project": project}, found, as_json)


@rate.command()
def metrics(
    project: ProjectId,
    with_models: Annotated[
        bool, typer.Option("--models", help="Score meaning too, which loads models.")
    ] = False,
    resamples: Resamples = 1000,
    as_json: printing.AsJson = False,
) -> None:
    """How the human score of an explanation goes with each automatic one, item by item."""
    import pandas as pd

    from peftcore import rating, tasks
    from peftcore.analysis import preference
    from peftcore.metrics import per_item

    book, me = open_book()
    about = rating.find(book, me, project)
    if about.settings.mode == "pairwise":
        raise BadInput(PAIRS)
    items = rating.items(book, me, project)[["item", "example", "label"]]
    texts = rating.key(book, me, project).merge(items, on="item")
    load = tasks.find(about.task).load if about.task in tasks.names() else None
    golds = per_item.references(texts, load)
    measured = per_item.of_items(texts, golds, with_models)
    human = rating.verdicts(book, me, project).groupby("item")["score"].mean().rename("human")
    table = measured.merge(human.dropna(), on="item").merge(items, on="item")
    names = [name for name in per_item.TITLES if name in table]
    rows = []
    for name in names:
        each = preference.correlation(
            table["human"], table[name], table["example"], resamples=resamples
        )
        rows.append({"metric": name} | asdict(each))
    show_tables({"project": project}, {"correlations": pd.DataFrame(rows)}, as_json)
