"""`why`: reasons for an answer, before and after an adapter, read inside the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from peftcore.api import measurements
from peftcore.cli import app, options
from peftcore.cli.attention import ReadOptions, text_or_example
from peftcore.system import printing
from peftcore.system.option_groups import grouped

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.data.task import Example
    from peftcore.labs.attention.attribution import Attribution
    from peftcore.labs.attention.head_patching import HeadPatching
    from peftcore.labs.attention.why_answer import LeftOut, Lens, Patching

    Found = Lens | Patching | HeadPatching | LeftOut | Attribution

Kind = Literal["lens", "patch", "heads", "leave-out", "gradient", "integrated"]
Into = Literal["before", "after"]


@dataclass(frozen=True)
class Question:
    """Token of the target that gradients are taken of, and the model that heads are put into."""

    word: Annotated[
        int,
        typer.Option(min=0, help="Token of the target for gradients, from 1; 0: the whole answer."),
    ] = 0
    into: Annotated[Into, typer.Option(help="Model into which heads are put.")] = "before"


@app.command()
@grouped
def why(
    subject: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or a base's name.")],
    read: ReadOptions,
    question: Question,
    kind: Annotated[
        Kind,
        typer.Option(
            help="lens: read off every layer; patch: exchange layers; heads: exchange heads; "
            "leave-out; gradient: times input; integrated: gradients from an empty text."
        ),
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
    found, lines = _ask(kind, (before, after), (example, read.seed), question)
    head = {"subject": subject, "seed": read.seed, "text": example.source, "target": example.target}
    printing.print_result(head | _as_values(found), as_json, lines)


def _ask(
    kind: Kind,
    pair: tuple[AdaptedModel, AdaptedModel],
    asked: tuple[Example, int],
    question: Question,
) -> tuple[Found, Callable[[], Iterator[str]]]:
    """Measure; return what was found, and what makes lines of it for people."""
    from peftcore.labs.attention import attribution, head_patching, why_answer  # load torch

    if kind == "lens":
        lens = why_answer.read_lens(*pair, *asked)
        return lens, lambda: _lens_lines(lens)
    if kind == "patch":
        patching = why_answer.patch_layers(*pair, *asked)
        return patching, lambda: _patch_lines(patching)
    if kind == "heads":
        direction: head_patching.Direction = "given" if question.into == "before" else "taken"
        heads = head_patching.patch_heads(pair, *asked, direction)
        return heads, lambda: _head_lines(heads)
    if kind == "leave-out":
        left_out = why_answer.leave_out(*pair, *asked)
        return left_out, lambda: _left_out_lines(left_out)
    column = question.word - 1 if question.word else None
    found = attribution.attribute(pair, *asked, kind, column)
    return found, lambda: _gradient_lines(found)


def _as_values(found: Found) -> dict[str, Any]:
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


def _head_lines(found: HeadPatching) -> Iterator[str]:
    """Yield the log-odds with each head exchanged, and which heads turn the word."""
    yield (
        f"token {found.position + 1} of the target: {found.word!r} after, {found.other_word!r} "
        f"before; log-odds of {found.word!r} {found.start:.3g}, of the other model {found.end:.3g}"
    )
    for kind, odds in found.odds.items():
        yield f"{kind}: change of the log-odds with one head exchanged; * writes another word"
        turned = found.flips(kind)
        rows = [
            [f"{layer + 1}"]
            + [f"{value - found.start:+.3f}{'*' * bool(turned[layer, n])}" for n, value in each]
            for layer, each in ((layer, list(enumerate(row))) for layer, row in enumerate(odds))
        ]
        heads = ["layer", *(f"head {n + 1}" for n in range(odds.shape[1]))]
        yield from printing.format_table(heads, rows)
    yield (
        f"all heads exchanged: {found.all_heads:.3g}; logits differ from the other model by at "
        f"most {found.gap:.1e}"
    )


def _gradient_lines(found: Attribution) -> Iterator[str]:
    """Yield the share of each token by gradients, and the sums with what they must be."""
    sums = {side: found.by_token(side) for side in found.added}
    rows = [
        [token, float(sums["before"][n]), float(sums["after"][n])]
        for n, token in enumerate(found.tokens)
    ]
    yield from printing.format_table(["token", "before", "after"], rows)
    words = (
        "how fast the log-likelihood grows with the text's vectors"
        if found.way == "gradient"
        else "what the text adds to the log-likelihood of an empty one"
    )
    for side, shares in sums.items():
        yield f"{side}: sum {shares.sum():.3f}; {words}: {found.expected(side):.3f}"


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
