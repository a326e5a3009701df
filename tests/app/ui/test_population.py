"""The switch of populations: default, address, and the sentence about it."""

import pytest
from streamlit.testing.v1 import AppTest

from app.ui import population


def page():
    from app.ui import population

    chosen = population.pick_population("page.population")
    import streamlit as st

    st.caption(population.population_caption(chosen, 5, 200))


@pytest.fixture
def app():
    return AppTest.from_function(page)


def test_the_task_is_the_default_and_a_choice_stands_in_the_address(app):
    app.run()
    assert "other test examples" in app.caption[0].value
    app.segmented_control[0].set_value("these examples").run()
    assert app.query_params["population"] in ("these examples", ["these examples"])
    assert "these test examples only" in app.caption[0].value


def test_an_address_opens_its_population(app):
    app.query_params["population"] = "these examples"
    app.run()
    assert app.segmented_control[0].value == "these examples"


def test_runs_that_differ_are_counted_from_the_fewest_to_the_most():
    text = population.population_caption("this task", (4, 8, 4), (1000, 1000))
    assert "from 4 to 8 seeds on 1,000 test examples" in text
    assert "1 seed on 30 test examples" in population.population_caption("these examples", 1, 30)
