"""The two walks of peftcore/README.md are short, and go through every file that they name."""

import re
import sys
import threading
from contextlib import contextmanager

import pytest
from support.limits_page import opened
from support.page_fixtures import nothing_in_the_background  # noqa: F401
from support.pages import open_page, sound

from app.labs.limits import cache as limits_cache
from app.state import cache
from app.training import submit
from peftcore import paths
from peftcore.jobs.worker import Worker
from peftcore.runs.store import RunStore

README = (paths.ROOT / "peftcore" / "README.md").read_text("utf-8")
STEP = re.compile(r"^\d+\. `([a-z_/]+\.py)`(.*)$", re.MULTILINE)
RUN, CLICK = "The life of a run", "The life of a click"
MOST_STEPS = 12


def steps_of(title):
    """Return the file of each step of a walk."""
    [section] = [part for part in README.split("\n## ") if part.startswith(title)]
    numbered = re.findall(r"^\d+\. ", section, re.MULTILINE)
    found = STEP.findall(section)
    assert len(found) == len(numbered), "a step begins with the file it is in"
    assert not [rest for _, rest in found if ".py`" in rest], "a step names one file"
    return [file for file, _ in found]


@contextmanager
def files_called():
    """Collect the files of the tree in which a function is called, in this thread and new ones."""
    called = set()

    def note(frame, event, _):
        if event == "call":
            called.add(frame.f_code.co_filename)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def missed(title, called):
    return [file for file in steps_of(title) if str(paths.ROOT / file) not in called]


@pytest.mark.parametrize("title", [RUN, CLICK])
def test_a_walk_is_short(title):
    assert 1 < len(steps_of(title)) <= MOST_STEPS


def test_a_run_goes_from_the_train_page_to_its_scores_through_every_file(monkeypatch):
    monkeypatch.setattr(submit, "ensure_worker", lambda **_: False)
    chosen = {"train__base": "tiny-t5", "train__task": "miniworld_nli", "train__methods": "lora"}
    few = {"training__steps": "1", "training__shots": "3", "training__dev": "3"}
    with files_called() as called:
        page = open_page("train", **chosen, **few, population__seeds="1", evaluation__limit="3")
        sound(page.button(key="train.start").click().run())
        assert Worker(cache.job_queue(), "cpu").run(once=True) == 1
    [run] = RunStore().all(include_demos=False)
    assert run.scores()["accuracy"]
    assert missed(RUN, called) == []


def test_a_click_on_a_head_goes_through_every_file():
    page = opened()
    limits_cache._compare_layers.clear()  # nobody has asked before
    with files_called() as called:
        sound(page.selectbox(key="limits.head").set_value(2).run())
    assert missed(CLICK, called) == []
