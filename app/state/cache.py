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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.state import heavy_imports
from app.state.costs import CostEstimator, load_base_model
from peftcore import paths
from peftcore import tasks as task_list
from peftcore.adapters.base import METHODS
from peftcore.data.task import Example, Split, Task
from peftcore.errors import BadInput
from peftcore.jobs.queue import Queue
from peftcore.models import catalog
from peftcore.models.catalog import base_names, describe_base
from peftcore.runs.store import Run, RunStore
from peftcore.system import atomic_files
from peftcore.training import predict
from peftcore.training.checkpoint import load_adapter
from peftcore.training.table_reader import reader_of_base

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.adapters.base import Adapter
    from peftcore.analysis.attention import AttentionPattern
    from peftcore.data.table_checks import Reader
    from peftcore.models.base_model import BaseModel
    from peftcore.models.catalog import BaseInfo
    from peftcore.training.predict import TypedAnswer

MOST_TYPED_ANSWERS = 512
KIND_ORDER = {"encoder-decoder": 0, "decoder": 1, "encoder": 2}


@st.cache_resource(max_entries=1, show_spinner=False)
def _imports_done() -> threading.Event:
    """Set once the heavy packages are in memory; one for the whole server."""
    return threading.Event()


def warm_up(delay: float = 1.0) -> None:
    """Import the heavy packages in the background, once; PEFTCORE_WARM=0 leaves them alone.

    The delay lets the browser fetch the first page before the import takes the processor.
    """
    if counts_costs():
        _start_warm_up(delay, _imports_done())


@st.cache_resource(max_entries=1, show_spinner=False)
def _start_warm_up(delay: float, _done: threading.Event) -> threading.Thread:
    """Start the thread that imports the heavy packages."""
    target, name = _import_heavy, "warm-up"
    thread = threading.Thread(target=target, args=(delay, _done), daemon=True, name=name)
    thread.start()
    return thread


def _import_heavy(delay: float, done: threading.Event) -> None:
    """Runs in the thread: no Streamlit call in here."""
    time.sleep(delay)
    try:
        heavy_imports.import_all()
        # Streamlit looks for garbage after every run of a page, among all objects that there are;
        # those of the packages stay, and leaving them out saves a tenth of a second a click.
        gc.collect()
        gc.freeze()
    finally:
        done.set()  # if an import failed, the page that needs it says so


def counts_costs() -> bool:
    """Return whether costs are counted while a page is looked at, and not only when asked."""
    return os.environ.get("PEFTCORE_WARM") != "0"


def imports_ready() -> bool:
    """Return whether heavy work can start without a long wait for imports."""
    return _imports_done().is_set()


def list_methods() -> list[type[Adapter]]:
    """Every method, in the order of their names."""
    return METHODS.values()


def list_bases() -> list[BaseInfo]:
    """Describe every base model of this machine without loading it, those that write first."""
    return sorted(
        map(describe_base, base_names()),
        key=lambda info: (not _ships_with_app(info), KIND_ORDER[info.kind]),
    )


def unusable_bases() -> dict[str, str]:
    """Return name → why not, for folders of one's own that cannot be used as bases."""
    return catalog.unusable_bases()


def _ships_with_app(info: BaseInfo) -> bool:
    return (paths.ASSETS / "models" / info.name).is_dir()


def list_tasks() -> list[Task]:
    """Every task: Miniworld first, data that would have to be fetched last."""
    found = [task_list.find_task(name) for name in task_list.task_names()]
    return sorted(
        found,
        key=lambda task: (not task.available(), not task.name.startswith("miniworld_")),
    )


@dataclass(frozen=True)
class SplitExamples:
    """The examples of a split, or why there are none."""

    examples: tuple[Example, ...] = ()
    problem: str = ""


def split_examples(task: str, split: Split) -> SplitExamples:
    """The examples of a split; missing data is a sentence to show, not an error."""
    return _split_examples(task, split, str(paths.data_folder()), str(paths.workspace_folder()))


@st.cache_resource(max_entries=24, ttl=600, show_spinner="Reading the examples…")
def _split_examples(task: str, split: Split, data: str, home: str) -> SplitExamples:
    try:
        return SplitExamples(tuple(task_list.find_task(task).load(split)))
    except BadInput as error:
        return SplitExamples(problem=str(error))


def forget_examples() -> None:
    """Read the examples again, after a table was imported or deleted."""
    _split_examples.clear()


def run_store() -> RunStore:
    """The runs of this workspace; it remembers what it read of each run until the run changes."""
    return _run_store(str(paths.workspace_folder()))


@st.cache_resource(max_entries=4, show_spinner=False)
def _run_store(home: str) -> RunStore:
    return RunStore()


def run_table() -> pd.DataFrame:
    """One row for each run and seed, demo runs included."""
    return run_store().table()


def job_queue() -> Queue:
    """The jobs of this workspace."""
    return _job_queue(str(paths.workspace_folder()), os.environ.get("PEFTCORE_DATABASE", ""))


@st.cache_resource(max_entries=4, show_spinner=False)
def _job_queue(home: str, database: str) -> Queue:
    return Queue()


@st.cache_resource(max_entries=1, show_spinner=False)
def cost_estimator() -> CostEstimator:
    """Return the estimator of costs, which counts in a process of its own."""
    return CostEstimator()


@st.cache_resource(max_entries=2, show_spinner="Loading the base model…")
def base_model(name: str) -> BaseModel:
    """A frozen base model."""
    return load_base_model(name)


def table_reader(name: str, labels: Sequence[str]) -> Reader:
    """Return a base as the reader of a table with these labels."""
    return reader_of_base(base_model(name), labels)


def adapter_version(run: Run) -> tuple[str, str, int, int]:
    """Return what tells a run's adapter from the one that it had before it was resumed."""
    weights = atomic_files.modified_ns(run.folder / "adapter.safetensors")
    return str(run.folder), str(paths.data_folder()), weights, len(run.intermediate_steps())


# How Streamlit's caches tell runs apart where a result depends on the run's adapter.
BY_ADAPTER: dict[str | type, Callable[[Any], Any]] = {Run: adapter_version}


@st.cache_resource(max_entries=8, show_spinner="Putting the adapter on…", hash_funcs=BY_ADAPTER)
def adapted_model(run: Run) -> AdaptedModel:
    """Return the base model with a run's trained adapter."""
    return load_adapter(run, base_model(run.spec.base))


@st.cache_resource(max_entries=1, show_spinner=False)
def _typed_answers() -> dict[Any, TypedAnswer]:
    """Answers to typed texts by who was asked what; the oldest go first."""
    return {}


def _remembered(key: Any, answer: Callable[[], TypedAnswer]) -> TypedAnswer:
    """Return a remembered answer, or ask for it; one that was cut short is not kept."""
    known = _typed_answers()
    if key in known:
        return known[key]
    found = answer()
    if not found.cut:
        known[key] = found
        while len(known) > MOST_TYPED_ANSWERS:
            known.pop(next(iter(known)), None)
    return found


def adapter_answer(
    run: Run, text: str, seed_index: int = 0, tick: Callable[[], None] = lambda: None
) -> TypedAnswer:
    """Return a trained adapter's answer to a text; `tick` is called at every token."""
    limits = predict.AnswerLimits(tick=tick)
    return _remembered(
        (adapter_version(run), text, seed_index),
        lambda: predict.answer_typed(run, adapted_model(run), text, seed_index, limits),
    )


def base_answer(name: str, text: str, tick: Callable[[], None] = lambda: None) -> TypedAnswer:
    """Return what the untouched base writes after a text; `tick` is called at every token."""
    limits = predict.AnswerLimits(tick=tick)
    return _remembered(
        (name, text), lambda: predict.answer_base_typed(base_model(name), text, limits)
    )


@st.cache_resource(max_entries=2, show_spinner=False)
def untouched_model(base_name: str) -> AdaptedModel:
    """A base without an adapter, to be recorded like one with it."""
    from peftcore.adapters.no_adapter import unadapted_model

    return unadapted_model(base_model(base_name))


def adapted_or_untouched(run: Run | None, base_name: str) -> AdaptedModel:
    """Return the model of a run, or the untouched base if there is no run."""
    return adapted_model(run) if run else untouched_model(base_name)


@st.cache_resource(max_entries=24, show_spinner="Recording the attention…", hash_funcs=BY_ADAPTER)
def attention_pattern(
    run: Run | None, base_name: str, example: Example, seed_index: int
) -> dict[str, AttentionPattern]:
    """Return the attention of every head while one seed reads an example, by attention kind."""
    from peftcore.labs.attention import capture

    return capture.capture_attention(adapted_or_untouched(run, base_name), example, seed_index)


@st.cache_resource(max_entries=24, show_spinner="Weighing values…", hash_funcs=BY_ADAPTER)
def value_weights(
    run: Run | None, base_name: str, example: Example, seed_index: int
) -> dict[str, AttentionPattern]:
    """Return shares of what each key adds while one seed reads an example, by attention kind."""
    from peftcore.labs.attention import value_weights

    model = adapted_or_untouched(run, base_name)
    return value_weights.capture_value_weights(model, example, seed_index)


@st.cache_data(max_entries=256, show_spinner="Answering…", hash_funcs=BY_ADAPTER)
def greedy_answer(run: Run | None, base_name: str, example: Example, seed_index: int) -> str:
    """Return the greedy answer of one seed, for its decoder to read again."""
    from peftcore.labs.attention import capture

    return capture.generate_answer(adapted_or_untouched(run, base_name), example, seed_index, 48)
