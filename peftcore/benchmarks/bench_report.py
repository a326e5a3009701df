"""`bench report`: the benchmarks kept as JSON, as one Markdown page with its charts.

No number of that page is typed: each comes from a file of `assets/benchmarks`, and the command that
made the file stands beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore import paths as paths_
from peftcore.benchmarks.common import bench
from peftcore.benchmarks.goals import busy_cells, goal_rows
from peftcore.errors import BadInput

FOLDER = paths_.ASSETS / "benchmarks"
BUSY_FOLDER = "busy"  # inside of it: measured again beside a process that computes all the time
CellFormat = Callable[[Mapping[str, Any]], str]


def number_column(name: str, form: str = ".3g") -> CellFormat:
    """Return the format of a column of numbers."""
    return lambda row: format(row[name], form)


def optional_column(name: str, form: str = ".3g") -> CellFormat:
    """Return the format of a column of numbers that some rows lack."""
    return lambda row: format(row[name], form) if name in row else ""


def text_column(name: str) -> CellFormat:
    """Return the format of a column of texts."""
    return lambda row: str(row[name])


def median_with_range(name: str) -> CellFormat:
    """Return the format of a median with its range."""
    return lambda row: "{median:.2f} ({low:.2f}-{high:.2f})".format(**row[name])


def ratio_column(way: str) -> CellFormat:
    """Return the format of a ratio of wall times with range, and of processor times."""
    return lambda row: (
        median_with_range(f"ratio_vs_{way}")(row)
        + f" [{row[f'processor_ratio_vs_{way}']['median']:.2f}]"
    )


def plain_ratio(way: str) -> CellFormat:
    """Return the format of a ratio of wall times, and of processor times; empty where missing."""
    return lambda row: f"{row[way]:.2f} [{row[f'processor_{way}']:.2f}]" if way in row else ""


@dataclass(frozen=True)
class Section:
    """One benchmark: its file, its question, and the columns of its table."""

    name: str
    title: str
    about: str
    columns: Mapping[str, CellFormat]


SECTIONS = (
    Section(
        "seeds",
        "Many seeds in one pass",
        "S seeds in stacked passes, one for each core, against our own loop run S times (a), "
        "against the `peft` package and a plain loop run S times (b), and against S processes of "
        "that script at once (c), without their start-up. How many times as long each takes: wall "
        "time as median (range) over rounds in random order, and in square brackets processor "
        "time. Last losses of (a) differ by no more than the last column; those of (b) start from "
        "other random numbers. Peak: the most the process had held so far.",
        {
            "base": text_column("base"),
            "method": text_column("method"),
            "seeds": text_column("seeds"),
            "own loop (a)": ratio_column("own_loop"),
            "peft (b)": ratio_column("peft"),
            "processes (c)": ratio_column("processes"),
            "one pass, s": lambda row: f"{row['seconds']['one pass']['wall']:.2f}",
            "peak MiB": number_column("peak_memory_mib", ".0f"),
            "losses off by": number_column("own_loop_off_by", ".1e"),
        },
    ),
    Section(
        "deep",
        "Adapters in the top layers of a deep base",
        "LoRA of rank 8 on query and value from a layer on: the states that enter that layer are "
        "computed once for each example. How many times as long passes of the whole base take, "
        "and the `peft` package in a plain loop with the same adapters; in square brackets by "
        "processor time. Computing the states counts in the whole, not in a later step (median). "
        "Off by: the largest difference of a loss.",
        {
            "what": text_column("what"),
            "states kept, s": number_column("seconds"),
            "whole passes": plain_ratio("whole"),
            "peft": plain_ratio("peft"),
            "a later step: whole": plain_ratio("step_whole"),
            "a later step: peft": plain_ratio("step_peft"),
            "losses off by": number_column("off", ".1e"),
        },
    ),
    Section(
        "precision",
        "Half precision",
        "Mean dev loss of the same seeds on their way in single and half precision (`auto` takes "
        "the latter where the processor has it). Apart: the mean difference of a seed from itself; "
        "spread: the standard deviation over seeds, which is what a difference is to be held "
        "against. Times faster: processor time of the whole training, looks included.",
        {
            "base": text_column("base"),
            "method": text_column("method"),
            "step": text_column("step"),
            "fp32": number_column("fp32", ".3f"),
            "bf16": number_column("bf16", ".3f"),
            "apart": number_column("apart", ".3f"),
            "spread over seeds": number_column("spread_over_seeds", ".3f"),
            "times faster": number_column("times_faster", ".2f"),
        },
    ),
    Section(
        "step",
        "A step against its floor",
        "The floor is the frozen model's forward and backward to its inputs for the same tokens, "
        "soft ones included; for SparseFit with the gradients of its weights. Processor time, "
        "medians of pairs.",
        {
            "base": text_column("base"),
            "method": text_column("method"),
            "step, ms": number_column("step_ms", ".0f"),
            "floor, ms": number_column("floor_ms", ".0f"),
            "times the floor": number_column("times_the_floor", ".2f"),
        },
    ),
    Section(
        "compile",
        "Compiled models",
        "A training step, and the frozen model's forward and backward alone, plain and by "
        "torch.compile; processor time, medians of pairs. Compiling: until the first call came "
        "back. On a processor it does not pay, so nothing in the core compiles.",
        {
            "base": text_column("base"),
            "what": text_column("what"),
            "plain, ms": number_column("plain_ms", ".0f"),
            "compiled, ms": number_column("compiled_ms", ".0f"),
            "times faster": number_column("times_faster", ".2f"),
            "compiling, s": number_column("compiling_seconds", ".0f"),
            "graphs": text_column("graphs"),
        },
    ),
    Section(
        "landscape",
        "Points of a landscape",
        "Losses at many points of a simplex of prefixes: point by point, stacked (passes side by "
        "side, a core each), and stacked in half precision. Off by: the largest difference of a "
        "loss.",
        {
            "base": text_column("base"),
            "prefixes": text_column("prefixes"),
            "way": text_column("way"),
            "wall s": number_column("wall", ".2f"),
            "times faster": number_column("faster", ".2f"),
            "processor s": number_column("processor", ".2f"),
            "in processor time": number_column("faster_in_processor_time", ".2f"),
            "off by": number_column("off", ".1e"),
        },
    ),
    Section(
        "generate",
        "Adapters that answer together",
        "One text, answered by n adapters in one pass and by one after another.",
        {
            "base": text_column("base"),
            "method": text_column("method"),
            "adapters": text_column("adapters"),
            "together, s": number_column("together", ".3f"),
            "one by one, s": number_column("one_by_one", ".3f"),
            "times faster": number_column("times_faster", ".2f"),
            "equal answers": number_column("equal_answers", ".0%"),
        },
    ),
    Section(
        "growth",
        "How costs grow",
        "Every point in a process of its own: processor time, and the most memory it held, the "
        "libraries' own some 450 MiB included.",
        {
            "what grows": text_column("axis"),
            "to": text_column("value"),
            "processor s": number_column("seconds", ".3f"),
            "peak MiB": number_column("peak_memory_mib", ".0f"),
        },
    ),
    Section(
        "gpu",
        "On a card",
        "The parts of `make gpu`, in the order in which they were measured.",
        {
            "part": text_column("part"),
            "what": text_column("what"),
            "value": lambda row: f"{row['value']:.3g} {row['unit']}",
            "goal": lambda row: "" if row["goal"] is None else f"{row['goal']:g} {row['met']}",
        },
    ),
    Section(
        "app",
        "The app in a browser",
        "Chromium without a graphics card: milliseconds until nothing on the page changes any "
        "more.",
        {
            "page": text_column("page"),
            "action": text_column("action"),
            "median ms": number_column("median_ms", ".0f"),
            "slowest ms": number_column("slowest_ms", ".0f"),
        },
    ),
    Section(
        "compare",
        "Compare under size",
        "The Compare page in Chromium with made-up runs: milliseconds until nothing on the page "
        "changes any more.",
        {
            "action": text_column("action"),
            "median ms": number_column("median_ms", ".0f"),
            "slowest ms": number_column("slowest_ms", ".0f"),
        },
    ),
    Section(
        "store",
        "Pages with very many runs",
        "Chromium with made-up runs, and with an empty store in the same call: milliseconds until "
        "nothing on the page changes any more. Last, what the server holds in memory.",
        {
            "page": text_column("page"),
            "action": text_column("action"),
            "empty, ms": optional_column("empty_ms", ".0f"),
            "median ms": optional_column("median_ms", ".0f"),
            "slowest ms": optional_column("slowest_ms", ".0f"),
            "memory, MiB": optional_column("memory_mib", ".0f"),
        },
    ),
    Section(
        "sweeps",
        "Sweeps of very many cells",
        "Made-up cells and fake work: processor time of the process that lists, asks for states, "
        "tabulates, assigns and collects. Below, a model of costs: hours on so many cards if a "
        "cell trains for as long as stands above the table, and the share of them that all the "
        "rest takes in one process; what breaks first is what reaches 100 %.",
        {
            "cells": text_column("cells"),
            "what": text_column("what"),
            "seconds": number_column("seconds", ".2f"),
            "ms a cell": number_column("ms_a_cell", ".3f"),
            "share of all the rest": optional_column("control_share", ".2%"),
        },
    ),
    Section(
        "rating",
        "Many raters at once",
        "Threads on one book, as in the app's server; or with --browsers real browsers, on the "
        "same two cores as the server.",
        {
            "act": text_column("act"),
            "calls": text_column("calls"),
            "median ms": number_column("median_ms", ".1f"),
            "95 % ms": number_column("p95_ms", ".1f"),
            "worst ms": number_column("worst_ms", ".1f"),
        },
    ),
    Section(
        "soak",
        "Kills, full disks, crowds and moves",
        "Each at random moments that the seed decides, on workspaces of their own and the smallest "
        "run (tiny-bert, LoRA). Wrong: whatever was acknowledged and is not there, is there twice, "
        "or differs from an undisturbed run in a byte.",
        {
            "what": text_column("what"),
            "how": text_column("how"),
            "times": text_column("times"),
            "wrong": text_column("wrong"),
            "found": text_column("found"),
            "seconds": number_column("seconds", ".0f"),
        },
    ),
)


@bench.command()
def report(
    folder: Annotated[
        Path, typer.Option(help="Where NAME.json of each benchmark lies.", file_okay=False)
    ] = FOLDER,
    out: Annotated[
        Path | None, typer.Option(help="File to write; its pictures go beside the JSON.")
    ] = None,
) -> None:
    """Write one page of Markdown from benchmarks that were kept with --json."""
    if out is None:
        typer.echo(benchmarks_markdown(folder))
    else:
        write_report(folder, out)


def write_report(folder: Path, out: Path) -> None:
    """Write the page, and its charts into the folder."""
    page = benchmarks_markdown(folder)
    for axis, picture in growth_plots(folder).items():
        (folder / f"{axis}.svg").write_text(picture, "utf-8")
    out.write_text(page, "utf-8")


def benchmarks_markdown(folder: Path) -> str:
    """Return the page; BadInput if the folder holds no benchmark."""
    parts = [
        part for section in SECTIONS for part in _section(section, _read(folder, section.name))
    ]
    if not parts:
        raise BadInput(f"no benchmark in {folder}: NAME.json with NAME one of {_names()}")
    intro = (
        "# Benchmarks\n\nMade by `python -m peftcore bench report --out BENCHMARKS.md` from the "
        "files of [assets/benchmarks](assets/benchmarks), each of which is what the command above "
        "its table printed; `python -m peftcore bench again` runs them all anew. Ratios are of "
        "pairs measured side by side in one run; absolute times are those of a small shared "
        "machine."
    )
    if not _read(folder, "gpu"):
        intro += " No GPU was at hand: what `make gpu` measures is open."
    return "\n".join([intro + "\n", *_goals_section(folder), *parts])


def _goals_section(folder: Path) -> Iterator[str]:
    """Yield the section of goals: the worst row of each benchmark against its limit."""
    heads = ["goal", "limit", "worst measured", ""]
    rows = list(goal_rows(lambda name: _read(folder, name)))
    about = "Each by its worst row in the tables below; the table says on what."
    if any((folder / BUSY_FOLDER).glob("*.json")):
        heads += ["beside a busy process", ""]
        busy = busy_cells(lambda name: _read(folder / BUSY_FOLDER, name))
        rows = [(*free, *beside) for free, beside in zip(rows, busy, strict=True)]
        about += (
            " The last two columns are of the same commands beside a process that computes all "
            "the time (`bench again --busy`)."
        )
    lines = [heads, ["---"] * len(heads), *rows]
    yield "## Goals\n"
    yield f"{about}\n"
    yield "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _names() -> str:
    """List the benchmarks' names in a sentence."""
    return ", ".join(section.name for section in SECTIONS)


def _read(folder: Path, name: str) -> list[dict[str, Any]]:
    """Read NAME.json and NAME-….json: one benchmark, perhaps on several bases."""
    paths = [folder / f"{name}.json", *sorted(folder.glob(f"{name}-*.json"))]
    return [json.loads(path.read_text("utf-8")) for path in paths if path.is_file()]


def _section(section: Section, measured: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the section of one benchmark; nothing if it was not measured."""
    if not measured:
        return
    yield f"## {section.title}\n"
    yield f"{section.about}\n"
    for measurement in measured:
        yield from _measurement_section(section, measurement)


def _measurement_section(section: Section, measurement: Mapping[str, Any]) -> Iterator[str]:
    """Yield command, facts and table of one file."""
    yield f"`python -m peftcore {measurement['command']} --json`\n"
    facts = {
        k: v for k, v in measurement.items() if isinstance(v, int | float | str) and k != "command"
    }
    fact_texts = [f"{key.replace('_', ' ')} {_short(value)}" for key, value in facts.items()]
    machine = [f"{key} {value}" for key, value in measurement.get("machine", {}).items()]
    yield "; ".join([*fact_texts, *machine]) + ".\n"
    yield _table(section.columns, measurement["rows"])
    for axis, powers in measurement.get("exponents", {}).items():
        picture = f"![peak memory by {axis}](assets/benchmarks/{axis}-memory.svg)\n\n"
        memory = picture if axis == MEMORY_AXIS else ""
        yield (
            f"![{axis}](assets/benchmarks/{axis}.svg)\n\n{memory}**{axis}** "
            f"({measurement['units'][axis]}): at "
            f"the upper end time grows as its power {powers['seconds']:.2f}, peak memory as "
            f"{powers['peak_memory_mib']:.2f}.\n"
        )


def _short(value: Any) -> str:
    """Return a number with three digits; other values as text."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _table(columns: Mapping[str, CellFormat], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a Markdown table."""
    lines = [list(columns), ["---"] * len(columns)]
    lines += [[cell(row) for cell in columns.values()] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def growth_plots(folder: Path) -> dict[str, str]:
    """Return axis → SVG of its growth, both scales logarithmic; none without growth.json."""
    rows = [row for measurement in _read(folder, "growth") for row in measurement["rows"]]
    axes = dict.fromkeys(row["axis"] for row in rows)
    points = lambda axis, key: [(r["value"], r[key]) for r in rows if r["axis"] == axis]
    plots = {axis: _growth_svg(axis, points(axis, "seconds")) for axis in axes}
    if MEMORY_AXIS in axes:
        memory = points(MEMORY_AXIS, "peak_memory_mib")
        plots[f"{MEMORY_AXIS}-memory"] = _growth_svg(MEMORY_AXIS, memory, "Peak memory", "MiB")
    return plots


WIDTH, HEIGHT, LEFT, BELOW = 480, 260, 60, 40
MEMORY_AXIS = "vertices"  # whose peak memory is drawn too


def _growth_svg(
    axis: str,
    points: Sequence[tuple[float, float]],
    what: str = "Processor seconds",
    unit: str = "s",
) -> str:
    """Draw points with their numbers, joined by lines; the dashed line grows in proportion."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    low = [min(p[k] for p in logs) for k in (0, 1)]
    span = max(max(p[k] for p in logs) - low[k] for k in (0, 1)) or 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        """Return the pixel of a point."""
        wide, high = WIDTH - LEFT - 40, HEIGHT - BELOW - 30
        return LEFT + wide * (x - low[0]) / span, HEIGHT - BELOW - high * (y - low[1]) / span

    spots = [at(*p) for p in logs]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    (x0, y0), (x1, y1) = at(*logs[0]), at(logs[-1][0], logs[0][1] + logs[-1][0] - logs[0][0])
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="#2a78d6"/>'
        f'<text x="{x:.1f}" y="{y - 9:.1f}" text-anchor="middle">{value:.3g} {unit}</text>'
        f'<text x="{x:.1f}" y="{HEIGHT - 22}" text-anchor="middle">{name:g}</text>'
        for (x, y), (name, value) in zip(spots, points, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="11" fill="#444">'
        f"<title>{what} as {axis} grows, both scales logarithmic</title>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" stroke="#999" '
        f'stroke-dasharray="4 4"/>'
        f'<polyline points="{line}" fill="none" stroke="#2a78d6" stroke-width="2"/>{marks}'
        f'<text x="{WIDTH / 2:.0f}" y="{HEIGHT - 5}" text-anchor="middle">{axis}</text></svg>\n'
    )
