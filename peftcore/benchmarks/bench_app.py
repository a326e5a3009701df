"""`bench app`: how long the browser shows something old after a click or key, on the demo runs.

A real server and a real Chromium, without a graphics card. The clock is the page's own: it starts
with the press of a button or key and stops two frames after the last change in the page, when that
is painted. What Streamlit itself needs, a button that changes one word on a page without anything
else, is the lower bound of all the rest. Playwright drives the browser, for this command alone.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from peftcore import paths
from peftcore.benchmarks.common import bench, with_machine_info
from peftcore.errors import BadInput
from peftcore.system import printing

QUIET_MS = 700  # ms without a change after which a page counts as drawn
UNANSWERED_MS = 5_000  # ms after which a click is taken to change nothing
TIMEOUT_MS = 120_000  # ms; longer than anything should take
WATCH_JS = """() => {
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
RESET_JS = "() => { window.watched.began = 0; }"
ELAPSED_JS = "() => window.watched.painted - window.watched.began"
IS_DRAWN_JS = f"""() => {{
  const app = document.querySelector('[data-testid="stApp"]');
  return app && app.dataset.testScriptState === "notRunning" && !window.watched.frames
    && !document.querySelector('[data-stale="true"]')
    && (window.watched.painted >= window.watched.began  // else a busy server's answer may come
      || performance.now() - window.watched.began > {UNANSWERED_MS})
    && performance.now() - window.watched.changed > {QUIET_MS};
}}"""
MINIMAL_APP = """
import streamlit as st

@st.fragment
def word():
    st.button("Another", key="another")
    st.session_state["count"] = st.session_state.get("count", 0) + 1
    st.text(f"Word {st.session_state['count']}")

word()
"""


@bench.command("app")
def time_app(
    rounds: Annotated[int, typer.Option(min=1, help="Times each thing is done.")] = 7,
    quick: Annotated[bool, typer.Option("--quick", help="2 rounds.")] = False,
    as_json: printing.AsJson = False,
) -> None:
    """Time a click until the last change on the page, on the demo runs."""
    rows = []
    for page, action, times in _time_all(2 if quick else rounds):
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
        """Yield the lines of the table."""
        yield from printing.format_table(
            ["page", "action", "median ms", "slowest ms", "n"], [tuple(r.values()) for r in rows]
        )

    printing.print_result(
        with_machine_info({"rounds": 2 if quick else rounds, "rows": rows}), as_json, lines
    )


def _time_all(rounds: int) -> Iterator[tuple[str, str, list[float]]]:
    """Yield page, action and times, one action after the other."""
    yield "an empty page", "a button that changes a word: the floor", _time_minimal_app(rounds)
    for name, address, picture in FIRST_PICTURES:
        yield name, "first picture of a new server", [_time_first_picture(address, picture)]
    with serve_app() as address, browser_page() as page:
        yield "home", "first paint of a new server", [time_picture(page, address, "h1")]
        again = [time_picture(page, address, "h1") for _ in range(rounds)]
        yield "home", "first paint", again
        for name, path, picture in FIRST_PICTURES:
            times = [time_picture(page, f"{address}/{path}", picture) for _ in range(rounds)]
            yield name, "first picture", times
        page.goto(address)
        watch_until_drawn(page)
        yield from time_switches(page, SWITCHES, rounds)
        for name, action, ready, makers in ACTIONS:
            page.goto(f"{address}/{name}")
            page.locator(ready).first.wait_for(timeout=TIMEOUT_MS)
            watch_until_drawn(page)
            steps = [make(page) for make in makers]
            first = time_steps(page, steps, 1)  # what is computed once is computed before
            where, sides = name.partition("?")[0], action.split(", and ")
            if len(sides) == 1:
                yield where, action, time_steps(page, steps, rounds)
                continue
            yield where, f"{sides[0]}, for the first time", first[:1]
            times = time_steps(page, steps, rounds)
            yield where, sides[0], times[::2]
            yield where, sides[1], times[1::2]


SWITCHES = ("learn", "compare", "runs", "train", "attention", "limits")


def time_switches(
    page: Any, names: Sequence[str], rounds: int
) -> Iterator[tuple[str, str, list[float]]]:
    """Yield pages of the side bar with the times of going there and back to the first."""
    for name in names:
        links = [page.locator(f'[data-testid="stSidebarNav"] a[href$="/{name}"]').first]
        links.append(page.locator('[data-testid="stSidebarNav"] a').first)
        times = time_steps(page, [link.click for link in links], rounds)
        yield name, "switch to it, and back home", times


def _time_first_picture(path: str, picture: str) -> float:
    """Time a picture of a server that has just been started, in milliseconds."""
    with serve_app() as address, browser_page() as page:
        return time_picture(page, f"{address}/{path}", picture)


def time_picture(page: Any, address: str, picture: str) -> float:
    """Time from the request for a page until its picture is there, in milliseconds."""
    began = time.perf_counter()
    page.goto(address, wait_until="domcontentloaded")
    page.locator(picture).first.wait_for(timeout=TIMEOUT_MS)
    return 1000 * (time.perf_counter() - began)


def _time_minimal_app(rounds: int) -> list[float]:
    """Time a click where there is nothing to draw."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "floor.py"
        script.write_text(MINIMAL_APP)
        with serve_app(script) as address, browser_page() as page:
            page.goto(address)
            button = page.get_by_role("button", name="Another")
            button.wait_for(timeout=TIMEOUT_MS)
            watch_until_drawn(page)
            time_steps(page, [button.click], 1)
            return time_steps(page, [button.click], 2 * rounds)


def time_steps(page: Any, steps: list[Callable[[], None]], rounds: int) -> list[float]:
    """Time each step in milliseconds, all of them in every round."""
    times = []
    for _ in range(rounds):
        for step in steps:
            page.evaluate(WATCH_JS)
            page.evaluate(RESET_JS)
            step()
            _wait_until_drawn(page)
            times.append(page.evaluate(ELAPSED_JS))
    return times


def watch_until_drawn(page: Any) -> None:
    """Start the page's clock once the page is complete."""
    page.locator('[data-testid="stMain"]').wait_for(timeout=TIMEOUT_MS)
    page.evaluate(WATCH_JS)
    _wait_until_drawn(page)


def _wait_until_drawn(page: Any) -> None:
    """Wait until nothing changes any more; polled from outside, which costs the page little."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    page.wait_for_timeout(100)
    while not page.evaluate(IS_DRAWN_JS):
        if time.monotonic() > deadline:
            raise BadInput(f"the page {page.url} did not come to rest")
        page.wait_for_timeout(100)


StepFactory = Callable[[Any], Callable[[], None]]


def number_step(label: str, way: str) -> StepFactory:
    """Return a step that presses + or - of a number field."""

    def made(page: Any) -> Callable[[], None]:
        """Return the click on this page."""
        box = page.locator('[data-testid="stNumberInput"]', has_text=label).first
        click: Callable[[], None] = box.locator(f'[data-testid="stNumberInputStep{way}"]').click
        return click

    return made


def choose_option(group: str, name: str) -> StepFactory:
    """Return a step that presses one choice of a button group."""

    def made(page: Any) -> Callable[[], None]:
        """Return the click on this page."""
        box = page.locator('[data-testid="stButtonGroup"]', has_text=group).first
        click: Callable[[], None] = box.get_by_role("radio", name=name, exact=False).first.click
        return click

    return made


def choose_in_list(label: str, name: str) -> StepFactory:
    """Return a step that chooses one option of a list."""

    def made(page: Any) -> Callable[[], None]:
        """Return the choice on this page."""

        def choose() -> None:
            """Open the list and click the option."""
            page.get_by_label(label, exact=True).first.click()
            page.get_by_role("option", name=name, exact=True).first.click()

        return choose

    return made


def _slider_key(name: str) -> StepFactory:
    """Return a step that presses an arrow key on the first slider."""

    def made(page: Any) -> Callable[[], None]:
        """Return the key press on this page."""

        def press() -> None:
            """Press the key."""
            page.locator(SLIDER).first.press(name)

        return press

    return made


def _chart_click(across: float, down: float) -> StepFactory:
    """Return a step that clicks the first chart, at shares of its width and height."""

    def made(page: Any) -> Callable[[], None]:
        """Return the click on this page."""

        def click() -> None:
            """Click the point."""
            box = page.locator(f"{CHART} .nsewdrag").first.bounding_box()
            x, y = box["x"] + across * box["width"], box["y"] + down * box["height"]
            page.mouse.click(x, y)

        return click

    return made


CHART = ".js-plotly-plot"
DRAWN_CHART = f"{CHART} svg.main-svg"
# Page, its address and the picture that is waited for; what is on it needs no torch.
ROW, MAP = ".attention-row svg rect", ".map button"
FIRST_PICTURES = (
    ("home", "", ROW),
    ("learn: prefix", "learn?story=prefix", ROW),
    *((f"learn: {each}", f"learn?story={each}", DRAWN_CHART) for each in ("triangle", "scales")),
    ("learn: reasons", "learn?story=reasons", MAP),
    *((f"learn: {each}", f"learn?story={each}", DRAWN_CHART) for each in ("atoms", "verdicts")),
    ("attention", "attention", DRAWN_CHART),
    ("limits", "limits", DRAWN_CHART),
)
SLIDER = '[data-testid="stSlider"] input'
# Address, what is done, what must be there before, and the steps that do it in turn.  Two steps
# that are not alike are told apart: "one, and the other".
ACTIONS: tuple[tuple[str, str, str, tuple[StepFactory, ...]], ...] = (
    (
        "attention",
        "another layer",
        CHART,
        (choose_in_list("Layer", "Encoder 2"), choose_in_list("Layer", "Encoder 1")),
    ),
    (
        "attention",
        "another head",
        CHART,
        (choose_in_list("Head", "Head 2"), choose_in_list("Head", "Head 1")),
    ),
    (
        "attention",
        "after alone, and all three",
        CHART,
        (choose_option("Show", "After"), choose_option("Show", "Side by side")),
    ),
    (
        "limits",
        "another layer",
        CHART,
        (choose_in_list("Layer", "Decoder 2"), choose_in_list("Layer", "Decoder 1")),
    ),
    (
        "limits",
        "another head",
        CHART,
        (choose_in_list("Head", "Head 2"), choose_in_list("Head", "Head 1")),
    ),
    (
        "landscape",
        "in relief, and from above",
        CHART,
        (choose_option("Shown as", "3D surface"), choose_option("Shown as", "Map")),
    ),
    ("landscape", "a click on a point", CHART, (_chart_click(0.5, 0.6), _chart_click(0.45, 0.8))),
    (
        "landscape?view=Cuts",
        "other lines",
        CHART,
        (choose_in_list("Lines", "Vertex to vertex"), choose_in_list("Lines", "All")),
    ),
    ("scaling", "another step", SLIDER, (_slider_key("ArrowLeft"), _slider_key("ArrowRight"))),
    (
        "atoms",
        "another number on the map",
        CHART,
        (choose_in_list("Shown", "Length of the atom"), choose_in_list("Shown", "Importance")),
    ),
    ("atoms", "a click on an atom", CHART, (_chart_click(0.2, 0.3), _chart_click(0.6, 0.7))),
    (
        "atoms?view=Pruning",
        "another count of atoms",
        SLIDER,
        (_slider_key("ArrowLeft"), _slider_key("ArrowRight")),
    ),
    (
        "images",
        "another task",
        CHART,
        (choose_in_list("Task", "Unseen shape"), choose_in_list("Task", "Unseen digit")),
    ),
    (
        "images?view=Fewer+atoms",
        "another count of atoms",
        SLIDER,
        (_slider_key("ArrowLeft"), _slider_key("ArrowRight")),
    ),
    (
        "toys",
        "another experiment",
        CHART,
        (choose_option("View", "02"), choose_option("View", "01")),
    ),
)


@contextmanager
def serve_app(script: Path = paths.ROOT / "app" / "server.py", home: str = "") -> Iterator[str]:
    """Serve an app with the demo runs and an empty or given workspace; yield its address."""
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
            _wait_until_healthy(address, process, log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:  # busy beyond hearing
                process.kill()


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the app answers; BadInput after two minutes or if it ended."""
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


def find_chromium() -> str:
    """Return the browser's path; BadInput if it, or what drives it, is missing."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise BadInput("this benchmark drives Chromium, and there is none on this machine")
    if importlib.util.find_spec("playwright") is None:
        raise BadInput("this benchmark needs playwright: pip install playwright")
    return path


@contextmanager
def browser_page() -> Iterator[Any]:
    """Open a page in a browser of its own."""
    executable = find_chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser_process = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser_process.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(TIMEOUT_MS)
        yield page
        browser_process.close()
