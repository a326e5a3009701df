"""Every page of the app, run by Streamlit's own test driver: empty, with runs, bad addresses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest
from support.pages import MAIN, charts, open_page, sound, words
from support.runs import make_run, make_runs

from app import nav
from app.state import cache
from peftcore import paths
from peftcore.adapters import component_map  # noqa: F401  (takes the place of assets at import)
from peftcore.experiments.paper_table import read_papers
from peftcore.runs.store import RunStore
from peftcore.system.faults import log_file

NAMES = [entry.name for entry in nav.page_entries()]


@pytest.mark.parametrize("name", NAMES)
def test_every_page_opens_without_any_run(name, no_demos):
    app = open_page(name)
    assert sound(app)
    assert app.title[0].value


@pytest.mark.parametrize("name", NAMES)
def test_every_page_opens_with_runs(name):
    make_runs()
    assert sound(open_page(name))


@pytest.mark.parametrize("name", ["home", "runs", "compare"])
def test_empty_pages_say_what_to_do_next(name, no_demos):
    assert "yet" in words(open_page(name))


def test_home_shows_a_row_of_attention_the_doors_the_papers_and_the_latest_runs(no_demos):
    make_run("lora")
    app = open_page("home")
    assert app.get("bidi_component")
    shown = words(app)
    assert all(door in shown for door in ("See", "Compare", "Judge"))
    assert all(row.claim in shown and row.verdict in shown for row in read_papers())
    assert charts(app)[0]["layout"]["yaxis"]["ticktext"] == ["LoRA"]
    assert "Nothing is being trained" in shown


def test_data_says_how_to_get_what_is_not_here(monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    app = open_page("data", **{"data.task": "E2E restaurants"})
    app.selectbox(key="data.task").set_value("e2e_nlg").run()
    assert "PEFTCORE_DATA" in words(app)
    assert not app.dataframe


def test_train_shows_one_form_for_each_method_and_the_commands(base):
    app = open_page("train")
    app.pills(key="train.methods").set_value(["spt", "lora"]).run()
    assert sound(app)
    assert app.number_input(key="train.lora.rank").value == 8
    assert app.button(key="train.start").label == "Train 2 runs"
    commands = app.code[-1].value.splitlines()
    assert [line.split("--method ")[1].split()[0] for line in commands] == ["spt", "lora"]


def test_train_refuses_an_encoder_for_free_text_with_the_reason(base, monkeypatch):
    monkeypatch.setenv("PEFTCORE_DATA", str(paths.ROOT.parent / "shared" / "data"))
    app = open_page("train")
    app.selectbox(key="train.base").set_value("random-bert").run()
    app.selectbox(key="train.task").set_value("e2e_nlg").run()
    assert "reads but cannot write" in words(app)
    assert not [button for button in app.button if button.key == "train.start"]
    assert sound(app)


def test_train_without_a_method_says_what_to_do(base):
    app = open_page("train")
    app.pills(key="train.methods").set_value([]).run()
    assert "Tick one or more methods" in words(app)


def test_train_queues_one_job_for_each_method(base, monkeypatch):
    from app.training import submit

    monkeypatch.setattr(submit, "ensure_worker", lambda **_: False)
    app = open_page("train")
    app.pills(key="train.methods").set_value(["prompt_tuning", "lora"]).run()
    app.number_input(key="train.steps").set_value(3).run()
    app.number_input(key="train.seeds").set_value(1).run()
    app.button(key="train.start").click().run()
    assert sound(app)
    assert {job.spec["method"] for job in cache.job_queue().jobs()} == {"prompt_tuning", "lora"}
    assert {run.status().state for run in RunStore().all(include_demos=False)} == {"queued"}
    assert "2 started" in app.success[0].value


def test_a_fault_of_ours_becomes_an_error_id_and_a_log_entry(monkeypatch):
    from app import nav as contents

    def broken(name):
        raise RuntimeError("the wiring is loose")

    monkeypatch.setattr(contents, "find_page", broken)
    app = AppTest.from_file(MAIN, default_timeout=60).run()
    assert not app.exception
    number = app.error[0].value.split("**")[1]
    log = log_file().read_text()
    assert number in log
    assert "the wiring is loose" in log
    assert "wiring" not in words(app)
    assert log_file().stat().st_mode & 0o077 == 0


def test_no_page_imports_torch_for_its_first_paint(tmp_path):
    script = f"""
import sys
sys.path[:0] = [{str(paths.ROOT)!r}, {str(paths.ROOT / "tests")!r}]
from support.runs import make_runs
make_runs()
from streamlit.testing.v1 import AppTest
from app import nav
from app.state import cache
from app.training import example_browser
app = AppTest.from_file({MAIN!r}, default_timeout=60).run()
for entry in nav.page_entries():
    if entry.name != "home":
        app.switch_page(entry.script_path).run()
    assert app.title, entry.name
    heavy = [name for name in ("torch", "transformers", "datasets") if name in sys.modules]
    assert not heavy, (entry.name, heavy)
from app.learn.pictures import OPTIONS_BY_PICTURE
from peftcore.stories.story import list_stories
for story in list_stories(OPTIONS_BY_PICTURE):
    app.switch_page(nav.find_page("learn").script_path)
    app.query_params["story"] = story.name
    app.run()
    assert story.story.steps[0].title in [title.value.replace("\\\\", "") for title in app.title]
    assert "torch" not in sys.modules, story.name
# The first picture of a run that ships is recorded; of what is not recorded nothing is drawn.
for name, other in (("attention", "base:tiny-t5"), ("limits", "5a7da5def8b7")):
    for example, drawn in (("1", True), ("2", False)):
        app.switch_page(nav.find_page(name).script_path)
        app.query_params.clear()
        app.query_params.update({{"run": "2556dc271826", "with": other, "example": example}})
        app.run()
        assert bool(app.get("plotly_chart")) == bool(app.header) == drawn, (name, example)
        [waiting] = [each.value for each in app.caption if "libraries" in each.value]
        assert ("recording" in waiting) == drawn, (name, waiting)
        assert not app.exception and not app.error, (name, app.error)
        assert "torch" not in sys.modules, name
"""
    environment = os.environ | {"PEFTCORE_WARM": "0", "PEFTCORE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_home_loads_no_statistics(tmp_path):
    """They take a second to import, which whoever starts the app would wait for."""
    script = f"""
import sys
sys.path[:0] = [{str(paths.ROOT)!r}]
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({MAIN!r}, default_timeout=60).run()
assert app.title
print(sorted({{"scipy", "statsmodels", "torch"}} & set(sys.modules)))
"""
    environment = os.environ | {"PEFTCORE_WARM": "0", "PEFTCORE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "[]"


def test_pages_import_only_the_app_and_the_core():
    import ast

    allowed = {"streamlit", "app", "peftcore", *sys.stdlib_module_names}
    for page in (paths.ROOT / "pages").glob("*.py"):
        for node in ast.walk(ast.parse(page.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.partition(".")[0] for name in names} <= allowed, page.name


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Two random base models in a folder, as PEFTCORE_MODELS names it."""
    from support.bases import build_tiny

    folder = tmp_path_factory.mktemp("models")
    for family in ("t5", "bert"):
        made = build_tiny(family)
        made.model.save_pretrained(folder / f"random-{family}")
        made.tokenizer.save_pretrained(folder / f"random-{family}")
    return folder


@pytest.fixture
def base(models, monkeypatch):
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))
