"""The run store: a folder for each run, with its spec, its state and its results.

| file | holds |
| --- | --- |
| spec.json | the spec; its hash names the folder |
| history.jsonl | one line per step at which losses were measured; only appended to |
| answers.parquet, scores.json | every answer of every seed; metric → one value per seed |
| adapter.safetensors, checkpoint.safetensors | written by training |
| path/ | adapters at intermediate steps, in half precision |
| manifest.json | what produced it |
| forgetting.json | how well the base knew general text, and every seed after it |
| annotation.json | a name, a note and tags that people gave it |

Status, lock, stop and log are those of every job (`system.job_folder`).  A process that dies
half-way leaves files that can be read: a torn last line is skipped.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from peftcore import paths
from peftcore.data.task import TASKS
from peftcore.errors import BadInput
from peftcore.runs import annotation, damage, forgetting, recycle_bin
from peftcore.runs.forgetting import Forgetting
from peftcore.runs.recycle_bin import DeletedRun
from peftcore.runs.spec import RunSpec
from peftcore.system import atomic_files, rights
from peftcore.system.job_folder import JobFolder, JobState, JobStatus

HISTORY_COLUMNS = ["step", "seed", "train_loss", "dev_loss", "learning_rate", "seconds"]
ANSWER_COLUMNS = [
    *("seed", "example", "source", "target", "references", "label"),
    *("text", "predicted", "explanation", "correct"),
]
EXAMPLE_TEXTS = ("source", "target", "references")  # of the data, not of the run
RUN_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class RunStatus(JobStatus):
    """State and progress of a run; `done` and `of` count optimiser steps."""

    state: JobState = "queued"
    seeds: list[dict[str, Any]] = field(default_factory=list)
    started: float | None = None
    trainable: int | None = None
    processor_seconds: float | None = None  # of all threads; None: an earlier version's run
    peak_memory: int | None = None  # bytes of its process
    peak_device_memory: int | None = None  # bytes on the GPU, where one was used

    @property
    def step(self) -> int:
        """Steps that are done."""
        return self.done

    @property
    def steps(self) -> int:
        """Steps in all."""
        return self.of


@dataclass(frozen=True)
class Run(JobFolder[RunStatus]):
    """The folder of one run; `demo` runs ship with the project and cannot be changed."""

    folder: Path
    spec: RunSpec
    demo: bool = False

    STATUS: ClassVar[Any] = RunStatus

    @property
    def fixed(self) -> bool:
        """Return whether it ships with the project and cannot be changed."""
        return self.demo

    def history(self) -> pd.DataFrame:
        """Read the losses, one row per step and seed; of a repeated step the last."""
        rows = atomic_files.read_json_lines(self.folder / "history.jsonl")
        rows = [row for row in rows if {"step", "seed"} <= row.keys()]
        table = pd.DataFrame(rows, columns=HISTORY_COLUMNS, dtype=float)
        table = table.astype({"step": int, "seed": int})
        latest = table.drop_duplicates(["step", "seed"], keep="last")
        return latest.sort_values(["step", "seed"], kind="stable", ignore_index=True)

    def validation_copies(self) -> pd.DataFrame:
        """Read losses of each copy of dev at random simplex points; empty for plain runs.

        Columns step, seed, copy, dev_loss, and dev_centroid, the same for all copies of a step.
        """
        rows = atomic_files.read_json_lines(self.folder / "history.jsonl")
        latest = {(row["step"], row["seed"]): row for row in rows if row.get("dev_copies")}
        table = [
            (step, seed, copy, loss, row["dev_centroid"])
            for (step, seed), row in sorted(latest.items())
            for copy, loss in enumerate(row["dev_copies"])
        ]
        return pd.DataFrame(table, columns=["step", "seed", "copy", "dev_loss", "dev_centroid"])

    def intermediate_file(self, step: int) -> Path:
        """Return the file of the adapter at an intermediate step."""
        return self.folder / "path" / f"{step:06d}.safetensors"

    def intermediate_steps(self) -> list[int]:
        """List the intermediate steps whose adapters were kept, in order."""
        return sorted(int(file.stem) for file in (self.folder / "path").glob("*.safetensors"))

    def answers(self, columns: Sequence[str] = (), seed: int | None = None) -> pd.DataFrame:
        """Read every answer of every seed, or of one; empty before the run has answered.

        columns: only these, which takes a tenth of the time where no text is among them.
        """
        path = self.folder / "answers.parquet"
        if not path.is_file():
            return pd.DataFrame(columns=list(columns) or ANSWER_COLUMNS)
        of_seed = None if seed is None else [("seed", "==", seed)]
        if columns and set(columns) <= set(_columns_of(path)):
            table = pd.read_parquet(path, columns=list(columns), filters=of_seed)
        else:
            table = pd.read_parquet(path, filters=of_seed)
            if not set(EXAMPLE_TEXTS) <= set(table.columns):
                table = _with_example_texts(table, self.spec)[list(columns) or ANSWER_COLUMNS]
        if "references" in table:
            table["references"] = [list(texts) for texts in table["references"]]
        return table[list(columns)] if columns else table

    def asked(self) -> pd.DataFrame:
        """Read each example that was answered once: example, source, target, references, label."""
        path, columns = self.folder / "answers.parquet", ["example", *EXAMPLE_TEXTS, "label"]
        if not path.is_file() or not set(columns) <= set(_columns_of(path)):
            return self.answers(columns).drop_duplicates("example", ignore_index=True)
        table = pd.read_parquet(path, columns=columns)
        table = table.drop_duplicates("example", ignore_index=True)
        table["references"] = [list(texts) for texts in table["references"]]
        return table

    def scores(self) -> dict[str, list[float]]:
        """Read metric → one value per seed; empty before the run is scored."""
        file = f"{self.folder}/scores.json"
        stamp = atomic_files.file_stamp(file)
        stored = _read_object(file, stamp) if stamp else {}
        return {
            name: [math.nan if v is None else float(v) for v in vs] for name, vs in stored.items()
        }

    def manifest(self) -> dict[str, Any]:
        """Read what produced the results: fingerprint of the base, hash of the data, versions."""
        file = f"{self.folder}/manifest.json"
        stamp = atomic_files.file_stamp(file)
        return dict(_read_object(file, stamp)) if stamp else {}

    def forgetting(self) -> Forgetting | None:
        """Read what it forgot; None where that was not measured.

        A run that ships cannot be changed: what is measured of it lies in the workspace.
        """
        return Forgetting.parse(atomic_files.read_json(self.forgetting_file()))

    def forgetting_file(self) -> Path:
        """Return the file of what it forgot, which need not be there."""
        own = self.folder / forgetting.FILE
        if not self.fixed or own.is_file():
            return own
        return paths.workspace_folder() / "forgetting" / f"{self.id}.json"

    def append_history(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows with the columns of `history`."""
        self.refuse_if_fixed()
        text = "".join(f"{json.dumps(atomic_files.to_jsonable(row))}\n" for row in rows)
        atomic_files.append_lines(self.folder / "history.jsonl", text)

    def write_answers(self, table: pd.DataFrame) -> None:
        """Replace the answers."""
        self.refuse_if_fixed()
        atomic_files.replace_file(self.folder / "answers.parquet", table.to_parquet(index=False))

    def write_scores(self, scores: Mapping[str, Iterable[float]]) -> None:
        """Replace the scores; a value that is not a number stays so."""
        self._write_json("scores.json", {name: list(values) for name, values in scores.items()})

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest."""
        self._write_json("manifest.json", manifest)

    def write_forgetting(self, found: Forgetting) -> None:
        """Replace what it forgot; BadInput if it ships with the project together with that."""
        path = self.forgetting_file()
        if path.parent == self.folder:
            self.refuse_if_fixed()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        values = atomic_files.to_jsonable(asdict(found))
        atomic_files.replace_file(path, json.dumps(values).encode())

    def reset(self) -> None:
        """Delete every result and checkpoint, but not the spec, the log and people's words."""
        self.refuse_if_fixed()
        kept = ("spec.json", "log.txt", "lock", annotation.FILE)
        for path in self.folder.iterdir():
            if path.is_file() and path.name not in kept:
                path.unlink()
        steps = self.spec.training.steps
        self.write_status(state="queued", of=steps, started=time.time())

    def _write_json(self, name: str, value: Any) -> None:
        """Replace a JSON file of the folder."""
        self.refuse_if_fixed()
        atomic_files.replace_file(
            self.folder / name, json.dumps(atomic_files.to_jsonable(value), indent=1).encode()
        )


class RunStore:
    """All runs of a folder, the demo runs, those on a real base, and the runs of shipped studies.

    Runs of studies are found by id and by spec; lists name them only if asked, since they are many
    and alike.
    """

    def __init__(self, folder: Path | None = None, demo_folder: Path | None = None) -> None:
        """Open the workspace's runs and the shipped ones, unless other folders are given."""
        self.folder = (folder or paths.workspace_folder() / "runs").resolve()
        self.demo_folder = (demo_folder or paths.ASSETS / "demo_runs").resolve()
        self.study_folder = self.demo_folder.with_name("study_runs")
        self.ladder_folder = self.demo_folder.with_name("ladder_runs")
        self.real_folder = self.demo_folder.with_name("real_runs")
        self._rows: dict[Path, tuple[Any, list[dict[str, Any]]]] = {}

    def create(self, spec: RunSpec, include_demos: bool = True) -> Run:
        """Return the run of a spec, created if there is none; a demo run will do if included."""
        existing = self.find(spec, include_demos)
        if existing:
            return existing
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._path(self.folder, spec.id)
        folder.mkdir(mode=0o700, exist_ok=True)
        run = Run(folder, spec)
        if not (folder / "status.json").exists():
            run.reset()
        atomic_files.replace_file(
            folder / "spec.json", json.dumps(spec.model_dump(mode="json"), indent=1).encode()
        )
        self._refuse_damaged(spec.id)  # a torn spec is whole again now; results are not
        return run

    def find(self, spec: RunSpec, include_demos: bool = True) -> Run | None:
        """Return the run of a spec, or None."""
        return self._find(spec.id, include_demos)

    def open(self, run_id: str) -> Run:
        """Return the run with this id; BadInput suggests similar ids if there is none."""
        run = self._find(run_id, include_demos=True)
        if run:
            return run
        self._refuse_damaged(run_id)
        known = [run.id for run in self.all()]
        close = get_close_matches(run_id, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else f"there are {len(known)} runs"
        raise BadInput(f"no run {run_id[:40]!r}; {hint}")

    def all(self, include_demos: bool = True, include_studies: bool = False) -> list[Run]:
        """List every readable run, newest first; then those that ship: demo, real base, studies."""
        shipped = (
            (self.demo_folder, include_demos),
            (self.real_folder, include_demos),
            (self.study_folder, include_studies),
            (self.ladder_folder, include_studies),
        )
        runs_by_id: dict[str, Run] = {}
        for folder in (self.folder, *(folder for folder, wanted in shipped if wanted)):
            runs = _runs_in(folder, folder != self.folder)
            for run in sorted(runs, key=lambda run: -_start_time(run)):
                runs_by_id.setdefault(run.id, run)
        return list(runs_by_id.values())

    def damaged(self) -> dict[str, str]:
        """Return id → what is wrong, for own folders that hold a run which cannot be read whole."""
        return {
            path.name: found
            for path in sorted(self.folder.iterdir() if self.folder.is_dir() else ())
            if RUN_ID.fullmatch(path.name) and not path.is_symlink() and path.is_dir()
            if (found := damage.find_damage(path))
        }

    def _refuse_damaged(self, run_id: str) -> None:
        """Raise BadInput, with what helps, if a folder holds this run and is damaged."""
        folder = self.folder / run_id
        reason = damage.find_damage(folder) if RUN_ID.fullmatch(run_id) and folder.is_dir() else ""
        if reason:
            raise BadInput(
                f"run {run_id} cannot be read: {reason}; `set-aside {run_id}` moves it out of the "
                "way, then it can be trained again"
            )

    def set_aside(self, run_id: str) -> Path:
        """Move a damaged run to the folder `damaged_runs` beside the runs; return where it is."""
        if not RUN_ID.fullmatch(run_id) or not self._path(self.folder, run_id).is_dir():
            raise BadInput(f"no damaged run {run_id[:40]!r}")
        rights.change("set aside", f"run {run_id}")
        return damage.set_aside(self._path(self.folder, run_id))

    def delete(self, run_id: str) -> None:
        """Move a run to the bin; BadInput for demo runs and runs being worked on.

        What has lain there for 30 days is deleted for good on this occasion.
        """
        run = self.open(run_id)
        run.refuse_if_fixed()
        if run.status().busy:
            raise BadInput(f"run {run_id} is {run.status().state}; cancel it before deleting it")
        rights.change("delete", f"run {run_id}")
        recycle_bin.put_in_bin(run.folder)
        recycle_bin.empty_bin(self.folder)

    def deleted(self) -> list[DeletedRun]:
        """List the runs in the bin, the one deleted last first."""
        return recycle_bin.deleted_runs(self.folder)

    def restore(self, run_id: str) -> Run:
        """Move a deleted run back; one that waited in the queue is cancelled, not queued."""
        if not RUN_ID.fullmatch(run_id):
            raise BadInput(f"no deleted run {run_id[:40]!r}")
        rights.change("restore", f"run {run_id}")
        recycle_bin.take_from_bin(self.folder, run_id)
        run = self.open(run_id)
        if run.status().state == "queued":
            run.write_status(state="cancelled", message="It was deleted while it waited.")
        return run

    def table(self, runs: Iterable[Run] | None = None) -> pd.DataFrame:
        """Tabulate runs, one row per run and seed: names, sizes, state, and every metric."""
        rows: list[dict[str, Any]] = []
        for run in self.all() if runs is None else runs:
            status = run.status()
            files = (run.folder / "scores.json", run.forgetting_file())
            stamp = (status.updated, *map(atomic_files.modified_ns, files))
            if self._rows.get(run.folder, (None,))[0] != stamp:
                self._rows[run.folder] = (stamp, _seed_rows(run, status))
            # Not from the cache: whether a run is lost depends on its process, not on a file.
            rows += [row | {"state": status.state} for row in self._rows[run.folder][1]]
        return pd.DataFrame(rows, columns=None if rows else TABLE_COLUMNS)

    @property
    def _shipped_folders(self) -> tuple[Path, ...]:
        """Folders of the runs that ship."""
        return self.demo_folder, self.real_folder, self.study_folder, self.ladder_folder

    def _find(self, run_id: str, include_demos: bool) -> Run | None:
        """Return the run of this id, or None."""
        if not RUN_ID.fullmatch(run_id):  # before it becomes part of a path
            return None
        for folder in (
            self.folder,
            *(self._shipped_folders if include_demos else ()),
        ):
            # Most runs of a sweep are not there yet, and looking for damage asks for ten files.
            if not os.path.lexists(f"{folder}/{run_id}"):
                continue
            run = _load_run(self._path(folder, run_id), folder != self.folder)
            if run:
                return run
        return None

    @staticmethod
    def _path(folder: Path, run_id: str) -> Path:
        """Return a run's folder; BadInput if the id leads out of the store."""
        path = folder / run_id
        if path.resolve().parent != folder:
            raise BadInput(f"run {run_id} leads out of the folder of runs")
        return path


TABLE_COLUMNS = [
    *("run", "base", "task", "method", "seed", "trainable", "seconds"),
    *("processor_seconds", "peak_memory"),
    *("shots", "steps", "vertices", "demo", "state"),
]


def _columns_of(path: Path) -> list[str]:
    """Return the names of a parquet file's columns."""
    from pyarrow import parquet

    return parquet.read_schema(path).names


def _with_example_texts(answers: pd.DataFrame, spec: RunSpec) -> pd.DataFrame:
    """Add the texts of the examples that were answered, from the data on this machine.

    Runs on data that others own ship without them. Where the data are not at hand either, a
    source says which example it is, and there is neither target nor reference.
    """
    try:
        examples = {e.id: e for e in TASKS[spec.task]().load(spec.evaluation.split)}
    except BadInput:
        examples = {}
    found = [examples.get(example) for example in answers["example"]]
    missing = "({} {}: its text does not ship, and the data are not on this machine)"
    texts = {
        "source": [
            e.source if e else missing.format(spec.task, example)
            for e, example in zip(found, answers["example"], strict=True)
        ],
        "target": [e.target if e else "" for e in found],
        "references": [list(e.references) if e else [] for e in found],
    }
    return answers.assign(**texts)[ANSWER_COLUMNS]


def _seed_rows(run: Run, status: RunStatus) -> list[dict[str, Any]]:
    """Return a run's rows of `RunStore.table`, one per seed."""
    spec, scores = run.spec, run.scores()
    if found := run.forgetting():
        scores |= found.seed_values()
    shared = {
        "run": run.id,
        "base": spec.base,
        "task": spec.task,
        "method": spec.method,
        "trainable": status.trainable,
        "seconds": status.seconds,
        "processor_seconds": status.processor_seconds,
        "peak_memory": status.peak_memory,
        "shots": spec.training.shots,
        "steps": spec.training.steps,
        "vertices": spec.population.vertices,
        "demo": run.demo,
    }
    return [
        shared
        | {"seed": seed}
        | {name: values[i] for name, values in scores.items() if i < len(values)}
        for i, seed in enumerate(spec.population.seed_numbers())
    ]


def _runs_in(folder: Path, is_demo: bool) -> Iterator[Run]:
    """Yield the readable runs of a folder; links are not followed."""
    with os.scandir(folder) if folder.is_dir() else contextlib.nullcontext(()) as entries:
        names = [e.name for e in entries if RUN_ID.fullmatch(e.name) and not e.is_symlink()]
    for name in names:
        run = _load_run(folder / name, is_demo)
        if run:
            yield run


def _load_run(folder: Path, is_demo: bool) -> Run | None:
    """Load the run in a folder; None if there is none or one of its files is damaged."""
    if not is_demo and damage.find_damage(folder):
        return None
    file = f"{folder}/spec.json"
    stamp = atomic_files.file_stamp(file)
    spec = _read_spec(file, stamp) if stamp else None
    return Run(folder, spec, is_demo) if spec else None


@functools.lru_cache(maxsize=20_000)
def _read_object(file: str, _stamp: tuple[int, int, int]) -> dict[str, Any]:
    """Read an object as its file is now."""
    return atomic_files.read_json(Path(file))


@functools.lru_cache(maxsize=20_000)
def _read_spec(file: str, _stamp: tuple[int, int, int]) -> RunSpec | None:
    """Read a spec as its file is now; None if it holds none."""
    stored = atomic_files.read_json(Path(file))
    try:
        return RunSpec.make(stored) if stored else None
    except BadInput:
        return None


def _start_time(run: Run) -> float:
    """Return when a run started, 0 if it has not."""
    return run.stored_status().started or 0.0
