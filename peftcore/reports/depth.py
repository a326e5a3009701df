"""What a report says beyond scores: what was forgotten, slices, and what could have been seen."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from peftcore.analysis import judgement, power, run_tables, slices
from peftcore.analysis.forgetting import estimate_forgetting
from peftcore.analysis.inference import Estimate
from peftcore.metrics.scores import find_measure
from peftcore.reports import sentences
from peftcore.reports.groups import RunGroup
from peftcore.reports.labels import run_label
from peftcore.reports.markup import Cell, Markup, table
from peftcore.reports.text import (
    NO_VALUE,
    escape,
    format_difference,
    format_limits,
    format_value,
    is_missing,
    plain,
    value_format,
)

NO_BREAK = "\N{NO-BREAK SPACE}"


def forgetting_section(group: RunGroup) -> Iterator[str]:
    """Tabulate loss on general text and pairs judged rightly, before and after training."""
    found = {run.id: run.forgetting() for run in group.runs}
    known = {run: each for run, each in found.items() if each is not None}
    if not known:
        return
    yield "<h3>What was forgotten</h3>"
    rows: list[list[Cell | str]] = []
    for run in group.runs:
        each = known.get(run.id)
        if each is None:
            continue
        estimates = estimate_forgetting(
            each, run.spec.population.seed_numbers(), group.options.population
        )
        for measure, estimate in estimates.items():
            rows.append(
                [
                    Cell(run_label(group.styles[run.id]), group.name(run.id)),
                    find_measure(measure).title,
                    Cell(format_value(estimate.before, ".3f"), estimate.before, "n"),
                    Cell(format_value(estimate.after, ".3f"), estimate.after, "n"),
                    Cell(_signed(estimate.change.mean), kind="n"),
                    Cell(_change_limits(estimate.change), kind="n"),
                    Cell(f"{estimate.change.seeds}", kind="n"),
                ]
            )
    first = next(iter(known.values()))
    caption = (
        f"{len(first.base_loss)} held-out texts ({first.text}), loss in nats per token; "
        f"{len(first.base_right)} minimal pairs ({first.pairs}). Above zero something was "
        "forgotten; where the interval holds zero, these texts cannot tell."
    )
    heads = ["Run", "Measure", "Before", "After", "Forgotten", "95 % interval", "Seeds"]
    yield table(heads, rows, caption=caption, sortable=True)
    if missing := [group.name(run) for run, each in found.items() if each is None]:
        yield f'<p class="note">Not measured: {escape(", ".join(missing))}.</p>'


def _signed(value: float | None) -> str:
    """Write a change with its sign."""
    return NO_VALUE if value is None else f"{value:+.3f}".replace("-", "−")


def _change_limits(change: Estimate) -> str:
    """Write the interval of a change, or why there is none."""
    if change.low is None or change.high is None:
        return change.reason
    return f"{_signed(change.low)} to {_signed(change.high)}"


def best_pair(group: RunGroup) -> tuple[str, str] | None:
    """Return the second best run and the best; None for a single one, or without items."""
    rows = group.estimates(group.metric).dropna(subset=["mean"])
    if len(rows) < 2 or not group.has_items(group.metric):
        return None
    return rows["run"].iloc[1], rows["run"].iloc[0]


def slices_section(group: RunGroup) -> Iterator[str]:
    """Judge the best run against the second on parts of the test examples."""
    pair = best_pair(group)
    if pair is None:
        return
    tables = group.tables(group.metric)
    asked = group.answers[pair[0]].drop_duplicates("example")
    if not {"example", "source", "label"} <= set(asked) or asked.empty:
        return
    scale = judgement.points_scale(group.metric)
    judged = group.judgement(group.metric)
    found = slices.judge_slices(
        tables[pair[0]],
        tables[pair[1]],
        slices.find_slices(asked),
        group.metric,
        judged.margin / scale,
        judged.population,
    )
    if found.empty:
        return
    one, other = (escape(plain(group.name(run))) for run in reversed(pair))
    yield f"<h3>Where {one} and {other} differ</h3>"
    form = value_format(group.metric)
    rows: list[list[Cell | str]] = [
        [
            str(row.kind),
            str(row.slice) if group.options.with_texts or row.kind != "Word" else "a word",
            Cell(f"{row.items:,}", row.items, "n"),
            Cell(format_value(row.second, form), kind="n"),
            Cell(format_value(row.first, form), kind="n"),
            Cell(sentences.verdict_words(row.verdict).replace(" ", NO_BREAK), kind="v"),
            Cell(format_difference(row.difference, group.metric), row.difference, "n"),
            Cell(_slice_limits(row.low, row.high, row.reason, group.metric), kind="n"),
        ]
        for row in found.itertuples(index=False)
    ]
    heads: list[str | Markup] = ["Split by", "Test examples", "Number"]
    heads += [run_label(group.styles[run]) for run in reversed(pair)]
    heads += ["Verdict", "Difference, points", "95 % interval"]
    caption = f"Verdicts are corrected for all {len(found)} slices (Holm); slices overlap."
    yield table(heads, rows, caption=caption, sortable=True)


def _slice_limits(low: float, high: float, reason: str, metric: str) -> str:
    """Write the interval of a difference, or why there is none."""
    return str(reason) if is_missing(low) else format_limits(low, high, metric)


def power_section(group: RunGroup) -> Iterator[str]:
    """Say how small a difference of the best two these seeds and examples could show."""
    pair = best_pair(group)
    if pair is None:
        return
    tables = group.tables(group.metric)
    components = judgement.pair_components(*(tables[run] for run in pair))
    if components is None or not all(run_tables.has_items(tables[run]) for run in pair):
        return
    scale = judgement.points_scale(group.metric)
    seeds = len(set(tables[pair[0]].seeds) & set(tables[pair[1]].seeds))
    items = len(set(tables[pair[0]].items) & set(tables[pair[1]].items))
    margin = group.judgement(group.metric).margin
    words = power.power_in_words(components, seeds, items, margin / scale, scale)
    spread = pd.Series([components.seed, components.item, components.rest]) ** 0.5 * scale
    yield "<h3>What could be seen</h3>"
    yield f"<p>{escape(words)}</p>"
    yield (
        '<p class="note">From the best two runs, whose difference varies by '
        f"{spread[0]:.1f} points from seed to seed, {spread[1]:.1f} from example to example and "
        f"{spread[2]:.1f} from answer to answer (standard deviations).</p>"
    )
