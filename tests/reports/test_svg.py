import math
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peftcore.reports import svg
from peftcore.reports.styles import DASHES, SYMBOLS, RunStyle

SVG = "{http://www.w3.org/2000/svg}"


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_round_lie_within_and_are_few(low, width):
    ticks = svg.linear_ticks(low, low + width)
    assert len(ticks) <= 7
    assert all(low - 1e-6 * width <= tick <= low + width * (1 + 1e-6) for tick in ticks)


def test_ticks_of_known_ranges():
    assert svg.linear_ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert svg.log_ticks(30, 5000) == pytest.approx([50, 100, 200, 500, 1000, 2000, 5000])
    assert svg.log_ticks(1, 1e6) == pytest.approx([10.0**n for n in range(7)])
    assert [svg.tick_text(v) for v in (0.2, -0.4, 20000, -0.0)] == ["0.2", "−0.4", "20,000", "0"]


def test_scales_go_from_end_to_end_and_may_be_turned():
    scale = svg.Scale(0, 10, 100, 0)
    assert [scale.at(v) for v in (0, 2.5, 10)] == [100, 75, 0]
    assert svg.Scale(1, 100, 0, 200, log=True).at(10) == pytest.approx(100)
    assert svg.Scale(3, 3, 0, 10).at(3) == 5
    assert scale.clipped(12) == 10


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_symbol_is_a_closed_path_around_its_point(symbol):
    path = svg.symbol_path(symbol, 50, 50, 10)
    assert path.startswith("M")
    assert path.endswith("Z")
    if symbol == "circle":
        return
    points = [tuple(map(float, p.split())) for p in path[1:-1].split("L")]
    assert all(5 < math.dist(p, (50, 50)) < 16 or symbol in ("star", "x", "cross") for p in points)
    assert sum(x for x, _ in points) / len(points) == pytest.approx(50, abs=1)


def test_every_dash_has_a_pattern():
    assert set(DASHES) == set(svg.DASH_PATTERNS)


def test_data_in_a_drawing_are_text_and_the_file_is_xml():
    style = RunStyle('<script>x</script>" & \x00', "#0072B2")
    drawing = svg.Drawing(300, 100, "<title>", "a & b")
    drawing.mark(10, 10, 5, style, style.name)
    drawing.dot(10, 10, style, style.name)
    drawing.bar((0, 0, 5, 5), style, 3, style.name)
    drawing.curve([(0, 0), (1, 1)], style, 1, style.name)
    drawing.area([(0, 0), (1, 1), (0, 1)], style)
    drawing.row_label(5, 5, style.name * 9, "0.5")
    drawing.begin_run('a"><script>')
    svg.add_legend(drawing, [style, style], 5, 50)
    drawing.end_run()
    root = ET.fromstring(drawing.markup(standalone=True))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        *("svg", "title", "desc", "style", "path", "circle", "text", "tspan", "g"),
    }
    assert root.find(f"{SVG}title").text == "<title>"
    assert root.find(f"{SVG}circle/{SVG}title").text == '<script>x</script>" & \ufffd'


def test_a_legend_has_as_many_rows_as_it_needs():
    styles = [RunStyle("a name of thirty characters...", "#000000") for _ in range(4)]
    assert svg.legend_height(styles, 680) == 44
    assert svg.legend_height(styles, 2000) == 22
    assert svg.legend_height([], 680) == 0
