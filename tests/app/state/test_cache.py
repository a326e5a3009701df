"""What the app remembers: bounded, never stale, and torch only in the background."""

from __future__ import annotations

import ast
import os
import subprocess
import sys

from support.runs import make_run

from app.state import cache
from peftcore import paths


def test_every_cache_is_bounded_and_no_page_has_one_of_its_own():
    """What several pages share is in app/state; a lab's own is beside what it keeps."""
    files = [*(paths.ROOT / "app").rglob("*.py"), *(paths.ROOT / "pages").rglob("*.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    text = ast.unparse(decorator)
                    if "st.cache_" in text:
                        assert path.is_relative_to(paths.ROOT / "app"), path
                        assert "max_entries=" in text, (path, node.name)


def test_the_table_of_runs_shows_a_new_run_at_once():
    before = len(cache.run_table())
    run = make_run("lora")
    table = cache.run_table()
    assert len(table) == before + run.spec.population.seeds
    assert run.id in set(table["run"])


def test_each_workspace_has_its_own_runs(tmp_path, monkeypatch):
    run = make_run("lora")
    assert run.id in set(cache.run_table()["run"])
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "other"))
    assert run.id not in set(cache.run_table().get("run", []))


def test_missing_data_is_a_sentence_not_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    found = cache.split_examples("e2e_nlg", "train")
    assert found.examples == ()
    assert str(tmp_path) in found.problem


def test_rows_are_read_once(monkeypatch):
    first = cache.split_examples("miniworld_sentiment", "validation")
    assert cache.split_examples("miniworld_sentiment", "validation") is first
    assert len(first.examples) > 0


def test_miniworld_comes_first_among_tasks(monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    names = [task.name for task in cache.list_tasks()]
    own = [name.startswith("miniworld_") for name in names]
    assert own == sorted(own, reverse=True)
    assert own[0]


def test_warming_up_imports_in_the_background_and_says_when_all_is_there(tmp_path):
    """Two small modules stand for the heavy ones, which take ten seconds; one waits for a word."""
    (tmp_path / "first_heavy.py").write_text("import sys\nsys.stdin.readline()\n")
    (tmp_path / "second_heavy.py").write_text("")
    script = f"""
import os, sys, time
sys.path[:0] = [{str(paths.ROOT)!r}, {str(tmp_path)!r}]
from app.state import cache, heavy_imports
assert heavy_imports.HEAVY_MODULES[:2] == ("torch", "transformers")
heavy_imports.HEAVY_MODULES = ("first_heavy", "second_heavy")
read, write = os.pipe()
sys.stdin = os.fdopen(read)
cache.warm_up(delay=0.0)
assert not cache.imports_ready() and "second_heavy" not in sys.modules
os.write(write, b"go on\\n")
deadline = time.monotonic() + 120
while not cache.imports_ready():
    assert time.monotonic() < deadline
    time.sleep(0.01)
assert "first_heavy" in sys.modules and "second_heavy" in sys.modules
assert "torch" not in sys.modules
"""
    done = _python(script, PEFTCORE_WARM="1")
    assert done.returncode == 0, done.stderr[-2000:]


def test_warming_up_can_be_turned_off():
    script = f"""
import sys, time
sys.path.insert(0, {str(paths.ROOT)!r})
from app.state import cache
cache.warm_up(delay=0.0)
time.sleep(0.3)
assert "torch" not in sys.modules and not cache.imports_ready()
"""
    done = _python(script, PEFTCORE_WARM="0")
    assert done.returncode == 0, done.stderr[-2000:]


def _python(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
