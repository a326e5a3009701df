"""`bench gpu`: what a card brings, in parts that are each kept as soon as they are measured.

A card is often lent for minutes only. So the parts come in the order of their worth, each writes
its findings when it is done, one that fails says why and the next begins, and none begins once the
time is up. On the processor with `--tiny` the same code runs at sizes of seconds, which finds what
a typo would cost on a card.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from torch.nn.functional import scaled_dot_product_attention

from peftcore import paths
from peftcore.adapters import parameter_counts
from peftcore.benchmarks import bench_generate, bench_training
from peftcore.benchmarks.common import bench, time_landscape, with_machine_info
from peftcore.errors import BadInput
from peftcore.system import printing
from peftcore.system.atomic_files import replace_file
from peftcore.system.option_groups import grouped

GIB = 2**30
PARTS_FILE = "gpu.json"


@dataclass(frozen=True)
class CardFinding:
    """One number of a part, in its unit, and the least it should be where there is a goal."""

    what: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def met(self) -> str:
        """Say whether the goal was met; nothing where there is none."""
        if self.goal is None:
            return ""
        return "met" if self.value >= self.goal else "not met"


@dataclass(frozen=True)
class GpuLoad:
    """The device, how much is measured, and until when."""

    device: Annotated[str, typer.Option(help="cuda, or cpu to try the script.")] = "cuda"
    minutes: Annotated[float, typer.Option(min=0.1, help="No part begins after these.")] = 12.0
    tiny: Annotated[bool, typer.Option("--tiny", help="Sizes of seconds, for trying.")] = False
    part: Annotated[list[str] | None, typer.Option(help="Part; repeat it for more.")] = None

    @property
    def precision(self) -> str:
        """Return the precision of what is timed: half on a card."""
        return "bf16" if self.device == "cuda" else "fp32"


@bench.command()
@grouped
def gpu(
    load: GpuLoad,
    out: Annotated[Path, typer.Option(help="Folder of gpu.json.", file_okay=False)],
    as_json: printing.AsJson = False,
) -> None:
    """Measure on a card, part by part: tests, seeds, shapes, precision, answers, points, memory."""
    if load.device == "cuda" and not torch.cuda.is_available():
        raise BadInput("no card here: --device cpu --tiny tries the script without one")
    unknown = set(load.part or ()) - set(PARTS)
    if unknown:
        raise BadInput(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    folder = paths.expand(out)
    folder.mkdir(parents=True, exist_ok=True)
    measured = measure_parts(load, folder / PARTS_FILE)

    def lines() -> Iterator[str]:
        """Yield a line for each finding, and for each part that has none."""
        rows = [
            (row["part"], row["what"], f"{row['value']:.3g} {row['unit']}", row["met"])
            for row in measured["rows"]
        ]
        yield from printing.format_table(["part", "what", "value", "goal"], rows)
        yield from (f"{part}: {why}" for part, why in measured["without"].items())

    printing.print_result(measured, as_json, lines)


def measure_parts(load: GpuLoad, path: Path) -> dict[str, Any]:
    """Measure part after part; `path` has everything that was found so far, at any time."""
    began, rows = time.monotonic(), list[dict[str, Any]]()
    seconds, without = dict[str, float](), dict[str, str]()
    facts = {"device": load.device, "minutes": load.minutes, **card_info(load.device)}
    whole = with_machine_info(facts)
    for name in load.part or PARTS:
        left = 60 * load.minutes - (time.monotonic() - began)
        if left <= 0:
            without[name] = "not begun: the time was up"
            continue
        typer.echo(f"{name} … ({left:.0f} s left)", err=True)
        start = time.monotonic()
        try:
            found = PARTS[name](load, left)
        except Exception as error:  # a part that fails must not take the others' time
            without[name] = f"{type(error).__name__}: {str(error)[:2000]}"
        else:
            rows += [{"part": name, **asdict(each), "met": each.met} for each in found]
        seconds[name] = round(time.monotonic() - start, 1)
        if load.device == "cuda":
            torch.cuda.empty_cache()
        whole |= {"rows": rows, "part_seconds": seconds, "without": without}
        replace_file(path, json.dumps(whole, indent=1).encode())
    return whole | {"rows": rows, "part_seconds": seconds, "without": without}


def card_info(device: str) -> dict[str, Any]:
    """Describe the card; nothing on a processor."""
    if device != "cuda":
        return {}
    card = torch.cuda.get_device_properties(0)
    return {"card": card.name, "card_memory_gib": round(card.total_memory / GIB, 1)}


def _run_tests(load: GpuLoad, left: float) -> list[CardFinding]:
    """Run the tests that need a card; on a processor they run there."""
    environment = os.environ | {"PEFTCORE_TEST_DEVICE": load.device, "OMP_NUM_THREADS": "1"}
    words = ["-m", "pytest", "-q", "-n", "0", "-m", "gpu", "-p", "no:cacheprovider", "tests/gpu"]
    if load.tiny:
        words.append("--collect-only")
    done = subprocess.run(
        [sys.executable, *words],
        cwd=paths.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=left,
    )
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode:
        raise RuntimeError(f"{last} {(done.stdout + done.stderr)[-1500:]}")
    return [CardFinding(f"tests on {load.device}: {last}", 1.0, "green", 1.0)]


def _time_seeds(load: GpuLoad, left: float) -> list[CardFinding]:
    """Time many seeds in one pass against the peft package, one by one and in processes."""
    methods = ("lora",) if load.tiny else ("lora", "prefix_tuning", "prompt_tuning")
    counts = (2,) if load.tiny else (16, 64)
    size = bench_training.TrainingLoad(
        steps=2 if load.tiny else 24, rounds=1, precision=load.precision, device=load.device
    )
    began, found = time.monotonic(), []
    for method in methods:
        for count in counts:
            if time.monotonic() - began > 0.5 * left:  # what comes after is worth a card, too
                break
            # Sixty-four processes would fill the memory with copies of the library.
            ways = ("one pass", "peft") + (("processes",) if count == 16 else ())
            row = bench_training.time_ways("tiny-t5", method, count, size, ways)
            label = f"tiny-t5, {method}, {count} seeds in one pass"
            goals = {"peft": None if load.tiny else 10.0 if count <= 16 else 20.0}
            found += [
                CardFinding(f"{label}, against {way}", row[key]["median"], "times", goals.get(way))
                for way in ways[1:]
                if (key := f"ratio_vs_{way}")
            ]
    return found


def _time_shapes(load: GpuLoad, left: float) -> list[CardFinding]:
    """Train eight LoRAs at once on large shapes with random weights in half precision."""
    names = ("t5-small",) if load.tiny else ("t5-3b", "llama-2-7b", "qwen2.5-7b")
    members, steps = (2, 1) if load.tiny else (8, 8)
    began, found = time.monotonic(), []
    for name in names:
        if time.monotonic() - began > 0.6 * left:
            break
        base = parameter_counts.random_base(name, load.device, "bfloat16")
        spec = bench_training.bench_spec(name, "lora", members, steps + 2, "bf16")
        trainer = bench_training.trainer_of(base, spec)
        trainer.train_step()
        _reset_peak(load.device)
        start = time.perf_counter()
        for _ in range(steps):
            trainer.train_step()
        rate = steps / (time.perf_counter() - start)
        found.append(CardFinding(f"{name}, {members} LoRAs at once, bf16 weights", rate, "steps/s"))
        found.append(CardFinding(f"{name}, peak memory", _peak_gib(load.device), "GiB"))
        del base, trainer
        if load.device == "cuda":
            torch.cuda.empty_cache()
    return found


def _compare_precision(load: GpuLoad, left: float) -> list[CardFinding]:
    """Train the same seeds in single and half precision, and with half-precision weights."""
    steps = 2 if load.tiny else 60
    losses, seconds = dict[str, list[float]](), dict[str, float]()
    for way in ("fp32", "bf16"):
        spec = bench_training.bench_spec("tiny-t5", "lora", 2 if load.tiny else 16, steps, way)
        trainer = bench_training.build_trainer(spec, device=load.device)
        trainer.train_step()
        start = time.perf_counter()
        for _ in range(steps):
            trainer.train_step()
        seconds[way] = time.perf_counter() - start
        losses[way] = trainer.evaluate_dev()
    apart = statistics.fmean(abs(a - b) for a, b in zip(*losses.values(), strict=True))
    return [
        CardFinding("half precision, times as fast", seconds["fp32"] / seconds["bf16"], "times"),
        CardFinding("mean difference of a seed's dev loss", apart, "nats"),
        CardFinding("spread over seeds", statistics.stdev(losses["fp32"]), "nats"),
    ]


def _time_answers(load: GpuLoad, left: float) -> list[CardFinding]:
    """Time many adapters that answer together, against one after another."""
    count, rounds = (2, 1) if load.tiny else (16, 3)
    found = []
    for method in ("lora",) if load.tiny else bench_generate.METHODS:
        row = bench_generate.time_answers("tiny-t5", method, count, 1, rounds, load.device)
        label = f"tiny-t5, {method}, {count} adapters answer together"
        goal = None if load.tiny else 2.0
        found.append(CardFinding(label, row["wall_times_faster"], "times", goal))
        found.append(CardFinding(f"{label}, equal answers", row["equal_answers"], "share"))
    return found


def _time_points(load: GpuLoad, left: float) -> list[CardFinding]:
    """Time the points of a landscape, stacked against one by one."""
    points, rounds = (6, 1) if load.tiny else (231, 3)
    rows = time_landscape("tiny-t5", points, 4 if load.tiny else 12, rounds, load.device)
    return [
        CardFinding(
            f"tiny-t5, {points} points, prefixes in {row['prefixes']}, {row['way']}",
            row["faster"],
            "times",
            None if load.tiny else 4.0,
        )
        for row in rows
        if row["way"] != "one by one"
    ]


def _recover_memory(load: GpuLoad, left: float) -> list[CardFinding]:
    """Train with less memory than one pass of all seeds needs: smaller passes, no seed lost."""
    if load.device != "cuda":
        raise BadInput("memory runs out for real on a card only")
    spec = bench_training.bench_spec("tiny-t5", "prompt_tuning", 64, 3, "fp32")
    asked = 64
    trainer = bench_training.build_trainer(spec, asked, alone=True, device=load.device)
    used = torch.cuda.memory_allocated() + GIB // 4
    share = used / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        for _ in range(3):
            losses = trainer.train_step()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    if len(losses) != asked or trainer.seeds_per_pass >= asked:
        raise RuntimeError(f"{len(losses)} losses, {trainer.seeds_per_pass} seeds in a pass")
    return [
        CardFinding("seeds in a pass after memory ran out, of 64", trainer.seeds_per_pass, "seeds")
    ]


def _time_attention(load: GpuLoad, left: float) -> list[CardFinding]:
    """Time ways of attending over a prefix and content: openly, fused, and compiled for it."""
    sizes = (2, 2, 16, 8, 16) if load.tiny else (64, 16, 512, 64, 64)
    rows, heads, tokens, prefix, features = sizes
    dtype = torch.bfloat16 if load.device == "cuda" else torch.float32
    make = lambda length: torch.randn(
        rows, heads, length, features, device=load.device, dtype=dtype, requires_grad=True
    )
    query, key, value = make(tokens), make(prefix + tokens), make(prefix + tokens)
    seen = torch.ones(tokens, prefix + tokens, dtype=torch.bool, device=load.device)
    seen = seen.tril(prefix)  # causal over the content, the prefix in every query's sight

    def openly() -> torch.Tensor:
        """Attend step by step; returns (rows, heads, tokens, features)."""
        scores = (query @ key.mT).float() * features**-0.5
        weights = scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(-1)
        return weights.to(dtype) @ value

    ways: dict[str, Callable[[], torch.Tensor]] = {
        "openly": openly,
        "fused": lambda: scaled_dot_product_attention(query, key, value, attn_mask=seen),
    }
    if load.device == "cuda":
        ways["flex"] = _flex_attention(query, key, value, prefix)
    times = {way: _gradient_ms(work, (query, key, value), load) for way, work in ways.items()}
    off = max(float((work() - openly()).detach().abs().max()) for work in ways.values())
    label = f"{rows} rows, {heads} heads, {prefix} + {tokens} keys"
    found = [
        CardFinding(f"{label}: {way}, against openly", times["openly"] / ms, "times")
        for way, ms in times.items()
        if way != "openly"
    ]
    return [*found, CardFinding(f"{label}: largest difference of an output", off, "")]


def _flex_attention(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, prefix: int
) -> Callable[[], torch.Tensor]:
    """Compile the library's flexible attention for a mask of prefix and causal content."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    def in_sight(_row: Any, _head: Any, at: torch.Tensor, of: torch.Tensor) -> torch.Tensor:
        """Say, in the mask (q, k), whether a query sees a key."""
        return of <= at + prefix

    tokens, keys = query.shape[2], key.shape[2]
    mask = create_block_mask(in_sight, None, None, tokens, keys, device=query.device.type)
    compiled = torch.compile(flex_attention)
    return lambda: compiled(query, key, value, block_mask=mask)


def _gradient_ms(
    work: Callable[[], torch.Tensor], inputs: Sequence[torch.Tensor], load: GpuLoad
) -> float:
    """Return the median milliseconds of a way's forward and backward; the first warms up."""
    times = []
    for _ in range(2 if load.tiny else 12):
        start = time.perf_counter()
        torch.autograd.grad(work().float().sum(), inputs)
        if load.device == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def _train_toys(load: GpuLoad, left: float) -> list[CardFinding]:
    """Train toy experiment 01 at the full recipe for as long as there is time."""
    recipe, seeds = ("quick", 1) if load.tiny else ("full", 5)
    words = ["-m", "peftcore", "toys", "01", "--recipe", recipe, "--seeds", str(seeds)]
    with tempfile.TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, *words, "--device", load.device, "--json"],
            cwd=paths.ROOT,
            env=os.environ | {"PEFTCORE_HOME": home},
            capture_output=True,
            text=True,
            timeout=left,
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-300:])
    return [
        CardFinding(
            f"{row['adaptation']}, {row['task']}, {seeds} seeds", row["exact_match"]["mean"], "%"
        )
        for row in json.loads(done.stdout)
    ]


def _reset_peak(device: str) -> None:
    """Begin to watch a card's memory."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def _peak_gib(device: str) -> float:
    """Return the most memory in use: of the card since it was watched, else of the process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / GIB
    return bench_training.peak_memory_mib() / 1024


PARTS: dict[str, Callable[[GpuLoad, float], list[CardFinding]]] = {
    "tests": _run_tests,
    "seeds": _time_seeds,
    "shapes": _time_shapes,
    "precision": _compare_precision,
    "answers": _time_answers,
    "points": _time_points,
    "attention": _time_attention,
    "memory": _recover_memory,
    "toys": _train_toys,
}
