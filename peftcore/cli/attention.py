"""The command that looks inside: attention before and after, of one text or over a data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.cli import app, options
from peftcore.errors import BadInput, unknown
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import Adapted
    from peftcore.analysis.attention import Attention, Described, HeadRow
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
    after, own_task = _subject(subject)
    before, _ = _subject(against or after.base.name)
    if before.base.fingerprint != after.base.fingerprint:
        raise BadInput(
            f"{subject} rests on {after.base.name} and {against} on {before.base.name}; only runs "
            "of one base read the same tokens"
        )
    wanted = task or own_task
    if statistics:
        rows = _examples(wanted)[:statistics]
        now = capture.head_statistics(after, rows)
        then = capture.head_statistics(before, rows)
        _print_statistics(then, now, place, as_json)
        return
    asked = _asked(text, example, wanted)
    if target or (not asked.target and after.base.kind != "encoder"):
        said = target or capture.written(after, asked, seed, 48)
        asked = replace(asked, target=said)
    now_seen = capture.record(after, asked, seed)
    then_seen = capture.record(before, asked, min(seed, before.seeds - 1))
    places = _chosen(now_seen, place)
    value = {
        "subject": subject,
        "against": against or before.base.name,
        "seed": seed,
        "text": asked.source,
        "target": asked.target if after.base.kind != "encoder" else None,
        "places": {name: _as_json(then_seen[name], now_seen[name], layer, head) for name in places},
    }

    def lines() -> Iterator[str]:
        for name in places:
            yield from _in_words(name, then_seen[name], now_seen[name], layer, head)

    printing.show(value, as_json, lines)


def _subject(name: str) -> tuple[Adapted, str]:
    """A run with its task, or an untouched base."""
    from peftcore.labs.attention import capture
    from peftcore.models import catalog
    from peftcore.models.base_model import load
    from peftcore.runs.store import ID, RunStore
    from peftcore.training.checkpoint import load_adapter

    if name in catalog.names() or not ID.fullmatch(name):
        return capture.untouched(load(name)), ""
    run = RunStore().open(name)
    return load_adapter(run, load(run.spec.base)), run.spec.task


def _examples(task: str) -> list[Example]:
    from peftcore import tasks

    if not task:
        raise BadInput("an untouched base has no task of its own; name one with --task")
    return list(tasks.find(task).load("test"))


def _asked(text: str, number: int | None, task: str) -> Example:
    """The typed text, or an example of the task."""
    from peftcore.training.predict import typed

    if number is None:
        return typed(text)
    if text:
        raise BadInput("give either --text or --example, not both")
    rows = _examples(task)
    if number > len(rows):
        raise BadInput(f"--example must lie in [1, {len(rows)}]; got {number}")
    return rows[number - 1]


def _chosen(found: dict[str, Any], place: str) -> list[str]:
    if place and place not in found:
        raise unknown("attention", place, found)
    return [place] if place else list(found)


def _one(attention: Attention, layer: int, head: int) -> tuple[int, int]:
    """Layer and head counted from nought."""
    for what, number, most in (("layer", layer, attention.layers), ("head", head, attention.heads)):
        if number > most:
            raise BadInput(f"{what} must lie in [1, {most}] here; got {number}")
    return layer - 1, head - 1


def _as_json(before: Attention, after: Attention, layer: int, head: int) -> dict[str, Any]:
    from peftcore.analysis import attention as analysis

    first, second = analysis.aligned(before, after)
    at = _one(after, layer, head)
    return {
        "layers": after.layers,
        "heads": after.heads,
        "queries": [vars(token) for token in second.queries],
        "keys": [vars(token) for token in second.keys],
        "layer": layer,
        "head": head,
        "before": first.weights[at].tolist(),
        "after": second.weights[at].tolist(),
        "moved": analysis.moved(before, after).tolist(),
        "measures": {
            name: {"before": before_of.tolist(), "after": after_of.tolist()}
            for (name, before_of), after_of in zip(
                analysis.describe(before).items(), analysis.describe(after).values(), strict=True
            )
        },
    }


def _in_words(
    place: str, before: Attention, after: Attention, layer: int, head: int
) -> Iterator[str]:
    """How far every head of a place moved, and where one of them looks most."""
    from peftcore.analysis import attention as analysis

    at = _one(after, layer, head)
    yield f"{place}: {after.layers} layers, {after.heads} heads, {len(after.keys)} positions seen"
    yield "share of attention that looks elsewhere now:"
    heads = ["layer", *(f"head {h + 1}" for h in range(after.heads))]
    rows = [(n + 1, *map(float, row)) for n, row in enumerate(analysis.moved(before, after))]
    yield from printing.table(heads, rows)
    yield f"layer {layer}, head {head} looks most from:"
    yield from (f"  {line}" for line in analysis.strongest(after, *at))
    yield ""


def _print_statistics(
    before: dict[str, Described], after: dict[str, Described], place: str, as_json: bool
) -> None:
    from peftcore.analysis.attention import MEASURES, head_rows

    places = _chosen(after, place)
    found = {
        name: {
            "examples": after[name].examples,
            "seeds": after[name].seeds,
            "measures": {
                measure: [_row_json(row) for row in head_rows(before[name], after[name], measure)]
                for measure in after[name].measures
            },
        }
        for name in places
    }
    value = {"places": found}

    def lines() -> Iterator[str]:
        for name in places:
            for measure in after[name].measures:
                of_all = head_rows(before[name], after[name], measure)
                known = MEASURES[measure]
                yield f"{name}, {known.title.lower()} ({known.unit})"
                heads = ["layer", "head", "before", "after", "change", "low", "high"]
                rows = [_row_cells(row) for row in of_all]
                yield from printing.table(heads, rows)
                yield ""

    printing.show(value, as_json, lines)


def _row_cells(row: HeadRow) -> list[Any]:
    change = row.change
    means = [row.before.mean, row.after.mean, change.mean, change.low, change.high]
    return [row.layer + 1, row.head + 1, *means]


def _row_json(row: HeadRow) -> dict[str, Any]:
    def limits(found: Interval) -> dict[str, Any]:
        return {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}

    return {
        "layer": row.layer + 1,
        "head": row.head + 1,
        "before": limits(row.before),
        "after": limits(row.after),
        "change": limits(row.change),
    }
