"""The command that looks inside: attention before and after, of one text or over a data set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.api import measurements
from peftcore.cli import app, options
from peftcore.errors import BadInput, unknown_name
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.analysis.attention import AttentionPattern, HeadRow, HeadStatistics
    from peftcore.analysis.comparison import Interval
    from peftcore.data.task import Example


@app.command("attention")
def show_attention(
    subject: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or a base's name.")],
    text: Annotated[str, typer.Option(help="What it reads; a pair of texts with || between.")] = "",
    example: Annotated[
        int | None, typer.Option(min=1, help="Read this test example of the run's task instead.")
    ] = None,
    task: Annotated[str, typer.Option(help="Task of examples; empty takes the run's.")] = "",
    against: Annotated[
        str, typer.Option(help="Run or base to compare with; empty: the untouched base.")
    ] = "",
    target: Annotated[
        str, typer.Option(help="What a decoder reads; empty: gold of an example, or its answer.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Which seed of a run, counted from 0.")] = 0,
    place: Annotated[str, typer.Option(help="encoder, decoder or cross; empty: all.")] = "",
    layer: Annotated[int, typer.Option(min=1, help="Layer whose weights are printed.")] = 1,
    head: Annotated[int, typer.Option(min=1, help="Head whose weights are printed.")] = 1,
    statistics: Annotated[
        int, typer.Option(min=0, help="Describe all heads over this many test examples instead.")
    ] = 0,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """What every head looks at, before and after an adapter."""
    from peftcore.labs.attention import capture

    options.use_data(data)
    after, before = measurements.load_pair(subject, against or None)
    wanted = task or measurements.own_task(subject)
    if statistics:
        rows = _examples(wanted)[:statistics]
        after_statistics = capture.head_statistics(after, rows)
        before_statistics = capture.head_statistics(before, rows)
        _print_statistics(before_statistics, after_statistics, place, as_json)
        return
    shown_example = _text_or_example(text, example, wanted)
    shown_example = measurements.with_answer(after, shown_example, target, seed)
    after_attention, before_attention = measurements.record_pair(after, before, shown_example, seed)
    attention_kinds = _chosen_kinds(after_attention, place)
    value = {
        "subject": subject,
        "against": against or before.base.name,
        "seed": seed,
        "text": shown_example.source,
        "target": shown_example.target if after.base.kind != "encoder" else None,
        "places": {
            name: _as_json(before_attention[name], after_attention[name], layer, head)
            for name in attention_kinds
        },
    }

    def lines() -> Iterator[str]:
        for name in attention_kinds:
            yield from _attention_lines(
                name, before_attention[name], after_attention[name], layer, head
            )

    printing.print_result(value, as_json, lines)


def _examples(task: str) -> list[Example]:
    from peftcore import tasks

    if not task:
        raise BadInput("an untouched base has no task of its own; name one with --task")
    return list(tasks.find_task(task).load("test"))


def _text_or_example(text: str, number: int | None, task: str) -> Example:
    """The typed text, or an example of the task."""
    from peftcore.training.predict import typed_example

    if number is None:
        return typed_example(text)
    if text:
        raise BadInput("give either --text or --example, not both")
    rows = _examples(task)
    if number > len(rows):
        raise BadInput(f"--example must lie in [1, {len(rows)}]; got {number}")
    return rows[number - 1]


def _chosen_kinds(by_kind: dict[str, Any], attention_kind: str) -> list[str]:
    if attention_kind and attention_kind not in by_kind:
        raise unknown_name("attention", attention_kind, by_kind)
    return [attention_kind] if attention_kind else list(by_kind)


def _zero_based(attention: AttentionPattern, layer: int, head: int) -> tuple[int, int]:
    """Layer and head counted from nought."""
    for what, number, most in (("layer", layer, attention.layers), ("head", head, attention.heads)):
        if number > most:
            raise BadInput(f"{what} must lie in [1, {most}] here; got {number}")
    return layer - 1, head - 1


def _as_json(
    before: AttentionPattern, after: AttentionPattern, layer: int, head: int
) -> dict[str, Any]:
    from peftcore.analysis import attention as analysis

    first, second = analysis.align_patterns(before, after)
    at = _zero_based(after, layer, head)
    return {
        "layers": after.layers,
        "heads": after.heads,
        "queries": [vars(token) for token in second.queries],
        "keys": [vars(token) for token in second.keys],
        "layer": layer,
        "head": head,
        "before": first.weights[at].tolist(),
        "after": second.weights[at].tolist(),
        "moved": analysis.total_variation(before, after).tolist(),
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
    attention_kind: str, before: AttentionPattern, after: AttentionPattern, layer: int, head: int
) -> Iterator[str]:
    """How far every head of a place moved, and where one of them looks most."""
    from peftcore.analysis import attention as analysis

    at = _zero_based(after, layer, head)
    yield (
        f"{attention_kind}: {after.layers} layers, {after.heads} heads, {len(after.keys)} "
        "positions seen"
    )
    yield "share of attention that looks elsewhere now:"
    heads = ["layer", *(f"head {h + 1}" for h in range(after.heads))]
    rows = [
        (n + 1, *map(float, row)) for n, row in enumerate(analysis.total_variation(before, after))
    ]
    yield from printing.format_table(heads, rows)
    yield f"layer {layer}, head {head} looks most from:"
    yield from (f"  {line}" for line in analysis.strongest(after, *at))
    yield ""


def _print_statistics(
    before: dict[str, HeadStatistics],
    after: dict[str, HeadStatistics],
    attention_kind: str,
    as_json: bool,
) -> None:
    from peftcore.analysis.attention import MEASURES, head_rows

    attention_kinds = _chosen_kinds(after, attention_kind)
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
                heads = ["layer", "head", "before", "after", "change", "low", "high"]
                rows = [_row_cells(row) for row in of_all]
                yield from printing.format_table(heads, rows)
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
