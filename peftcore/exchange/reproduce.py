"""Reproduce bundles: compare them with this machine, train again, and compare the scores.

Nothing in a zip is trusted: members have known names, texts are parsed, tensors are safetensors.
Runs are trained in a folder of their own, so what is here already stays as it is.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from peftcore import paths, tasks
from peftcore.errors import BadInput
from peftcore.exchange.bundle import FORMAT, MEMBER_PATTERN, RUN_FILES
from peftcore.jobs.worker import resolve_device
from peftcore.runs.spec import RunSpec
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files
from peftcore.system.job_folder import run_recording_errors
from peftcore.system.zip_files import CheckedZip

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel
    from peftcore.runs.store import RunStatus
    from peftcore.training.trainer import TrainingProgress


@dataclass(frozen=True)
class Finding:
    """One difference between a bundle and this machine."""

    what: Literal["file", "base", "data", "version", "spec"]
    run: str
    bundled: str
    here: str
    fatal: bool  # whether the result cannot be the same

    @property
    def sentence(self) -> str:
        """The difference in words."""
        return f"run {self.run}: {self.bundled}, here {self.here}" if self.run else self.bundled


@dataclass(frozen=True)
class Score:
    """One metric of one seed, as bundled and as reproduced."""

    run: str
    metric: str
    seed: int
    old: float
    new: float

    @property
    def difference(self) -> float:
        """New minus old; zero if both are missing."""
        both_missing = self.old != self.old and self.new != self.new
        return 0.0 if both_missing else self.new - self.old


@dataclass(frozen=True)
class ReproductionReport:
    """Result of reproducing a bundle."""

    findings: list[Finding]
    scores: list[Score] = field(default_factory=list)
    imported: list[str] = field(default_factory=list)  # runs that were trained elsewhere
    folder: str = ""

    @property
    def identical(self) -> bool:
        """True if every score is equal to the last digit."""
        return bool(self.scores) and all(score.difference == 0 for score in self.scores)


@dataclass(frozen=True)
class BundledRun:
    """One run of a bundle."""

    id: str
    spec: RunSpec
    manifest: dict[str, Any]
    scores: dict[str, list[float]]


def open_bundle(path: Path) -> tuple[CheckedZip, list[BundledRun]]:
    """Open a bundle and read its runs; BadInput if it is none, or is not safe to read."""
    archive = CheckedZip(paths.expand(path), MEMBER_PATTERN)
    listed = _read_object(archive, "bundle.json")
    if listed.get("format") != FORMAT:
        raise BadInput(f"{path.name} is no reproduction bundle of format {FORMAT}")
    entries = listed.get("runs")
    if not isinstance(entries, list) or not entries:
        raise BadInput(f"{path.name} lists no runs")
    named = [str(entry.get("run")) if isinstance(entry, dict) else "" for entry in entries]
    return archive, [_read_run(archive, name) for name in sorted(set(named))]


def _read_run(archive: CheckedZip, run_id: str) -> BundledRun:
    """Read a run of a bundle."""
    if not re.fullmatch(r"[0-9a-f]{12}", run_id):
        raise BadInput(f"{archive.name} lists a run called {run_id[:40]!r}, which is no id")
    folder = f"runs/{run_id}"
    scores = {
        name: [float("nan") if v is None else float(v) for v in values]
        for name, values in _read_object(archive, f"{folder}/scores.json", needed=False).items()
        if isinstance(values, list)
    }
    manifest = _read_object(archive, f"{folder}/manifest.json", needed=False)
    return BundledRun(
        run_id, RunSpec.make(_read_object(archive, f"{folder}/spec.json")), manifest, scores
    )


def _read_object(archive: CheckedZip, name: str, needed: bool = True) -> dict[str, Any]:
    """Read a member as a JSON object; without `needed`, empty if it is missing."""
    if not needed and name not in archive:
        return {}
    try:
        value = json.loads(archive.read(name))
    except (ValueError, RecursionError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{name} in {archive.name} is not JSON that can be read") from None
    if not isinstance(value, dict):
        raise BadInput(f"{name} in {archive.name} must hold an object in braces")
    return value


def find_differences(
    archive: CheckedZip,
    runs: Sequence[BundledRun],
    device: str = "cpu",
    bases: dict[str, BaseModel] | None = None,
) -> list[Finding]:
    """List everything that differs between what a bundle says and this machine.

    bases holds base models already loaded, by name; those that had to be loaded are added.
    """
    findings = [Finding("file", "", text, "", True) for text in archive.checksum_mismatches()]
    loaded_bases = {} if bases is None else bases
    for run in runs:
        if "imported" not in run.manifest and run.spec.id != run.id:
            sentence = "its id does not belong to its spec"
            findings.append(Finding("spec", run.id, sentence, run.spec.id, True))
        findings += _base_finding(run, device, loaded_bases)
        findings += _data_finding(run)
        findings += _version_findings(run)
    return findings


def _base_finding(
    run: BundledRun, device: str, loaded_bases: dict[str, BaseModel]
) -> Iterator[Finding]:
    """Yield a finding if the base's weights differ."""
    from peftcore.models.base_model import load

    bundled_fingerprint = str(run.manifest.get("base", {}).get("fingerprint"))
    try:
        if run.spec.base not in loaded_bases:
            loaded_bases[run.spec.base] = load(run.spec.base, device)
        here = loaded_bases[run.spec.base].fingerprint
    except BadInput as error:
        here = str(error)
    if bundled_fingerprint != here:
        yield Finding(
            "base", run.id, f"base {run.spec.base} had weights {bundled_fingerprint}", here, True
        )


def _data_finding(run: BundledRun) -> Iterator[Finding]:
    """Yield a finding if the task's data differ."""
    if "imported" in run.manifest:
        return
    bundled_hash = str(run.manifest.get("data_hash"))
    try:
        here = tasks.find_task(run.spec.task).data_hash()
    except BadInput as error:
        here = str(error)
    if bundled_hash != here:
        yield Finding(
            "data", run.id, f"the data of {run.spec.task} had hash {bundled_hash}", here, True
        )


def _version_findings(run: BundledRun) -> Iterator[Finding]:
    """Yield a finding for each package whose version differs."""
    versions = run.manifest.get("versions", {})
    bundled_versions = {"python": run.manifest.get("python"), **versions}
    for name, version in bundled_versions.items() if isinstance(versions, dict) else ():
        if name == "python":
            here = platform.python_version()
        else:
            try:
                here = importlib.metadata.version(str(name))
            except importlib.metadata.PackageNotFoundError:
                here = "not installed"
        if version is not None and version != here:
            yield Finding("version", run.id, f"made with {name} {str(version)[:40]}", here, False)


def reproduce(
    path: Path,
    *,
    device: str = "auto",
    report: Callable[[TrainingProgress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
) -> ReproductionReport:
    """Train every run of a bundle again, in a folder of its own, and compare the scores.

    BadInput names everything that makes an equal result impossible.
    """
    archive, runs = open_bundle(path)
    torch_device, bases = resolve_device(device), dict[str, Any]()
    findings = find_differences(archive, runs, torch_device, bases)
    if fatal := [finding.sentence for finding in findings if finding.fatal]:
        raise BadInput(f"{path.name} cannot be reproduced here: {'; '.join(fatal)}")
    from peftcore.training.run_training import execute_run  # brings torch

    store = RunStore(paths.workspace_folder() / "reproductions")
    scores, imported = list[Score](), list[str]()
    for bundled in _in_start_order(runs):
        if "imported" in bundled.manifest:
            _unpack(archive, bundled, store)
            imported.append(bundled.id)
            continue
        run = store.create(bundled.spec, include_demos=False)
        with run.lock():
            run.reset()
        base = bases[bundled.spec.base]

        def work(run: Run = run, base: BaseModel = base) -> RunStatus:
            """Do the run on the chosen device."""
            return execute_run(run, device=torch_device, base=base, report=report, stop=stop)

        status = run_recording_errors(run, work)
        if status.state != "done":
            raise BadInput(f"reproducing run {run.id} was stopped at step {status.step}")
        scores += _compare_scores(bundled, run)
    return ReproductionReport(findings, scores, imported, str(store.folder))


def _in_start_order(runs: Sequence[BundledRun]) -> list[BundledRun]:
    """Order the runs, each after the one it starts from."""
    waiting, done = {run.id: run for run in runs}, dict[str, BundledRun]()
    while waiting:
        ready = [r for r in waiting.values() if not r.spec.start or r.spec.start in done]
        if not ready:
            lone = next(iter(waiting.values()))
            raise BadInput(f"run {lone.id} starts from run {lone.spec.start}, which is not bundled")
        for run in ready:
            done[run.id] = waiting.pop(run.id)
    return list(done.values())


def _unpack(archive: CheckedZip, bundled: BundledRun, store: RunStore) -> None:
    """Copy a run that was trained elsewhere from the bundle into the store."""
    folder = store.folder / bundled.id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (*RUN_FILES, "status.json"):
        member = f"runs/{bundled.id}/{name}"
        if member in archive:
            atomic_files.replace_file(folder / name, archive.read(member))


def _compare_scores(bundled: BundledRun, run: Run) -> list[Score]:
    """Pair old and new scores, seed by seed."""
    new, numbers = run.scores(), run.spec.population.seed_numbers()
    return [
        Score(
            run.id,
            metric,
            seed,
            _value_or_nan(bundled.scores.get(metric), i),
            _value_or_nan(new.get(metric), i),
        )
        for metric in sorted(bundled.scores.keys() | new.keys())
        for i, seed in enumerate(numbers)
    ]


def _value_or_nan(values: list[float] | None, index: int) -> float:
    """Return values[index], or nan where there is none."""
    return values[index] if values and index < len(values) else float("nan")
