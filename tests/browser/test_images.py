"""The Images page in a real browser: pictures are there; clicks and the slider show others."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect


@pytest.mark.timeout(300)
def test_clicks_show_other_pictures_and_curves_and_the_slider_other_atoms(visit):
    here = visit()
    here.open("images")
    first = here.page.locator(".pictures img").first
    first.wait_for()
    expect(here.page.get_by_text("Sparse atoms").first).to_be_visible()
    assert first.evaluate("image => image.complete && image.naturalWidth") == 37  # 4 of 8 and lines
    click(here, "Old")
    expect(here.page.get_by_text("draw a zero", exact=False).first).to_be_visible(timeout=60_000)
    click(here, "Editing")
    expect(here.page.get_by_text("Rank correlations of the number")).to_be_visible(timeout=60_000)
    scale = here.page.locator(".js-plotly-plot .ytitle")
    chance = scale.filter(has_text="Classifier's mean chance of the prompt")
    share = scale.filter(has_text="Share of images that match the prompt")
    expect(chance).to_be_visible(timeout=60_000)
    click(here, "Match")
    expect(share).to_be_visible(timeout=60_000)
    expect(chance).to_have_count(0)
    click(here, "Fewer atoms")
    slider = here.page.get_by_role("slider")
    expect(slider).to_be_visible(timeout=120_000)
    chosen = panel(here)
    before = chosen.get_attribute("src")
    kept = int(chosen.get_attribute("alt").removeprefix("Pictures drawn with ").split()[0])
    slider.press("ArrowLeft")
    fewer = panel(here, but=kept)
    expect(fewer).to_be_visible(timeout=60_000)
    assert fewer.get_attribute("src") != before
    here.sound()


def panel(here, but=None):
    """The pictures drawn with the number of atoms that the slider names, unless it is this one."""
    number = r"\d+" if but is None else rf"(?!{but} )\d+"
    return here.page.get_by_alt_text(re.compile(rf"^Pictures drawn with {number} atoms"))


def click(here, name):
    """Choose one of several."""
    page = here.page
    page.get_by_role("radio", name=name).or_(page.get_by_role("button", name=name)).first.click()
