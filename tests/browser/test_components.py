"""Cells of the map switched by mouse and keyboard, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

expect.set_options(timeout=200_000)  # milliseconds; far more than needed, for busy neighbours


@pytest.mark.timeout(300)
def test_cells_are_switched_by_mouse_and_keys_and_counted(visit):
    here = visit()
    here.open("components")
    figure = here.page.get_by_test_id("stMetricValue").first
    expect(figure).to_have_text("261,696")
    key = here.page.get_by_role("button", name=re.compile("Encoder, layer 1, key"))
    expect(key).to_have_attribute("aria-pressed", "false")
    key.click()
    expect(key).to_have_attribute("aria-pressed", "true")
    expect(figure).to_have_text(f"{261_696 + 192 * 192:,}")
    here.page.keyboard.press("ArrowRight")  # to the key matrix of layer 2
    here.page.keyboard.press("Space")
    expect(figure).to_have_text(f"{261_696 + 2 * 192 * 192:,}")
    for layer in range(1, 5):  # faster than the server answers: none may be lost
        here.page.get_by_role("button", name=f"Encoder, layer {layer}, value").click()
    expect(figure).to_have_text(f"{261_696 + 6 * 192 * 192:,}")
    here.page.get_by_role("button", name="Switch everything off").click()
    expect(figure).to_have_text("0")
    expect(key).to_have_attribute("aria-pressed", "false")
    here.shot("components")
    # A grid that nobody has trained yet: started, stopped, gone on with.
    here.open("components?components.view=Grid&components.grid.task=miniworld_nonsense")
    page = here.page
    expect(page.get_by_role("combobox", name="Task")).to_have_value(re.compile("nonsensical"))
    page.get_by_role("button", name="Train 5 missing runs").click()
    page.get_by_role("button", name="Stop").click()
    go_on = page.get_by_role("button", name="Go on with 5 missing runs")
    expect(go_on).to_be_visible()
    here.settle()  # the page is drawn anew once more when the job has ended
    go_on.click()
    expect(page.get_by_text(re.compile("0 of 5 runs trained"))).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("stopping…").or_(page.get_by_text("Go on with")).first).to_be_visible()
    here.sound()
