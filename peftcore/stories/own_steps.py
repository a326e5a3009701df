"""Adds a step to a teacher's own story: a lab's view, with a title and a few words.

The step carries the address of the view; on Learn it is the page itself, in a frame.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from peftcore.errors import BadInput
from peftcore.stories.story import Story, own_stories_folder, parse_story
from peftcore.system import atomic_files

LAB_VIEW = "lab_view"  # the picture of such a step: the page at an address
LONGEST_NAME = 30  # characters of a file's or a step's name
COMMENT = re.compile(r"^\s*#", re.MULTILINE)


def own_titles() -> dict[str, Path]:
    """Return title → file of every story of one's own that can be read."""
    folder = own_stories_folder()
    found = {}
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        try:
            found[Story.make(parse_story(path)).title] = path
        except (BadInput, OSError):
            continue  # Learn says what is wrong with it
    return found


def add_view(
    story_title: str, title: str, text: str, page: str, query: Mapping[str, str]
) -> tuple[str, str]:
    """Add a page's view as the last step of a story of one's own, which begins with it if new.

    Return the names of the story and of the step in the address of Learn.  BadInput if words are
    missing or too many, or if the file has comments, which would be lost.
    """
    story_title, title, text = story_title.strip(), title.strip(), text.strip()
    if not (story_title and title and text):
        raise BadInput("a step needs the story's title, a title of its own and a few words")
    path = own_titles().get(story_title)
    if path is None:
        path = own_stories_folder() / f"{_name(story_title)}.yaml"
        if path.exists():
            raise BadInput(f"{path.name} is there and cannot be read; mend or rename it first")
    written = path.read_text("utf-8") if path.exists() else ""
    if COMMENT.search(written):
        raise BadInput(f"{path.name} has comments, which would be lost; add the step by hand")
    value: dict[str, Any] = parse_story(path) if written else {"title": story_title, "steps": []}
    name = _free_name(title, [str(each["id"]) for each in value["steps"]])
    step = {
        "id": name,
        "title": title,
        "text": text,
        "picture": LAB_VIEW,
        "options": {"page": page, "query": urlencode(query)},
        "lab": {"page": page, "query": dict(query)},
    }
    value["steps"] = [*value["steps"], step]
    Story.make(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = yaml.safe_dump(value, allow_unicode=True, sort_keys=False)
    atomic_files.replace_file(path, stored.encode())
    return path.stem, name


def _name(title: str) -> str:
    """Return a title as a name in an address; of other letters than a to z a short hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:LONGEST_NAME].strip("-")
    return plain or f"story-{hashlib.sha256(title.encode()).hexdigest()[:8]}"


def _free_name(title: str, taken: list[str]) -> str:
    """Return the name of a step, with a number where another has it already."""
    name = _name(title)
    numbered = (name if not n else f"{name}-{n + 1}" for n in range(len(taken) + 1))
    return next(each for each in numbered if each not in taken)
