"""Human scores of every explanation a run wrote, estimated from few ratings and a metric on all.

Raters see one answer of a run to each of some examples. The metric scores those and, for every
other example that could have been drawn for the project, the run's answers to it; see
`analysis.prediction_powered` for what that makes of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from peftcore import tasks
from peftcore.analysis.prediction_powered import PoweredMean, ScoredTexts, powered_mean
from peftcore.errors import BadInput
from peftcore.metrics import per_item
from peftcore.rating import creation, tables
from peftcore.rating.access import RatingUser
from peftcore.rating.item_sampling import answer_from_row
from peftcore.rating.settings import ProjectSettings
from peftcore.rating.store import RatingStore
from peftcore.runs.store import RunStore

TEXT_COLUMNS = ["item", "example", "label", "shown_label", "explanation", "method"]


def answer_texts(
    answers: Mapping[str, pd.DataFrame], settings: ProjectSettings
) -> dict[str, pd.DataFrame]:
    """Return run → its answers that the project could have drawn, as `per_item` reads them.

    answers: run → `Run.answers`. Right answers alone where the project has only those, and the
    examples that every run can be asked about where all runs share examples.
    """
    by_run = {}
    for run, table in answers.items():
        rows = []
        for row in table.to_dict("records"):
            answer = answer_from_row(row, run, run)
            if answer.correct or settings.pool == "all":
                name = f"{run}/{answer.seed}/{row['example']}"
                about = (name, str(row["example"]), str(row["label"]))
                rows.append((*about, answer.label, answer.explanation, run))
        by_run[run] = pd.DataFrame(rows, columns=TEXT_COLUMNS)
    if settings.same_examples and by_run:
        shared = set.intersection(*(set(table["example"]) for table in by_run.values()))
        by_run = {run: table[table["example"].isin(shared)] for run, table in by_run.items()}
    return by_run


def answer_metrics(
    texts: Mapping[str, pd.DataFrame],
    references: Mapping[str, Sequence[str]],
    use_models: bool = False,
) -> pd.DataFrame:
    """Score every text: columns run, example, label and those of `per_item.TITLES` there are."""
    every = pd.concat(texts.values(), ignore_index=True)
    scores = per_item.item_scores(every, references, use_models)
    return (
        every.drop(columns=["shown_label", "explanation"])
        .rename(columns={"method": "run"})
        .merge(scores, on="item")
    )


def assisted_means(
    human: pd.DataFrame, metrics: pd.DataFrame, metric: str
) -> dict[str, PoweredMean]:
    """Estimate each run's mean human score with the help of one metric.

    human: one row for each rated text and run that wrote it: run, example, label, human, and the
    metric. metrics: as `answer_metrics`; examples that were rated do not count as the rest.
    """
    found = {}
    for run, rated in human.groupby("run", sort=False):
        rest = metrics[(metrics["run"] == run) & ~metrics["example"].isin(rated["example"])]
        by_example = rest.groupby("example").agg({metric: "mean", "label": "first"})
        found[str(run)] = powered_mean(
            ScoredTexts(
                rated["human"].to_numpy(dtype=float),
                rated[metric].to_numpy(dtype=float),
                by_example[metric].to_numpy(dtype=float),
                np.array(rated["label"].astype(str)),
                np.array(by_example["label"].astype(str)),
            )
        )
    return found


def project_metrics(
    store: RatingStore, user: RatingUser, project: str, use_models: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rated texts with human and automatic scores, and the metrics of all answers.

    For `assisted_means`. BadInput for pairs, and where no run of the project is on this machine.
    """
    info = creation.find_project(store, user, project)
    if info.settings.mode == "pairwise":
        raise BadInput("pairs have no score of their own, so no metric can stand in for people")
    items = tables.item_table(store, user, project)[["item", "example", "label"]]
    origins = tables.origin_table(store, user, project).merge(items, on="item")
    answers = _answers_of(origins["run"].dropna().unique())
    if not answers:
        raise BadInput("no run of this project is on this machine, so only its rated texts are")
    load = tasks.find_task(info.task).load if info.task in tasks.task_names() else None
    texts = answer_texts(answers, info.settings)
    every = pd.concat([origins[TEXT_COLUMNS], *texts.values()], ignore_index=True)
    golds = per_item.gold_explanations(every, load)
    verdicts = tables.verdict_table(store, user, project)
    human = verdicts.groupby("item")["score"].mean().dropna().rename("human")
    rated = per_item.item_scores(origins, golds, use_models).merge(human, on="item")
    about = origins[origins["run"].isin(list(answers))][["item", "run", "example", "label"]]
    return rated.merge(about, on="item"), answer_metrics(texts, golds, use_models)


def _answers_of(run_ids: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Return run → answers of the runs that are on this machine."""
    run_store, answers = RunStore(), {}
    for run in run_ids:
        try:
            table = run_store.open(run).answers() if run else pd.DataFrame()
        except BadInput:
            continue  # deleted since
        if len(table):
            answers[run] = table
    return answers
