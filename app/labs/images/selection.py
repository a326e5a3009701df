"""What the Images page is about: the task, a run of it, a seed and a prompt.

The address calls the task `kind`: other labs share one task, and none of theirs is drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from app.labs.images import cache
from app.labs.images.cache import ImagesSubject
from app.state import wait_for_imports
from app.ui import frame as lab_frame
from app.ui import subject, widgets
from app.ui.frame import Frame
from app.ui.subject import Choice
from peftcore import tasks
from peftcore.labs.images import results_store
from peftcore.pretraining import image_models
from peftcore.runs.store import Run
from peftcore.tasks.images import digits, recognise, scenes

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LAB = "images"
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
NEEDED = "finished runs of sparse atoms on this task have atoms to draw with"


def pick_image_task(bar: DeltaGenerator, task_names: Sequence[str] = results_store.TASKS) -> str:
    """Offer these tasks; return the name of the chosen one."""
    choice = Choice(
        LAB,
        "kind",
        "Task",
        list(task_names),
        option_text=TASK_TITLES.__getitem__,
        missing=_why_task_missing,
    )
    with bar:
        return choice.as_list(label_visibility="collapsed", width=220)


def _why_task_missing(requested: str) -> str:
    """Explain why the task that an address asks for is not shown."""
    title = TASK_TITLES.get(requested)
    if title is None:
        return f"There is no task “{requested[:60]}” here."
    return f"There are no atoms of “{title}” yet: train sparse atoms on it first."


def pick_run_of_task(frame: Frame) -> Run | None:
    """A task that has runs with atoms, and one of these; None while there are none."""
    runs_by_task = cache.atom_runs_by_task()
    if not runs_by_task:
        with frame.picture:
            show_no_runs("pictures_digit")
        return None
    runs = runs_by_task[pick_image_task(frame.bar, tuple(runs_by_task))]
    return lab_frame.pick_run(LAB, frame.bar, runs, run_labels(runs), NEEDED)


def pick_subject(frame: Frame) -> ImagesSubject | None:
    """The run, seed and prompt that a view of atoms is about; None while there are none."""
    run = pick_run_of_task(frame)
    if run is None:
        return None
    seed = pick_seed(frame.bar, [run])
    task = run.spec.task
    with frame.side:
        prompt = pick_prompt(tasks.find_task(task).image_world, DEFAULT_PROMPTS.get(task, 0))
    with frame.picture:
        if not prompt or not wait_for_imports.ready_or_wait(LAB):
            return None
    return ImagesSubject(run, seed, prompt)


def pick_seed(bar: DeltaGenerator, runs: Sequence[Run]) -> int:
    """Offer the seeds of runs shown together by their numbers; return the seed's index."""
    numbers = zip(*(run.spec.population.seed_numbers() for run in runs), strict=False)
    names = [" and ".join(map(str, dict.fromkeys(each))) for each in numbers]
    with bar:
        return lab_frame.pick_seed(LAB, names)


def pick_run_of_atoms(name: str, label: str, runs: Sequence[Run]) -> Run:
    """One of several runs, beside the run that all labs share; `name` is its part of an address."""
    by_id, titles = {run.id: run for run in runs}, run_labels(runs)
    return by_id[Choice(LAB, name, label, list(by_id), option_text=titles.__getitem__).as_list()]


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return what runs are called in a list, by id; ids only where nothing else sets them apart."""
    parts = {
        run.id: f"{run.spec.training.shots} examples, {run.spec.training.steps} steps"
        for run in runs
    }
    alike = Counter(parts.values())
    return {
        run_id: name if alike[name] == 1 else f"{name} · {run_id}" for run_id, name in parts.items()
    }


def pick_prompt(world: str, first: int, name: str = "") -> str:
    """A prompt chosen from a list or typed; empty while none is typed."""
    prompts = PROMPTS[world]
    name = name or world
    prompt = Choice(
        LAB, f"prompt-{name}", "Prompt", [*prompts, OWN_WORDS], first=prompts[first]
    ).as_list()
    if prompt != OWN_WORDS:
        return prompt
    model_shape = next(s for s in image_models.IMAGE_MODELS.values() if s.world == world)
    words = subject.typed(
        LAB,
        f"words-{name}",
        "My words",
        max_chars=80,
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
