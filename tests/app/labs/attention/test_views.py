"""Heads before and after an adapter, shown."""

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
    overview, head = charts(page)
    assert "tiny-t5" in overview["layout"]["title"]["text"]
    ticks = head["layout"]["xaxis"]["ticktext"]
    assert ticks[:2] == ["<i>P1</i>", "<i>P2</i>"]
    assert len(ticks) == len(head["layout"]["yaxis"]["ticktext"]) + 10
    assert "gold target" in words(page)


@pytest.mark.parametrize("show", ["Before", "Change", "Side by side"])
def test_before_change_and_both_share_one_scale(show):
    page = started()
    sound(page.segmented_control(key="attention.show").set_value(show).run())
    overview, head = charts(page)
    assert len([d for d in head["data"] if d["type"] == "heatmap"]) == 1 + 2 * (show[0] == "S")
    scales = [chart["layout"]["coloraxis"] for chart in (overview, head)]
    assert scales[0]["cmax"] == scales[1]["cmax"]
    assert (scales[0]["cmin"] < 0) == (show != "Before")


def test_cross_attention_has_decoder_queries_and_encoder_keys():
    page = started()
    sound(page.segmented_control(key="attention.place.3.encoder").set_value("cross").run())
    head = charts(page)[1]
    assert head["layout"]["yaxis"]["ticktext"][0] == "<i>start</i>"
    assert "3 layers" in page.get("plotly_chart")[0].proto.alt


def test_learnt_positions_can_be_left_out():
    page = started()
    page.segmented_control(key="attention.learnt").set_value("renormalised").run()
    ticks = charts(page)[1]["layout"]["xaxis"]["ticktext"]
    assert "<i>P1</i>" not in ticks
    assert "<i>&lt;/s&gt;</i>" in ticks


def test_layer_and_head_are_chosen_by_number():
    page = started()
    page.number_input(key="attention.layer").set_value(3).run()
    page.number_input(key="attention.head").set_value(5).run()
    assert charts(page)[1]["layout"]["title"]["text"].startswith("Layer 3, head 5")


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
    page.number_input(key="attention.count.miniworld_nli").set_value(2).run()
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
    page.segmented_control(key="attention.source").set_value("My own text").run()
    page.text_area(key="attention.text").set_value("</script><s> || a cat").run()
    page.button(key="attention.start").click().run()
    overview, head = charts(sound(page))
    assert "untouched" in overview["layout"]["title"]["text"]
    assert not any("<s" in label for label in head["layout"]["xaxis"]["ticktext"])


def test_lines_are_drawn_in_a_closed_frame_and_refused_when_too_many():
    page = show_view(started(), "attention", "Lines")
    (frame,) = page.get("iframe")
    assert 'sandbox="allow-scripts"' in frame.proto.srcdoc
    page.segmented_control(key="attention.source").set_value("My own text").run()
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
    page.segmented_control(key="attention.source").set_value("My own text").run()
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
    all_heads, layer, head = charts(page)
    assert all_heads["layout"]["title"]["text"] == "Total variation by layer and head"
    assert layer["layout"]["yaxis"]["ticktext"] == [str(page.number_input("attention.layer").value)]
    numbers = [page.number_input(f"attention.{name}").value for name in ("layer", "head")]
    most = "largest in layer {} head {}".format(*numbers)  # it opens where most changed
    assert most in page.get("plotly_chart")[0].proto.alt
    page.number_input(key="attention.layer").set_value(2).run()
    assert page.query_params["attention.layer"] in ("2", ["2"])
    layer, head = charts(sound(page))[1:]
    assert layer["layout"]["yaxis"]["ticktext"] == ["2"]
    assert head["layout"]["title"]["text"].startswith("Layer 2, ")
    sound(page.segmented_control(key="attention.statistic").set_value("entropy").run())
    assert charts(page)[0]["layout"]["title"]["text"] == "Entropy by layer and head, after"
    sound(page.segmented_control(key="attention.show").set_value("Change").run())
    assert charts(page)[0]["layout"]["coloraxis"]["cmin"] < 0


def test_layer_head_and_side_come_from_the_address():
    page = started(attention__layer="3", attention__head="5", attention__show="Change")
    assert charts(page)[1]["layout"]["title"]["text"] == "Layer 3, head 5: Change"


def test_a_click_on_a_head_stands_in_the_address(monkeypatch):
    monkeypatch.setattr(views.st, "session_state", {})
    monkeypatch.setattr(views.st, "query_params", {})
    views._select_head(21, 7)
    assert views.st.query_params == {"attention.layer": "22", "attention.head": "8"}
    assert views.st.session_state == {"attention.layer": 22, "attention.head": 8}
