"""The attention row in a browser: its numbers are the core's, it is worked by keyboard."""

import base64

import pytest

from app.ui.own_components import FRONTEND
from peftcore.analysis import attention_row

BEFORE = attention_row.normalise([0.43, 0.01, 0.07, 0.25, 0.24])
AFTER = attention_row.normalise([0.02, 0.03, 0.1, 0.05, 0.8])


def test_the_browser_computes_what_the_core_does(chromium):
    code = base64.b64encode((FRONTEND / "attention_row.js").read_bytes()).decode()
    page = chromium.new_page()
    found = page.evaluate(
        """async ([code, before, after]) => {
            const row = await import(`data:text/javascript;base64,${code}`);
            const front = row.putInFront(before, 1.3);
            return [front.share, front.content, row.renormalise(front.content),
                    row.changeScores(before, after, 0.6)];
        }""",
        [code, BEFORE.tolist(), AFTER.tolist()],
    )
    page.close()
    expected = attention_row.put_in_front(BEFORE, 1.3)
    assert found[0] == pytest.approx(expected.share, abs=1e-14)
    assert found[1] == pytest.approx(expected.content, abs=1e-14)
    assert found[2] == pytest.approx(BEFORE, abs=1e-12)
    assert found[3] == pytest.approx(attention_row.change_scores(BEFORE, AFTER, 0.6), abs=1e-14)


def test_the_row_is_worked_by_keyboard(visit):
    here = visit()
    here.open("learn?story=prefix&step=prefix")
    words = here.page.locator(".attention-row .words")
    words.filter(has_text="The prefix takes s").wait_for()
    before = words.inner_text()
    slider = here.page.get_by_label("Strength of the prefix (its score)")
    slider.press("ArrowRight")
    assert words.inner_text() != before
    slider.press("End")
    assert "s = 0.98" in words.inner_text()
    picture = here.page.locator(".attention-row svg[role=img]")
    assert "prefix 0.98" in picture.get_attribute("aria-label")
    here.page.get_by_role("button", name="With a prefix").press("ArrowLeft")
    frozen = here.page.get_by_role("button", name="Frozen")
    assert frozen.get_attribute("aria-pressed") == "true"
    assert "their sum is 1.00" in words.inner_text()
    here.settle()
    assert "step=prefix" in here.page.url  # no key of the row turned the page
    here.page.locator("h1").click()
    here.page.keyboard.press("ArrowRight")
    here.page.wait_for_url("**step=renormalise**")
    here.settle()
    here.sound()
