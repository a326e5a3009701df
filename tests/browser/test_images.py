"""The Images page in a real browser: pictures are there, and the slider changes them."""

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
    here.page.get_by_role("radio", name="Old").or_(
        here.page.get_by_role("button", name="Old")
    ).first.click()
    expect(here.page.get_by_text("draw a zero", exact=False).first).to_be_visible(timeout=60_000)
