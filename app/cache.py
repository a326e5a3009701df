"""Everything pages remember between reruns: all `st.cache_*` of the app, each with a bound.

Importing this file does not import torch.  `warm_up` loads it in a background thread once a first
page has been drawn; `ready` says whether it is there, so that pages can wait without blocking.
Keys carry what the result depends on (a folder, a time stamp), so nothing stale is shown.
"""

from __future__ import annotations

import importlib
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from peftcore import places
from peftcore import tasks as task_list
from peftcore.runs import RunStore
from peftcore.spec import RunSpec
from peftcore.tasks.base import Example, Split, Task

if TYPE_CHECKING:
    from peftcore.planning import Estimate

    from peftcore.bases import BaseInfo
    from peftcore.methods.base import Adapter

HEAVY = ("torch", "transformers", "peftcore.planning", "peftcore.answering")


@st.cache_resource(max_entries=1, show_spinner=False)
def _warmed() -> threading.Event:
    """Set once the heavy packages are in memory; one for the whole server."""
    return threading.Event()


def warm_up(delay: float = 1.0) -> None:
    """Import the heavy packages in the background, once; PEFTCORE_WARM=0 leaves them alone.

    The delay lets the browser fetch the first page before the import takes the processor.
    """
    if os.environ.get("PEFTCORE_WARM") != "0":
        _warming(delay, _warmed())


@st.cache_resource(max_entries=1, show_spinner=False)
def _warming(delay: float, _done: threading.Event) -> threading.Thread:
    thread = threading.Thread(
        target=_import_heavy, args=(delay, _done), daemon=True, name="warm-up"
    )
    thread.start()
    return thread


def _import_heavy(delay: float, done: threading.Event) -> None:
    """Runs in the thread: no Streamlit call in here."""
    time.sleep(delay)
    try:
        for name in HEAVY:
            importlib.import_module(name)
    finally:
        done.set()  # if an import failed, the page that needs it says so


def ready() -> bool:
    """Whether heavy work can start without a long wait for imports."""
    return _warmed().is_set()


def methods() -> list[type[Adapter]]:
    """Every method, in the order of their names."""
    from peftcore.methods.base import METHODS

    return METHODS.values()


def bases() -> list[BaseInfo]:
    """Every base model at hand, described without loading it."""
    from peftcore.bases import describe, names

    return [describe(name) for name in names()]


def tasks() -> list[Task]:
    """Every task: those of the project, and imported tables."""
    return [task_list.find(name) for name in task_list.names()]


@dataclass(frozen=True)
class Rows:
    """The examples of a split, or why there are none."""

    examples: tuple[Example, ...] = ()
    problem: str = ""


def rows(task: str, split: Split) -> Rows:
    """The examples of a split; missing data is a sentence to show, not an error."""
    return _rows(task, split, str(places.data()), str(places.home()), _stamp_of_tables())


@st.cache_resource(max_entries=24, show_spinner="Reading the examples…")
def _rows(task: str, split: Split, data: str, home: str, stamp: str) -> Rows:
    from peftcore.errors import BadInput

    try:
        return Rows(tuple(task_list.find(task).load(split)))
    except BadInput as error:
        return Rows(problem=str(error))


def _stamp_of_tables() -> str:
    """Changes whenever an imported table comes, goes or is replaced."""
    return _stamp(places.home() / "tables", "*")


def _stamp(folder: Path, pattern: str) -> str:
    """Names and times of the files that match, as a key."""
    found = sorted(folder.glob(pattern)) if folder.is_dir() else []
    return ";".join(f"{path.parent.name}/{path.name}:{path.stat().st_mtime_ns}" for path in found)


def run_table() -> pd.DataFrame:
    """One row for each run and seed, demo runs included; read again when a run has changed."""
    return store().table()


def store() -> RunStore:
    """The runs of this workspace; it remembers what it read of each run until the run changes."""
    return _store(str(places.home()))


@st.cache_resource(max_entries=4, show_spinner=False)
def _store(home: str) -> RunStore:
    return RunStore()


@st.cache_data(max_entries=256, show_spinner=False)
def estimate(spec_json: str) -> Estimate:
    """What a run will cost; BadInput if it cannot work.  Loads the base: see `ready`."""
    from peftcore import planning

    spec = RunSpec.model_validate_json(spec_json)
    planning.check(spec)
    return planning.estimate(spec)


def answer(run_id: str, text: str, seed_index: int = 0) -> str:
    """What a trained adapter answers to a text."""
    return _answer(run_id, text, seed_index, str(places.home()), _stamp_of_run(run_id))


@st.cache_data(max_entries=512, show_spinner=False)
def _answer(run_id: str, text: str, seed_index: int, home: str, stamp: int) -> str:
    from peftcore import answering

    return answering.answer(run_id, [text], seed_index=seed_index)[0]


def _stamp_of_run(run_id: str) -> int:
    """Changes when the adapter does: a cancelled run may have been resumed since."""
    weights = store().open(run_id).folder / "adapter.safetensors"
    return weights.stat().st_mtime_ns if weights.exists() else 0


@st.cache_data(max_entries=256, show_spinner=False)
def answer_base(base: str, text: str) -> str:
    """What the untouched base writes after a text."""
    from peftcore import answering

    return answering.answer_base(base, [text])[0]


def forget() -> None:
    """Read the examples again, after a table was imported or deleted."""
    _rows.clear()
