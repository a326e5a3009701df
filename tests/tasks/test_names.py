"""Tasks are found by name, light to import, and unknown names get close ones."""

import subprocess
import sys

import pytest

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.metrics.scores import METRICS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path))


@pytest.mark.parametrize(
    "name", ["e2e_nlg", "esnli", "ecqa", "comve", "dart", "glue_qnli", "glue_stsb"]
)
def test_names_of_real_data_are_the_folders_names(name):
    assert name in tasks.task_names()
    assert tasks.find_task(name).name == name


def test_every_task_says_what_a_page_needs():
    for name in tasks.task_names():
        task = tasks.find_task(name)
        assert task.title
        assert task.source_note
        assert task.main_metric in METRICS
        assert bool(task.labels) == (task.kind != "generate" and not task.open_labels)
        assert task.labels == tuple(label.lower().strip() for label in task.labels)


def test_without_a_data_folder_the_tasks_that_make_their_own_rows_are_left(monkeypatch, tmp_path):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    found = [tasks.find_task(name) for name in tasks.task_names()]
    for task in found:
        if task.available():
            assert task.load("validation")
        else:
            with pytest.raises(BadInput, match="PEFTCORE_DATA"):
                task.load("validation")
    assert {task.name for task in found if task.downloaded} >= {"e2e_nlg", "esnli", "glue_qnli"}


@pytest.mark.parametrize("name", ["e2e-nlg", "esnil", "table_e2e_nlg"])
def test_unknown_names_get_close_ones(name):
    with pytest.raises(BadInput, match=f"no task '{name}'; did you mean"):
        tasks.find_task(name)


def test_listing_tasks_imports_nothing_heavy():
    heavy = "{'torch', 'transformers', 'datasets', 'pandas', 'sklearn', 'sacrebleu'}"
    code = (
        "from peftcore import tasks; import sys; tasks.task_names(); "
        f"print({heavy} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
