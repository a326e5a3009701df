"""A click on an atom of the shipped map, and the slider of pruning, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.mark.timeout(600)
def test_a_clicked_atom_is_chosen_and_pruning_follows_its_slider(visit):
    here = visit()
    here.open("atoms")
    chart = here.page.locator(".js-plotly-plot").first
    chart.locator(".scatterlayer .point").first.wait_for(state="attached")
    here.settle()
    chosen = here.page.get_by_text("Chosen: ")
    before = chosen.inner_text()
    area = chart.locator(".nsewdrag").first.bounding_box()
    assert area is not None
    # Of 8 atoms and 12 matrices the first cell, which no seed of the demo run uses most.
    where = area["x"] + area["width"] / 16, area["y"] + area["height"] / 14
    here.page.mouse.move(*where)
    here.page.wait_for_timeout(400)
    here.page.mouse.click(*where)
    expect(chosen).not_to_have_text(before, timeout=60_000)
    name = chosen.inner_text().removeprefix("Chosen: ").split(" at ")[0]
    here.page.get_by_role("radio", name="One atom").or_(
        here.page.get_by_role("button", name="One atom")
    ).first.click()
    field = here.page.get_by_test_id("stSelectbox").filter(has_text="Atom").locator("input")
    expect(field).to_have_value(name, timeout=60_000)
    here.page.get_by_role("radio", name="Pruning").or_(
        here.page.get_by_role("button", name="Pruning")
    ).first.click()
    expect(here.page.get_by_text("Accuracy with 32 atoms:")).to_be_visible(timeout=60_000)
    here.page.get_by_role("slider").first.press("ArrowLeft")
    expect(here.page.get_by_text("Accuracy with 16 atoms:")).to_be_visible(timeout=60_000)
    here.shot("atoms-pruning")
    here.sound()
