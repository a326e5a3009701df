"""Sizes of a story's pictures, on a screen and before an audience."""

import plotly.graph_objects as go
import pytest
import streamlit as st

from app.learn import picture


@pytest.fixture
def presented(monkeypatch):
    monkeypatch.setattr(st, "query_params", {picture.PRESENT: "1"})


def test_a_picture_has_the_height_it_asks_for(monkeypatch):
    monkeypatch.setattr(st, "query_params", {})
    assert picture.fitted(300) == 300
    assert picture.fit(go.Figure(), 300).layout.font.size is None


def test_before_an_audience_pictures_and_type_are_larger(presented):
    figure = picture.fit(go.Figure(), 300)
    assert figure.layout.height == 480
    assert figure.layout.font.size == figure.layout.xaxis.title.font.size == 20


def test_type_stays_where_margins_are_fixed(presented):
    figure = picture.fit(go.Figure(layout={"margin": {"autoexpand": False}}), 300)
    assert (figure.layout.height, figure.layout.font.size) == (480, None)


def test_any_other_word_in_the_address_presents_nothing(monkeypatch):
    monkeypatch.setattr(st, "query_params", {picture.PRESENT: "yes"})
    assert not picture.is_presented()
