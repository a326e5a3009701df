"""What the figures of atoms share: titles that fit a phone, facts in a line, lines with bands."""

import re

import pandas as pd
import plotly.graph_objects as go

from app.figures import atoms_tables
from app.figures.theme import RunStyle

FACTS = {"seeds": [0, 1], "read": 48, "n": 24, "split": "test", "data_hash": "00ff00ff11"}


def test_titles_are_broken_into_lines_that_make_room_for_themselves():
    short = atoms_tables.titled_chart(300, "Short", "note")
    long = atoms_tables.titled_chart(300, "A title of many words " * 4, "note " * 40)
    lines = re.sub("<span[^>]*>|</span>", "", long.layout.title.text).split("<br>")
    assert max(map(len, lines)) <= atoms_tables.SUBTITLE_WIDTH
    assert long.layout.height - short.layout.height == 19 * (len(lines) - 2)
    assert long.layout.height - long.layout.margin.t == short.layout.height - short.layout.margin.t


def test_data_in_a_title_is_no_markup():
    figure = atoms_tables.titled_chart(300, "<b>x</b>", "<i>y</i>")
    assert "<b>" not in figure.layout.title.text
    assert "<i>" not in figure.layout.title.text


def test_facts_say_seeds_examples_data_and_arithmetic():
    facts = FACTS | {"arithmetic": "bf16"}
    assert atoms_tables.coefficient_facts(facts) == (
        "2 seeds, n = 48 validation examples, data 00ff00ff, bfloat16"
    )
    assert atoms_tables.coefficient_facts(facts, 7).startswith("seed 7, n = 48")
    assert atoms_tables.score_facts(facts) == (
        "2 seeds, n = 24 test examples, data 00ff00ff, bfloat16"
    )


def test_a_band_goes_there_and_back_where_there_are_limits():
    means = pd.DataFrame(
        {"mean": [1.0, 2.0, 3.0], "low": [0.5, None, 2.5], "high": [1.5, None, 3.5]}
    )
    figure = go.Figure()
    atoms_tables.add_line_with_band(
        figure, [0, 1, 2], means, RunStyle("x", "#112233", "circle", "dot"), ".2f"
    )
    band, line = figure.data
    assert list(band.x) == [0, 2, 2, 0]
    assert list(band.y) == [1.5, 3.5, 2.5, 0.5]
    assert list(line.y) == [1.0, 2.0, 3.0]
