"""The Limits page, run in full without a browser, on the demo runs and on none."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from app.labs.limits import cache as limits_cache
from app.state import cache
from peftcore import paths
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")


def opened(started=True):
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=120)
    page.switch_page(str(paths.ROOT / "pages" / "limits.py")).run()
    if started:
        page.button(key="limits.start").click().run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page


def words(page):
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error)
    return "\n".join(str(found.value) for kind in kinds for found in kind)


def choose(page, key, value):
    found = next(one for one in page.segmented_control if one.key.startswith(key))
    found.set_value(value).run()
    assert not page.exception
    assert "Something went wrong" not in words(page)


def residuals(page):
    return [float(metric.value) for metric in page.metric]


def spec(page, place=0):
    return json.loads(page.get("plotly_chart")[place].proto.spec)


def test_without_runs_it_says_what_to_do_next(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
    assert "No adapter to look into yet" in words(opened(started=False))


def test_methods_without_effect_on_layers_are_not_offered():
    methods = {run.spec.method for run in limits_cache.candidate_runs()}
    assert {"prefix_tuning", "lora"} <= methods
    assert not {"prompt_tuning", "spt", "linear_probe"} & methods
    assert limits_cache.has_prefix(limits_cache.candidate_runs()[0])


def test_a_trained_prefix_keeps_the_order_and_lora_does_not():
    page = opened()
    choose(page, "limits.place", "decoder")
    said = words(page)
    assert "Order of content unchanged" in said
    assert "Content attention changed" in said
    single, double, half = residuals(page)
    assert double < 1e-12 < single < 1e-4 < half < 1
    titles = [note["text"] for note in spec(page)["layout"]["annotations"]]
    assert titles[:3] == ["Before", "With the prefix", "With it, renormalised"]


def test_in_the_whole_stack_a_deeper_layer_changes_and_the_page_says_why():
    page = opened()
    choose(page, "limits.layer", 1)
    assert "Order of content unchanged" in words(page)
    choose(page, "limits.inputs", "Whole stack")
    assert "layers below, which wear the prefix too" in words(page)


def test_naive_positions_change_nothing_on_relative_ones():
    page = opened()
    choose(page, "limits.positions", "Naive")
    assert "Positions make no difference here" in words(page)


def test_one_prefix_position_moves_along_one_line():
    page = opened()
    page.slider[0].set_value(1).run()
    choose(page, "limits.view", "Bias")
    assert "along one line" in words(page)
    assert "1 of 1 directions carry" in spec(page, 1)["layout"]["title"]["text"]


@pytest.mark.parametrize("view", ["Share", "All layers"])
def test_every_view_draws(view):
    page = opened()
    choose(page, "limits.view", view)
    assert page.get("plotly_chart")


def test_a_typed_text_is_shown_as_typed():
    page = opened(started=False)
    choose(page, "limits.source", "My own text")
    page.text_input(key="limits.text").set_value("<s> the <b>cat</b> the cat").run()
    assert "it reads the sign it starts with" in words(page)
    page.text_input(key="limits.answer").set_value("yes </script>").run()
    page.button(key="limits.start").click().run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    assert "<b>cat" not in json.dumps(spec(page))
