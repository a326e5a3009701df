"""What the Images page is about: the task, a run of it, a seed and a prompt.

The task lives in the address and is the same in every view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from app.labs.images import cache
from app.state import wait_for_imports
from app.ui import url_state, widgets
from peftcore import tasks
from peftcore.labs.images import results_store
from peftcore.pretraining import image_models
from peftcore.runs.store import Run
from peftcore.tasks.images import digits, recognise, scenes

KEY = "images.task"
ONCE = "images.weighed"  # what addresses called the task in some views, before all had one
TITLES = {
    "pictures_digit": "Unseen digit",
    "pictures_concept": "Unseen shape",
    "pictures_style": "Unseen style",
    "pictures_digit_alone": "Unseen digit, nothing rehearsed",
}
ABOUT = {
    "pictures_digit": f"New is the digit {digits.UNSEEN_DIGIT}, which the base never saw; old "
    "digits are rehearsed beside it.",
    "pictures_digit_alone": f"The digit {digits.UNSEEN_DIGIT} again, with no old digits beside it: "
    "what is forgotten shows among old prompts.",
    "pictures_concept": f"New is the shape {scenes.UNSEEN_SHAPE}, which no scene that the base saw "
    "has; old scenes are rehearsed beside it.",
    "pictures_style": f"New are scenes “{scenes.UNSEEN_STYLE}”, in which every shape is black; old "
    "scenes are rehearsed beside them.",
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
FIRST = {"pictures_concept": 1, "pictures_style": 4}  # the prompt a task opens with
BOTH = 5  # the prompt that asks for an unseen shape in an unseen style
OWN = "My own words"


@dataclass(frozen=True)
class Subject:
    """A run, one of its seeds by place, and what it is asked to draw."""

    run: Run
    seed: int
    prompt: str

    @property
    def world(self) -> str:
        """What kind of pictures it draws."""
        return tasks.find_task(self.run.spec.task).image_world


def pick_task(known: Sequence[str] = results_store.TASKS) -> str:
    """Which of these tasks is looked at."""
    if ONCE in st.query_params:
        asked = st.query_params[ONCE]
        del st.query_params[ONCE]
        st.query_params[KEY] = asked
    change = url_state.sync_with_url(
        "Task", KEY, known, format_option=TITLES.__getitem__, missing=_without
    )
    chosen = st.segmented_control(
        "Task",
        known,
        required=True,
        format_func=TITLES.__getitem__,
        key=KEY,
        on_change=change,
    )
    task = str(chosen)
    st.caption(ABOUT[task])
    return task


def _without(asked: str) -> str:
    title = TITLES.get(asked)
    if title is None:
        return f"There is no task “{asked[:60]}” here."
    return f"No atoms of “{title}” are at hand: train sparse atoms on it to see them."


def pick_weighed() -> tuple[str, list[Run]]:
    """A task that has a run whose atoms are at hand, and these runs; empty while none has."""
    known = cache.weighed()
    if not known:
        nothing("pictures_digit")
        return "", []
    task = pick_task(tuple(known))
    return task, known[task]


def pick_subject() -> Subject | None:
    """The run, seed and prompt that a view of atoms is about; None while there are none."""
    task, found = pick_weighed()
    if not task or not wait_for_imports.ready_or_wait("images"):
        return None
    left, right = st.columns([3, 1])
    with left:
        run = pick_run("Run", found, f"images.run.{task}")
    with right:
        seed = pick_seed([run], f"images.seed.{task}")
    prompt = pick_prompt(tasks.find_task(task).image_world, FIRST.get(task, 0), task)
    return Subject(run, seed, prompt) if prompt else None


def pick_run(label: str, found: Sequence[Run], key: str) -> Run:
    """One of several runs."""
    known = {run.id: run for run in found}
    return known[st.selectbox(label, list(known), format_func=lambda i: _name(known[i]), key=key)]


def _name(run: Run) -> str:
    spec = run.spec
    return f"{spec.training.shots} examples, {spec.training.steps} steps · {run.id}"


def pick_seed(runs: Sequence[Run], key: str) -> int:
    """The place of a seed in runs that are looked at together; shown are the seeds' numbers."""
    numbers = list(zip(*(run.spec.population.seed_numbers() for run in runs), strict=False))
    return st.selectbox(
        "Seed",
        range(len(numbers)),
        format_func=lambda place: " and ".join(map(str, dict.fromkeys(numbers[place]))),
        key=key,
    )


def pick_prompt(world: str, first: int, key: str) -> str:
    """A prompt chosen from a list or typed; empty while none is typed."""
    known = PROMPTS[world]
    left, right = st.columns(2)
    chosen = left.selectbox("Prompt", [*known, OWN], index=first, key=f"images.prompt.{key}")
    if chosen != OWN:
        return str(chosen)
    shape = next(s for s in image_models.IMAGE_MODELS.values() if s.world == world)
    words = right.text_input(
        "My words",
        max_chars=80,
        key=f"images.own.{key}",
        help=f"Known words: {', '.join(shape.vocabulary)}",
    )
    if not words.strip():
        st.caption(f"Type what to draw, in words such as “{known[first]}”.")
        return ""
    return recognise.check_prompt_words(world, words, shape.vocabulary)


def nothing(task: str) -> None:
    """What a view shows while there is no run of a task to look at."""
    widgets.empty_state(
        "No run to look at yet",
        f"Train sparse atoms on “{tasks.find_task(task).title}”, and other methods beside them.",
        "train",
    )
