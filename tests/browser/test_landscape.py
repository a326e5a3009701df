"""Clicks on points of a landscape, on a map and on a 3D surface, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.mark.timeout(900)
def test_the_adapter_at_a_clicked_point_answers(visit, command):
    settings = ("dev=4", "batch=2", "limit=4", "max_new_tokens=3", "length=2")
    run = command(
        "train", "--base", "random-t5", "--task", "miniworld_nli",
        "--method", "prefix_tuning", "--vertices", "3", "--seeds", "1", "--steps", "2",
        "--shots", "4", *(word for each in settings for word in ("--set", each)),
    )["run"]  # fmt: skip
    command("landscape", run)
    here = visit()
    here.open(f"landscape?landscape.run={run}")
    chart = here.page.locator(".js-plotly-plot").first
    chart.locator(".contour, .contourlayer").first.wait_for(state="attached")
    here.settle()
    # The middle of the drawing area lies inside the triangle.
    chart.evaluate("box => box.scrollIntoView({block: 'center'})")
    area = chart.locator(".nsewdrag").first.bounding_box()
    here.page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
    here.page.wait_for_timeout(400)
    here.page.mouse.click(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
    expect(here.page.get_by_text("has a loss of")).to_be_visible(timeout=120_000)
    start = here.page.get_by_role("button", name="Start now")
    ask = here.page.get_by_role("button", name="Ask this point")
    expect(start.or_(ask).first).to_be_visible(timeout=200_000)
    expect(ask).to_be_visible(timeout=200_000)
    ask.click()
    expect(here.page.get_by_text("Answer:")).to_be_visible(timeout=200_000)
    here.shot("landscape-point")
    surface_can_be_turned_and_clicked(here)
    here.sound()


def surface_can_be_turned_and_clicked(here):
    here.page.get_by_role("radio", name="3D surface").click()
    surface = here.page.locator(".loss-surface svg").first
    triangles = surface.locator(".surface path")
    first = triangles.first.get_attribute("d")
    surface.evaluate("box => box.scrollIntoView({block: 'center'})")
    frame = surface.bounding_box()
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    here.page.mouse.move(x, y)
    here.page.mouse.down()
    here.page.mouse.move(x + 90, y, steps=3)
    here.page.mouse.up()
    expect(triangles.first).not_to_have_attribute("d", first)
    mark = surface.locator(".mark").first
    mark.wait_for()
    spot = mark.bounding_box()
    here.page.mouse.click(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
    expect(surface.get_by_text("chosen")).to_be_visible(timeout=60_000)
