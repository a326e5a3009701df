"""The command that looks inside: attention before and after, of one text or over a data set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from peftcore import tasks
from peftcore.analysis import attention as analysis
from peftcore.analysis.attention import (
    MEASURES,
    AttentionPattern,
    HeadRow,
    HeadStatistics,
    head_rows,
)
from peftcore.analysis.comparison import Interval
from peftcore.api import measurements
from peftcore.cli import app, options
from peftcore.data.task import Example
from peftcore.errors import BadInput, unknown_name
from peftcore.system import printing
from peftcore.system.option_groups import grouped
from peftcore.training.predict import typed_example


@dataclass(frozen=True)
class ReadOptions:
    """Input: a text or an example, and the seed that reads it."""

    text: Annotated[str, typer.Option(help="What it reads; a pair of texts with || between.")] = ""
    example: Annotated[
        int | None, typer.Option(min=1, help="Read this test example of the run's task instead.")
    ] = None
    task: Annotated[str, typer.Option(help="Task of examples; empty takes the run's.")] = ""
    target: Annotated[
        str, typer.Option(help="What a decoder reads; empty: gold of an example, or its answer.")
    ] = ""
    seed: Annotated[int, typer.Option(min=0, help="Which seed of a run, counted from 0.")] = 0
    data: options.Data = None


@dataclass(frozen=True)
class HeadOptions:
    """Attention heads that are printed; layer and head counted from 1."""

    place: Annotated[str, typer.Option(help="encoder, decoder or cross; empty: all.")] = ""
    layer: Annotated[int, typer.Option(min=1, help="Layer whose weights are printed.")] = 1
    head: Annotated[int, typer.Option(min=1, help="Head whose weights are printed.")] = 1
    values: Annotated[
        bool,
        typer.Option(help="Weigh by values: shares of the lengths of what each key adds."),
    ] = False

    def kinds(self, by_kind: Mapping[str, Any]) -> list[str]:
        """Choose among the kinds of attention there are."""
        if self.place and self.place not in by_kind:
            raise unknown_name("attention", self.place, by_kind)
        return [self.place] if self.place else list(by_kind)

    def zero_based(self, attention: AttentionPattern) -> tuple[int, int]:
        """Count layer and head from 0; BadInput if there are fewer."""
        for what, number, most in (
            ("layer", self.layer, attention.layers),
            ("head", self.head, attention.heads),
        ):
            if number > most:
                raise BadInput(f"{what} must lie in [1, {most}] here; got {number}")
        return self.layer - 1, self.head - 1


@app.command("attention")
@grouped
def show_attention(
    subject: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or a base's name.")],
    read: ReadOptions,
    heads: HeadOptions,
    against: Annotated[
        str, typer.Option(help="Run or base to compare with; empty: the untouched base.")
    ] = "",
    statistics: Annotated[
        int, typer.Option(min=0, help="Describe all heads over this many test examples instead.")
    ] = 0,
    as_json: printing.AsJson = False,
) -> None:
    """Measure what every head looks at, before and after an adapter."""
    options.use_data(read.data)
    after, before = measurements.load_pair(subject, against or None)
    task = read.task or measurements.own_task(subject)
    if statistics:
        from peftcore.labs.attention import capture  # loads torch

        rows = _examples(task)[:statistics]
        pair = [capture.head_statistics(model, rows) for model in (before, after)]
        _print_statistics(pair[0], pair[1], heads, as_json)
        return
    example = text_or_example(read, task)
    example = measurements.with_answer(after, example, read.target, read.seed)
    after_attention, before_attention = measurements.record_pair(
        after, before, example, read.seed, heads.values
    )
    pairs = {
        kind: (before_attention[kind], after_attention[kind])
        for kind in heads.kinds(after_attention)
    }
    value = {
        "subject": subject,
        "against": against or before.base.name,
        "seed": read.seed,
        "text": example.source,
        "target": example.target if after.base.kind != "encoder" else None,
        "places": {kind: _as_json(*pair, heads) for kind, pair in pairs.items()},
    }

    def lines() -> Iterator[str]:
        for kind, pair in pairs.items():
            yield from _attention_lines(kind, *pair, heads)

    printing.print_result(value, as_json, lines)


def _examples(task: str) -> list[Example]:
    if not task:
        raise BadInput("an untouched base has no task of its own; name one with --task")
    return list(tasks.find_task(task).load("test"))


def text_or_example(read: ReadOptions, task: str) -> Example:
    """Take the typed text, or an example of the task."""
    if read.example is None:
        return typed_example(read.text)
    if read.text:
        raise BadInput("give either --text or --example, not both")
    rows = _examples(task)
    if read.example > len(rows):
        raise BadInput(f"--example must lie in [1, {len(rows)}]; got {read.example}")
    return rows[read.example - 1]


def _as_json(
    before: AttentionPattern, after: AttentionPattern, heads: HeadOptions
) -> dict[str, Any]:
    first, second = analysis.align_patterns(before, after)
    at = heads.zero_based(after)
    return {
        "layers": after.layers,
        "heads": after.heads,
        "queries": [vars(token) for token in second.queries],
        "keys": [vars(token) for token in second.keys],
        "layer": heads.layer,
        "head": heads.head,
        "before": first.weights[at].tolist(),
        "after": second.weights[at].tolist(),
        "moved": analysis.total_variation(before, after).tolist(),
        **({"value_gap": [before.value_gap, after.value_gap]} if heads.values else {}),
        "measures": {
            name: {"before": before_of.tolist(), "after": after_of.tolist()}
            for (name, before_of), after_of in zip(
                analysis.measure_heads(before).items(),
                analysis.measure_heads(after).values(),
                strict=True,
            )
        },
    }


def _attention_lines(
    attention_kind: str, before: AttentionPattern, after: AttentionPattern, heads: HeadOptions
) -> Iterator[str]:
    """Yield how far every head of a place moved, and where one of them looks most."""
    at = heads.zero_based(after)
    yield (
        f"{attention_kind}: {after.layers} layers, {after.heads} heads, {len(after.keys)} "
        "positions seen"
    )
    yield "share of attention that looks elsewhere now:"
    columns = ["layer", *(f"head {h + 1}" for h in range(after.heads))]
    rows = [
        (n + 1, *map(float, row)) for n, row in enumerate(analysis.total_variation(before, after))
    ]
    yield from printing.format_table(columns, rows)
    yield f"layer {heads.layer}, head {heads.head} looks most from:"
    yield from (f"  {line}" for line in analysis.strongest(after, *at))
    if after.value_gap is not None:
        yield f"parts of all keys sum to the output to {after.value_gap:.0e} of it"
    yield ""


def _print_statistics(
    before: dict[str, HeadStatistics],
    after: dict[str, HeadStatistics],
    heads: HeadOptions,
    as_json: bool,
) -> None:
    attention_kinds = heads.kinds(after)
    by_kind = {
        name: {
            "examples": after[name].examples,
            "seeds": after[name].seeds,
            "measures": {
                measure: [_row_json(row) for row in head_rows(before[name], after[name], measure)]
                for measure in after[name].measures
            },
        }
        for name in attention_kinds
    }
    value = {"places": by_kind}

    def lines() -> Iterator[str]:
        for name in attention_kinds:
            for measure in after[name].measures:
                of_all = head_rows(before[name], after[name], measure)
                known = MEASURES[measure]
                yield f"{name}, {known.title.lower()} ({known.unit})"
                columns = ["layer", "head", "before", "after", "change", "low", "high"]
                rows = [_row_cells(row) for row in of_all]
                yield from printing.format_table(columns, rows)
                yield ""

    printing.print_result(value, as_json, lines)


def _row_cells(row: HeadRow) -> list[Any]:
    change = row.change
    means = [row.before.mean, row.after.mean, change.mean, change.low, change.high]
    return [row.layer + 1, row.head + 1, *means]


def _row_json(row: HeadRow) -> dict[str, Any]:
    def limits(interval: Interval) -> dict[str, Any]:
        return {"mean": interval.mean, "low": interval.low, "high": interval.high, "n": interval.n}

    return {
        "layer": row.layer + 1,
        "head": row.head + 1,
        "before": limits(row.before),
        "after": limits(row.after),
        "change": limits(row.change),
    }
