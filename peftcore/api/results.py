"""What training gives: scores, losses and answers of a run as tables, and runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pandas as pd

from peftcore import tasks
from peftcore.analysis import (
    best_steps,
    comparability,
    comparison,
    judgement,
    missing_scores,
    run_tables,
)
from peftcore.analysis.base_answers import BaseReference, references_of
from peftcore.analysis.best_steps import BestSteps
from peftcore.analysis.inference import POPULATIONS, Population
from peftcore.analysis.judgement import JudgedRuns
from peftcore.api.data import Rows, task_from_rows
from peftcore.errors import BadInput, unknown_name
from peftcore.metrics.scores import metric_range
from peftcore.runs import zero_shot
from peftcore.runs.spec import Evaluation
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps import tuning_budget
from peftcore.training.checkpoint import load_adapter
from peftcore.training.predict import answer_texts

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel


@dataclass(frozen=True)
class TrainedAdapter:
    """A trained run with its base: what `train`, `load` and `from_peft` give.

    >>> import peftcore
    >>> demo = peftcore.RunStore().all()[-1]  # runs that ship with the project come last
    >>> peftcore.TrainedAdapter(demo).scores.columns.tolist()
    ['mean', 'low', 'high', 'n']
    """

    run: Run
    loaded_base: BaseModel | None = None  # None: loaded by its name when it is needed

    @cached_property
    def base(self) -> BaseModel:
        """The frozen base."""
        from peftcore.models.base_model import load

        return self.loaded_base or load(self.run.spec.base)

    @cached_property
    def adapted(self) -> AdaptedModel:
        """The base with the trained adapter; BadInput if there is none yet."""
        return load_adapter(self.run, self.base)

    @property
    def scores(self) -> pd.DataFrame:
        """Every metric with its mean, 95 % interval over seeds, and n seeds."""
        rows = {
            name: vars(comparison.interval(values, metric_range(name)))
            for name, values in self.run.scores().items()
        }
        columns = ["mean", "low", "high", "n"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("metric")

    @property
    def history(self) -> pd.DataFrame:
        """Losses, one row per step and seed."""
        return self.run.history()

    @property
    def answers(self) -> pd.DataFrame:
        """Every answer of every seed, beside what was asked and what was right."""
        return self.run.answers()

    def predict(self, texts: Sequence[str], seed_index: int = 0) -> list[str]:
        """Answer texts with one seed, counted from 0; two texts of a pair have || between them."""
        return answer_texts(self.run, self.adapted, texts, seed_index=seed_index)


def evaluate(
    trained: TrainedAdapter, data: str | Rows = "", *, split: str = "test", limit: int = 200
) -> pd.DataFrame:
    """Score an adapter on a task: one row per seed, one column per metric.

    `data` is a task's name or rows, empty for the task it was trained on; at most `limit` examples
    of the `split` (validation or test) are answered, each seed at the centroid of its simplex.
    BadInput if an encoder's head was trained for other labels.

    >>> import peftcore
    >>> base = peftcore.load_base("tiny-t5", device="cpu")
    >>> adaptation = peftcore.adapt(base, "prompt_tuning", length=4, seeds=2)
    >>> short = dict(steps=2, shots=4, dev=4, batch=2, limit=4, max_new_tokens=4)
    >>> trained = peftcore.train(adaptation, "miniworld_nli", **short)
    >>> peftcore.evaluate(trained, "miniworld_sentiment", limit=4).index.tolist()
    [0, 1]
    """
    from peftcore.training import evaluate_run, evaluation
    from peftcore.training.trainer import autocast_dtype

    spec, base = trained.run.spec, trained.base
    task = tasks.task_of(spec)
    if not isinstance(data, str) or data not in ("", spec.task):
        task = tasks.find_task(data if isinstance(data, str) else task_from_rows(data))
    options = Evaluation.make(spec.evaluation.model_dump() | {"split": split, "limit": limit})
    rows = evaluation.examples_to_answer(task, options)
    control = evaluation.PassControl(autocast_dtype(spec.training.precision, base.device))
    answers = evaluate_run.answer_rows(spec, trained.adapted, task, rows, options, control)
    seeds = pd.Index(spec.population.seed_numbers(), name="seed")
    return pd.DataFrame([task.score(each, rows) for each in answers], index=seeds)


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side, best mean first, with a verdict on every pair."""

    runs: pd.DataFrame  # run, base, task, method, mean, low, high, n, trainable, seconds, items …
    judgement: JudgedRuns
    tries: dict[str, int]  # run → learning rates tried for its method, as far as runs are kept
    caveats: list[str]  # allowed differences a reader should know
    untouched: list[BaseReference]  # what their bases score by themselves, where measured
    at_an_end: dict[str, BestSteps]  # run → seeds whose best step is the start or the last one

    @property
    def metric(self) -> str:
        """The metric that they are compared by."""
        return self.judgement.metric

    @property
    def verdicts(self) -> pd.DataFrame:
        """One row per pair: first, second, difference (second − first), low, high, verdict, …"""
        return self.judgement.verdicts

    @property
    def components(self) -> pd.DataFrame:
        """Variance components of every run: of a seed, of an item, and of the rest."""
        found = {
            run: vars(each) for run, each in self.judgement.components().items() if each is not None
        }
        columns = ["seed", "item", "rest"]
        return pd.DataFrame.from_dict(found, orient="index", columns=columns).rename_axis("run")

    def in_words(self) -> list[str]:
        """Return the result in sentences: the best against the second, then every pair."""
        names = dict(zip(self.runs["run"], _names(self.runs), strict=True))
        found = self.judgement
        pairs = [
            judgement.pair_in_words(judgement.turn_pair(row), names, found.metric, found.margin)
            for _, row in found.verdicts.iterrows()
        ]
        ends = [judgement.count_in_words(found), f"{found.limits}." if found.limits else ""]
        return [
            judgement.headline(found, names),
            *(f"{each}." for each in pairs),
            *filter(None, ends),
        ]


def compare(
    runs: Sequence[TrainedAdapter | Run | str],
    metric: str = "",
    *,
    across_bases: bool = False,
    margin: float = judgement.DEFAULT_MARGIN,
    population: Population = "this task",
) -> RunComparison:
    """Compare runs: means with 95 % intervals, and a verdict on every pair of them.

    Runs are results of `train`, runs of a store, or their ids; without a metric the task's first
    counts. Differences within `margin` points (hundredths of the metric's largest value) count as
    none. Intervals are about "this task" (other seeds and other test examples) or "these examples"
    (other seeds alone). BadInput gives the reason why runs cannot be compared, such as other data
    or seeds.

    >>> import peftcore
    >>> found = peftcore.compare(["4f677812ddf6", "5a7da5def8b7"])
    >>> found.runs[["method", "mean", "low", "high", "n", "items"]].shape
    (2, 6)
    >>> found.verdicts[["first", "second"]].shape
    (1, 2)
    """
    store = RunStore()
    named = [_as_run(run, store) for run in runs]
    chosen = list({run.id: run for run in named}.values())
    if not chosen:
        raise BadInput("there are no runs to compare")
    if population not in POPULATIONS:
        raise unknown_name("population", population, POPULATIONS)
    reasons = comparability.reasons_not_comparable(chosen, across_bases=across_bases)
    if reasons:
        raise BadInput(" ".join(reasons))
    name = _common_metric(chosen, metric)
    tables = {run.id: run_tables.table_of_run(run, name) for run in chosen}
    scored = {run: table for run, table in tables.items() if table is not None}
    found = judgement.judge(scored, name, margin, population)
    summary = comparison.summarize_runs(store.table(chosen), name)
    return RunComparison(
        judgement.with_estimates(summary, found),
        found,
        _count_tries(chosen, store.all()),
        comparability.caveats(chosen) + missing_scores.missing_in_words(chosen, [name]),
        references_of(zero_shot.of_runs(chosen), name),
        {run.id: best_steps.best_steps(run) for run in chosen},
    )


def _count_tries(chosen: Sequence[Run], kept: Sequence[Run]) -> dict[str, int]:
    """Return run → learning rates tried for its method, where its own is known."""
    known = [run for run in kept if run.spec.training.learning_rate is not None]
    return {
        run.id: tuning_budget.find_budget(run, known).tries
        for run in chosen
        if run.spec.training.learning_rate is not None and run.status().state == "done"
    }


def _names(runs: pd.DataFrame) -> list[str]:
    """Return what to call each run in a sentence: its method, with its id where that is shared."""
    counts = runs["method"].value_counts()
    return [
        method if counts[method] == 1 else f"{method} {run}"
        for method, run in zip(runs["method"], runs["run"], strict=True)
    ]


def _as_run(run: TrainedAdapter | Run | str, store: RunStore) -> Run:
    if isinstance(run, TrainedAdapter):
        return run.run
    return store.open(run) if isinstance(run, str) else run


def main_metric(task: str, scored: Sequence[str] | Mapping[str, object]) -> str:
    """The task's own first choice among what was scored; tables that were deleted have none."""
    try:
        first = tasks.find_task(task).main_metric
    except BadInput:
        first = ""
    return first if first in scored else next(iter(scored), "")


def _common_metric(chosen: Sequence[Run], requested: str) -> str:
    """A metric that every one of the runs was scored by."""
    scored = [run.scores() for run in chosen]
    for run, scores in zip(chosen, scored, strict=True):
        if not scores:
            raise BadInput(f"run {run.id} has no scores yet: it is {run.status().state}")
    common = [name for name in scored[0] if all(name in scores for scores in scored)]
    if requested and requested not in common:
        raise unknown_name("metric", requested, common)
    return requested or main_metric(chosen[0].spec.task, common)
