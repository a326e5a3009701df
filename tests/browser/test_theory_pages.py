"""The Limits and Toys pages in a real browser: switches, a head, and a run of one's own."""

from __future__ import annotations

from playwright.sync_api import expect

HOSTILE = "the cat the </script><img src=x onerror=alert(1)> <s> `b` $x$"


def press(here, group, name):
    box = here.page.locator('[data-testid="stButtonGroup"]', has_text=group).first
    box.get_by_role("radio", name=name, exact=True).click()
    here.settle()


def test_switches_of_the_limits_page_change_the_verdict_and_their_explanation(visit):
    here = visit(height=1600)
    alarms = []
    here.listen("dialog", lambda dialog: (alarms.append(dialog.message), dialog.accept()))
    here.open("limits")
    here.page.locator(".js-plotly-plot").first.wait_for(timeout=200_000)
    here.settle()
    press(here, "Who has the adapter", "Whole stack")
    here.page.get_by_role("button", name="More").click()
    expect(here.page.get_by_text("effects compound")).to_be_visible()
    press(here, "Positions", "Naive")
    expect(here.page.get_by_text("seems to refute the theory")).to_be_visible()
    here.page.keyboard.press("Escape")
    here.page.locator(".st-key-limits-text-menu button").first.click()
    press(here, "Input", "My own text")
    box = here.page.get_by_label("Text", exact=True)
    box.fill(HOSTILE)
    box.press("Control+Enter")
    here.settle()
    assert here.page.locator("img[src=x]").count() == 0
    here.sound()
    assert not alarms


def test_a_toy_is_trained_from_the_page_and_shows_its_own_results(visit):
    here = visit(height=1600)
    here.open("toys")
    here.page.get_by_text("Run it yourself").click()
    here.page.get_by_role("button", name="Train the experiment").click()
    results = here.page.locator('[data-testid="stButtonGroup"]', has_text="Results")
    expect(results).to_be_visible(timeout=200_000)  # once there are shipped results and own ones
    here.sound()
