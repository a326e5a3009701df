"""Commands about the prefix theory: `limits` for a run, `check bias-only` for any base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.api import measurements
from peftcore.cli import app
from peftcore.cli.results import RunId
from peftcore.errors import BadInput, unknown_name
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.analysis.limits import LayerComparison

check = typer.Typer(help="Check that statements of the theory hold on a model.")
app.add_typer(check, name="check")

Naive = Annotated[
    bool, typer.Option("--naive-positions", help="Let the prefix move the content's positions.")
]
Whole = Annotated[
    bool, typer.Option("--whole-stack", help="Every layer wears the adapter, not one at a time.")
]
Precision = Annotated[str, typer.Option("--dtype", help="fp32, fp64 or bf16.")]


@check.callback()
def _group() -> None:
    """Keeps the name of the check in the command, however many checks there are."""


@check.command("bias-only")
def bias_only(
    base: Annotated[str, typer.Option(help="A base as in `list`, or a local folder.")],
    text: Annotated[str, typer.Option(help="What the model reads.")] = "the cat sees the dog",
    length: Annotated[int, typer.Option(min=1, max=200, help="Prefix positions.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of the random prefix.")] = 0,
    naive_positions: Naive = False,
    whole_stack: Whole = False,
    dtype: Precision = "fp32",
    as_json: printing.AsJson = False,
) -> None:
    """Put a random prefix before every attention layer: is content only scaled, and shifted?"""
    _check_dtype(dtype)
    from peftcore.data.task import Example
    from peftcore.labs.attention.layer_probe import ProbeOptions, random_prefix
    from peftcore.models.base_model import load

    adapted = random_prefix(load(base), length, seed)
    switches = ProbeOptions(single_layer=not whole_stack, shift_positions=naive_positions)
    example = Example("typed", text, text, parts=(text,))
    layers = measurements.compare_layers(adapted, example, switches, dtype)  # type: ignore[arg-type]
    _show({"base": base, "dtype": dtype}, layers, as_json)


@app.command()
def limits(
    run: RunId,
    text: Annotated[str | None, typer.Option(help="Input; else the first test example.")] = None,
    seed_index: Annotated[int, typer.Option(min=0, help="Which seed of the run, from 0.")] = 0,
    place: Annotated[str | None, typer.Option(help="encoder, decoder or cross; else all.")] = None,
    length: Annotated[int | None, typer.Option(min=1, help="Prefix positions used.")] = None,
    naive_positions: Naive = False,
    whole_stack: Whole = False,
    dtype: Precision = "fp32",
    as_json: printing.AsJson = False,
) -> None:
    """What a run's adapter did to attention: share, order, residual and bias of every layer."""
    _check_dtype(dtype)
    from peftcore.labs.attention.layer_probe import ProbeOptions, example_for
    from peftcore.models.base_model import load
    from peftcore.runs.store import RunStore
    from peftcore.training.checkpoint import load_adapter

    opened = RunStore().open(run)
    loaded = load(opened.spec.base)
    sites = [s.path for s in loaded.structure.attention_blocks if place in (None, s.attention_kind)]
    if not sites:
        raise unknown_name(
            "place",
            str(place),
            sorted({s.attention_kind for s in loaded.structure.attention_blocks}),
        )
    adapted = load_adapter(opened, loaded)
    example = example_for(opened.spec.task, adapted, text, seed_index)
    switches = ProbeOptions(not whole_stack, naive_positions, length)
    limits_by_path = measurements.compare_layers(
        adapted,
        example,
        switches,
        dtype,  # type: ignore[arg-type]
        sites=sites,
        seed_index=seed_index,
    )
    head = {"run": run, "dtype": dtype, "text": example.source, "answer": example.target}
    _show(head, limits_by_path, as_json)


def _check_dtype(dtype: str) -> None:
    if dtype not in ("fp32", "fp64", "bf16"):
        raise BadInput(f"--dtype must be fp32, fp64 or bf16; got {dtype!r}")


def _show(
    head: Mapping[str, Any], limits_by_path: Mapping[str, LayerComparison], as_json: bool
) -> None:
    layers = [_layer(path, layer) for path, layer in limits_by_path.items()]
    value = dict(head) | {
        "layers": layers,
        "max_content_drift": max(layer["content_drift"] for layer in layers),
        "max_residual": max(layer["residual"] for layer in layers),
    }

    def lines() -> Iterator[str]:
        names = ["path", "length", "share", "content_drift", "residual", "moved", "bias_norm"]
        yield from printing.format_table(names, [[row[name] for name in names] for row in layers])
        yield f"largest drift {value['max_content_drift']:.3g}"
        yield f"largest residual {value['max_residual']:.3g}"

    printing.print_result(value, as_json, lines)


def _layer(path: str, layer: LayerComparison) -> dict[str, Any]:
    """A layer in numbers, and each of its heads."""
    heads = [layer.summarize_head(number) for number in range(len(layer.before))]
    return measurements.layer_row(path, layer) | {
        "heads": [vars(head) | {"verdict": head.verdict()} for head in heads]
    }
