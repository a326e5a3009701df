"""What was chosen on one lab is chosen on the next, and an address says all of it."""

import pytest
from streamlit.testing.v1 import AppTest
from support.pages import open_page, sound, words

from app import nav


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")


def lab():
    import streamlit as st

    from app.ui import frame, subject

    name, layers = st.session_state.get("lab", "one"), st.session_state.get("layers", 4)
    with frame.lab_frame(name, "Lab", ["First", "Second"]) as here:
        usual = st.session_state.get("usual", 1)
        options = range(1, layers + 1)
        with here.bar:
            subject.Choice(name, "layer", "Layer", options, first=usual).as_list()
            subject.Choice(name, "shade", "Shade", ["light", "dark"]).as_buttons()


def opened(**state):
    app = AppTest.from_function(lab)
    for key, value in state.items():
        app.session_state[key] = value
    app.run()
    assert not app.exception
    return app


def asked(app, **query):
    for key, value in query.items():
        app.query_params[key.replace("__", ".")] = value
    app.run()
    assert not app.exception
    return app


def address(app):
    query = app.query_params
    return {
        name: query[name][0] if isinstance(query[name], list) else query[name] for name in query
    }


def test_a_subject_that_nobody_chose_stands_in_the_address_and_a_usual_shade_does_not():
    app = opened()
    assert address(app) == {"view": "First", "layer": "1"}
    app.segmented_control(key="one.shade").set_value("dark").run()
    assert address(app) == {"view": "First", "layer": "1", "shade": "dark"}


def test_what_was_chosen_goes_along_to_the_next_lab_and_what_is_usual_does_not():
    app = opened(usual=2)
    app.selectbox[0].set_value(3).run()
    app.session_state["lab"] = "two"
    app.query_params.clear()
    app.run()
    assert app.selectbox(key="two.layer").value == 3
    app = opened(usual=2)
    app.session_state["lab"], app.session_state["usual"] = "two", 1
    app.query_params.clear()
    app.run()
    assert app.selectbox(key="two.layer").value == 1


def test_what_belongs_to_one_lab_stays_there():
    app = opened()
    app.segmented_control(key="one.shade").set_value("dark").run()
    app.session_state["lab"] = "two"
    app.query_params.clear()
    app.run()
    assert app.segmented_control(key="two.shade").value == "light"


def test_what_is_usual_follows_the_subject_until_somebody_chooses():
    app = opened(usual=2)
    app.session_state["usual"] = 4
    app.run()
    assert (app.selectbox[0].value, address(app)["layer"]) == (4, "4")
    app.selectbox[0].set_value(2).run()
    app.session_state["usual"] = 1
    app.run()
    assert app.selectbox[0].value == 2


def test_back_brings_the_choice_before():
    app = opened()
    app.selectbox[0].set_value(3).run()
    assert asked(app, layer="1").selectbox[0].value == 1


def test_an_address_of_an_earlier_version_is_brought_to_the_names_of_today():
    app = AppTest.from_function(lab)
    app = asked(app, one__layer="3", one__view="Second")
    assert app.selectbox[0].value == 3
    assert address(app) == {"view": "Second", "layer": "3"}


def test_another_view_takes_what_is_not_its_own_out_of_the_address():
    app = asked(opened(), step="3")
    app.segmented_control(key="one.view").set_value("Second").run()
    assert "step" not in address(app)


def test_what_cannot_be_had_is_said_once_and_what_another_subject_had_is_not():
    app = asked(AppTest.from_function(lab), layer="9")
    assert "no layer “9” here" in app.warning[0].value
    app.selectbox[0].set_value(4).run()
    assert not app.warning
    app.session_state["layers"] = 2
    app.run()
    assert (app.selectbox[0].value, len(app.warning)) == (1, 0)


def test_runs_of_an_older_address_are_the_run_and_what_it_is_compared_with():
    app = asked(AppTest.from_function(lab), runs="a,b")
    assert {name: address(app)[name] for name in ("run", "with")} == {"run": "a", "with": "b"}


def test_a_link_from_another_page_chooses_the_run_on_a_lab():
    page = open_page("attention", run="base:tiny-t5", example="7")
    assert page.selectbox(key="attention.run").value == "base:tiny-t5"
    page.switch_page(nav.find_page("attention").script_path)
    page.run()
    assert page.number_input(key="attention.example").value == 7
    assert "asks for" not in words(sound(page))
