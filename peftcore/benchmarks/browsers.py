"""Raters in real browsers: contexts of one Chromium, each with its own link, on a served app.

Every rater works by keyboard, with pauses to think. The clock is each page's own: it starts with
the key that submits an act and stops two frames after the next screen is on the page.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from peftcore import rating
from peftcore.benchmarks.bench_app import find_chromium, serve_app
from peftcore.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

TIMEOUT_MS = 180_000  # milliseconds; longer than anything should take
ACTS = {"answer": "answer → explanation painted", "judge": "rating → next item painted"}
CLOCK_JS = """(box) => {
  const seen = window.crowd = {times: [], began: 0, act: "", resolve: null};
  addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || seen.began) return;
    seen.began = event.timeStamp;
    seen.act = box.dataset.stage;
  }, true);
  new MutationObserver(() => {
    if (!seen.began) return;
    const [began, act] = [seen.began, seen.act];
    seen.began = 0;
    requestAnimationFrame(() => requestAnimationFrame(() => {
      seen.times.push([act, performance.now() - began]);
      if (seen.resolve) seen.resolve();
    }));
  }).observe(box, {childList: true});
}"""
PAINTED_JS = """(count) => new Promise((resolve) => {
  if (window.crowd.times.length >= count) resolve(); else window.crowd.resolve = resolve;
})"""


def rate_in_browsers(
    create_project: Callable[[Any], tuple[str, list[str]]], items: int, think: float, seed: int = 0
) -> tuple[dict[str, list[float]], pd.DataFrame]:
    """Return act → seconds of every call as the pages measured them, and all ratings.

    create_project makes a project in a store and returns its id and the tokens of its raters.
    """
    path = find_chromium()
    with tempfile.TemporaryDirectory() as home:
        rating_store = rating.RatingStore(f"sqlite:///{home}/lab.sqlite")
        project, tokens = create_project(rating_store)
        with serve_app(home=home) as address:
            links = [f"{address}/rate?r={token}" for token in tokens]
            pairs = asyncio.run(_rate_all(path, links, items, think, seed))
        ratings = rating.verdict_table(
            rating_store, rating.experimenter("bench"), project, history=True
        )
        rating_store.close()
    times: dict[str, list[float]] = defaultdict(list)
    for act, milliseconds in pairs:
        times[ACTS[act]].append(milliseconds / 1000)
    return dict(times), ratings


async def _rate_all(
    path: str, links: Sequence[str], items: int, think: float, seed: int
) -> list[tuple[str, float]]:
    """Open all pages, one after another, then let all raters rate at once."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        pages = [await _open_rater_page(browser, link) for link in links]
        chances = [random.Random(f"{seed} {number}") for number in range(len(pages))]
        both = zip(pages, chances, strict=True)
        times_by_page = await asyncio.gather(
            *(_rate_items(page, items, think, rng) for page, rng in both)
        )
        await browser.close()
    return [pair for pairs in times_by_page for pair in pairs]


async def _open_rater_page(browser: Any, link: str) -> Any:
    """Open a rater's page, with the guidelines read."""
    context = await browser.new_context(viewport={"width": 1000, "height": 800})
    page = await context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    await page.goto(link, wait_until="domcontentloaded")
    box = page.locator("section.card")
    await box.wait_for()
    await box.evaluate(CLOCK_JS)
    dialog = page.get_by_role("dialog", name="Guidelines")
    await dialog.wait_for()
    await page.keyboard.press("Enter")
    await dialog.wait_for(state="hidden")
    await page.evaluate("() => { window.crowd.began = 0; window.crowd.times = []; }")
    return page


async def _rate_items(page: Any, items: int, think: float, rng: random.Random) -> list[Any]:
    """Rate so many items by keyboard; return the page's times."""
    for count in range(2 * items):
        await asyncio.sleep(think * rng.uniform(0.5, 1.5))
        await page.keyboard.press(str(rng.randint(1, 2)))
        await page.keyboard.press("Enter")
        try:
            await asyncio.wait_for(page.evaluate(PAINTED_JS, count + 1), TIMEOUT_MS / 1000)
        except TimeoutError:
            raise BadInput(
                f"a page waited longer than {TIMEOUT_MS // 1000} s for item {count // 2 + 1}; this "
                "machine cannot serve so many browsers: take fewer or let them think longer"
            ) from None
    act_times: list[Any] = await page.evaluate("() => window.crowd.times")
    return act_times
