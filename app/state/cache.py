"""What pages remember between reruns, each with a bound; a lab's own caches are in its files.

Importing this file does not import torch.  `warm_up` loads it in a background thread once a first
page has been drawn; `ready` says whether it is there, so that pages can wait without blocking.
Keys carry what the result depends on (a folder, a time stamp), so nothing stale is shown.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.state import heavy_imports
from app.state.costs import Costs, load
from peftcore import paths
from peftcore import tasks as task_list
from peftcore.data import sources
from peftcore.data.task import Example, Split, Task
from peftcore.errors import BadInput
from peftcore.runs.store import RunStore

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.adapters.base import Adapter
    from peftcore.analysis.attention import AttentionPattern
    from peftcore.jobs.queue import Queue
    from peftcore.labs.landscape.request import Ask
    from peftcore.models.base_model import BaseModel
    from peftcore.models.catalog import BaseInfo

BY_KIND = {"encoder-decoder": 0, "decoder": 1, "encoder": 2}


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
    target, name = _import_heavy, "warm-up"
    thread = threading.Thread(target=target, args=(delay, _done), daemon=True, name=name)
    thread.start()
    return thread


def _import_heavy(delay: float, done: threading.Event) -> None:
    """Runs in the thread: no Streamlit call in here."""
    time.sleep(delay)
    try:
        heavy_imports.load()
        # Streamlit looks for garbage after every run of a page, among all objects that there are;
        # those of the packages stay, and leaving them out saves a tenth of a second a click.
        gc.collect()
        gc.freeze()
    finally:
        done.set()  # if an import failed, the page that needs it says so


def ready() -> bool:
    """Whether heavy work can start without a long wait for imports."""
    return _warmed().is_set()


def methods() -> list[type[Adapter]]:
    """Every method, in the order of their names."""
    from peftcore.adapters.base import METHODS

    return METHODS.values()


def bases() -> list[BaseInfo]:
    """Every base model at hand, described without loading it; those that write come first."""
    from peftcore.models.catalog import describe, names

    return sorted(
        map(describe, names()), key=lambda info: (not _embedded(info), BY_KIND[info.kind])
    )


def _embedded(info: BaseInfo) -> bool:
    return (paths.ASSETS / "models" / info.name).is_dir()


def tasks() -> list[Task]:
    """Every task: Miniworld first, data that would have to be fetched last."""
    found = [task_list.find(name) for name in task_list.names()]
    return sorted(
        found, key=lambda task: (not at_hand(task.name), not task.name.startswith("miniworld_"))
    )


def at_hand(task: str) -> bool:
    """Whether a task's rows can be read without a network."""
    return task.startswith(("miniworld_", "pictures_", "table_")) or sources.present(task)


@dataclass(frozen=True)
class Rows:
    """The examples of a split, or why there are none."""

    examples: tuple[Example, ...] = ()
    problem: str = ""


def rows(task: str, split: Split) -> Rows:
    """The examples of a split; missing data is a sentence to show, not an error."""
    return _rows(task, split, str(paths.data()), str(paths.home()))


@st.cache_resource(max_entries=24, ttl=600, show_spinner="Reading the examples…")
def _rows(task: str, split: Split, data: str, home: str) -> Rows:
    try:
        return Rows(tuple(task_list.find(task).load(split)))
    except BadInput as error:
        return Rows(problem=str(error))


def forget_rows() -> None:
    """Read the examples again, after a table was imported or deleted."""
    _rows.clear()


def store() -> RunStore:
    """The runs of this workspace; it remembers what it read of each run until the run changes."""
    return _store(str(paths.home()))


@st.cache_resource(max_entries=4, show_spinner=False)
def _store(home: str) -> RunStore:
    return RunStore()


def run_table() -> pd.DataFrame:
    """One row for each run and seed, demo runs included."""
    return store().table()


def queue() -> Queue:
    """The jobs of this workspace."""
    return _queue(str(paths.home()), os.environ.get("PEFTCORE_DATABASE", ""))


@st.cache_resource(max_entries=4, show_spinner=False)
def _queue(home: str, database: str) -> Queue:
    from peftcore.jobs.queue import Queue

    return Queue()


@st.cache_resource(max_entries=1, show_spinner=False)
def costs() -> Costs:
    """What runs will cost, counted in a thread of its own."""
    return Costs()


@st.cache_resource(max_entries=2, show_spinner="Loading the base model…")
def base(name: str) -> BaseModel:
    """A frozen base model, the same one that costs are counted with."""
    return load(name)


def adapted(run_id: str) -> AdaptedModel:
    """The base wearing what a run learnt, kept in memory."""
    weights = store().open(run_id).folder / "adapter.safetensors"
    stamp = weights.stat().st_mtime_ns if weights.is_file() else 0
    return _adapted(run_id, str(paths.home()), stamp)


@st.cache_resource(max_entries=8, show_spinner="Putting the adapter on…")
def _adapted(run_id: str, home: str, stamp: int) -> AdaptedModel:
    from peftcore.training.checkpoint import load_adapter

    run = store().open(run_id)
    return load_adapter(run, base(run.spec.base))


def answer(run_id: str, text: str, seed_index: int = 0) -> str:
    """What a trained adapter answers to a text; a resumed run answers anew."""
    weights = store().open(run_id).folder / "adapter.safetensors"
    stamp = weights.stat().st_mtime_ns if weights.is_file() else 0
    return _answer(run_id, text, seed_index, str(paths.home()), stamp)


@st.cache_data(max_entries=512, show_spinner=False)
def _answer(run_id: str, text: str, seed_index: int, home: str, stamp: int) -> str:
    from peftcore.training import predict

    run = store().open(run_id)
    return predict.answer_texts(run, adapted(run_id), [text], seed_index=seed_index)[0]


@st.cache_data(max_entries=256, show_spinner=False)
def answer_base(name: str, text: str) -> str:
    """What the untouched base writes after a text."""
    from peftcore.training import predict

    return predict.answer_base(base(name), [text])[0]


@st.cache_resource(max_entries=2, show_spinner=False)
def untouched(base_name: str) -> AdaptedModel:
    """A base without an adapter, to be recorded like one with it."""
    from peftcore.labs.attention import capture

    return capture.untouched(base(base_name))


def worn(run_id: str | None, base_name: str) -> AdaptedModel:
    """What a run learnt, or the untouched base if there is no run."""
    return adapted(run_id) if run_id else untouched(base_name)


def attention(
    run_id: str | None, base_name: str, example: Example, seed_index: int
) -> dict[str, AttentionPattern]:
    """What every head looks at while one seed reads an example; place → layers and heads."""
    return _attention(run_id, base_name, example, seed_index, *_stamp(run_id))


def _stamp(run_id: str | None) -> tuple[str, int]:
    """Tells a run's adapter from the one that it had before it was resumed."""
    weights = store().open(run_id).folder / "adapter.safetensors" if run_id else None
    stamp = weights.stat().st_mtime_ns if weights and weights.is_file() else 0
    return str(paths.home()), stamp


@st.cache_resource(max_entries=24, show_spinner="Recording the attention…")
def _attention(
    run_id: str | None, base_name: str, example: Example, seed_index: int, home: str, stamp: int
) -> dict[str, AttentionPattern]:
    from peftcore.labs.attention import capture

    return capture.record(worn(run_id, base_name), example, seed_index)


def written(run_id: str | None, base_name: str, example: Example, seed_index: int) -> str:
    """The greedy answer of one seed, for its decoder to read again."""
    return _written(run_id, base_name, example, seed_index, *_stamp(run_id))


@st.cache_data(max_entries=256, show_spinner="Answering…")
def _written(
    run_id: str | None, base_name: str, example: Example, seed_index: int, home: str, stamp: int
) -> str:
    from peftcore.labs.attention import capture

    return capture.written(worn(run_id, base_name), example, seed_index, 48)


def point_answer(ask: Ask, weights: tuple[float, ...], text: str) -> str:
    """What the adapter at a point of a landscape answers to a text."""
    return _point_answer(ask.model_dump_json(), weights, text, str(paths.home()))


@st.cache_data(max_entries=256, show_spinner=False)
def _point_answer(ask: str, weights: tuple[float, ...], text: str, home: str) -> str:
    from peftcore.labs.landscape import compute

    return compute.answer_at(_ask(ask), weights, base(_base_of(ask)), text)


def point_file(ask: Ask, weights: tuple[float, ...]) -> bytes:
    """The adapter at a point of a landscape as a safetensors file."""
    from peftcore.labs.landscape import compute

    return compute.exported(ask, weights, base(_base_of(ask.model_dump_json())))


def _ask(ask: str) -> Ask:
    from peftcore.labs.landscape.request import Ask

    return Ask.model_validate_json(ask)


def _base_of(ask: str) -> str:
    return store().open(_ask(ask).adapter_refs()[0].run).spec.base
