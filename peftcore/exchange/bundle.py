"""Reproduction bundles: finished runs with all that decides and proves their scores, in one zip.

| member | holds |
| --- | --- |
| bundle.json | what is inside: runs, bases, tasks, seeds, versions, hashes |
| runs/ID/ | spec, status, history, scores, manifest, adapter and what it forgot, as in the run |
| runs/ID/tables/ | what the figures show, as CSV: scores, learning curves, right and wrong |
| tables/ | all runs side by side: every score, and mean with 95 % interval |
| report.html | the runs compared: verdicts, figures, tables, settings, a methods paragraph |
| figures/ | the figures of the report, each as an SVG file |
| SHA256SUMS | a hash of every member |

Answers quote the data they answer, which may be somebody else's text; they are left out unless
asked for, and the report then quotes none. `reproduce` reads bundles.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.runs import forgetting
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files
from peftcore.system.zip_files import zip_bytes

if TYPE_CHECKING:
    from peftcore.reports.tuning import TriedRates

FORMAT = "peftcore-bundle-1"
RUN_FILES = (
    *("spec.json", "history.jsonl", "scores.json", "manifest.json", "adapter.safetensors"),
    forgetting.FILE,
)
ANSWERS_FILE = "answers.parquet"
TABLES = ("scores", "learning", "outcomes")
REPORT_FILE = "report.html"
MEMBER_PATTERN = re.compile(
    r"bundle\.json|README\.txt|SHA256SUMS|tables/(scores|summary)\.csv"
    r"|report\.html|figures/[0-9a-z-]+\.svg"
    r"|runs/[0-9a-f]{12}/(status\.json|answers\.parquet|"
    + "|".join(re.escape(name) for name in RUN_FILES)
    + rf"|tables/({'|'.join(TABLES)})\.csv)"
)
README = """A reproduction bundle of runs of Adapter Lab.

  sha256sum -c SHA256SUMS                       checks that nothing was changed
  python -m peftcore reproduce THIS.zip --check compares versions, base and data of a machine
  python -m peftcore reproduce THIS.zip         trains every run again and compares the scores

report.html opens in any browser and compares the runs; figures/ has its figures.

{answers}
"""
ANSWERS_LEFT_OUT = (
    "Answers are left out, because they quote the data they answer, which may not be ours to pass "
    "on; tables/outcomes.csv of each run says which examples were answered right."
)


def write_bundle(
    runs: Sequence[Run],
    out: Path,
    with_answers: bool = False,
    tried: Sequence[TriedRates] = (),
) -> list[str]:
    """Write finished runs, and the runs they started from, to a zip; return its members.

    tried: how many learning rates each run's method was tried at, for the report.
    """
    target = paths.expand(out)
    if target.exists():
        raise BadInput(f"{out} is there already; name a new file")
    if not target.parent.is_dir():
        raise BadInput(f"there is no folder {str(target.parent)!r}")
    members = _members(runs, with_answers, tried)
    atomic_files.replace_file(target, zip_bytes(members))
    return sorted(members)


def bundle_bytes(
    runs: Sequence[Run], with_answers: bool = False, tried: Sequence[TriedRates] = ()
) -> bytes:
    """Return the same zip as bytes."""
    return zip_bytes(_members(runs, with_answers, tried))


def _members(
    runs: Sequence[Run], with_answers: bool, tried: Sequence[TriedRates]
) -> dict[str, bytes]:
    """Collect every member by name; BadInput if a run is not finished."""
    chosen = _with_starts(runs)
    members = {
        "README.txt": README.format(
            answers="Answers are included." if with_answers else ANSWERS_LEFT_OUT
        ).encode(),
        "bundle.json": _json(
            {
                "format": FORMAT,
                "answers": with_answers,
                "runs": [_run_entry(run) for run in chosen],
            }
        ),
    }
    for run in chosen:
        members |= _run_members(run, with_answers)
    return members | _summary_tables(chosen) | _report_members(runs, with_answers, tried)


def _with_starts(runs: Sequence[Run]) -> list[Run]:
    """Return the runs by id, with every run that one of them started from."""
    by_id: dict[str, Run] = {}
    waiting = list(runs)
    while waiting:
        run = waiting.pop()
        if run.id in by_id:
            continue
        if run.status().state != "done":
            raise BadInput(f"run {run.id} is {run.status().state}; only finished runs are bundled")
        by_id[run.id] = run
        if run.spec.start:
            waiting.append(RunStore(None if run.demo else run.folder.parent).open(run.spec.start))
    if not by_id:
        raise BadInput("name at least one run to bundle")
    return [by_id[name] for name in sorted(by_id)]


def _run_entry(run: Run) -> dict[str, Any]:
    """Describe a run for bundle.json."""
    manifest = run.manifest()
    return {
        "run": run.id,
        "base": run.spec.base,
        "task": run.spec.task,
        "method": run.spec.method,
        "seeds": run.spec.population.seed_numbers(),
        "start": run.spec.start,
        "imported": "imported" in manifest,
        "fingerprint": manifest.get("base", {}).get("fingerprint"),
        "data_hash": manifest.get("data_hash"),
        "python": manifest.get("python"),
        "versions": manifest.get("versions", {}),
    }


def _run_members(run: Run, with_answers: bool) -> dict[str, bytes]:
    """Collect a run's files; of its status not what belongs to this machine."""
    folder = f"runs/{run.id}"
    file_names = (*RUN_FILES, ANSWERS_FILE) if with_answers else RUN_FILES
    members = {
        f"{folder}/{name}": (run.folder / name).read_bytes()
        for name in file_names
        if (run.folder / name).is_file()
    }
    status = atomic_files.read_json(run.folder / "status.json")
    members[f"{folder}/status.json"] = _json(
        {name: value for name, value in status.items() if name not in ("process", "error_id")}
    )
    numbers = run.spec.population.seed_numbers()
    scores = [
        (seed, metric, values[i])
        for metric, values in sorted(run.scores().items())
        for i, seed in enumerate(numbers)
        if i < len(values)
    ]
    history, answers = run.history(), run.answers()
    tables: dict[str, tuple[Sequence[str], Iterable[Sequence[Any]]]] = {
        "scores": (("seed", "metric", "value"), scores),
        "learning": (list(history.columns), history.astype(object).to_numpy().tolist()),
    }
    if not answers.empty:
        right = answers[["seed", "example", "correct"]].astype(object)
        tables["outcomes"] = (list(right.columns), right.to_numpy().tolist())
    for name, (heads, rows) in tables.items():
        members[f"{folder}/tables/{name}.csv"] = _csv(heads, rows)
    return members


def _summary_tables(runs: Sequence[Run]) -> dict[str, bytes]:
    """Tabulate every score of every run, and the means with their intervals and whom they mean."""
    from peftcore.analysis.score_estimates import score_estimates

    singles, means = [], []
    for run in runs:
        names = (run.id, run.spec.base, run.spec.task, run.spec.method)
        numbers = run.spec.population.seed_numbers()
        for metric, values in sorted(run.scores().items()):
            pairs = zip(numbers, values, strict=False)
            singles += [(*names, metric, seed, value) for seed, value in pairs]
        for metric, found in sorted(score_estimates(run).items()):
            limits = (found.mean, found.low, found.high, found.population)
            means.append((*names, metric, *limits, found.seeds, found.items or None, found.reason))
    heads = ("run", "base", "task", "method", "metric")
    return {
        "tables/scores.csv": _csv((*heads, "seed", "value"), singles),
        "tables/summary.csv": _csv(
            (*heads, "mean", "low", "high", "about", "seeds", "examples", "reason"), means
        ),
    }


def _report_members(
    runs: Sequence[Run], with_answers: bool, tried: Sequence[TriedRates]
) -> dict[str, bytes]:
    """Write the report of the runs that were asked for and its figures; nothing without scores."""
    from peftcore.reports.groups import ReportOptions
    from peftcore.reports.write import build_report, report_figures, report_html

    scored = sorted((run for run in runs if run.scores()), key=lambda run: run.id)
    if not scored:
        return {}
    ordered = sorted(tried, key=lambda each: each.run)
    report = build_report(scored, ReportOptions(with_texts=with_answers), tried=ordered)
    drawings = report_figures(report)
    return {REPORT_FILE: report_html(report).encode()} | {
        f"figures/{name}": drawing.encode() for name, drawing in drawings.items()
    }


def _csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Write a CSV table; a text that a spreadsheet would run as a formula is quoted."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(heads)
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])
    return target.getvalue().encode()


def _csv_cell(value: Any) -> Any:
    """Return a value as a CSV cell, harmless to spreadsheets."""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    # pandas' NA first: comparing it with itself is no answer but NA again.
    return "" if value is None or type(value).__name__ == "NAType" or value != value else value


def _json(value: Any) -> bytes:
    """Return a value as indented JSON bytes."""
    return json.dumps(atomic_files.to_jsonable(value), indent=1, sort_keys=True).encode()
