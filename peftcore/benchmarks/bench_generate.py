"""`bench generate`: many adapters answering a text in one pass, against one after another."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import torch
import typer

from peftcore import tasks
from peftcore.benchmarks.bench_training import bench_spec, load_bench_base
from peftcore.benchmarks.common import Subjects, bench, interleaved, with_machine_info
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import ExampleBatcher
from peftcore.system import printing
from peftcore.system.option_groups import grouped
from peftcore.training import evaluation, planning

METHODS = ("prompt_tuning", "prefix_tuning", "lora")


@bench.command()
@grouped
def generate(
    subjects: Subjects,
    texts: Annotated[int, typer.Option(min=1, help="Texts that all of them answer.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="Prompts, 4 adapters, 2 rounds.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Time answers of n adapters of a run to a text: in one pass, and one adapter after another."""
    bases, methods = subjects.base or ["tiny-t5", "tiny-gpt"], subjects.method or list(METHODS)
    counts = subjects.count or [4, 16]
    if quick:
        bases, methods, counts, rounds = bases[:1], methods[:1], [4], 2
    rows = [
        time_answers(name, each, number, texts, rounds)
        for name in bases
        for each in methods
        for number in counts
    ]

    def lines() -> Iterator[str]:
        """Yield the lines of the table."""
        yield f"{texts} text(s), medians of {rounds} interleaved rounds, processor seconds"
        heads = ["base", "method", "adapters", "together s", "one by one s", "times faster"]
        yield from printing.format_table(heads, [tuple(row.values())[:6] for row in rows])

    whole: dict[str, Any] = {"texts": texts, "rounds": rounds}
    whole["ratio_vs_one_by_one"] = statistics.median(row["times_faster"] for row in rows)
    printing.print_result(with_machine_info(whole | {"rows": rows}), as_json, lines)


def time_answers(
    name: str, method: str, count: int, texts: int, rounds: int, device: str = "cpu"
) -> dict[str, Any]:
    """Time one base, method and number of adapters: processor seconds, and the ratio in wall."""
    answers_by_way: dict[str, list[list[str]]] = {}
    ways = _ways(load_bench_base(name, device), method, count, texts, answers_by_way)
    seconds_by_way = interleaved(ways, rounds)
    together, alone = (
        seconds_by_way["together"]["processor"],
        seconds_by_way["one by one"]["processor"],
    )
    pairs = [
        a == b
        for x, y in zip(*answers_by_way.values(), strict=True)
        for a, b in zip(x, y, strict=True)
    ]
    return {
        "base": name,
        "method": method,
        "adapters": count,
        "together": together,
        "one_by_one": alone,
        "times_faster": alone / together,
        "equal_answers": statistics.fmean(pairs),
        "wall_times_faster": seconds_by_way["one by one"]["wall"]
        / seconds_by_way["together"]["wall"],
    }


def _ways(
    base: BaseModel,
    method: str,
    count: int,
    texts: int,
    answers_by_way: dict[str, list[list[str]]],
) -> dict[str, Callable[[], None]]:
    """Both ways for adapters as they are before training, moved a little so that they differ."""
    spec = bench_spec(base.name, method, count, 1, "fp32")
    whole, task = planning.build_adapted(base, spec), tasks.find_task(spec.task)
    generator = torch.Generator().manual_seed(0)
    for tensor in whole.tensors.values():
        noise = torch.randn(tensor.shape, generator=generator)
        tensor.data.add_(0.1 * noise.to(tensor.device))
    singles = []
    for seed in range(count):
        single = planning.build_adapted(base, bench_spec(base.name, method, 1, 1, "fp32", seed))
        for each, tensor in single.tensors.items():
            tensor.data.copy_(whole.tensors[each].data[seed : seed + 1])
        singles.append(single)
    encoder = ExampleBatcher(base, task.labels, planning.prompt_length(spec, base))
    rows = list(task.load("validation")[:texts])

    def asked(adapted: Any) -> list[list[str]]:
        """Return the answers of every seed."""
        with torch.inference_mode():
            answers = evaluation.answer_examples(adapted, task, rows, encoder, spec.evaluation)
        return [[answer.text for answer in each] for each in answers]

    def together() -> None:
        """Answer with all adapters in one pass."""
        answers_by_way["together"] = asked(whole)

    def one_by_one() -> None:
        """Answer with one adapter after another."""
        answers_by_way["one by one"] = [asked(single)[0] for single in singles]

    return {"together": together, "one by one": one_by_one}
