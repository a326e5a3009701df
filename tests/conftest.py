"""Tiny random models of every family, and settings every test runs under."""

import functools
import gc
import itertools
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("PEFTCORE_THREADS", "1")  # the suite runs in two processes already
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import hypothesis
import pytest
from support.at_once import at_once  # noqa: F401
from support.bases import build_tiny

# How long an example takes says how busy the machine is, and nothing of the code; which ones are
# taken is no luck.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")

collect_ignore = ["additions"]  # files that a test puts into a copy of the tree


def pytest_collection_modifyitems(items):
    """Browser tests come first; in a single process only this order counts."""
    items.sort(key=lambda item: item.path.parent.name == "browser", reverse=True)


def pytest_xdist_make_scheduler(config, log):
    """Browser tests stay in one process, for one server; every other file in one, too.

    Fixtures that a file shares are then made once.  Groups by marks are lost with pytest 9.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return "browser" if path.startswith("tests/browser/") else path

    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """While tests are imported, nothing goes through torch and all else to look for garbage; and
    what is imported by then stays, so that nothing does later: every job does at its end, in a
    second each time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_collection_finish():
    """Do once what was done for each page or call: searching the installed packages for Streamlit's
    components was half of a page's time, loading the demo ratings into a new workspace a tenth.
    """
    if "streamlit.testing.v1" in sys.modules:
        from streamlit.components.v2 import manifest_scanner

        search = functools.cache(manifest_scanner.scan_component_manifests)
        manifest_scanner.scan_component_manifests = search
    if runner := sys.modules.get("typer.testing"):  # it builds all loaded commands for each call
        runner._get_command = functools.cache(runner._get_command)
    if "peftcore.rating.demo" in sys.modules:
        from support.demo_ratings import load_demos_once

        load_demos_once()


@pytest.fixture(autouse=True)
def main_module():
    """Streamlit puts a script it runs in the place of `__main__`, and processes that are spawned
    later would run that script, the app, before anything else.
    """
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own


@pytest.fixture(scope="session")
def tiny():
    """family → the same random base every time; nobody may change it."""
    made = {}
    return lambda family: made.setdefault(family, build_tiny(family))


@pytest.fixture(scope="module")
def bases():
    """Base models by name, each loaded once."""
    loaded = {}

    def base(name):
        if name not in loaded:
            from peftcore.models import base_model

            loaded[name] = base_model.load(name)
        return loaded[name]

    return base


@pytest.fixture(scope="session")
def numbered_folder(tmp_path_factory):
    """Makes new folders, by number; pytest looks through all there are for each new one."""
    base, numbers = tmp_path_factory.mktemp("numbered"), itertools.count()

    def make():
        path = base / str(next(numbers))
        path.mkdir(mode=0o700)
        return path

    return make


@pytest.fixture
def tmp_path(numbered_folder):
    """An empty folder for this test, in place of pytest's own."""
    return numbered_folder()


@pytest.fixture(autouse=True)
def home(numbered_folder, monkeypatch):
    """Every test writes to a folder of its own."""
    path = numbered_folder()
    monkeypatch.setenv("PEFTCORE_HOME", str(path))
    data = os.environ.get("PEFTCORE_DATA")
    yield path
    # A worker in this process sets it for its job; tests of real data would look there and skip.
    os.environ.pop("PEFTCORE_DATA", None)
    if data is not None:
        os.environ["PEFTCORE_DATA"] = data
