"""The command `limits`: what a prefix may do to attention, for a run or on any base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from peftcore.analysis.limits import LayerComparison
from peftcore.api import measurements
from peftcore.api.bases import load_base
from peftcore.cli import app
from peftcore.data.task import Example
from peftcore.errors import BadInput, unknown_name
from peftcore.labs.attention.layer_probe import ProbeOptions, example_for, random_prefix
from peftcore.runs.store import RunStore
from peftcore.system import printing
from peftcore.system.option_groups import grouped
from peftcore.training.checkpoint import load_adapter
from peftcore.training.predict import check_typed


@dataclass(frozen=True)
class ProbeSettings:
    """Input, adapter and arithmetic with which layers are compared."""

    text: Annotated[str | None, typer.Option(help="Input; else the first test example.")] = None
    seed_index: Annotated[
        int,
        typer.Option(
            "--seed-index",
            "--seed",
            min=0,
            help="Which seed of the run, from 0; with --check the seed of the random prefix.",
        ),
    ] = 0
    length: Annotated[
        int | None, typer.Option(min=1, max=200, help="Prefix positions used; --check draws 4.")
    ] = None
    naive_positions: Annotated[
        bool, typer.Option("--naive-positions", help="Let the prefix move the content's positions.")
    ] = False
    whole_stack: Annotated[
        bool,
        typer.Option("--whole-stack", help="Put the adapter in all layers, not one at a time."),
    ] = False
    dtype: Annotated[
        Literal["fp32", "fp64", "bf16"], typer.Option(help="Precision of the arithmetic.")
    ] = "fp32"

    def switches(self, length: int | None) -> ProbeOptions:
        """Say how each layer is compared with itself."""
        return ProbeOptions(not self.whole_stack, self.naive_positions, length)


@app.command()
@grouped
def limits(
    probe: ProbeSettings,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, as in `runs`.")] = "",
    place: Annotated[str | None, typer.Option(help="encoder, decoder or cross; else all.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Check the theory by a random prefix on --base instead.")
    ] = False,
    base: Annotated[
        str, typer.Option(help="With --check: a base as in `list`, or a local folder.")
    ] = "",
    as_json: printing.AsJson = False,
) -> None:
    """Measure what an adapter does to attention: share, order, residual and bias of every layer."""
    if check == bool(run) or check != bool(base):
        raise BadInput("limits takes a RUN, or --check and --base")
    if check:
        _check_base(base, probe, as_json)
    else:
        _measure_run(run, place, probe, as_json)


def _check_base(base: str, probe: ProbeSettings, as_json: bool) -> None:
    """Put a random prefix before every attention layer: is content only scaled, and shifted?"""
    adapted = random_prefix(load_base(base, device="cpu"), probe.length or 4, probe.seed_index)
    text = probe.text or "the cat sees the dog"
    check_typed(text)
    example = Example("typed", text, text, parts=(text,))
    layers = measurements.compare_layers(adapted, example, probe.switches(None), probe.dtype)
    _show({"base": base, "dtype": probe.dtype}, layers, as_json)


def _measure_run(run: str, place: str | None, probe: ProbeSettings, as_json: bool) -> None:
    opened = RunStore().open(run)
    loaded = load_base(opened.spec.base, device="cpu")
    blocks = loaded.structure.attention_blocks
    sites = [block.path for block in blocks if place in (None, block.attention_kind)]
    if not sites:
        raise unknown_name("place", str(place), sorted({b.attention_kind for b in blocks}))
    adapted = load_adapter(opened, loaded)
    example = example_for(opened.spec.task, adapted, probe.text, probe.seed_index)
    layers = measurements.compare_layers(
        adapted,
        example,
        probe.switches(probe.length),
        probe.dtype,
        sites=sites,
        seed_index=probe.seed_index,
    )
    head = {"run": run, "dtype": probe.dtype, "text": example.source, "answer": example.target}
    _show(head, layers, as_json)


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
        yield from printing.format_records(layers, names)
        yield f"largest drift {value['max_content_drift']:.3g}"
        yield f"largest residual {value['max_residual']:.3g}"

    printing.print_result(value, as_json, lines)


def _layer(path: str, layer: LayerComparison) -> dict[str, Any]:
    """Put a layer in numbers, and each of its heads."""
    heads = [layer.summarize_head(number) for number in range(len(layer.before))]
    return measurements.layer_row(path, layer) | {
        "heads": [vars(head) | {"verdict": head.verdict()} for head in heads]
    }
