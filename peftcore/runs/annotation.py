"""What people write to a run: a name, a note, tags, and whether it is archived.

It decides no result, so it is no part of the spec: it lies in a file beside it. A run that ships
cannot be changed; what is written to it lies in the workspace.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from peftcore import paths
from peftcore.settings import Settings
from peftcore.system import atomic_files, rights

if TYPE_CHECKING:
    from peftcore.runs.store import Run

FILE = "annotation.json"
MOST_TAGS = 20


class Annotation(Settings):
    """The words that people gave a run; empty where nobody did."""

    name: str = Field("", max_length=80, description="What the run is called in lists")
    note: str = Field("", max_length=4000, description="Anything worth keeping with the run")
    tags: tuple[str, ...] = Field((), max_length=MOST_TAGS, description="Words to find it by")
    archived: bool = Field(False, description="Left out of the list unless asked for")

    @field_validator("name")
    @classmethod
    def _one_line(cls, name: str) -> str:
        return " ".join(name.split())

    @field_validator("tags")
    @classmethod
    def _tidy_tags(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        """Drop blanks and repetitions; a comma separates tags, so none holds one."""
        tidy = tuple(dict.fromkeys(" ".join(tag.split()) for tag in tags if tag.strip()))
        for tag in tidy:
            if "," in tag or len(tag) > 40:
                raise ValueError(f"a tag is up to 40 characters without a comma; got {tag[:60]!r}")
        return tidy


def annotation_file(run: Run) -> Path:
    """Return the file of a run's annotation, which need not be there."""
    return _folder(run) / (f"{run.id}.json" if run.fixed else FILE)


def _folder(run: Run) -> Path:
    return paths.workspace_folder() / "annotations" if run.fixed else run.folder


def read_annotation(run: Run) -> Annotation:
    """Read what people wrote to a run; what cannot be read counts as nothing."""
    file = annotation_file(run)
    changed = atomic_files.modified_ns(file)
    return _read(file, changed) if changed else Annotation.make()


@functools.lru_cache(maxsize=10_000)
def _read(file: Path, _changed: int) -> Annotation:
    known = {k: v for k, v in atomic_files.read_json(file).items() if k in Annotation.model_fields}
    try:
        return Annotation.model_validate(known)
    except ValueError:
        return Annotation.make()


def annotate(run: Run, **changes: Any) -> Annotation:
    """Change some of what is written to a run; BadInput if a value is not allowed."""
    rights.change("annotate", f"run {run.id}")
    found = Annotation.make(read_annotation(run).model_dump() | changes)
    file = annotation_file(run)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_files.replace_file(file, json.dumps(found.model_dump(mode="json")).encode())
    return found


def change_tags(run: Run, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Annotation:
    """Add tags to a run, and take others away."""
    dropped = set(remove)
    kept = [tag for tag in read_annotation(run).tags if tag not in dropped]
    return annotate(run, tags=tuple(dict.fromkeys([*kept, *add])))
