"""A person's way through the app in a real browser: look, train, watch, refresh, compare."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect
from support import looks

from app import nav

NAMES = [entry.name for entry in nav.page_entries()]
DARK = "rgb(18, 22, 28)"
PATIENCE = 200_000  # milliseconds; far more than needed, for machines with busy neighbours
expect.set_options(timeout=PATIENCE)
PATHS = {name: name for name in NAMES} | {"home": "", "data": "data?data.task=miniworld_venues"}


@pytest.mark.timeout(600)
def test_train_watch_refresh_and_compare(visit):
    here = visit()
    here.open("?")
    here.page.get_by_test_id("stMain").get_by_role("link", name="Train", exact=True).click()
    expect(here.page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    here.settle()
    choose(here, "Task", "sentiment of a remark")
    choose(here, "Base model", "random-t5")
    for part in ("train.task=miniworld_sentiment", "train.base=random-t5"):  # what to share
        expect(here.page).to_have_url(re.compile(re.escape(part)))
    pill(here, "LoRA", False)
    pill(here, "Scaled prompt tuning", False)
    pill(here, "Prefix tuning", True)
    enter(here, "Training examples", "8")
    enter(here, "Seeds", "2")
    enter(here, "Steps", "60")
    here.page.get_by_text("Training, seeds and evaluation").click()
    enter(here, "Validation examples", "8")
    enter(here, "Steps between validations", "10")
    enter(here, "Most examples answered", "12")
    here.page.get_by_role("button", name="Train 2 runs").click()
    expect(here.page.get_by_text("2 started")).to_be_visible()
    expect(here.page.get_by_text("in all, from trial steps")).to_be_visible()
    here.shot("train")
    here.sound()
    links = here.page.get_by_role("link", name="Watch")
    expect(links).to_have_count(2)
    hrefs = [link.get_attribute("href") for link in links.all()]
    started = [re.search("run=([0-9a-f]{12})", href)[1] for href in hrefs]
    assert len(set(started)) == 2
    here.page.get_by_role("link", name="Watch Prompt tuning").click()
    expect(here.page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    expect(here.page).to_have_url(re.compile(r"run=[0-9a-f]{12}"))
    address = here.page.url
    here.page.reload()  # nothing is lost: the run belongs to the worker, not to the page
    here.page.locator("h1").first.wait_for()
    assert here.page.url == address
    wait_for_done(here)
    here.shot("runs")
    here.sound()
    other = visit()  # a second browser re-attaches by the link
    other.open(address.rpartition("/")[2])
    wait_for_done(other)
    expect(other.page.get_by_role("heading", name="Scores")).to_be_visible()
    other.sound()
    here.open("compare?runs=" + ",".join(started))
    deadline = time.monotonic() + PATIENCE / 1000
    while "not finished" in here.text():  # the second run may still be at it
        assert time.monotonic() < deadline, here.text()
        here.open("compare?runs=" + ",".join(started))
    expect(here.page.get_by_role("combobox", name="Task")).to_have_value(re.compile("sentiment"))
    for words in ("Prefix tuning", "Prompt tuning"):
        assert words in here.text()
    here.shot("compare")
    here.sound()


def choose(here, label, name):
    """Pick an entry of a list by a part of its name."""
    here.page.get_by_role("combobox", name=label).click()
    here.page.keyboard.type(name)
    here.page.keyboard.press("Enter")
    here.settle()


def pill(here, name, wanted):
    """Tick or untick a method."""
    button = here.page.get_by_test_id("stButtonGroup").get_by_role("button", name=name, exact=True)
    if (button.get_attribute("aria-pressed") == "true") != wanted:
        button.click()
        expect(button).to_have_attribute("aria-pressed", str(wanted).lower())
        here.settle()


def enter(here, label, value):
    """Type a number into its field."""
    field = here.page.get_by_role("spinbutton", name=label, exact=True)
    field.fill(value)
    field.press("Enter")
    here.settle()


def wait_for_done(here):
    expect(here.page.locator(".stMarkdownBadge").first).to_contain_text("Done")
    here.settle()


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_for_all_in_light_in_dark_and_on_a_phone(visit, name):
    """One visit, since opening a page is what costs."""
    here = visit()
    here.open(PATHS[name])
    if name == "data":  # the task that the address names by its id
        expect(here.page.get_by_role("combobox", name="Task")).to_have_value(re.compile("venue"))
    here.shot(f"{name}-light")
    nothing_serious(here)
    here.page.emulate_media(color_scheme="dark")
    expect(here.page.get_by_test_id("stApp")).to_have_css("background-color", DARK)
    here.settle()
    here.shot(f"{name}-dark")
    nothing_serious(here)
    for width in (1280, 820, 390):
        here.page.set_viewport_size({"width": width, "height": 844})
        here.settle()
        assert here.page.evaluate(looks.SIDEWAYS) <= 0, f"the page scrolls sideways at {width}"
        assert not here.page.evaluate(looks.CUT), width
        assert not here.page.evaluate(looks.OVERLAPS), width
    here.shot(f"{name}-phone")
    here.sound()


def nothing_serious(here):
    """Rules for screen readers, keyboards and contrast, on our own elements.

    What is wrong is wrong at every look; while a part of the page is drawn anew its words are pale.
    """
    for _ in range(5):
        if not (grave := looks.grave_faults(here.page)):
            return
        here.settle()
    pytest.fail(str(grave))


def test_dark_ground_follows_the_reader(visit):
    colours = []
    for scheme in ("light", "dark"):
        here = visit(scheme=scheme)
        here.open()
        app = here.page.get_by_test_id("stApp")
        colours.append(app.evaluate("box => getComputedStyle(box).backgroundColor"))
    assert colours == ["rgb(255, 255, 255)", DARK]


def test_an_unknown_run_in_the_address_is_a_sentence(visit):
    here = visit()
    here.open("runs?run=000000000000")
    text = here.text()
    assert "No run" in text
    here.sound()
