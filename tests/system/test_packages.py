"""What is needed is pinned, locked by hash, imported nowhere else, and under a known licence."""

import ast
import email
import importlib.metadata
import os
import re
import subprocess
import sys

import pytest
from support.commands import call, printed

from peftcore import paths
from peftcore.system import packages

LOCKS = {
    "requirements.lock": ("requirements.txt",),
    "requirements-extra.lock": ("requirements.txt", "requirements-extra.txt"),
}
# Imported where they are there, with a sentence that says what is missing where they are not.
OPTIONAL = {"bert-score", "optuna", "peft", "playwright", "ray"}


def pins(file):
    """Name → release of every line of a requirements or lock file that pins one."""
    lines = re.findall(r"^([\w.-]+)(?:\[\w+\])?==([\w.]+)", (paths.ROOT / file).read_text(), re.M)
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in lines}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_release_is_locked_by_its_hashes(lock):
    wanted = set.union(*map(pins, LOCKS[lock]))
    assert pins(lock) >= {(name, version) for name, version in wanted if name != "torch"}
    assert "torch" not in dict(pins(lock))  # each kind of machine has a build of its own
    entries = re.split(r"\n(?! )", (paths.ROOT / lock).read_text().strip())
    digest = r"--hash=sha256:[0-9a-f]{64}"
    entry = re.compile(rf"[\w.-]+==[\w.]+( ;[^\\]+)?( \\\n    {digest})+")
    assert [each for each in entries if not entry.fullmatch(each)] == []


def test_both_locks_name_the_same_releases():
    assert pins("requirements.lock") <= pins("requirements-extra.lock")


def test_every_licence_is_on_the_list():
    rows = printed("packages")
    names = {row["name"]: row["use"] for row in rows}
    assert names["torch"] == names["jinja2"] == "run time"
    assert names["pytest"] == names["peft"] == "beside"
    assert [row for row in rows if not row["allowed"]] == []
    assert not [row for row in rows if row["use"] == "run time" and "GPL" in row["licence"]]
    assert "packages at run time" in call("packages").stdout


def test_a_licence_that_is_not_on_the_list_ends_the_command_with_status_one(monkeypatch):
    odd = packages.Package("odd", "1.0", "GPL-3.0-only", "run time")
    monkeypatch.setattr(packages, "list_packages", lambda: [odd])
    done = call("packages", "--refused")
    assert done.exit_code == 1
    assert "GPL-3.0-only" in done.stdout


@pytest.mark.parametrize(
    ("record", "licence"),
    [
        ("License-Expression: MIT", "MIT"),
        ("License: Apache License, Version 2.0", "Apache-2.0"),
        ("License: GNU General Public License v3", "GPL"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License", "MIT"),
        ("License: Dual\nClassifier: License :: X :: BSD License", "BSD"),
        ("Summary: nothing is said", "unknown"),
    ],
)
def test_a_licence_is_read_from_any_form_of_record(record, licence):
    metadata = email.message_from_string(f"Name: some\n{record}\n")
    assert packages.licence_of(metadata) == licence


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT AND Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("unknown", False),
        ("LGPL-3.0-only", False),
    ],
)
def test_every_part_of_an_expression_counts_and_one_alternative_suffices(expression, allowed):
    assert packages.is_allowed(expression) is allowed


def test_nothing_is_imported_that_is_not_required():
    """At run time only what its lock names, and torch; the optional ones inside functions."""
    belongs = importlib.metadata.packages_distributions()
    required = {name for name, _ in pins("requirements.lock")} | {"torch"}
    files = [f for top in ("app", "pages", "peftcore") for f in (paths.ROOT / top).rglob("*.py")]
    for path in files:
        tree = ast.parse(path.read_text())
        at_the_top = set(tree.body)
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and not node.level else []
            for name in {each.split(".")[0] for each in names}:
                if name in sys.stdlib_module_names or name in {"app", "peftcore"}:
                    continue
                owners = {re.sub(r"[-_.]+", "-", o).lower() for o in belongs[name]}
                if not owners & required:
                    assert owners & OPTIONAL, (path, name)
                    assert node not in at_the_top, (path, name)


def make(*arguments):
    """Return the commands that make would call."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", *arguments],
        cwd=paths.ROOT,
        env=clean,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_app_installs_what_is_locked_for_run_time_and_no_more():
    installs = [line for line in make("app", "VENV=/nowhere") if " install " in line]
    assert [line.split()[-1] for line in installs[:1]] == ["requirements.lock"]
    assert "--require-hashes --no-deps" in installs[0]
    assert re.fullmatch(r"torch==[\d.]+", installs[1].split()[-1])
    assert len(installs) == 2
    assert not [line for line in installs if "--no-index" in line]


def test_from_a_folder_of_wheels_no_index_is_asked():
    lines = make("app", "VENV=/nowhere", "WHEELS=/some/wheels")
    installs = [line for line in lines if " install " in line]
    assert all("--no-index --find-links /some/wheels" in line for line in installs)
