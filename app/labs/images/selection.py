"""What the Images page is about: the task, a run of it, a seed and a prompt.

The task lives in the address and is the same in every view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from app.labs.images import cache
from app.labs.images.cache import ImagesSubject
from app.state import wait_for_imports
from app.ui import pickers, url_state, widgets
from peftcore import tasks
from peftcore.labs.images import results_store
from peftcore.pretraining import image_models
from peftcore.runs.store import Run
from peftcore.tasks.images import digits, recognise, scenes

TASK_PARAM = "images.task"
FORMER_TASK_PARAM = (
    "images.weighed"  # what addresses called the task in some views, before all had one
)
TASK_TITLES = {
    "pictures_digit": "Unseen digit",
    "pictures_concept": "Unseen shape",
    "pictures_style": "Unseen style",
    "pictures_digit_alone": "Unseen digit, nothing rehearsed",
}
TASK_NOTES = {
    "pictures_digit": f"New is the digit {digits.UNSEEN_DIGIT}, which pretraining left out; old "
    "digits are rehearsed with it.",
    "pictures_digit_alone": f"The digit {digits.UNSEEN_DIGIT} again, without old digits: "
    "what is forgotten shows among old prompts.",
    "pictures_concept": f"New is the shape {scenes.UNSEEN_SHAPE}, which pretraining left out; "
    "old scenes are rehearsed with it.",
    "pictures_style": f"New are scenes “{scenes.UNSEEN_STYLE}”, in which every shape is black; old "
    "scenes are rehearsed with them.",
}
PROMPTS: Mapping[str, tuple[str, ...]] = {
    "digits": tuple(digits.digit_prompt(w) for w in (digits.UNSEEN_DIGIT, *digits.SEEN_DIGITS)),
    "scenes": (
        "a red gate",
        "a green gate left of a yellow square",
        "a purple ring above a black gate",
        "a red square at night",
        "a yellow ring left of a red hook at night",
        "a green gate at night",
        "a red ring left of a blue square",
        "a black cup below a yellow cross",
    ),
}
DEFAULT_PROMPTS = {"pictures_concept": 1, "pictures_style": 4}  # the prompt a task opens with
COMBINED_PROMPT = 5  # the prompt that asks for an unseen shape in an unseen style
OWN_WORDS = "My own words"


def pick_image_task(task_names: Sequence[str] = results_store.TASKS) -> str:
    """Offer these tasks; return the name of the chosen one."""
    if FORMER_TASK_PARAM in st.query_params:
        requested = st.query_params[FORMER_TASK_PARAM]
        del st.query_params[FORMER_TASK_PARAM]
        st.query_params[TASK_PARAM] = requested
    on_change = url_state.sync_with_url(
        _why_task_missing, TASK_PARAM, task_names, format_option=TASK_TITLES.__getitem__
    )
    task_name = st.segmented_control(
        "Task",
        task_names,
        required=True,
        format_func=TASK_TITLES.__getitem__,
        key=TASK_PARAM,
        on_change=on_change,
    )
    task = str(task_name)
    st.caption(TASK_NOTES[task])
    return task


def _why_task_missing(requested: str) -> str:
    """Explain why the task that an address asks for is not shown."""
    title = TASK_TITLES.get(requested)
    if title is None:
        return f"There is no task “{requested[:60]}” here."
    return f"There are no atoms of “{title}” yet: train sparse atoms on it first."


def pick_task_with_atoms() -> tuple[str, list[Run]]:
    """A task that has a run with atoms, and these runs; empty while none has."""
    runs_by_task = cache.atom_runs_by_task()
    if not runs_by_task:
        show_no_runs("pictures_digit")
        return "", []
    task = pick_image_task(tuple(runs_by_task))
    return task, runs_by_task[task]


def pick_subject() -> ImagesSubject | None:
    """The run, seed and prompt that a view of atoms is about; None while there are none."""
    task, runs = pick_task_with_atoms()
    if not task or not wait_for_imports.ready_or_wait("images"):
        return None
    left, right = st.columns([3, 1])
    with left:
        run = pick_run_of_atoms("Run", runs, f"images.run.{task}")
    with right:
        seed = pickers.pick_seed([run], f"images.seed.{task}")
    prompt = pick_prompt(tasks.find_task(task).image_world, DEFAULT_PROMPTS.get(task, 0), task)
    return ImagesSubject(run, seed, prompt) if prompt else None


def pick_run_of_atoms(label: str, runs: Sequence[Run], key: str) -> Run:
    """One of several runs."""
    runs_by_id = {run.id: run for run in runs}
    return runs_by_id[
        st.selectbox(
            label, list(runs_by_id), format_func=lambda i: _run_label(runs_by_id[i]), key=key
        )
    ]


def _run_label(run: Run) -> str:
    spec = run.spec
    return f"{spec.training.shots} examples, {spec.training.steps} steps · {run.id}"


def pick_prompt(world: str, first: int, key: str) -> str:
    """A prompt chosen from a list or typed; empty while none is typed."""
    prompts = PROMPTS[world]
    left, right = st.columns(2)
    prompt = left.selectbox(
        "Prompt", [*prompts, OWN_WORDS], index=first, key=f"images.prompt.{key}"
    )
    if prompt != OWN_WORDS:
        return str(prompt)
    model_shape = next(s for s in image_models.IMAGE_MODELS.values() if s.world == world)
    words = right.text_input(
        "My words",
        max_chars=80,
        key=f"images.own.{key}",
        help=f"Known words: {', '.join(model_shape.vocabulary)}",
    )
    if not words.strip():
        st.caption(f"Type what to draw, in words such as “{prompts[first]}”.")
        return ""
    return recognise.check_prompt_words(world, words, model_shape.vocabulary)


def show_no_runs(task: str) -> None:
    """Say what to do while there is no run of a task."""
    widgets.empty_state(
        "No run to look at yet",
        f"Train sparse atoms on “{tasks.find_task(task).title}”, and other methods beside them.",
        "train",
    )
