"""Choices stand in the address by their id, and an address says what to choose."""

import pytest
from streamlit.testing.v1 import AppTest
from support.pages import open_page, sound

from app.ui import url_state


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")


def page():
    import streamlit as st

    from app.ui import url_state

    names = {"first": "The first", "second": "The second", "third": "The third"}
    change = url_state.sync_with_url(
        "Thing",
        "here.thing",
        list(names),
        name="thing",
        format_option=names.__getitem__,
        first="second",
    )
    st.selectbox(
        "Thing", list(names), format_func=names.__getitem__, key="here.thing", on_change=change
    )


def opened(asked=""):
    app = AppTest.from_function(page)
    if asked:
        app.query_params["thing"] = asked
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("asked", "shown"), [("", "second"), ("third", "third"), ("The third", "third")]
)
def test_an_address_chooses_by_id_or_by_what_the_list_says(asked, shown):
    app = opened(asked)
    assert app.selectbox[0].value == shown
    assert not app.warning


def test_a_choice_is_written_into_the_address_by_its_id():
    app = opened("third")
    app.selectbox[0].select("first").run()
    assert app.query_params["thing"] == "first"
    assert app.run().selectbox[0].value == "first"


def test_an_address_that_changes_while_the_page_is_open_is_followed():
    app = opened("third")
    app.query_params["thing"] = "first"
    assert app.run().selectbox[0].value == "first"


def test_an_address_that_names_nothing_here_gets_a_sentence_and_what_is_usual():
    app = opened("fourth")
    assert app.selectbox[0].value == "second"
    assert "no thing “fourth” here" in app.warning[0].value
    app.selectbox[0].select("first").run()
    assert not app.warning


def several():
    import streamlit as st

    from app.ui import url_state

    names = {"one": "The first", "two": "The second", "three": "The third"}
    change = url_state.sync_several_with_url(
        "Thing", "things", list(names), format_option=names.__getitem__, first=["two", "elsewhere"]
    )
    st.pills("Things", list(names), selection_mode="multi", key="things", on_change=change)


def opened_with(*asked):
    app = AppTest.from_function(several)
    if asked:
        app.query_params["things"] = list(asked)
    app.run()
    assert not app.exception
    return app


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ((), ["two"]),
        (("three,one",), ["three", "one"]),
        (("The third", "one"), ["three", "one"]),  # as links read before ids stood in them
        (("",), []),
    ],
)
def test_an_address_chooses_several_by_id_or_by_what_the_list_says(asked, shown):
    app = opened_with(*asked)
    assert app.pills[0].value == shown
    assert not app.warning


def test_several_choices_are_written_into_the_address_by_their_ids():
    app = opened_with("three")
    app.pills[0].set_value(["one", "two"]).run()
    assert app.query_params["things"] == "one,two"
    assert app.run().pills[0].value == ["one", "two"]
    app.pills[0].set_value([]).run()
    assert app.run().pills[0].value == []


def test_an_address_that_names_something_else_among_several_gets_a_sentence():
    app = opened_with("three,😀")
    assert app.pills[0].value == ["three"]
    assert "no thing “😀” here" in app.warning[0].value


def test_a_split_is_chosen_by_its_id_and_written_so():
    app = open_page("data", data__split="test")
    assert app.segmented_control(key="data.split").value == "test"
    sound(app.segmented_control(key="data.split").set_value("validation").run())
    assert app.query_params["data.split"] == "validation"


def test_methods_to_train_stand_in_the_address_by_their_ids():
    app = open_page("train", train__methods="LoRA,spt")
    assert app.pills(key="train.methods").value == ["lora", "spt"]
    sound(app.pills(key="train.methods").set_value(["ia3"]).run())
    assert app.query_params["train.methods"] == "ia3"


@pytest.mark.parametrize(("key", "old"), url_state.RENAMED_VIEWS)
def test_an_address_with_an_old_name_of_a_view_opens_the_view_of_today(key, old):
    page = open_page(key.partition(".")[0], **{key: old})
    assert page.segmented_control(key=key).value == url_state.RENAMED_VIEWS[key, old]


def test_a_view_of_today_that_is_not_the_first_replaces_an_old_name(monkeypatch):
    monkeypatch.setitem(url_state.RENAMED_VIEWS, ("landscape.view", "Way"), "Between two")
    page = open_page("landscape", **{"landscape.view": "Way"})
    assert page.segmented_control(key="landscape.view").value == "Between two"
    assert sound(page)
