"""The command `scaling`: what a run's scales did to its soft prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from peftcore.analysis import scaling as measures
from peftcore.analysis.comparison import interval
from peftcore.analysis.layer_similarity import GAP_TITLES
from peftcore.analysis.scaling import PermutationResult, RepresentationGap
from peftcore.api.bases import load_base
from peftcore.cli import app, options
from peftcore.cli.results import RunId
from peftcore.labs.scaling import ablations, readout
from peftcore.labs.scaling.readout import NearestWords, SeedGap, SoftPromptReadout
from peftcore.runs.store import Run, RunStore
from peftcore.system import printing

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel


@app.command()
def scaling(
    run: RunId,
    layers: Annotated[
        bool, typer.Option("--layers", help="Measure the gap to words in every layer instead.")
    ] = False,
    data: options.Data = None,
    as_json: printing.AsJson = False,
) -> None:
    """Measure scales, lengths, nearest words and the gap to words of a run's soft tokens."""
    options.use_data(data)
    store = RunStore()
    opened = store.open(run)
    readout.require_soft_prompt(opened)
    base = load_base(opened.spec.base, device="cpu")
    if layers:
        _print_layer_gaps(opened, base, as_json)
        return
    reading = readout.build_readout(opened, base)
    gaps = readout.seed_gaps(reading, base)
    value = {
        "run": opened.id,
        "method": opened.spec.method,
        "steps": list(reading.history.steps),
        "rate_ratio": reading.learning_rate_ratio,
        "words": {"distinct": len(reading.words.names), "most_frequent": reading.words.names[:20]},
        "seeds": [_seed_value(reading, gap, index) for index, gap in enumerate(gaps)],
        "drift": _drift(reading, opened, store, base),
    }
    printing.print_result(value, as_json, lambda: _scaling_lines(value))


def _print_layer_gaps(run: Run, base: BaseModel, as_json: bool) -> None:
    """Print the gap to words by layer, with its interval over seeds."""
    from peftcore.labs.scaling.layer_gap import measure_layer_gaps  # loads torch

    found = measure_layer_gaps(run, base)
    rows = [
        {"layer": layer, "measure": measure, "values": values}
        | {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
        for measure in GAP_TITLES
        for layer, values in enumerate(found.values(measure))
        for estimate in [interval(values)]
    ]
    value = {"run": run.id, "seeds": found.seeds, "examples": found.examples, "layers": rows}

    def lines() -> Iterator[str]:
        yield f"{run.id}: {len(found.seeds)} seeds, {found.examples} test examples"
        yield from printing.format_records(rows, ["measure", "layer", "mean", "low", "high"])

    printing.print_result(value, as_json, lines)


def _seed_value(reading: SoftPromptReadout, gap: SeedGap, index: int) -> dict[str, Any]:
    final, trajectory = reading.final, reading.history
    across, along = measures.step_factors(
        final.scale[index],
        measures.row_norms(final.before[index]),
        reading.learning_rate_ratio or 0.0,
    )
    return {
        "seed": gap.seed,
        "gap": {"before": _gap_value(gap.before), "after": _gap_value(gap.after)},
        "scale_by_step": trajectory.scale[:, index].tolist(),
        "tokens": [
            {
                "token": token + 1,
                "scale": float(final.scale[index, token]),
                "length_before": float(measures.row_norms(final.before[index, token])),
                "length_after": float(measures.row_norms(final.after[index, token])),
                "step_factor_across": float(across[token]),
                "step_factor_along": float(along[token]),
                "nearest_before": _nearest_words(reading.before, index, token),
                "nearest_after": _nearest_words(reading.after, index, token),
            }
            for token in range(final.before.shape[1])
        ],
    }


def _gap_value(gap: RepresentationGap) -> dict[str, Any]:
    def with_chance(exchanged: PermutationResult) -> dict[str, float]:
        return {
            "value": exchanged.value,
            "chance_low": exchanged.low,
            "chance_high": exchanged.high,
            "p": exchanged.p,
        }

    return {
        "norm_ratio": gap.norm_ratio,
        "mean_distance": gap.mean_distance,
        "energy": with_chance(gap.energy),
        "kernel": with_chance(gap.kernel),
        "cosine": gap.cosine,
    }


def _nearest_words(neighbours: NearestWords, seed: int, token: int) -> list[dict[str, Any]]:
    pairs = zip(neighbours.names[seed][token], neighbours.cosines[seed, token], strict=True)
    return [{"word": word, "cosine": float(cosine)} for word, cosine in pairs]


def _drift(
    reading: SoftPromptReadout, run: Run, store: Any, base: BaseModel
) -> dict[str, Any] | None:
    """Measure how far the prompt went from plain prompt tuning of the same seeds, if that ran."""
    scaled = run.spec.method == ablations.SCALED_METHOD
    partner = ablations.find_unscaled_run(run, store) if scaled else None
    if partner is None:
        return None
    steps, first, second = readout.shared_history(
        reading.history, readout.read_history(partner, base)
    )
    return {
        "plain": partner.id,
        "steps": list(steps),
        "apart": measures.path_distance(first, second).mean(-1).T.tolist(),
        "travelled": measures.distance_from_start(first).mean(-1).T.tolist(),
        "travelled_plain": measures.distance_from_start(second).mean(-1).T.tolist(),
    }


def _scaling_lines(value: dict[str, Any]) -> Iterator[str]:
    """Yield a table of the gap, then one of the tokens, for each seed."""
    for seed in value["seeds"]:
        yield f"seed {seed['seed']}, {value['words']['distinct']} words in the data"
        rows = []
        for name, before in seed["gap"]["before"].items():
            after = seed["gap"]["after"][name]
            pair = [m["value"] if isinstance(m, dict) else m for m in (before, after)]
            p = after["p"] if isinstance(after, dict) else None
            rows.append((name, *pair, p))
        yield from printing.format_table(["measure", "before", "after", "p after"], rows)
        heads = ["token", "scale", "length before", "length after", "nearest word", "cosine"]
        yield from printing.format_table(
            heads,
            [
                (t["token"], t["scale"], t["length_before"], t["length_after"], *_nearest_word(t))
                for t in seed["tokens"]
            ],
        )
        yield ""


def _nearest_word(token: dict[str, Any]) -> tuple[str, float]:
    near = token["nearest_after"][0]
    return near["word"], near["cosine"]
