"""A chart on a page: its picture, its words, and its numbers once somebody asks for them."""

from streamlit.testing.v1 import AppTest


def page_with_a_lazy_table():
    import pandas as pd
    import plotly.graph_objects as go
    import streamlit as st

    from app.ui import charts

    def table():
        st.session_state["made"] = st.session_state.get("made", 0) + 1
        return pd.DataFrame({"Score": [0.5]})

    charts.chart(go.Figure(), key="norms", name="norms", alt="Norms by layer", table=table)
    charts.image_format_control()


def test_a_table_given_as_a_function_is_made_once_it_is_opened():
    page = AppTest.from_function(page_with_a_lazy_table).run()
    assert page.get("plotly_chart")[0].proto.alt == "Norms by layer"
    assert "made" not in page.session_state
    page.session_state["norms.opened"] = True
    page.run()
    assert not page.exception
    assert page.session_state["made"] == 1
    assert page.dataframe[0].value["Score"].tolist() == [0.5]


def test_the_reader_chooses_the_format_that_pictures_are_saved_in():
    page = AppTest.from_function(page_with_a_lazy_table).run()
    assert '"format": "svg"' in page.get("plotly_chart")[0].proto.config
    page.segmented_control(key="charts.picture").set_value("png").run()
    assert '"format": "png"' in page.get("plotly_chart")[0].proto.config


def page_with_upright_labels():
    import plotly.graph_objects as go
    import streamlit as st

    from app.ui import charts

    figure = go.Figure()
    words = [str(n) for n in range(40)]
    figure.update_xaxes(tickvals=list(range(40)), ticktext=words, tickangle=-90)
    charts.chart(figure, key="words", name="words", alt="Words")
    st.text("end")


def test_upright_labels_make_room_where_a_chart_is_narrow():
    page = AppTest.from_function(page_with_upright_labels).run()
    (style,) = page.get("html")
    between = "@container (max-width: 710.00px) and (min-width: 450.01px)"
    assert f"{between} {{ .st-key-words-svg .xtick:not(:nth-child(2n + 1))" in style.proto.body
    assert not AppTest.from_function(page_with_a_lazy_table).run().get("html")
