"""The text that labs look at: chosen, typed, and short on its button."""

from streamlit.testing.v1 import AppTest
from support.pages import sound


def page(**query):
    def script():
        import streamlit as st

        from app.ui.text_choice import pick_text

        task, example = pick_text("lab", st.container(), "miniworld_nli")
        st.text(f"{task} | {example.source if example else None}")

    app = AppTest.from_function(script)
    for name, value in query.items():
        app.query_params[name.replace("__", ".")] = value
    return sound(app.run())


def found(app):
    return app.text[-1].value.split(" | ")


def test_the_first_example_of_the_usual_task_is_the_beginning():
    from peftcore import tasks

    assert found(page()) == [
        "miniworld_nli",
        tasks.find_task("miniworld_nli").load("test")[0].source,
    ]


def test_another_number_is_another_example():
    app = page()
    first = found(app)[1]
    app.number_input[0].set_value(2)
    assert found(sound(app.run()))[1] != first


def test_a_typed_text_is_taken_as_it_stands_and_an_empty_one_is_none():
    app = page(source="own", text="a cat || a dog")
    assert "a cat" in found(app)[1]
    assert found(page(source="own", text="  "))[1] == "None"
