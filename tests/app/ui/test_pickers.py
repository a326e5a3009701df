"""Choices that pages share: the address chooses, and seeds are shown by their numbers."""

import pytest
from streamlit.testing.v1 import AppTest
from support.base_folders import edit_json, write_base
from support.pages import open_page, sound, words
from support.runs import make_run

from peftcore.runs.store import RunStore

LAST = "the last run of LoRA"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")


@pytest.mark.parametrize(
    ("name", "key", "part", "value"),
    [
        ("data", "data.task", "data.task", "miniworld_venues"),
        ("train", "train.task", "train.task", "miniworld_sentiment"),
        ("train", "train.base", "train.base", "tiny-bert"),
        ("components", "components.base", "components.base", "t5-large"),
        ("components", "components.task", "components.grid.task", "miniworld_nonsense"),
        ("landscape", "landscape.run", "landscape.run", LAST),
        ("runs", "runs.run", "run", LAST),
    ],
)
def test_pages_show_what_their_address_names(name, key, part, value):
    if value == LAST:
        value = next(run.id for run in reversed(RunStore().all()) if run.spec.method == "lora")
    view = {"components.view": "Grid"} if "grid" in part else {}
    app = open_page(name, **view, **{part: value})
    refused = [each for each in app.warning if "spellcheck" not in each.icon]  # of labels
    assert not refused
    assert app.selectbox(key=key).value == value


def seeds_together():
    import streamlit as st

    from app.ui import pickers
    from peftcore.runs.store import RunStore

    runs = RunStore().all(include_demos=False)
    st.caption(str(pickers.pick_seed(runs, "seed")))
    st.caption(str(len(pickers.requested_runs(runs))))


def test_seeds_of_runs_shown_together_have_their_numbers_and_runs_that_are_gone_are_named():
    make_run("lora", population={"seeds": 2, "first_seed": 3})
    run = make_run("spt", population={"seeds": 3})
    page = AppTest.from_function(seeds_together)
    page.query_params["runs"] = f"{run.id},gone"
    page.run()
    assert sorted(page.selectbox[0].options[0].split(" and ")) == ["0", "3"]
    assert len(page.selectbox[0].options) == 2
    page.selectbox[0].select_index(1).run()
    assert [caption.value for caption in page.caption] == ["1", "1"]
    assert "gone" in page.warning[0].value


@pytest.mark.parametrize("name", ["train", "attention", "limits", "components"])
def test_a_bad_folder_takes_no_page_down(name, tmp_path, monkeypatch):
    """Case A01 (huggingface/peft#378)."""
    edit_json(write_base(tmp_path / "foreign", "bert") / "config.json", model_type="no-such")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    app = open_page(name)
    assert sound(app)
    if name == "train":
        assert "foreign" not in app.selectbox(key="train.base").options
        assert "Not offered: foreign cannot be used" in words(app)
