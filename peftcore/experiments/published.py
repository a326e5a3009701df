"""What the READMEs and the page of measurements say of runs, written from the runs themselves.

Tables have intervals for the task (seeds × items) where answers ship, and sentences are verdicts
with their margin, population and n. `readme_blocks` says where they stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from peftcore import paths
from peftcore.adapters.base import METHODS
from peftcore.analysis import best_steps, inference, verdicts
from peftcore.analysis.base_answers import references_of
from peftcore.analysis.comparison import difference_range
from peftcore.analysis.inference import Estimate, SeedItemTable
from peftcore.analysis.item_tables import table_of_answers
from peftcore.experiments.demo_runs import HEADLINE_TASK
from peftcore.experiments.ladder import RUNGS, ladder_cells
from peftcore.experiments.ladder_results import LadderScore, judge_ladder
from peftcore.experiments.studies import ExperimentRow
from peftcore.metrics.scores import METRICS, metric_range
from peftcore.runs import zero_shot
from peftcore.runs.store import Run, RunStore
from peftcore.sweeps import tuning_budget

MEASURED = paths.ASSETS / "measured.csv"
LADDER_SIGNS = {"ahead": "▲", "behind": "▼", "equal": "=", "cannot tell": "?"}
VERDICTS = ("ahead", "behind", "equal", "cannot tell")
STUDY_PAIRS = (  # study, arm, arm that it is compared with
    ("shots", "Scaled prompt tuning", "Prompt tuning"),
    ("encoder", "Prefix subspace, stochastic validation", "Prefix tuning"),
    (
        "encoder",
        "Prefix subspace, stochastic validation",
        "Prefix subspace, deterministic validation",
    ),
)

Naming = Callable[[Run], str]


def margin_of(metric: str) -> float:
    """Return the margin of equality: two points of a hundred of the metric's range."""
    return verdicts.DEFAULT_MARGIN * METRICS[metric].maximum


def shipped_runs(folder: str) -> list[Run]:
    """Return the runs of a folder of assets."""
    return RunStore(paths.ASSETS / folder).all(include_demos=False)


def item_tables(runs: Sequence[Run], metric: str) -> dict[str, SeedItemTable]:
    """Return the table of every run's answers, by id; ValueError for a run without."""
    tables = {}
    for run in runs:
        table = table_of_answers(run.answers(), metric)
        if table is None:
            raise ValueError(f"run {run.id} has no answers to count {metric} by")
        tables[run.id] = table
    return tables


def estimate_text(found: Estimate, form: str) -> str:
    """Format a mean with its limits, or with why it has none."""
    if found.mean is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.mean:{form}} ({found.reason})"
    return f"{found.mean:{form}} ({found.low:{form}} to {found.high:{form}})"


def runs_table(
    runs: Sequence[Run], metrics: Mapping[str, str], heads: Mapping[str, str], name: Naming
) -> str:
    """Write a table: a row for each run, best first, with intervals for the task.

    metrics: metric → format of its numbers. heads: metric → head of its column.
    """
    tables = {metric: item_tables(runs, metric) for metric in metrics}
    found = {
        metric: {
            run: inference.estimate(table, within=metric_range(metric))
            for run, table in tables[metric].items()
        }
        for metric in metrics
    }
    first = next(iter(metrics))
    order = sorted(runs, key=lambda run: -(found[first][run.id].mean or 0.0))
    lines = [["method", "trainable per seed", *(heads[metric] for metric in metrics)]]
    lines.append(["---"] * len(lines[0]))
    for run in order:
        cells = [estimate_text(found[metric][run.id], form) for metric, form in metrics.items()]
        lines.append([name(run), f"{run.status().trainable:,}", *cells])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdict_sentences(runs: Sequence[Run], metric: str, name: Naming) -> str:
    """Write the verdicts on every two runs, as a list."""
    tables = item_tables(runs, metric)
    ordered = dict(sorted(tables.items(), key=lambda item: -float(item[1].seed_values().mean())))
    frame = verdicts.pair_verdicts(ordered, margin_of(metric), within=difference_range(metric))
    names = {run.id: name(run) for run in runs}
    first = frame.iloc[0]
    table = tables[str(first["first"])]
    population = (
        f"other seeds and other examples of the task, n = {len(table.seeds)} seeds and "
        f"{len(table.items)} examples, a margin of {_points(metric)}, Holm over "
        f"{len(frame)} pairs"
    )
    parts = []
    for verdict, words in (
        ("behind", "{first} is ahead of {others}"),
        ("equal", "{first} and {others} are equal"),
        ("cannot tell", "no verdict on {first} against {others}: these data cannot tell"),
    ):
        rows = frame[frame["verdict"] == verdict]
        for run, others in rows.groupby("first", sort=False)["second"]:
            listed = _listed([names[str(other)] for other in others])
            parts.append(words.format(first=names[str(run)], others=listed))
    return "\n".join(
        [f"Verdicts by {METRICS[metric].title} ({population}):", "", *(f"- {p}" for p in parts)]
    )


def _points(metric: str) -> str:
    """Say how wide the margin is."""
    return "2 points" if METRICS[metric].maximum == 100 else f"{margin_of(metric):g}"


def _listed(names: Sequence[str]) -> str:
    """Join names as a sentence does."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def method_name(run: Run) -> str:
    """Return the title of a run's method, with its vertices if it is a simplex."""
    vertices = run.spec.population.vertices
    title = METHODS[run.spec.method].title
    return f"{title} (simplex of {vertices})" if vertices > 1 else title


def demo_block(task: str = HEADLINE_TASK) -> str:
    """Write the table of the demo runs on a task, what its base does alone, and what it says."""
    runs = [
        run
        for run in shipped_runs("demo_runs")
        if run.spec.task == task and run.spec.population.seeds == 4
    ]
    table = runs_table(runs, {"accuracy": ".3f"}, {"accuracy": "accuracy"}, method_name)
    base = " ".join(
        each.in_words(".3f") for each in references_of(zero_shot.of_runs(runs), "accuracy")
    )
    tried = tuning_budget.describe_tries(
        [tuning_budget.find_budget(run, runs) for run in runs],
        {run.id: method_name(run) for run in runs},
    )
    ends = best_steps.notes(runs, {run.id: method_name(run) for run in runs})
    beside = " ".join([base, tried, *ends]).strip()
    return f"{table}\n\n{beside}\n\n{verdict_sentences(runs, 'accuracy', method_name)}"


def sweep_block() -> str:
    """Write the table of the sweep of 60 episodes, and what it says."""
    runs = shipped_runs("sweep_runs")
    metrics = {"accuracy": ".3f", "normalised_chrf": ".1f"}
    heads = {"accuracy": "accuracy", "normalised_chrf": "normalised chrF of the reason"}
    sentences = [verdict_sentences(runs, metric, method_name) for metric in metrics]
    return "\n\n".join([runs_table(runs, metrics, heads, method_name), *sentences])


def ladder_block() -> str:
    """Write the ladder of novelty: a row for each method, a column for each rung, and what it says.

    A sign stands for the verdict against zero-shot, in context and guessing.
    """
    store = RunStore(paths.ASSETS / "ladder_runs")
    found = judge_ladder(ladder_cells(store))
    lines = [["method", *(rung.name for rung in RUNGS)], ["---"] * (1 + len(RUNGS))]
    for arm in found.arms:
        lines.append([arm, *(_ladder_cell(found.find(arm, rung.letter)) for rung in RUNGS)])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    done = [score.estimate for score in found.scores if score.estimate]
    pairs = sum(len(score.against) for score in found.scores)
    numbers = (
        f"other seeds and other examples of the task, n = {done[0].seeds} seeds and "
        f"{done[0].items} examples, a margin of {_points('accuracy')}, Holm over {pairs} pairs"
        if done
        else "no run yet"
    )
    signs = (
        "▲ ahead of zero-shot, of 4 in context and of guessing; ▼ behind the best of them, "
        "= equal to it, ? cannot tell, – not run"
    )
    return f"{table}\n\n{found.in_words()} ({numbers}). {signs}."


def _ladder_cell(score: LadderScore | None) -> str:
    """Return the mean of a cell with the sign of its verdict."""
    if score is None or score.estimate is None or score.estimate.mean is None:
        return "–"
    sign = LADDER_SIGNS.get(score.summary, "")
    return f"{score.estimate.mean:.3f} {sign}".strip()


def study_verdicts(
    rows: Sequence[ExperimentRow], study: str, arm: str, against: str
) -> pd.DataFrame:
    """Judge an arm of a study against another in every cell, by their seeds.

    Only scores of seeds are kept of a study, so this is about the examples that were answered.
    Columns task, shots, metric, difference, low, high, verdict, seeds; Holm over the cells.
    """
    by_cell = {(row.label, row.task, row.shots): row for row in rows if row.study == study}
    found, cells = [], []
    for (label, task, shots), row in by_cell.items():
        other = by_cell.get((against, task, shots))
        if label == arm and other is not None:
            pair = [_seed_table(each) for each in (other, row)]
            found.append(
                inference.estimate_difference(
                    pair[0], pair[1], "these examples", difference_range(row.metric)
                )
            )
            cells.append((task, shots, row.metric))
    tests = [
        verdicts.p_values(each, margin_of(cell[2])) for each, cell in zip(found, cells, strict=True)
    ]
    different = verdicts.holm([each.different for each in tests])
    equal = verdicts.holm([each.equal for each in tests])
    judged = [
        (
            *cell,
            each.mean,
            each.low,
            each.high,
            verdicts.choose_verdict(each.mean, p, q),
            each.seeds,
        )
        for cell, each, p, q in zip(cells, found, different, equal, strict=True)
    ]
    columns = ["task", "shots", "metric", "difference", "low", "high", "verdict", "seeds"]
    return pd.DataFrame(judged, columns=columns)


def _seed_table(row: ExperimentRow) -> SeedItemTable:
    """Return a row's scores of seeds as a table of one column, the whole test set."""
    values = np.array([float(value) for value in row.values.split()])
    seeds = tuple(range(len(values)))
    return SeedItemTable(seeds, ("all",), values[:, None, None])


def study_block(rows: Sequence[ExperimentRow]) -> str:
    """Write the verdicts of studies as a list."""
    return "\n".join(f"- {line}" for line in study_verdict_lines(rows))


def study_verdict_lines(rows: Sequence[ExperimentRow]) -> Iterator[str]:
    """Yield a sentence for each pair of arms that a study compares."""
    for study, arm, against in STUDY_PAIRS:
        judged = study_verdicts(rows, study, arm, against)
        if judged.empty:
            continue
        counts = Counter(judged["verdict"])
        words = ", ".join(f"{verdict} in {counts[verdict]}" for verdict in VERDICTS)
        seeds = " or ".join(str(n) for n in sorted(set(judged["seeds"])))
        low, high = judged["low"].min(), judged["high"].max()
        metrics = judged["metric"].unique()
        form = ".1f" if METRICS[str(metrics[0])].maximum == 100 else ".3f"
        reach = f"; intervals of the difference reach from {low:+{form}} to {high:+{form}}"
        yield (
            f"{arm} against {against}: {words} of {len(judged)} cells{reach} (these examples, "
            f"n = {seeds} seeds, a margin of two points of a hundred, Holm over "
            f"{len(judged)} cells)."
        )
