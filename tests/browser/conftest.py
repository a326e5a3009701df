"""The real server and a real Chromium.

The server, its workspace, its base model and the browser's windows are shared; a window has
forgotten everything of the test before but the compiled scripts, which are two thirds of what
opening a page costs.  Without a browser these tests are skipped on a laptop and fail where CI is
set.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from support.bases import build_tiny
from support.commands import printed
from support.refused_words import PRIVATE

from peftcore import paths, rating

SHOTS = Path(__file__).parent / "screenshots"
STYLED = "[...document.querySelectorAll('style')].some(s => s.textContent.includes('light-dark('))"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium():
    """The browser; the reason why there is none is the test's outcome."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        reason = "no chromium on this machine (.ci/run installs it)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """The server's own folder, and a shelf with one tiny random base."""
    folder = tmp_path_factory.mktemp("browser")
    made = build_tiny("t5")
    made.model.save_pretrained(folder / "models" / "random-t5")
    made.tokenizer.save_pretrained(folder / "models" / "random-t5")
    return folder


@pytest.fixture
def command(workspace):
    """Runs a command in the server's own workspace; returns what it printed as JSON."""

    def run(*words):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PEFTCORE_HOME", str(workspace / "home"))
            patch.setenv("PEFTCORE_MODELS", str(workspace / "models"))
            return printed(*words)

    return run


class Served:
    """The app on a port of its own, started as `make app` starts it, from another folder.

    `secrets` become Streamlit's, with the server's own address where they say {app}.
    """

    def __init__(self, workspace, secrets="", **environment):
        self.workspace, self.environment = workspace, environment
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        if secrets:
            folder = workspace / ".streamlit"
            folder.mkdir()
            (folder / "secrets.toml").write_text(secrets.replace("{app}", self.address))
        self.start()

    def start(self):
        environment = os.environ | {
            "STREAMLIT_SERVER_PORT": str(self.port),
            "STREAMLIT_SERVER_HEADLESS": "true",
            "PEFTCORE_HOME": str(self.workspace / "home"),
            "PEFTCORE_MODELS": str(self.workspace / "models"),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
        command = [sys.executable, "-m", "streamlit", "run", str(paths.ROOT / "app" / "main.py")]
        with (self.workspace / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=environment, cwd=self.workspace, stdout=log, stderr=log
            )
        _wait(self.address, self.process, self.workspace / "server.log")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def serve(chromium):
    """Starts servers of a test's own, each on a folder."""
    running = []

    def start(folder, secrets="", **environment):
        running.append(Served(folder, secrets, **{"PEFTCORE_WARM": "0"} | environment))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def served(workspace, chromium):
    """The server, which a test may stop and start again."""
    running = Served(workspace)
    try:
        yield running
    finally:
        running.stop()
        _end_worker(workspace / "home")


@pytest.fixture(scope="session")
def server(served):
    """Address of a running app."""
    return served.address


@pytest.fixture
def book(workspace, server):
    """The server's own book of ratings."""
    (workspace / "home").mkdir(exist_ok=True)
    opened = rating.RatingStore(f"sqlite:///{workspace / 'home' / 'lab.sqlite'}")
    yield opened
    opened.close()


def _wait(address, process, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def _end_worker(home):
    """End the worker this server started; it is known by its workspace."""
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            ours = words[1:4] == ["-m", "peftcore", "worker"]
            if ours and process.environ().get("PEFTCORE_HOME") == str(home.resolve()):
                process.terminate()
                process.wait(20)
        except psutil.Error:
            continue


class Visit:
    """A page of the app in the browser, and what went wrong while looking at it."""

    def __init__(self, page, address):
        self.page, self.address = page, address
        self.external: list[str] = []
        self.faults: list[str] = []
        self._listeners = []
        self.listen("request", self._note)
        self.listen("pageerror", lambda error: self.faults.append(str(error)))

    def listen(self, event, listener):
        """Call a function at events of the page, until the window is given back."""
        self.page.on(event, listener)
        self._listeners.append((event, listener))

    def give_back(self):
        """Leave the app and forget what it kept, so that the window is as good as new."""
        self.page.goto(f"{self.address}/_stcore/health")  # ends the visit, and keeps the process
        for event, listener in self._listeners:
            self.page.remove_listener(event, listener)
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        self.page.context.clear_cookies()

    def _note(self, request):
        if not request.url.startswith(
            (self.address, "data:", "blob:", self.address.replace("http", "ws"))
        ):
            self.external.append(request.url)

    def open(self, path=""):
        """Go to a page and wait until it has been drawn."""
        self.page.goto(f"{self.address}/{path}")
        self.page.locator("h1").first.wait_for(timeout=90_000)
        self.page.wait_for_function(STYLED)  # its script arrives a moment after the first words
        self.settle()

    def settle(self):
        """Wait until the script that draws the page has ended."""
        self.page.wait_for_timeout(150)
        ended = self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')
        ended.wait_for(state="attached", timeout=90_000)
        self.page.wait_for_timeout(250)

    def shot(self, name):
        """Keep a picture for people to look at, where PEFTCORE_SHOTS asks for them."""
        if not os.environ.get("PEFTCORE_SHOTS"):
            return  # drawing one takes a second
        SHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{name}.png")

    def text(self):
        """What a reader sees."""
        return self.page.locator('[data-testid="stApp"]').inner_text()

    def sound(self):
        """No fault, no traceback, nothing fetched from anywhere else."""
        shown = self.text()
        assert "Traceback" not in shown
        assert "Something went wrong" not in shown, shown
        refused = [line for line in shown.splitlines() if PRIVATE.search(line)]
        assert not refused
        assert not self.external
        assert not self.faults


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Lets `visit` know how the test ended."""
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report


@pytest.fixture(scope="session")
def windows():
    """Pages of the browser that no test uses now; those of a session cost a third when shared."""
    return []


@pytest.fixture
def visit(chromium, windows, request):
    """Opens a browser window of a size and colour scheme; a failed test leaves a picture."""
    visits = []

    def window(width=1280, height=900, scheme="light", address=None):
        if address or not windows:
            context = chromium.new_context()
            context.set_default_timeout(90_000)
            page = context.new_page()
        else:
            page = windows.pop()
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        page.mouse.move(0, 0)
        visits.append((Visit(page, address or request.getfixturevalue("server")), not address))
        return visits[-1][0]

    yield window
    failed = getattr(request.node, "failed", False)
    for number, (here, is_shared) in reversed(list(enumerate(visits))):
        if failed:
            SHOTS.mkdir(exist_ok=True)
            here.page.screenshot(path=SHOTS / f"failed-{request.node.name}-{number}.png")
        if is_shared and not failed:
            here.give_back()
            windows.append(here.page)
        else:
            here.page.context.close()
