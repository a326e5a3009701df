"""`bench deep`: adapters in the top layers of a deep base, with the states below them kept.

Against passes of the whole base by the same loop, and against the `peft` package in a plain loop
with the same adapters; losses at the points of a landscape with and without. Examples are words up
to a number of tokens, the same for all ways.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import torch
import typer

from peftcore.adapters.simplex_points import random_points
from peftcore.benchmarks import peft_baseline
from peftcore.benchmarks.bench_training import bench_spec, load_bench_base
from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.data.task import Episode, Example
from peftcore.labs.common import interpolation
from peftcore.models.batching import ExampleBatcher
from peftcore.system import printing
from peftcore.system.option_groups import grouped
from peftcore.training import planning
from peftcore.training.trainer import Trainer

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.spec import RunSpec

WORDS = (
    *("the", "a", "dog", "cat", "house", "tree", "is", "was", "in", "on", "red", "blue", "and"),
    *("not", "old", "new", "can", "see", "with", "for"),
)
KEPT, WHOLE, PEFT = "states kept", "whole passes", "peft"


@dataclass(frozen=True)
class DeepLoad:
    """The base, its adapters, and how much of each way is timed."""

    base: Annotated[str, typer.Option(help="A decoder; the deeper the more is spared.")] = (
        "smollm2-135m"
    )
    first_layer: Annotated[
        int | None, typer.Option(min=0, help="Lowest layer with adapters; unset: the top third.")
    ] = None
    examples: Annotated[int, typer.Option(min=1, help="Training examples.")] = 8
    batch: Annotated[int, typer.Option(min=1, help="Examples of a step.")] = 4
    tokens: Annotated[int, typer.Option(min=4, help="Tokens of each, a fifth of them target.")] = 48
    steps: Annotated[int, typer.Option(min=1, help="Steps of each way, in turns.")] = 60
    points: Annotated[int, typer.Option(min=1, help="Points of the landscape.")] = 66
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the landscape.")] = 2


@bench.command()
@grouped
def deep(
    load: DeepLoad,
    quick: Annotated[bool, typer.Option("--quick", help="4 steps, 12 points, 1 round.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Time adapters in a base's top layers: with states kept, in whole passes, and by peft."""
    if quick:
        load = replace(load, steps=4, points=12, rounds=1)
    base = load_bench_base(load.base)
    first = 2 * base.structure.layers // 3 if load.first_layer is None else load.first_layer
    spec = _spec(load, first)
    rows = [_time_training(base, spec, load), _time_landscape(base, spec, load)]

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        yield f"{load.base}, adapters from layer {first} of {base.structure.layers} on, "
        yield f"{load.batch} examples of {load.tokens} tokens; × is how many times as long"
        heads = ["what", "kept s", "whole ×", "in processor time", "peft ×", "in processor time"]
        heads += ["a later step: whole ×", "peft ×"]
        yield from printing.format_table(heads, [_table_row(row) for row in rows])

    facts = {name: getattr(load, name) for name in ("base", "batch", "tokens", "steps", "points")}
    printing.print_result(
        with_machine_info(facts | {"first_layer": first, "rows": rows}), as_json, lines
    )


def _table_row(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return a row of the printed table."""
    names = ("whole", "processor_whole", "peft", "processor_peft", "step_whole", "step_peft")
    ratios = [f"{row[name]:.2f}" if name in row else "" for name in names]
    return row["what"], f"{row['seconds']:.3f}", *ratios


def _spec(load: DeepLoad, first: int) -> RunSpec:
    """Build the spec of both: LoRA of rank 8 on query and value from a layer on."""
    spec = bench_spec(load.base, "lora", 1, load.steps, "fp32")
    training = spec.training.model_copy(update={"batch": load.batch, "shots": load.examples})
    settings = planning.build_spec(
        spec.base, spec.task, "lora", {"first_layer": first}, {"seeds": 1}
    ).settings
    return spec.model_copy(update={"training": training, "settings": settings})


def word_examples(batcher: ExampleBatcher, count: int, tokens: int) -> list[Example]:
    """Make examples of random words, each of this many tokens as the base counts them."""
    rng, target = random.Random(0), max(2, tokens // 5)

    def words(most: int, template: Callable[[str], Example], part: str) -> str:
        """Return words as long as their tokens stay within `most`."""
        text = rng.choice(WORDS)
        while True:
            longer = f"{text} {rng.choice(WORDS)}"
            if len(getattr(batcher.tokenize(template(longer)), part)) > most:
                return text
            text = longer

    examples = []
    for n in range(count):
        source = words(tokens - target, lambda text: Example("", text, "yes"), "input_ids")
        wanted = words(target, lambda text: Example("", "a", text), "target_ids")
        examples.append(Example(str(n), source, wanted))
    return examples


def _adapted(base: BaseModel, spec: RunSpec, keep: bool) -> AdaptedModel:
    """Build the adapted model of a spec, with or without passes that begin at its first layer."""
    adapted = planning.build_adapted(base, spec)
    adapted.can_resume = adapted.can_resume and keep
    return adapted


def _time_training(base: BaseModel, spec: RunSpec, load: DeepLoad) -> dict[str, Any]:
    """Time steps of every way in turns; the states are computed within the first ones."""
    batcher = ExampleBatcher(base, ())
    rows = tuple(word_examples(batcher, load.examples + load.batch, load.tokens))
    episode = Episode(rows[: load.examples], rows[load.examples :])
    trainers = {
        way: Trainer(_adapted(base, spec, way == KEPT), [episode], batcher, spec)
        for way in (KEPT, WHOLE)
    }
    (loop,) = peft_baseline.peft_loops(base, spec)
    steps: dict[str, Callable[[int], float]] = {
        way: lambda _, trainer=trainer: next(iter(trainer.train_step().values()))  # type: ignore[misc]
        for way, trainer in trainers.items()
    }
    steps[PEFT] = lambda step: loop.train_step(step, episode, batcher)
    for trainer in trainers.values():
        trainer.evaluate_dev()  # warms up, on other examples
    loop.loss(batcher.batch(episode.dev))
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in steps}
    losses: dict[str, list[float]] = {way: [] for way in steps}
    for step in range(load.steps):
        for way, work in steps.items():
            wall, processor = time.perf_counter(), time.process_time()
            losses[way].append(work(step))
            spent = time.perf_counter() - wall, time.process_time() - processor
            times[way].append(spent)
    found = _ratios({way: _sums(each) for way, each in times.items()})
    # The first steps of the kept way also compute its states; later ones are as the median.
    later = _ratios({way: _medians(each) for way, each in times.items()})
    found |= {
        f"processor_step_{name.removeprefix('processor_')}"
        if name.startswith("processor_")
        else f"step_{name}": ratio
        for name, ratio in later.items()
    }
    off = max(abs(a - b) for a, b in zip(losses[KEPT], losses[WHOLE], strict=True))
    return {"what": "training", "off": off} | found


def _time_landscape(base: BaseModel, spec: RunSpec, load: DeepLoad) -> dict[str, Any]:
    """Time losses at the points of a face with and without kept states, which count."""
    batcher = ExampleBatcher(base, ())
    rows = word_examples(batcher, load.batch, load.tokens)
    simplex = spec.model_copy(
        update={"population": spec.population.model_copy(update={"vertices": 3})}
    )
    points = random_points([0], load.points, 3, 1)[0]
    spans = {
        way: interpolation.span_of_run(_adapted(base, simplex, way == KEPT))
        for way in (KEPT, WHOLE)
    }
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in spans}
    found: dict[str, torch.Tensor] = {}
    interpolation.PointEvaluator(spans[WHOLE], 0, rows[:1], batcher).losses(points[:1])
    for _ in range(load.rounds):
        for way, span in spans.items():
            wall, processor = time.perf_counter(), time.process_time()
            evaluator = interpolation.PointEvaluator(span, 0, rows, batcher)
            found[way] = torch.tensor(evaluator.losses(points))
            spent = time.perf_counter() - wall, time.process_time() - processor
            times[way].append(spent)
    off = float((found[KEPT] - found[WHOLE]).abs().max())
    return {"what": f"{load.points} points", "off": off} | _ratios(
        {way: _medians(each) for way, each in times.items()}
    )


def _sums(times: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the sums of wall and processor seconds."""
    return sum(wall for wall, _ in times), sum(processor for _, processor in times)


def _medians(times: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the medians of wall and processor seconds."""
    return (
        statistics.median(wall for wall, _ in times),
        statistics.median(processor for _, processor in times),
    )


def _ratios(seconds: dict[str, tuple[float, float]]) -> dict[str, Any]:
    """Return how many times as long the other ways take as with states kept, by both clocks."""
    result: dict[str, Any] = {"seconds": seconds[KEPT][0]}
    for way, name in ((WHOLE, "whole"), (PEFT, "peft")):
        if way in seconds:
            result[name] = seconds[way][0] / seconds[KEPT][0]
            result[f"processor_{name}"] = seconds[way][1] / seconds[KEPT][1]
    return result
