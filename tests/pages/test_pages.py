"""Every page of the app, run by Streamlit's own test driver: empty, with runs, bad addresses."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from streamlit.testing.v1 import AppTest
from support.pages import MAIN, open_page, sound, words
from support.runs import make_run, make_runs

from app import nav
from app.state import cache
from app.training import example_browser
from app.ui.errors import log_file
from peftcore import paths
from peftcore.runs.store import RunStore

NAMES = [entry.name for entry in nav.page_entries()]


@pytest.fixture
def no_demos(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "ASSETS", _assets_without_demos(tmp_path))


def _assets_without_demos(folder):
    for part in ("models", "logo.svg", "icon.svg"):
        if (paths.ASSETS / part).exists():
            (folder / part).symlink_to(paths.ASSETS / part)
    return folder


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


def test_home_lists_the_latest_results_by_title(no_demos):
    make_run("lora")
    table = open_page("home").dataframe[0].value
    assert list(table["Method"]) == ["LoRA"]
    assert list(table["Measure"]) == ["Accuracy"]


def test_data_finds_the_examples_that_hold_a_word():
    app = open_page("data")
    first = app.dataframe[0].value["Input"].iloc[0]
    word = max(first.split(), key=len)
    app.text_input(key="data.search").set_value(word.upper()).run()
    found = app.dataframe[0].value["Input"]
    assert first in set(found)
    assert all(word.lower() in text.lower() for text in found)
    app.text_input(key="data.search").set_value("zebrafish quartet").run()
    assert app.dataframe[0].value.empty
    assert sound(app)


def test_data_shows_the_example_that_was_ticked(monkeypatch):
    rows = cache.split_examples("miniworld_nli", "train").examples
    state = {"data.table.train": {"selection": {"rows": [1]}}}
    options = {}
    monkeypatch.setattr("streamlit.session_state", state)
    monkeypatch.setattr("streamlit.dataframe", lambda *given, **more: options.update(more))
    example_browser.select_example(rows[4:9], rows, "train")
    options["on_select"]()
    assert state["data.example.train"] == 6  # counted from one


def test_data_says_how_to_get_what_is_not_here(monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    app = open_page("data", **{"data.task": "E2E restaurants"})
    app.selectbox(key="data.task").set_value("e2e_nlg").run()
    assert "PEFTCORE_DATA" in words(app)
    assert not app.dataframe


def test_own_file_goes_from_upload_to_task_and_away_again():
    app = open_page("data")
    app.segmented_control(key="data.view").set_value("Bring your own file").run()
    rows = "\n".join(f"day {i} was {w},{w}" for i in range(12) for w in ("good", "bad"))
    content = f"text,label\n{rows}\nonly one field\n"
    app.file_uploader(key="data.file").set_value(("days.csv", content.encode(), "text/csv")).run()
    assert sound(app)
    assert "24 of 25 rows can be used" in words(app)
    bad = app.dataframe[1].value
    assert list(bad["Line"]) == [26]
    app.button(key="data.import").click().run()
    assert sound(app)
    from peftcore import tasks

    name = next(name for name in tasks.task_names() if name.startswith("table_days"))
    assert app.success
    app = open_page("data")
    app.selectbox(key="data.task").set_value(name).run()
    assert sum(int(metric.value) for metric in app.metric) == 24
    app.button(key="data.delete").click().run()
    app.button(key="data.delete.sure").click().run()
    assert name not in tasks.task_names()


def test_a_file_that_is_no_table_is_refused_in_a_sentence():
    app = open_page("data")
    app.segmented_control(key="data.view").set_value("Bring your own file").run()
    app.file_uploader(key="data.file").set_value(("x.csv", b"", "text/csv")).run()
    assert "empty" in app.error[0].value
    assert sound(app)


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
    from app.state import cache
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


def test_runs_shows_the_run_the_address_names():
    make_run("lora")
    wanted = make_run("spt")
    app = open_page("runs", run=wanted.id)
    assert app.selectbox(key="runs.run").value == wanted.id
    assert any(metric.value == "5,140" for metric in app.metric)
    assert sound(app)


def test_a_finished_run_tells_means_with_intervals_and_every_seed():
    run = make_run("lora", population={"seeds": 3})
    run.write_scores({"accuracy": [0.5, 0.7, 0.6], "chrf": [40.0, None, 41.0]})
    app = open_page("runs", run=run.id)
    [options] = [frame.value for frame in app.dataframe if "Mean" in frame.value]
    [seeds] = [frame.value for frame in app.dataframe if "Accuracy" in frame.value]
    half = 4.302653 * 0.1 / 3**0.5  # t with two degrees of freedom
    assert list(options["Mean"]) == ["0.600", "40.5"]
    assert options["95 % interval"][0] == f"{0.6 - half:.3f} to {0.6 + half:.3f}"
    assert list(options["Seeds"]) == [3, 2]
    assert list(seeds["Accuracy"]) == [0.5, 0.7, 0.6]
    assert sound(app)


def test_one_seed_has_no_interval():
    from app.training.run_panel import mean_table

    assert list(mean_table({"accuracy": [0.5]})["95 % interval"]) == ["one seed"]
    assert list(mean_table({"accuracy": [None]})["95 % interval"]) == ["–"]


def test_an_unknown_run_in_the_address_gets_a_sentence():
    run = make_run("lora")
    app = open_page("runs", run=run.id[:-1] + ("0" if run.id[-1] != "0" else "1"))
    assert "No run" in app.warning[0].value
    assert "did you mean" in app.warning[0].value
    assert app.selectbox(key="runs.run").value == run.id
    assert sound(app)


def test_a_lost_run_explains_itself_and_offers_to_resume():
    from peftcore.system import processes

    run = make_run("lora")
    gone = {"pid": 2**22 + 1, "started": 1.0, "token": "", "host": processes.current_process().host}
    run.write_status(state="running", step=50, process=gone)
    app = open_page("runs", run=run.id)
    assert "Everything up to its last checkpoint is kept" in words(app)
    assert app.button(key=f"runs.resume.{run.id}")
    assert sound(app)


def test_a_waiting_run_can_be_cancelled_and_moved(monkeypatch):
    from app.state import cache
    from app.ui import job_panel

    # A worker would outlive the tests.
    monkeypatch.setattr(job_panel, "restart_missing_workers", lambda queue: 0)
    run = make_run("lora")
    run.reset()
    job = cache.job_queue().submit(run.spec)
    app = open_page("runs", run=run.id)
    app.number_input(key=f"runs.priority.{job.id}").set_value(5).run()
    assert cache.job_queue().job_for(run.id).priority == 5
    app.button(key=f"runs.cancel.{run.id}").click().run()
    assert run.status().state == "cancelled"
    assert sound(app)


def test_deleting_a_run_asks_first(no_demos):
    run = make_run("lora")
    app = open_page("runs", run=run.id)
    app.button(key="runs.delete").click().run()
    assert run.folder.is_dir()
    app.button(key="runs.delete.sure").click().run()
    assert not run.folder.exists()
    assert sound(app)


def test_the_log_of_a_failed_run_hides_what_a_fault_left_behind():
    run = make_run("lora")
    run.append_log("error 12ab34cd\nTraceback (most recent call last):\n  File x\nKeyError: 'q'")
    run.write_status(state="failed", message="Stopped by an error.", error_id="12ab34cd")
    app = open_page("runs", run=run.id)
    shown = "\n".join(code.value for code in app.code)
    assert "12ab34cd" in shown
    assert "Traceback" not in shown + words(app)


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
"""
    environment = os.environ | {"PEFTCORE_WARM": "0", "PEFTCORE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


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
