"""`bench generate`: many adapters answering a text together, against one after another."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from peftcore.benchmarks.bench_training import based, spec_of
from peftcore.benchmarks.common import bench, interleaved, told
from peftcore.system import printing

METHODS = ("prompt_tuning", "prefix_tuning", "lora")


@bench.command()
def generate(
    base: Annotated[list[str] | None, typer.Option(help="Base; repeat it for more.")] = None,
    method: Annotated[list[str] | None, typer.Option(help="Method; repeat it for more.")] = None,
    count: Annotated[list[int] | None, typer.Option(help="Adapters; repeat it for more.")] = None,
    texts: Annotated[int, typer.Option(min=1, help="Texts that all of them answer.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Prompts, 4 adapters, 2 rounds.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Answers of n adapters of one run to a text: in one pass, and one adapter after another."""
    bases, methods, counts = base or ["tiny-t5", "tiny-gpt"], method or list(METHODS), count
    counts = counts or [4, 16]
    if quick:
        bases, methods, counts, rounds = bases[:1], methods[:1], [4], 2
    rows = [
        _row(name, each, number, texts, rounds)
        for name in bases
        for each in methods
        for number in counts
    ]

    def lines() -> Iterator[str]:
        yield f"{texts} text(s), medians of {rounds} interleaved rounds, processor seconds"
        heads = ["base", "method", "adapters", "together s", "one by one s", "times faster"]
        yield from printing.table(heads, [tuple(row.values())[:6] for row in rows])

    whole: dict[str, Any] = {"texts": texts, "rounds": rounds}
    whole["ratio_vs_one_by_one"] = statistics.median(row["times_faster"] for row in rows)
    printing.show(told(whole | {"rows": rows}), as_json, lines)


def _row(name: str, method: str, count: int, texts: int, rounds: int) -> dict[str, Any]:
    said: dict[str, list[list[str]]] = {}
    ways = _ways(name, method, count, texts, said)
    took = interleaved(ways, rounds)
    together, alone = took["together"]["processor"], took["one by one"]["processor"]
    pairs = [a == b for x, y in zip(*said.values(), strict=True) for a, b in zip(x, y, strict=True)]
    return {
        "base": name,
        "method": method,
        "adapters": count,
        "together": together,
        "one_by_one": alone,
        "times_faster": alone / together,
        "equal_answers": statistics.fmean(pairs),
    }


def _ways(
    name: str, method: str, count: int, texts: int, said: dict[str, list[list[str]]]
) -> dict[str, Callable[[], None]]:
    """Both ways for adapters as they are before training, moved a little so that they differ."""
    import torch

    from peftcore import tasks
    from peftcore.models.batching import Encoder
    from peftcore.training import evaluation, planning

    base, spec = based(name), spec_of(name, method, count, 1, "fp32")
    whole, task = planning.wear(base, spec), tasks.find(spec.task)
    generator = torch.Generator().manual_seed(0)
    for tensor in whole.tensors.values():
        noise = torch.randn(tensor.shape, generator=generator)
        tensor.data.add_(0.1 * noise.to(tensor.device))
    singles = []
    for seed in range(count):
        single = planning.wear(base, spec_of(name, method, 1, 1, "fp32", seed))
        for each, tensor in single.tensors.items():
            tensor.data.copy_(whole.tensors[each].data[seed : seed + 1])
        singles.append(single)
    encoder = Encoder(base, task.labels, planning.room(spec, base))
    rows = list(task.load("validation")[:texts])

    def asked(worn: Any) -> list[list[str]]:
        with torch.inference_mode():
            found = evaluation.answer(worn, task, rows, encoder, spec.evaluation)
        return [[answer.text for answer in each] for each in found]

    def together() -> None:
        said["together"] = asked(whole)

    def one_by_one() -> None:
        said["one by one"] = [asked(single)[0] for single in singles]

    return {"together": together, "one by one": one_by_one}
