"""The pictures of the README's tour: taken from the app as it runs, and whether they are of today.

Beside the pictures lies `made.json`: for each the commit and a hash of its page's files, so that a
picture that is older than its page can be named without taking it again.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.benchmarks.bench_app import TIMEOUT_MS, browser_page, serve_app
from peftcore.errors import BadInput, unknown_name
from peftcore.system import atomic_files

FOLDER = paths.ASSETS / "screenshots"
MADE_FILE = "made.json"
WIDTH, SETTLE_MS = 1280, 12_000  # pixels; milliseconds until charts are drawn and Home stands still
FOLDER_OF_PAGE = {"train": "training", "playground": "training", "rate": "rating", "home": "learn"}


@dataclass(frozen=True)
class Screenshot:
    """One picture: the page, its view as an address, how many pixels of it are shown, buttons."""

    page: str
    query: str = ""
    height: int = 720
    press: tuple[str, ...] = ()  # the beginnings of the names of buttons that are pressed first
    until_gone: str = ""  # words that stand there while something is computed

    @property
    def address(self) -> str:
        """Return the address after the server's own."""
        path = "" if self.page == "home" else self.page
        return f"/{path}{'?' if self.query else ''}{self.query}"


TOUR: dict[str, Screenshot] = {
    "home": Screenshot("home"),
    "learn": Screenshot("learn", "story=prefix&step=lora"),
    "train": Screenshot("train", height=1000, until_gone="counting…"),
    "compare": Screenshot("compare", height=1160),
    "playground": Screenshot(
        "playground",
        "runs=cef421784f36,ff0fe219678e,ebfb6e287828",
        1000,
        ("Take an example", "Answer"),
    ),
    "attention": Screenshot("attention", "run=cef421784f36", 1000),
    "limits": Screenshot("limits", "run=39c7a3bd3617&view=All+layers", 900, ("Measure all",)),
    "weights": Screenshot("weights", "run=cef421784f36", 900),
    "landscape": Screenshot("landscape", "run=1535081da1fb", 900),
    "scaling": Screenshot("scaling", "run=fcf31425e6af", 900),
    "components": Screenshot("components", "base=smollm2-135m", 1000),
    "atoms": Screenshot("atoms", "run=361908fd066f", 900),
}


def page_files(page: str) -> list[Path]:
    """Return the files that draw a page: its script, its folder in the app, its figures."""
    folder = FOLDER_OF_PAGE.get(page, page)
    app = paths.ROOT / "app"
    found = [
        paths.PAGES / f"{page}.py",
        *(app / folder).rglob("*.py"),
        *(app / "labs" / folder).rglob("*.py"),
        *(app / "figures").glob(f"{page}*.py"),
    ]
    return sorted(path for path in found if path.is_file())


def hash_of_page(page: str) -> str:
    """Return a hash of all files that draw a page."""
    digest = hashlib.sha256()
    for path in page_files(page):
        digest.update(str(path.relative_to(paths.ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def outdated(folder: Path = FOLDER) -> list[str]:
    """Return the pictures of the tour that are missing, or older than their pages."""
    made = atomic_files.read_json(folder / MADE_FILE)
    return [
        name
        for name, shot in TOUR.items()
        if not (folder / f"{name}.png").is_file()
        or made.get(name, {}).get("pages") != hash_of_page(shot.page)
    ]


def take_screenshots(names: Sequence[str], folder: Path = FOLDER) -> Iterator[Path]:
    """Take pictures from a server of their own with the runs that ship; yield what is written."""
    for name in names:
        if name not in TOUR:
            raise unknown_name("screenshot", name, TOUR)
    folder.mkdir(parents=True, exist_ok=True)
    with serve_app() as address, browser_page() as browser:
        for name in names:
            yield _take(name, browser, address, folder)


def _take(name: str, browser: Any, address: str, folder: Path) -> Path:
    """Take one picture, and write down of which pages it is."""
    shot = TOUR[name]
    browser.set_viewport_size({"width": WIDTH, "height": shot.height})
    browser.goto(address + shot.address)
    browser.locator("h1").first.wait_for()
    done = '[data-testid="stApp"][data-test-script-state="notRunning"]'
    for button in ("", *shot.press):
        if button:
            browser.get_by_role("button", name=button).first.click()
        browser.wait_for_timeout(SETTLE_MS)
        browser.locator(done).wait_for(state="attached", timeout=TIMEOUT_MS)
    if shot.until_gone:
        waiting = browser.get_by_text(shot.until_gone).first
        waiting.wait_for(state="detached", timeout=TIMEOUT_MS)
    if "went wrong" in browser.locator('[data-testid="stApp"]').inner_text():
        raise BadInput(f"the page of {name} shows an error; nothing was kept of it")
    path = folder / f"{name}.png"
    browser.screenshot(path=path)
    made = atomic_files.read_json(folder / MADE_FILE)
    made[name] = {"commit": _commit(), "pages": hash_of_page(shot.page)}
    text = json.dumps(dict(sorted(made.items())), indent=1) + "\n"
    atomic_files.replace_file(folder / MADE_FILE, text.encode())
    return path


def _commit() -> str:
    """Return the commit that is checked out, empty outside of a repository."""
    command = ["git", "-C", str(paths.ROOT), "rev-parse", "--short=12", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""
