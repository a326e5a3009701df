"""What peftcore/README.md says of adding a method, a task, a page and a lab, done in a copy.

The files lie in tests/additions; the lists of files that are touched are read from the README.
"""

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ADDITIONS = Path(__file__).parent / "additions"
HEADING = "## How to add a method, a task, a page, a lab"
NAMES = {"method": "gain", "task": "parity", "page": "greeting", "lab": "norms"}
MOST = {"method": 2, "task": 2, "page": 2, "lab": 7}
SCRIPT = """
import json, sys
sys.path[:0] = [".", "tests"]
from support.pages import open_page, sound, words
from support.commands import printed
from support.runs import make_run
from app.figures import theme
from peftcore.adapters.base import METHODS

train = open_page("train", **{"train.task": "parity", "train.methods": "gain,lora"})
assert sound(train), train.exception
listed = printed("list")
found = {
    "methods": listed["methods"],
    "tasks": listed["tasks"],
    "trainable": printed("params", "--base", "tiny-t5", "--method", "gain")["trainable"],
    "colours": {name: theme.method_colour(name) for name in METHODS},
    "task on Train": train.session_state["train.task"],
    "methods on Train": train.session_state["train.methods"],
    "form": [box.key for box in train.number_input if box.key.startswith("train.gain")],
    "greeting": words(open_page("greeting")),
}
from peftcore.runs.store import RunStore
run = next(r for r in RunStore().all() if (r.folder / "adapter.safetensors").is_file())
norms = open_page("norms", **{"norms.run": run.id})
assert sound(norms), norms.exception
found |= {"charts": len(norms.get("plotly_chart")), "run": norms.session_state["norms.run"]}
found |= {"asked": run.id, "norms": printed("norms", run.id)}
print(json.dumps(found))
"""


def listed(kind):
    """The files that the README names for an addition, with its name filled in."""
    section = (ROOT / "peftcore" / "README.md").read_text("utf-8").split(HEADING)[1]
    part = section.split(f"### A {kind}\n")[1].split("\n#")[0]
    paths = re.findall(r"^- `([\w/.]+)`", part, flags=re.MULTILINE)
    return {path.replace("NAME", NAMES[kind]) for path in paths}


def copied(folder):
    """The sources of the tree; what ships is a link, for nothing writes there."""
    skipped = shutil.ignore_patterns("__pycache__", "old_workspace", "screenshots")
    for name in ("app", "pages", "peftcore", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=skipped)
    for name in ("pyproject.toml", "requirements.txt", "setup.py", "README.md"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "assets").symlink_to(ROOT / "assets")
    return folder


def add(kind, tree):
    """Put an addition into a tree; a page gets its entry in the table of pages."""
    for source in (ADDITIONS / kind).rglob("*.py"):
        shutil.copy(source, tree / source.relative_to(ADDITIONS / kind))
    if kind in ("page", "lab"):
        name, nav = NAMES[kind], tree / "app" / "nav.py"
        section = '    "Labs": (\n'
        entry = f'        PageEntry("{name}", "{name.title()}", "star", "An example"),\n'
        nav.write_text(nav.read_text("utf-8").replace(section, section + entry), "utf-8")


def files_of(tree):
    return {
        str(path.relative_to(tree))
        for name in ("app", "pages", "peftcore", "tests")
        for path in (tree / name).rglob("*.*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A copy of the tree as it is."""
    return copied(tmp_path_factory.mktemp("before"))


@pytest.mark.parametrize("kind", NAMES)
def test_an_addition_touches_the_files_that_the_readme_lists_and_no_other(kind, before, tmp_path):
    after = Path(shutil.copytree(before, tmp_path / "after", symlinks=True))
    add(kind, after)
    names = files_of(after)
    assert files_of(before) <= names
    same = filecmp.cmpfiles(before, after, names, shallow=False)[0]
    assert names - set(same) == listed(kind)
    assert len(listed(kind)) <= MOST[kind]


@pytest.fixture(scope="module")
def tree(before, tmp_path_factory):
    """A copy of the tree with all four additions."""
    folder = tmp_path_factory.mktemp("tree")
    shutil.copytree(before, folder, symlinks=True, dirs_exist_ok=True)
    for kind in NAMES:
        add(kind, folder)
    return folder


def in_tree(tree, *arguments):
    """What Python prints in the copy, whose packages are its own."""
    variables = {"PEFTCORE_HOME": str(tree / "workspace"), "PEFTCORE_WARM": "0"}
    variables["PYTHONDONTWRITEBYTECODE"] = ""  # what one process compiles, the next one reads
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=os.environ | variables | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_what_was_added_is_offered_everywhere_by_itself(tree):
    found = json.loads(in_tree(tree, "-c", SCRIPT).splitlines()[-1])
    assert "gain" in found["methods"]
    assert "parity" in found["tasks"]
    assert found["trainable"] > 0
    assert len(set(found["colours"].values())) == len(found["colours"])
    assert found["task on Train"] == "parity"
    assert found["methods on Train"] == ["gain", "lora"]
    assert "train.gain.strength" in found["form"]
    assert "Greeting" in found["greeting"]
    assert found["charts"] == 1
    assert found["run"] == found["asked"]
    assert all(found["norms"].values())


def test_the_tests_of_the_tree_find_what_was_added(tree):
    """Its own tests, the contracts of methods, the order of packages, every page."""
    chosen = "gain and t5 or test_gain or parity or norms or greeting or packages_import"
    files = ("tests/test_contracts.py", "tests/test_layers.py", "tests/pages/test_pages.py")
    own = ("tests/methods/test_gain.py", "tests/tasks/test_parity.py", "tests/labs/test_norms.py")
    out = in_tree(tree, "-m", "pytest", "-vv", "-p", "no:cacheprovider", "-k", chosen, *files, *own)
    assert re.search(r"test_contracts.py::\S+\[gain-t5\] PASSED", out)
    assert re.search(r"test_pages.py::\S+\[greeting\] PASSED", out)
    assert re.search(r"test_layers.py::test_packages_import\S+ PASSED", out)
    assert all(f"{name.rpartition('/')[2]}::" in out for name in own)
