"""Requests to add a base or to measure one, and their jobs. Needs no torch: pages start and watch.

A source is the name of a known base, a GGUF file or a model folder on this machine, `incoming/FILE`
for one that was laid into the workspace, or a hub name with the commit that is meant
(`owner/name@…`). Pages offer known bases, incoming files and hub names; paths come from the command
line only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.intake import places
from peftcore.intake.known_bases import KNOWN_BASES
from peftcore.jobs import background
from peftcore.jobs.background import BackgroundJob
from peftcore.models import catalog
from peftcore.settings import Settings

SourceKind = Literal["known", "incoming", "file", "folder", "hub"]
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}[a-z0-9]")
HUB_PATTERN = re.compile(r"[\w][\w.-]*/[\w][\w.-]*@[0-9a-f]{40}", re.ASCII)


class IntakeRequest(background.JobRequest):
    """A base to add, and the name it gets."""

    runs: tuple[str, ...] = Field((), max_length=0, description="None: a base has no run")
    source: str = Field(min_length=1, max_length=4000, description="What is added")
    name: str = Field(description="Name of the base in lists and on the command line")
    file: str = Field("", max_length=4000, description="Wheel or file of a known base")

    @field_validator("name")
    @classmethod
    def _check_name(cls, value: str) -> str:
        """Refuse what is no plain name of a folder."""
        if not NAME_PATTERN.fullmatch(value) or value == "incoming":
            raise ValueError(
                "a name has 2 to 64 small letters, digits, dots, hyphens and underscores"
            )
        return value

    @property
    def source_kind(self) -> SourceKind:
        """Return what kind of source this is; BadInput if it is none."""
        if self.source in KNOWN_BASES:
            return "known"
        if self.source.startswith("incoming/"):
            return "incoming"
        path = paths.expand(self.source)
        if path.is_dir():
            return "folder"
        if path.suffix.lower() == ".gguf":
            return "file"
        if HUB_PATTERN.fullmatch(self.source):
            return "hub"
        raise BadInput(
            f"{self.source[:80]!r} is no known base ({', '.join(KNOWN_BASES)}), no .gguf file, no "
            "folder, and no hub name with a commit (owner/name@ and 40 hexadecimal digits)"
        )

    def kind_fields(self) -> dict[str, str]:
        """Return what tells requests of different kinds apart."""
        return {"of": "intake"}

    def command(self) -> list[str]:
        """Return the arguments of the command that adds this."""
        arguments = ["models", "add", self.source, "--name", self.name]
        return [*arguments, *(("--from", self.file) if self.file else ())]

    def command_arguments(self) -> list[str]:
        """Return the same: there are no other settings."""
        return self.command()


@dataclass(frozen=True)
class IntakeJob(BackgroundJob, kind="intake"):
    """The folder of one base that is added; the base itself lies in the models folder."""

    request: IntakeRequest

    FOLDER_NAME: ClassVar[str] = "intake"
    REQUEST: ClassVar[type[Settings]] = IntakeRequest
    START_VERB: ClassVar[str] = "Add"
    PROGRESS_WORDS: ClassVar[str] = "steps done"

    def launch(self) -> None:
        """Start it; one that was done counts for nothing once its base has been removed."""
        self.reset_if_removed()
        super().launch()

    def reset_if_removed(self) -> None:
        """Forget that it was done if its base is not there any more."""
        if self.status().state == "done" and self.request.name not in catalog.base_folders():
            self.write_status(state="cancelled", done=0, of=0, seconds=0.0, message="Removed.")


class QualityRequest(background.JobRequest):
    """A base whose language is measured: judgements of sentences, and perplexity."""

    runs: tuple[str, ...] = Field((), max_length=0, description="None: a base has no run")
    base: str = Field(description="Base model")
    pairs: int = Field(2, ge=1, le=1000, description="BLiMP pairs of each paradigm")
    choices: int = Field(100, ge=0, le=5000, description="Pairs of ComVE; 0: none")
    sentences: int = Field(100, ge=1, le=5000, description="Sentences for the perplexity")

    def kind_fields(self) -> dict[str, str]:
        """Return what tells requests of different kinds apart."""
        return {"of": "base quality"}

    def command(self) -> list[str]:
        """Return the arguments of the command that measures this."""
        return ["models", "measure", self.base]

    def command_arguments(self) -> list[str]:
        """Return them with what differs from the defaults."""
        changed = self.model_dump(mode="json", exclude={"runs", "base"}, exclude_defaults=True)
        options = [(f"--{name}", str(value)) for name, value in changed.items()]
        return [*self.command(), *(word for pair in options for word in pair)]


@dataclass(frozen=True)
class QualityJob(BackgroundJob, kind="quality"):
    """The folder of one measurement of a base; its result is also kept beside the base."""

    request: QualityRequest

    FOLDER_NAME: ClassVar[str] = "quality"
    REQUEST: ClassVar[type[Settings]] = QualityRequest
    PROGRESS_WORDS: ClassVar[str] = "sentences read"

    def launch(self) -> None:
        """Start it; one that was done counts for nothing once its result is gone."""
        self.reset_if_lost()
        super().launch()

    def reset_if_lost(self) -> None:
        """Forget that it was done if the base has no result of it any more."""
        if self.status().state == "done" and not places.read_quality(self.request.base):
            self.clear()
            self.write_status(state="cancelled", done=0, of=0, seconds=0.0, message="Removed.")
