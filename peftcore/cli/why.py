"""`why`: reasons for an answer, before and after an adapter, read inside the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from peftcore.api import measurements
from peftcore.cli import app, options
from peftcore.cli.attention import ReadOptions, text_or_example
from peftcore.system import printing
from peftcore.system.option_groups import grouped

if TYPE_CHECKING:
    from peftcore.labs.attention.why_answer import LeftOut, Lens, Patching

Kind = Literal["lens", "patch", "leave-out"]


@app.command()
@grouped
def why(
    subject: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or a base's name.")],
    read: ReadOptions,
    kind: Annotated[
        Kind, typer.Option(help="lens: read off every layer; patch: exchange layers; leave-out.")
    ] = "lens",
    against: Annotated[
        str, typer.Option(help="Run or base to compare with; empty: the untouched base.")
    ] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Ask why a model answers as it does: layer by layer, or token by token of the text.

    The decoder reads the target; what is measured are the tokens of it.
    """
    options.use_data(read.data)
    after, before = measurements.load_pair(subject, against or None)
    example = text_or_example(read, read.task or measurements.own_task(subject))
    example = measurements.with_answer(after, example, read.target, read.seed)
    from peftcore.labs.attention import why_answer  # loads torch

    head = {"subject": subject, "seed": read.seed, "text": example.source, "target": example.target}
    if kind == "lens":
        lens = why_answer.read_lens(before, after, example, read.seed)
        printing.print_result(head | _as_values(lens), as_json, lambda: _lens_lines(lens))
    elif kind == "patch":
        patching = why_answer.patch_layers(before, after, example, read.seed)
        printing.print_result(head | _as_values(patching), as_json, lambda: _patch_lines(patching))
    else:
        left_out = why_answer.leave_out(before, after, example, read.seed)
        printing.print_result(
            head | _as_values(left_out), as_json, lambda: _left_out_lines(left_out)
        )


def _as_values(found: Lens | Patching | LeftOut) -> dict[str, Any]:
    """Return what was measured with lists in place of arrays."""
    values: dict[str, Any] = _without_arrays(asdict(found))
    return values


def _without_arrays(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_arrays(each) for key, each in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def _lens_lines(lens: Lens) -> Iterator[str]:
    """Yield the probability of each target token by layer, on both sides; then similarity."""
    for side, reading in lens.readings.items():
        yield f"{side}: probability of each token of the target, read off each layer"
        heads = ["layer", *lens.targets]
        rows = [
            [layer, *map(float, row)]
            for layer, row in zip(lens.layers, reading.probability, strict=True)
        ]
        yield from printing.format_table(heads, rows)
    yield "similarity of states before and after"
    rows_of_layers: list[list[Any]] = [list(row) for row in lens.similarity]
    yield from printing.format_table(["stack", "layer", "cosine", "linear CKA"], rows_of_layers)


def _patch_lines(found: Patching) -> Iterator[str]:
    """Yield the log-odds of the adapted model's word with each layer exchanged."""
    yield (
        f"token {found.position + 1} of the target: {found.word!r} after, {found.other_word!r} "
        f"before; log-odds of {found.word!r} {found.after:.3g} after, {found.before:.3g} before"
    )
    names = [*(f"{stack} {number + 1}" for stack, number in found.layers), "all layers"]
    columns = (names, found.given, found.given_words, found.taken, found.taken_words)
    heads = ["layer", "given", "writes", "taken", "writes then"]
    yield from printing.format_table(
        heads, [[n, float(g), gw, float(t), tw] for n, g, gw, t, tw in zip(*columns, strict=True)]
    )
    yield f"all layers given differ from the adapted model by at most {found.gap:.1e}"


def _left_out_lines(found: LeftOut) -> Iterator[str]:
    """Yield what each token adds to the log-likelihood of the whole target."""
    sums = {side: found.by_token(side) for side in found.added}
    rows = [
        [token, float(sums["before"][n]), float(sums["after"][n])]
        for n, token in enumerate(found.tokens)
    ]
    yield from printing.format_table(["token", "before", "after"], rows)
    for side, added in sums.items():
        yield (
            f"{side}: log-likelihood {found.whole[side].sum():.3f}; the tokens add "
            f"{added.sum():.3f} one by one, {found.together[side].sum():.3f} together"
        )
