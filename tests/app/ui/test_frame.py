"""The frame of a lab: a finding as text, views in the address, one menu below a picture."""

from streamlit.testing.v1 import AppTest

from app.ui import frame


def lab():
    import pandas as pd
    import plotly.graph_objects as go

    from app.ui import charts, frame

    with frame.lab_frame("lab", "A lab", ["Map", "Table"]) as here:
        here.say("The *prefix* takes $5$ of 10.", "n = 3")
        here.explain(f"Shown: {here.view}.")
        with here.picture:
            charts.picture(
                go.Figure(),
                key="lab.map",
                name="map",
                alt="A map",
                table=lambda: pd.DataFrame({"Loss": [0.5]}),
            ).caption(frame.provenance("n = 3", seed=0, command="landscape abc"))


def opened(**query):
    page = AppTest.from_function(lab)
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def test_the_finding_is_a_heading_and_is_read_as_it_was_written():
    page = opened()
    assert page.header[0].value == r"The \*prefix\* takes \$5\$ of 10\."
    assert [heading.value for heading in page.title] == ["A lab"]
    assert "n = 3" in [caption.value for caption in page.caption]


def test_the_address_chooses_the_view_and_another_view_is_written_into_it():
    page = opened(view="Table")
    assert "Shown: Table." in [text.value for text in page.markdown]
    page.segmented_control(key="lab.view").set_value("Map").run()
    assert page.query_params["view"] in ("Map", ["Map"])


def test_the_table_behind_the_menu_is_made_once_somebody_asks_for_it():
    page = opened()
    assert not page.dataframe
    page.toggle(key="lab.map.opened").set_value(True).run()
    assert page.dataframe[0].value["Loss"].tolist() == [0.5]


def test_a_picture_says_how_it_is_made_and_what_can_be_saved():
    page = opened()
    assert any("python -m peftcore landscape abc" in c.value for c in page.caption)
    saved = [found.proto.json for found in page.get("bidi_component")]
    assert any('"svg"' in each and '"png"' in each for each in saved)


def test_empty_parts_leave_no_gap_in_the_quiet_line():
    assert frame.provenance("", "n = 3", "") == r"n \= 3".replace("\\=", "=")
