"""The files of stories: one YAML file each, read whole and checked whole before any of it is shown.

    title: What a prefix can and cannot do
    paper: arXiv:2310.19698
    summary: One line for the list of stories.
    steps:
      - id: shares
        title: Attention is shared out
        text: At most 60 words of Markdown; raw HTML is refused.
        picture: attention_row
        options: {modes: [frozen]}
        question: Can all of them grow at once?
        answer: No, they sum to one.
        lab: {page: limits, query: {run: 2556dc271826}}

Pictures, and which options each takes, are the app's (`app/learn/pictures.py`); readers of stories
hand their names over. A teacher's own stories lie in the workspace's folder `stories`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, field_validator

from peftcore import paths
from peftcore.errors import BadInput, unknown_name
from peftcore.settings import Settings
from peftcore.stories.recordings import stories_folder

MOST_WORDS, MOST_STEPS, MOST_BYTES = 60, 12, 64_000
RAW_HTML = re.compile(r"<[a-zA-Z/!?]")
SLUG = r"^[a-z0-9][a-z0-9-]{0,39}$"
Option = str | int | float | bool | list[str]

Pictures = Mapping[str, Collection[str]]  # name → the options it takes


class LabLink(Settings):
    """The page and view where a reader does the step on a run of their own."""

    page: str = Field(pattern=r"^[a-z_]{1,30}$", description="Page of the app")
    query: dict[str, str] = Field(default_factory=dict, description="What its address names")


class Step(Settings):
    """One step: a few words, one picture, a question with its answer."""

    id: str = Field(pattern=SLUG, description="Name in the address")
    title: str = Field(min_length=1, max_length=70, description="Heading")
    text: str = Field(min_length=1, description="At most 60 words of Markdown")
    picture: str = Field(description="Name of a picture")
    options: dict[str, Option] = Field(default_factory=dict, description="Options of the picture")
    question: str = Field("", max_length=200, description="Question to the reader")
    answer: str = Field("", max_length=600, description="Its answer, shown on request")
    lab: LabLink | None = Field(None, description="Where to do this on one's own run")

    @field_validator("text")
    @classmethod
    def _few_words(cls, value: str) -> str:
        """Refuse a text that is too long to stand beside a picture."""
        words = len(value.split())
        if words > MOST_WORDS:
            raise ValueError(f"{words} words; at most {MOST_WORDS} stand beside a picture")
        return value

    @field_validator("title", "text", "question", "answer")
    @classmethod
    def _no_html(cls, value: str) -> str:
        """Refuse markup other than Markdown."""
        if RAW_HTML.search(value):
            raise ValueError("raw HTML is not shown; write Markdown")
        return value


class Story(Settings):
    """A story: a title, the paper it is about, and its steps."""

    title: str = Field(min_length=1, max_length=70, description="Heading")
    paper: str = Field("", max_length=80, description="Paper, such as arXiv:2310.19698")
    summary: str = Field("", max_length=160, description="One line for the list")
    steps: tuple[Step, ...] = Field(min_length=1, max_length=MOST_STEPS, description="Steps")

    @field_validator("steps")
    @classmethod
    def _different_ids(cls, value: tuple[Step, ...]) -> tuple[Step, ...]:
        """Refuse two steps of one name, which no link could tell from each other."""
        ids = [step.id for step in value]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"two steps are called {twice[0]!r}")
        return value

    def number_of(self, step_id: str) -> int:
        """Return a step's place from 0; the first for a name that is not there."""
        return next((n for n, step in enumerate(self.steps) if step.id == step_id), 0)


@dataclass(frozen=True)
class StoryFile:
    """A file of a story: the story, or why it cannot be shown."""

    name: str  # in the address
    story: Story | None
    own: bool = False  # from the workspace
    problem: str = ""


def own_stories_folder() -> Path:
    """Return the folder of a teacher's own stories, which need not be there."""
    return paths.workspace_folder() / "stories"


def read_story(path: Path, pictures: Pictures) -> Story:
    """Read and check one file; BadInput names the file, the step and what is wrong."""
    try:
        return _check_pictures(Story.make(parse_story(path)), pictures)
    except BadInput as error:
        raise BadInput(f"{path.name}: {error}") from None


def parse_story(path: Path) -> dict[str, Any]:
    """Return what the file says, as YAML without references."""
    if path.stat().st_size > MOST_BYTES:
        raise BadInput(f"{path.stat().st_size:,} bytes; a story has at most {MOST_BYTES:,}")
    try:
        text = path.read_text("utf-8")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            raise BadInput("it refers to parts of itself (*name); write them out")
        value = yaml.safe_load(text)
    except UnicodeDecodeError:
        raise BadInput("it is not written in UTF-8") from None
    except yaml.YAMLError as error:
        raise BadInput(f"it is no YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(value, dict):
        raise BadInput("it must have title and steps")
    return {str(name): part for name, part in value.items()}


def _check_pictures(story: Story, pictures: Pictures) -> Story:
    """Return the story; BadInput for a picture or an option that does not exist."""
    for step in story.steps:
        if step.picture not in pictures:
            raise BadInput(f"step {step.id}: {unknown_name('picture', step.picture, pictures)}")
        known = pictures[step.picture]
        for name in step.options:
            if name not in known:
                what = f"option of {step.picture}"
                raise BadInput(f"step {step.id}: {unknown_name(what, name, known)}")
    return story


def list_stories(pictures: Pictures) -> list[StoryFile]:
    """Read every story: those that ship in the order of their files, then a teacher's own.

    A file that cannot be read takes no other down.
    """
    found = [
        _read_file(path, path.stem.partition("-")[2], pictures)
        for path in sorted(stories_folder().glob("*.yaml"))
    ]
    own = own_stories_folder()
    taken = {each.name for each in found}
    for path in sorted(own.glob("*.yaml")) if own.is_dir() else ():
        name = path.stem if path.stem not in taken else f"own-{path.stem}"
        found.append(_read_file(path, name, pictures, own=True))
    return found


def _read_file(path: Path, name: str, pictures: Pictures, own: bool = False) -> StoryFile:
    """Read one file, or keep why it cannot be."""
    try:
        return StoryFile(name, read_story(path, pictures), own)
    except (BadInput, OSError) as error:
        return StoryFile(name, None, own, str(error))
