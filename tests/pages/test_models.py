"""The Models page: bases, what methods train on them, and the ways in."""

import pytest
from support.gguf_files import tiny_model, write_gguf
from support.pages import open_page, sound, words

from app.models import method_counts
from app.state import cache
from peftcore.intake import install
from peftcore.intake.request import IntakeJob, IntakeRequest
from peftcore.models import catalog


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "Tiny-Llama.gguf", tiny_model())


def added(file):
    request = IntakeRequest.make({"source": str(file), "name": "mine"})
    install.run_intake_job(IntakeJob.create(request))


def test_every_base_is_listed_and_the_chosen_one_shown(file):
    added(file)
    page = open_page("models", models__base="mine")
    table = page.dataframe[0].value
    assert {"tiny-gpt", "tiny-t5", "mine"} <= set(table["Base"])
    row = table.set_index("Base").loc["mine"]
    assert (row["Origin"], row["Layers × heads"]) == ("Added here", "2 × 4 on 2")
    assert row["Quality"] == "not measured"
    assert "its file calls it Tiny one" in words(page)
    assert any("SHA-256" in code.value for code in page.code)


def test_counts_of_every_method_are_shown_once_they_are_made(monkeypatch):
    monkeypatch.setattr(cache, "imports_ready", lambda: True)
    counter = method_counts.MethodCounter()
    counter.counts_so_far("tiny-gpt")
    counter._pool.shutdown(wait=True)
    monkeypatch.setattr(method_counts, "method_counter", lambda: counter)
    page = open_page("models", models__base="tiny-gpt")
    table = page.dataframe[1].value.set_index("Method")
    assert table.loc["LoRA", "Trainable parameters"] > 0
    assert (table["Memory for one seed (MB)"] > 4).all()
    assert "Not for this base" in words(page)


def test_a_base_is_removed_after_a_second_question(file):
    added(file)
    page = open_page("models", models__base="mine")
    sound(page.button(key="models.remove.mine").click().run())
    assert "mine" not in catalog.base_names()
    shipped = open_page("models", models__base="tiny-gpt")
    assert not [button for button in shipped.button if "remove" in str(button.key)]


def test_pages_without_a_base_lead_here(monkeypatch):
    monkeypatch.setattr(cache, "list_bases", list)
    for name in ("train", "models"):
        assert "There is no base model yet" in words(open_page(name))
