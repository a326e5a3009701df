"""Heads before and after an adapter, shown."""

from types import SimpleNamespace

import pytest
from support.attention_page import started
from support.pages import charts, open_page, show_view, sound, words

from app.labs.attention import views


@pytest.fixture
def models(tiny, tmp_path, monkeypatch):
    """A random encoder of one's own."""
    tiny("bert").model.save_pretrained(tmp_path / "random-bert")
    tiny("bert").tokenizer.save_pretrained(tmp_path / "random-bert")
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))


def tabled(page, chart):
    """A chart's numbers, which are made once somebody opens them."""
    page.session_state[f"{chart}.opened"] = True
    return sound(page.run()).dataframe[0].value


def test_a_shipped_prefix_is_shown_beside_its_text():
    page = started()
    head, small_map, _ = charts(page)
    titles = [note["text"] for note in head["layout"]["annotations"]]
    assert titles == ["Before", "After", "Change"]  # the point of the page, before any click
    before, after, change = (head["layout"][f"xaxis{n}"] for n in ("", "2", "3"))
    assert after["ticktext"][0] == "<i>P1</i>"
    spans = [axis["range"][1] - axis["range"][0] for axis in (before, after, change)]
    assert spans[1] == spans[0] + 10 == spans[2] + 10
    assert small_map["layout"]["title"]["text"] == "Total variation by layer and head"
    assert "Virtual tokens take" in words(page)
    assert "gold target" in words(page)


@pytest.mark.parametrize(("show", "signed"), [("Before", False), ("Change", True)])
def test_one_side_alone_is_large(show, signed):
    page = started(attention__show=show)
    head, _, overview = charts(page)
    (picture,) = [d for d in head["data"] if d["type"] == "heatmap"]
    assert (picture["coloraxis"] == "coloraxis2") == signed
    assert (overview["layout"]["coloraxis"]["cmin"] < 0) == signed


def test_cross_attention_has_decoder_queries_and_encoder_keys():
    page = started()
    sound(page.selectbox(key="attention.layer").set_value("cross-1").run())
    head = charts(page)[0]
    assert head["layout"]["yaxis"]["ticktext"][0] == "<i>start</i>"
    assert "3 layers" in page.get("plotly_chart")[1].proto.alt


def test_learnt_positions_can_be_left_out():
    page = started()
    page.segmented_control(key="attention.learnt").set_value("renormalised").run()
    page.segmented_control(key="attention.show").set_value("After").run()
    ticks = charts(page)[0]["layout"]["xaxis"]["ticktext"]
    assert "<i>P1</i>" not in ticks
    assert "<i>&lt;/s&gt;</i>" in ticks


def test_layer_and_head_are_chosen_by_number():
    page = started()
    page.selectbox(key="attention.layer").set_value("encoder-3").run()
    page.selectbox(key="attention.head").set_value(5).run()
    assert charts(page)[0]["layout"]["title"]["text"].startswith("Layer 3, head 5")


def test_one_query_goes_from_scores_to_weights():
    page = show_view(started(), "attention", "One query, step by step")
    (chart,) = charts(page)
    weights = chart["data"][-1]["x"]
    assert chart["data"][-1]["type"] == "bar"
    assert weights
    assert not page.dataframe  # nobody has asked for it
    table = tabled(page, "attention.steps")
    assert table["Weight"].sum() == pytest.approx(1)
    sound(page.segmented_control(key="attention.side").set_value("Before").run())
    assert not (page.dataframe[0].value["Kind"] == "prefix").any()


def test_heads_are_measured_over_a_data_set_with_intervals():
    page = show_view(started(), "attention", "Over a data set")
    assert "Not measured yet" in words(page)
    page.number_input(key="attention.count").set_value(2).run()
    page.button(key="attention.measure").click().run()
    (chart,) = charts(sound(page))
    assert "Virtual tokens (share), change" in chart["layout"]["title"]["text"]
    assert "n = 2 test examples" in words(page)
    assert "4 seeds" in words(page)
    table = tabled(page, "attention.heads")
    limited = table["After, low"].notna()  # a few of many heads look like two groups by chance
    assert limited.mean() > 0.7
    assert (table["After, low"] <= table["After"])[limited].all()
    assert table["Before"].max() == 0


def test_an_untouched_encoder_reads_hostile_text_as_it_was_typed(no_demo_runs, models):
    page = open_page("attention")
    page.selectbox(key="attention.run").set_value("base:random-bert").run()
    page.segmented_control(key="attention.source").set_value("own").run()
    page.text_area(key="attention.text").set_value("</script><s> || a cat").run()
    page.button(key="attention.start").click().run()
    head, _, overview = charts(sound(page))
    assert "untouched" in overview["layout"]["title"]["text"]
    assert not any("<s" in label for label in head["layout"]["xaxis"]["ticktext"])


def test_lines_are_drawn_in_a_closed_frame_and_refused_when_too_many():
    page = show_view(started(), "attention", "Lines")
    (frame,) = page.get("iframe")
    assert 'sandbox="allow-scripts"' in frame.proto.srcdoc
    page.segmented_control(key="attention.source").set_value("own").run()
    page.text_area(key="attention.text").set_value("a dog " * 60).run()
    assert "too many for lines" in words(sound(page))
    assert not page.get("iframe")


@pytest.mark.parametrize(
    ("change", "share", "shown"),
    [
        (0.004, False, None),
        (-0.004, False, None),
        (0.167, True, "+16.7 points"),
        (-1, False, "-1.00"),
    ],
)
def test_a_change_that_rounds_to_none_is_not_shown(change, share, shown):
    assert views._delta_text(change, share) == shown


def test_a_text_that_is_too_long_leaves_the_data_set_to_be_measured(monkeypatch):
    from peftcore.labs.attention import capture

    page = started()
    monkeypatch.setattr(capture, "generate_answer", None)  # nothing is answered first
    page.segmented_control(key="attention.source").set_value("own").run()
    page.text_area(key="attention.text").set_value("a cat and a dog " * 60).run()
    assert sound(page)
    assert "up to 160 can be shown" in page.error[0].value
    assert page.button(key="attention.measure")


@pytest.fixture
def deep(monkeypatch):
    """Every model counts as deep, so that the shipped ones show what a deep one does."""
    monkeypatch.setattr(views.summary_figures, "MAX_LAYERS", 1)


def test_a_deep_model_shows_a_map_of_all_heads_then_a_layer_then_the_head(deep):
    page = started()
    head, all_heads, layer = charts(page)
    assert all_heads["layout"]["title"]["text"] == "Total variation by layer and head"
    chosen = page.selectbox(key="attention.layer").value.removeprefix("encoder-")
    assert layer["layout"]["yaxis"]["ticktext"] == [chosen]
    number = page.selectbox(key="attention.head").value
    most = f"largest in layer {chosen} head {number}"  # it opens where most changed
    assert most in page.get("plotly_chart")[1].proto.alt
    page.selectbox(key="attention.layer").set_value("encoder-2").run()
    assert page.query_params["layer"] in ("encoder-2", ["encoder-2"])
    head, _, layer = charts(sound(page))
    assert layer["layout"]["yaxis"]["ticktext"] == ["2"]
    assert head["layout"]["title"]["text"].startswith("Layer 2, ")
    sound(page.segmented_control(key="attention.measure").set_value("entropy").run())
    assert charts(page)[1]["layout"]["title"]["text"] == "Entropy by layer and head, change"
    assert charts(page)[1]["layout"]["coloraxis"]["cmin"] < 0


def test_layer_head_and_side_come_from_the_address():
    page = started(layer="encoder-3", head="5", show="Change")
    assert charts(page)[0]["layout"]["title"]["text"] == "Layer 3, head 5: Change"


def test_a_click_on_a_head_stands_in_the_address(monkeypatch):
    monkeypatch.setattr(views.st, "session_state", {})
    monkeypatch.setattr(views.st, "query_params", {})
    decoder = SimpleNamespace(after=SimpleNamespace(attention_kind="decoder"), kinds=1)
    views._select_head(decoder, 21, 7)
    assert views.st.query_params == {"layer": "22", "head": "8"}


def test_an_encoder_has_no_next_word_to_follow(models):
    page = started(run="base:random-bert", view="Why this answer")
    assert "reads but does not write" in words(page)


def test_what_keys_add_is_shown_instead_of_weights():
    page = started(run="5a7da5def8b7")
    weights = charts(page)[0]["data"]
    sound(page.segmented_control(key="attention.weigh").set_value("Weight × value").run())
    assert charts(page)[0]["data"] != weights
    assert "parts sum to the output to" in words(page)
    assert "--values" in words(page)
