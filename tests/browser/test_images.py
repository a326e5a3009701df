"""The Images page in a real browser: pictures are there, and clicks show others and curves."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


@pytest.mark.timeout(300)
def test_old_prompts_replace_new_ones(visit):
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
    chance = scale.filter(has_text="Classifier's mean chance of what was asked")
    share = scale.filter(has_text="Share of pictures as asked")
    expect(chance).to_be_visible(timeout=60_000)
    click(here, "Read as asked")
    expect(share).to_be_visible(timeout=60_000)
    expect(chance).to_have_count(0)
    here.sound()


def click(here, name):
    """Choose one of several."""
    page = here.page
    page.get_by_role("radio", name=name).or_(page.get_by_role("button", name=name)).first.click()
