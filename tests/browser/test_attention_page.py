"""The Attention page in a real browser: clicks, modes, hostile words, no network."""

from __future__ import annotations

import re

from playwright.sync_api import expect

HOSTILE = "the cat the </script><img src=x onerror=alert(1)> <s> || a `b` $x$"


def opened(visit, **size):
    here = visit(**size)
    here.alarms = []
    here.listen("dialog", lambda dialog: (here.alarms.append(dialog.message), dialog.accept()))
    here.open("attention")
    here.page.locator(".js-plotly-plot").first.wait_for(timeout=200_000)
    here.settle()
    return here


def press(here, name):
    here.page.get_by_text(name, exact=True).first.click()
    here.settle()


def test_a_click_on_a_small_picture_opens_that_head_and_modes_switch(visit):
    here = opened(visit, height=1600)  # what is below the window cannot be clicked
    overview = here.page.locator(".st-key-attention-overview .nsewdrag").first
    overview.evaluate("box => box.scrollIntoView({block: 'center'})")
    box = overview.bounding_box()
    # Six heads and four layers, each of unit size from -0.14 on; the middle is at 0.43.
    across, down = (1.43 + 0.14) / 6.14, (2.43 + 0.14) / 4.14
    here.page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])
    expect(here.page.get_by_text("Layer 3, head 2").first).to_be_visible()
    # The small map beside the picture: layers across, heads down.
    small = here.page.locator(".st-key-attention-map .nsewdrag").first.bounding_box()
    here.page.mouse.click(small["x"] + 0.6 * small["width"], small["y"] + 0.25 * small["height"])
    expect(here.page.get_by_text("Layer 3, head 2").first).to_be_visible()
    for mode in ("Before", "Change", "Side by side"):
        here.page.get_by_role("radio", name=mode, exact=True).click()
        here.settle()
    expect(here.page.get_by_text("Change from before to after")).to_be_visible()
    press(here, "One query, step by step")
    expect(here.page.get_by_text(re.compile("in layer 3, head 2, after")).first).to_be_visible()
    here.sound()
    assert not here.alarms


def test_hostile_words_are_shown_as_typed_and_run_nowhere(visit):
    here = opened(visit)
    here.page.locator(".st-key-attention-text-menu button").first.click()
    press(here, "My own text")
    box = here.page.get_by_label("Text", exact=True)
    box.fill(HOSTILE)
    box.press("Control+Enter")
    here.settle()
    here.page.keyboard.press("Escape")
    images = here.page.locator("img[src=x]")
    for view in ("Patterns", "One query, step by step", "Lines"):
        press(here, view)
        assert images.count() == 0
    frame = here.page.frame_locator("iframe").first.frame_locator("iframe")
    expect(frame.locator("svg text", has_text="onerror").or_(frame.get_by_text("cat")).first)
    expect(frame.locator("svg line").first).to_be_attached()
    assert frame.locator("img").count() == 0
    press(here, "Model view")
    expect(frame.locator("svg .attn_background").first).to_be_attached()
    here.sound()
    assert not here.alarms
