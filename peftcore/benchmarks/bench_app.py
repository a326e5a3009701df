"""`bench app`: how long the browser shows something old after a hand has moved, on the demo runs.

A real server and a real Chromium, without a graphics card.  The clock is the page's own: it starts
with the press of a button or key and stops two frames after the last change in the page, when that
is painted.  What Streamlit itself needs, a button that changes one word on a page without anything
else, is the floor under all the rest.  Playwright drives the browser, for this command alone.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore import paths
from peftcore.benchmarks.common import bench, told
from peftcore.errors import BadInput
from peftcore.system import printing

QUIET = 700  # ms without a change after which a page counts as drawn
LIMIT = 120_000  # ms nobody would wait
WATCH = """() => {
  if (window.watched) return;
  const seen = window.watched = {began: 0, changed: performance.now(), painted: 0, frames: 0};
  const wait = () => {
    seen.frames -= 1;
    if (seen.frames) requestAnimationFrame(wait); else seen.painted = performance.now();
  };
  // A table draws on a canvas at once; what it tells screen readers follows 0.2 s later.
  const unseen = ({target}) =>
    (target.closest ? target : target.parentElement)?.closest('[data-testid="data-grid-canvas"]');
  const note = (records) => {
    if (records.every(unseen)) return;
    seen.changed = performance.now();
    if (!seen.frames) requestAnimationFrame(wait);
    seen.frames = 2;
  };
  const main = document.querySelector('[data-testid="stMain"]');
  new MutationObserver(note).observe(main, {
    subtree: true, childList: true, characterData: true,
    attributes: true, attributeFilter: ["d", "src", "href", "aria-checked", "data-stale"],
  });
  for (const name of ["pointerdown", "keydown"])
    addEventListener(name, (event) => { seen.began ||= event.timeStamp; }, true);
}"""
BEGIN = "() => { window.watched.began = 0; }"
TOOK = "() => window.watched.painted - window.watched.began"
DRAWN = f"""() => {{
  const app = document.querySelector('[data-testid="stApp"]');
  return app && app.dataset.testScriptState === "notRunning" && !window.watched.frames
    && !document.querySelector('[data-stale="true"]')
    && performance.now() - window.watched.changed > {QUIET};
}}"""
FLOOR = """
import streamlit as st

@st.fragment
def word():
    st.button("Another", key="another")
    st.session_state["count"] = st.session_state.get("count", 0) + 1
    st.text(f"Word {st.session_state['count']}")

word()
"""


@bench.command("app")
def browser(
    rounds: Annotated[int, typer.Option(min=1, help="Times each thing is done.")] = 7,
    quick: Annotated[bool, typer.Option("--quick", help="2 rounds.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Milliseconds from a click to the last change on the page, for demo runs."""
    rows = []
    for page, action, times in _measured(2 if quick else rounds):
        rows.append(
            {
                "page": page,
                "action": action,
                "median_ms": round(statistics.median(times)),
                "slowest_ms": round(max(times)),
                "n": len(times),
            }
        )
        typer.echo(f"{page}: {action}, {rows[-1]['median_ms']} ms", err=True)

    def lines() -> Iterator[str]:
        yield from printing.table(
            ["page", "action", "median ms", "slowest ms", "n"], [tuple(r.values()) for r in rows]
        )

    printing.show(told({"rounds": 2 if quick else rounds, "rows": rows}), as_json, lines)


def _measured(rounds: int) -> Iterator[tuple[str, str, list[float]]]:
    """Page, action and times, one action after the other."""
    yield "an empty page", "a button that changes a word: the floor", _floor(rounds)
    with server() as address, _window() as page:
        began = time.perf_counter()
        page.goto(address, wait_until="domcontentloaded")
        page.locator("h1").first.wait_for(timeout=LIMIT)
        yield "home", "first paint of a new server", [1000 * (time.perf_counter() - began)]
        again = []
        for _ in range(rounds):
            began = time.perf_counter()
            page.goto(address, wait_until="domcontentloaded")
            page.locator("h1").first.wait_for(timeout=LIMIT)
            again.append(1000 * (time.perf_counter() - began))
        yield "home", "first paint", again
        _settle(page)
        for name in ("compare", "runs", "train"):
            links = [page.locator(f'[data-testid="stSidebarNav"] a[href$="/{name}"]').first]
            links.append(page.locator('[data-testid="stSidebarNav"] a').first)
            times = _turns(page, [link.click for link in links], rounds)
            yield name, "switch to it, and back home", times
        for name, action, ready, makers in ACTIONS:
            page.goto(f"{address}/{name}")
            page.locator(ready).first.wait_for(timeout=LIMIT)
            _settle(page)
            steps = [make(page) for make in makers]
            first = _turns(page, steps, 1)  # what is computed once is computed before
            where, sides = name.partition("?")[0], action.split(", and ")
            if len(sides) == 1:
                yield where, action, _turns(page, steps, rounds)
                continue
            yield where, f"{sides[0]}, for the first time", first[:1]
            times = _turns(page, steps, rounds)
            yield where, sides[0], times[::2]
            yield where, sides[1], times[1::2]


def _floor(rounds: int) -> list[float]:
    """What a click costs where there is nothing to draw."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "floor.py"
        script.write_text(FLOOR)
        with server(script) as address, _window() as page:
            page.goto(address)
            button = page.get_by_role("button", name="Another")
            button.wait_for(timeout=LIMIT)
            _settle(page)
            _turns(page, [button.click], 1)
            return _turns(page, [button.click], 2 * rounds)


def _turns(page: Any, steps: list[Callable[[], None]], rounds: int) -> list[float]:
    """Milliseconds of each step, all of them in every round."""
    times = []
    for _ in range(rounds):
        for step in steps:
            page.evaluate(WATCH)
            page.evaluate(BEGIN)
            step()
            _drawn(page)
            times.append(page.evaluate(TOOK))
    return times


def _settle(page: Any) -> None:
    page.locator('[data-testid="stMain"]').wait_for(timeout=LIMIT)
    page.evaluate(WATCH)
    _drawn(page)


def _drawn(page: Any) -> None:
    """Wait until nothing changes any more; asked from outside, so that it costs the page little."""
    deadline = time.monotonic() + LIMIT / 1000
    page.wait_for_timeout(100)
    while not page.evaluate(DRAWN):
        if time.monotonic() > deadline:
            raise BadInput(f"the page {page.url} did not come to rest")
        page.wait_for_timeout(100)


Maker = Callable[[Any], Callable[[], None]]


def _spin(label: str, way: str) -> Maker:
    """A press on the + or - of a number."""

    def made(page: Any) -> Callable[[], None]:
        box = page.locator('[data-testid="stNumberInput"]', has_text=label).first
        click: Callable[[], None] = box.locator(f'[data-testid="stNumberInputStep{way}"]').click
        return click

    return made


def _press(group: str, name: str) -> Maker:
    """A press on one of the choices that stand side by side."""

    def made(page: Any) -> Callable[[], None]:
        box = page.locator('[data-testid="stButtonGroup"]', has_text=group).first
        click: Callable[[], None] = box.get_by_role("radio", name=name, exact=False).first.click
        return click

    return made


def _key(name: str) -> Maker:
    """An arrow key on the first slider."""

    def made(page: Any) -> Callable[[], None]:
        def press() -> None:
            page.locator(SLIDER).first.press(name)

        return press

    return made


def _place(across: float, down: float) -> Maker:
    """A click into the first chart, at shares of its width and height."""

    def made(page: Any) -> Callable[[], None]:
        def click() -> None:
            box = page.locator(f"{CHART} .nsewdrag").first.bounding_box()
            x, y = box["x"] + across * box["width"], box["y"] + down * box["height"]
            page.mouse.click(x, y)

        return click

    return made


CHART = ".js-plotly-plot"
SLIDER = '[data-testid="stSlider"] input'
# Address, what is done, what must be there before, and the steps that do it in turn.  Two steps
# that are not alike are told apart: "one, and the other".
ACTIONS: tuple[tuple[str, str, str, tuple[Maker, ...]], ...] = (
    ("attention", "another layer", CHART, (_spin("Layer", "Up"), _spin("Layer", "Down"))),
    ("attention", "another head", CHART, (_spin("Head", "Up"), _spin("Head", "Down"))),
    ("attention", "a click on a head", CHART, (_place(0.4, 0.6), _place(0.9, 0.2))),
    ("limits", "another layer", CHART, (_press("Layer", "2"), _press("Layer", "1"))),
    ("limits", "another head", CHART, (_press("Head", "2"), _press("Head", "1"))),
    (
        "landscape",
        "in relief, and from above",
        CHART,
        (_press("Seen", "In relief"), _press("Seen", "From above")),
    ),
    ("landscape", "a click on a point", CHART, (_place(0.5, 0.6), _place(0.45, 0.8))),
    (
        "landscape?landscape.view=Cuts",
        "other lines",
        CHART,
        (_press("Lines", "Vertex to vertex"), _press("Lines", "All")),
    ),
    ("scaling", "another step", SLIDER, (_key("ArrowLeft"), _key("ArrowRight"))),
    (
        "atoms",
        "another number on the map",
        CHART,
        (_press("Shown", "Length"), _press("Shown", "Importance")),
    ),
    ("atoms", "a click on an atom", CHART, (_place(0.2, 0.3), _place(0.6, 0.7))),
    (
        "atoms?atoms.view=Pruning",
        "another count of atoms",
        SLIDER,
        (_key("ArrowLeft"), _key("ArrowRight")),
    ),
    (
        "images",
        "another task",
        CHART,
        (_press("Task", "Unseen shape"), _press("Task", "Unseen digit")),
    ),
    (
        "images?images.view=Fewer+atoms",
        "another count of atoms",
        SLIDER,
        (_key("ArrowLeft"), _key("ArrowRight")),
    ),
    ("toys", "another experiment", CHART, (_press("Experiment", "02"), _press("Experiment", "01"))),
)


@contextmanager
def server(script: Path = paths.ROOT / "app" / "main.py", home: str = "") -> Iterator[str]:
    """The address of an app of its own, with the demo runs and an empty workspace or this one."""
    with socket.socket() as free, tempfile.TemporaryDirectory() as empty:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        home = home or empty
        environment = os.environ | {
            "PEFTCORE_HOME": home,
            "STREAMLIT_SERVER_PORT": str(port),
            "STREAMLIT_SERVER_HEADLESS": "true",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "streamlit", "run", str(script)]
        log = Path(home) / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:  # busy beyond hearing
                process.kill()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BadInput(f"the app did not start: {log.read_text()[-500:]}")
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise BadInput("the app did not answer within two minutes")


def chromium() -> str:
    """Where the browser lies; BadInput if it or what drives it is missing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        raise BadInput("this benchmark drives Chromium, and there is none on this machine")
    if importlib.util.find_spec("playwright") is None:
        raise BadInput("this benchmark needs playwright: pip install playwright")
    return found


@contextmanager
def _window() -> Iterator[Any]:
    """A page in a browser of its own."""
    found = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        page = opened.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(LIMIT)
        yield page
        opened.close()
