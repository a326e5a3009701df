"""The layers of the project: who may import whom, and what stays unloaded until it is needed."""

import ast
import functools
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BROWSER = {"streamlit", "plotly", "bertviz", "app", "pages"}
HEAVY = {"torch", "transformers", "datasets"}
FORBIDDEN = {  # folder → packages, or modules of ours, that it never imports
    "peftcore": BROWSER,
    "peftcore/methods": {"transformers", "datasets", "peftcore.tasks", "peftcore.runs.store"},
    "peftcore/tasks": {"torch", "transformers", "peftcore.methods", "peftcore.runs.store"},
    "peftcore/analysis": {"transformers", "datasets", "peftcore.runs.store", "peftcore.jobs.queue"},
    "app": {"pages"},
    "app/figures": {"streamlit", "peftcore.runs.store", *HEAVY},
    "pages": {"plotly", "sqlalchemy", *HEAVY},
}
ALLOWED = {  # the one file of a task that computes, imported when a model draws
    ("peftcore/tasks/images/sampling.py", "torch"),
    ("peftcore/tasks/images/sampling.py", "transformers"),
}
# From the ground up: a package imports only what stands before it, imports inside functions
# counted.  Packages of one line stand side by side and do not import each other.  A star is any lab
# that no line names.
ORDER = """
    peftcore/errors
    peftcore/settings peftcore/registry peftcore/paths
    peftcore/system
    peftcore/data
    peftcore/runs
    peftcore/models
    peftcore/metrics
    peftcore/tasks
    peftcore/adapters
    peftcore/methods peftcore/analysis
    peftcore/training
    peftcore/jobs
    peftcore/reports
    peftcore/exchange peftcore/intake
    peftcore/sweeps
    peftcore/pretraining
    peftcore/labs/common
    peftcore/labs/scaling
    peftcore/labs/landscape
    peftcore/labs/atoms
    peftcore/labs/components peftcore/labs/attention peftcore/labs/forgetting peftcore/labs/weights
    peftcore/labs/images peftcore/labs/toys peftcore/labs/*
    peftcore/experiments
    peftcore/stories
    peftcore/rating
    peftcore/benchmarks
    peftcore/api
    peftcore/cli
    peftcore/__main__
    app/nav
    app/figures
    app/state
    app/ui
    app/training
    app/labs/attention
    app/labs/limits app/labs/landscape app/labs/scaling app/labs/components app/labs/atoms
    app/labs/images app/labs/toys app/labs/*
    app/compare app/rating app/models app/learn
    app/main
    app/server
    pages
"""
VARIANTS = {"scaled_prompt_tuning": {"prompt_tuning"}}  # a method defined by another one
LIGHT = [  # what pages import at first paint
    "peftcore",
    "peftcore.runs.spec",
    "peftcore.runs.store",
    "peftcore.jobs.queue",
    "peftcore.metrics.scores",
    "peftcore.models.catalog",
    "peftcore.training.planning",
    "peftcore.training.predict",
    "peftcore.analysis.comparison",
    "peftcore.rating.demo",
    "app.state.cache",
    "app.ui.forms",
    "app.ui.widgets",
    "app.ui.charts",
    "app.compare.views",
    "app.training.playground",
]


@functools.cache
def imported(path):
    """Every module that a file imports, anywhere in it; types only for checkers do not count."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: write imports in full"
            found += (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    return found


def within(module, packages):
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_layer_imports_only_what_lies_below(folder):
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for module in imported(path)
        if within(module, FORBIDDEN[folder])
        and not any(path == ROOT / file and within(module, {name}) for file, name in ALLOWED)
    ]
    assert not wrong


def package(name):
    """The box of ORDER a module lies in: a lab by itself, a file at the top by its own name."""
    parts = name.split(".")
    if parts[0] == "pages":
        return "pages"
    return "/".join(parts[: 3 if parts[1] == "labs" else 2])


def test_packages_import_only_what_stands_before_them():
    """So no circle of packages can be, and the tree is read from the ground up."""
    rank = {name: n for n, line in enumerate(ORDER.split("\n")) for name in line.split()}
    files = {
        name: path for top in ("peftcore", "app", "pages") for name, path in modules(top).items()
    }
    boxes = {package(name) for name in files}
    assert {name for name in rank if "*" not in name} <= boxes, "ORDER names a package too many"
    rank |= {box: rank[f"{box.rpartition('/')[0]}/*"] for box in boxes - rank.keys()}
    wrong = {
        f"{name} imports {module}"
        for name, path in files.items()
        for module in files.keys() & set(imported(path))
        if package(module) != package(name) and rank[package(module)] >= rank[package(name)]
    }
    assert not wrong


@pytest.mark.parametrize("kind", ["methods", "tasks"])
def test_files_of_a_kind_do_not_import_each_other(kind):
    """Except a variant, which may use what it varies."""
    folder = ROOT / "peftcore" / kind
    own = {path.stem for path in folder.glob("*.py")} - {"__init__", "base"}
    wrong = [
        f"{path.name} imports {module}"
        for path in sorted(folder.glob("*.py"))
        if path.stem in own
        for module in imported(path)
        if within(
            module,
            {f"peftcore.{kind}.{n}" for n in own - {path.stem} - VARIANTS.get(path.stem, set())},
        )
    ]
    assert not wrong


def modules(folder):
    """Dotted name → file."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path.stem != "__init__"  # whose files add themselves to it
    }


@pytest.mark.parametrize("folder", ["peftcore", "app"])
def test_no_files_import_each_other_in_a_circle(folder):
    """Not even inside functions: each can be read when those below it are understood."""
    files = modules(folder)
    graph = {name: files.keys() & set(imported(path)) for name, path in files.items()}
    assert len(list(graphlib.TopologicalSorter(graph).static_order())) == len(files) > 50


def test_the_walk_sees_imports_inside_functions(tmp_path):
    (tmp_path / "a.py").write_text("def f():\n    from torch.nn import Linear\n")
    assert "torch.nn" in imported(tmp_path / "a.py")
    assert within("torch.nn", {"torch"})
    assert not within("torchvision", {"torch"})


def test_files_that_texts_name_are_there():
    """Docstrings, comments, scripts and READMEs name files by path; a move must take them along."""
    named = re.compile(r"\b(?:app|pages|peftcore|tests)/[a-z0-9_/]+\.(?:py|js|css)\b")
    texts = [ROOT / "README.md", ROOT / "pyproject.toml"]
    for folder in ("app", "pages", "peftcore", "assets"):
        for kind in ("py", "js", "css", "md"):
            texts += sorted((ROOT / folder).rglob(f"*.{kind}"))
    missing = {
        f"{text.relative_to(ROOT)} names {path}"
        for text in texts
        for path in named.findall(text.read_text("utf-8"))
        if not (ROOT / path).exists()
    }
    assert not missing


def test_what_pages_import_leaves_the_heavy_packages_alone():
    """One fresh interpreter imports all of it, every method and every task included."""
    code = (
        f"import importlib, sys\nfor name in {LIGHT!r}: importlib.import_module(name)\n"
        "from peftcore.adapters.base import METHODS; METHODS.values()\n"
        "from peftcore import tasks; tasks.task_names()\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip().splitlines()[-1] == "[]"
