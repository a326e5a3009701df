"""Charts of attention."""

import numpy as np
import pytest

from app.figures import attention as figures
from app.figures import scales
from peftcore.analysis import attention as a
from peftcore.analysis.comparison import Interval

WORDS = tuple(a.AttentionToken(word) for word in ("the", "<s>", "the"))
KEYS = (a.AttentionToken("P1", "prefix"), *WORDS)
WHOLE = scales.ColourLimit(1.0)
RNG = np.random.default_rng(0)


def pattern(layers=2, heads=3, queries=WORDS, keys=KEYS):
    weights = RNG.dirichlet(np.ones(len(keys)), (layers, heads, len(queries)))
    return a.AttentionPattern("encoder", ("s",) * layers, queries, keys, weights.astype(np.float32))


NOTES = [["note"] * 3] * 2


def test_the_overview_holds_every_value_of_every_head_in_its_place():
    one = pattern()
    figure = figures.head_overview(one, WHOLE, "x", NOTES)
    z = figure.data[0].z
    q, k = len(WORDS), len(KEYS)
    for layer, head in np.ndindex(2, 3):
        y, x = layer * (q + 1), head * (k + 1)
        assert z[y : y + q, x : x + k] == pytest.approx(one.weights[layer, head])
    assert np.isnan(z[q]).all()
    assert len(figure.data[0].x) == z.shape[1] + 1
    assert len(figure.data[0].y) == z.shape[0] + 1


def test_small_pictures_of_a_long_text_show_the_strongest_of_neighbours():
    many = tuple(a.AttentionToken(str(i)) for i in range(2 * figures.TILE_SIZE))
    one = pattern(1, 1, many, many)
    one.weights[0, 0, 5, 6] = -2.0
    z = figures.head_overview(one, WHOLE, "x", [["note"]]).data[0].z
    assert z.shape == (figures.TILE_SIZE, figures.TILE_SIZE)
    assert z[2, 3] == -2
    assert z[10, 20] == one.weights[0, 0, 20:22, 40:42].max()


def test_a_click_on_the_overview_reports_layer_and_head_in_the_middle_of_a_tile():
    spots = figures.head_overview(pattern(), WHOLE, "x", NOTES).data[1]
    found = dict(zip(map(tuple, spots.customdata), zip(spots.x, spots.y, strict=True), strict=True))
    assert found[1, 2] == pytest.approx((2.43, 1.43))
    assert len(found) == 6


def pixels(css, whole):
    """What a browser makes of a length in CSS, in a chart of `whole` pixels."""
    return eval(css.removeprefix("calc").replace("100%", str(whole)).replace("px", ""))


def test_the_frame_is_around_the_chosen_head_and_no_other():
    one = pattern()
    figure = figures.head_overview(one, WHOLE, "x", NOTES)
    frame = figures.tile_frame(one, 1, 2)
    for side, size, axis, ends in (
        ("left", "width", figure.layout.xaxis, "lr"),
        ("top", "height", figure.layout.yaxis, "tb"),
    ):
        before, after = (figure.layout.margin[end] for end in ends)
        low, high = sorted(axis.range)
        unit = (1000 - before - after) / (high - low)
        middle, begin = before + (axis.tickvals[-1] - low) * unit, pixels(frame[side], 1000)
        end = begin + pixels(frame[size], 1000)
        assert begin < middle - 0.4 * unit < middle + 0.4 * unit < end
        assert end - begin < unit


def test_repeated_and_hostile_words_keep_their_own_columns_and_stay_text():
    figure = figures.head_heatmap([("After", pattern())], 0, 0, WHOLE, False)
    axis = figure.layout.xaxis
    assert list(axis.ticktext) == ["<i>P1</i>", "the", "&lt;s&gt;", "the"]
    assert list(axis.tickvals) == [0, 1, 2, 3]
    assert "<s>" not in "".join(figure.data[1].text)


def test_hover_has_the_real_value():
    one = pattern()
    cells = figures.head_heatmap([("After", one)], 1, 2, WHOLE, False).data[1]
    assert f"{one.weights[1, 2, 0, 3]:.4f}" in cells.text[3]
    assert list(cells.customdata[3]) == [0, 3]


def test_a_line_divides_what_is_learnt_from_text():
    shapes = figures.head_heatmap([("After", pattern())], 0, 0, WHOLE, False).layout.shapes
    assert [shape.x0 for shape in shapes] == [0.5]


def test_before_and_after_share_a_scale_and_a_change_has_its_own():
    plain = pattern(keys=WORDS)
    before, after = a.align_patterns(plain, pattern())
    change = a.pattern_difference(before, after)
    panels = [("Before", before), ("After", after), ("Change", change)]
    limit = scales.colour_limit(*(one.weights for one in (before, after, change)))
    figure = figures.head_heatmap(panels, 0, 0, limit, True)
    maps = [trace for trace in figure.data if trace.type == "heatmap"]
    text = [trace.coloraxis for trace in maps if trace.coloraxis != "coloraxis3"]
    assert text == ["coloraxis", "coloraxis", "coloraxis2"]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, limit.top)
    among_text = np.abs(change.weights[0, 0][:, 1:]).max()
    assert figure.layout.coloraxis2.cmax == pytest.approx(among_text)
    words = figure.data[-2].text[0]
    assert "+" in words or "-" in words


def test_columns_that_are_learnt_have_a_colour_of_their_own():
    one = pattern()
    text, _, learnt = figures.head_heatmap([("After", one)], 0, 0, WHOLE, False).data
    assert np.isnan(text.z[:, 0]).all()
    assert np.isnan(learnt.z[:, 1:]).all()
    assert learnt.z[:, 0] == pytest.approx(one.weights[0, 0, :, 0])


def test_a_long_text_stays_above_the_fold_with_fewer_words_beside_it():
    many = tuple(a.AttentionToken(f"w{i}") for i in range(80))
    figure = figures.head_heatmap([("After", pattern(1, 1, many, many))], 0, 0, WHOLE, False)
    assert figure.layout.height == figures.MAX_HEIGHT
    inner = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    assert len(figure.layout.yaxis.tickvals) * figures.LABEL_PITCH <= inner + figures.LABEL_PITCH


def test_long_texts_side_by_side_keep_their_labels_apart():
    many = tuple(a.AttentionToken(str(i)) for i in range(50))
    one = pattern(1, 1, many[:3], many)
    figure = figures.head_heatmap([("a", one), ("b", one)], 0, 0, WHOLE, False)
    assert list(figure.layout.xaxis2.tickvals)[:3] == [0, 3, 6]
    assert len(figures.head_heatmap([("a", one)], 0, 0, WHOLE, False).layout.xaxis.tickvals) == 50


def test_a_large_pattern_keeps_its_words_and_takes_clicks_in_its_first_column():
    many = tuple(a.AttentionToken(f"w{i}") for i in range(90))
    picture, cells = figures.head_heatmap(
        [("a", pattern(1, 1, many, many))], 0, 0, WHOLE, False
    ).data
    assert len(cells.text) == 90
    assert picture.text[2][5] == "w2 (3) → w5 (6)"
    assert "%{z:.4f}" in picture.hovertemplate


def test_rows_that_are_missing_carry_no_cells():
    soft = (a.AttentionToken("S1", "soft"), *WORDS)
    change = a.pattern_difference(pattern(keys=WORDS), pattern(queries=soft, keys=soft))
    cells = figures.head_heatmap([("Change", change)], 0, 0, WHOLE, True).data[1]
    assert len(cells.text) == 12


ROWS = [
    a.HeadRow(
        0,
        0,
        Interval(0, None, None, 1, "one seed"),
        Interval(0.5, 0.4, 0.6, 4),
        Interval(0.5, 0.4, 0.6, 4),
    ),
    a.HeadRow(
        0,
        1,
        Interval(0, None, None, 1, "one seed"),
        Interval(0.1, 0.0, 0.2, 4),
        Interval(-0.1, -0.2, 0.0, 4),
    ),
]


def test_heads_show_means_and_say_limits_and_seeds_on_hover():
    figure = figures.head_measure_table(ROWS, "change", "learnt", (0, 1))
    assert list(figure.data[1].text) == ["+0.50", "-0.10"]
    assert "95 % interval +0.400 to +0.600, 4 seeds" in figure.data[1].customdata[0][2]
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    assert figure.layout.yaxis.ticktext == ("1",)
    assert (
        "one seed"
        in figures.head_measure_table(ROWS, "before", "learnt", (0, 0)).data[1].customdata[0][2]
    )


def test_words_name_the_extremes():
    assert "largest 0.500 in layer 1, head 1" in figures.head_measure_alt(ROWS, "after", "learnt")
    moved = np.array([[0.1, 0.2, 0.9], [0, 0, 0]])
    assert "layer 1 head 3 (0.90)" in figures.head_overview_alt(pattern(), moved, "x")
    assert "1 of them virtual tokens" in figures.head_heatmap_alt(pattern(), 0, 0, ["a to b: 1"])


def test_steps_draw_scores_powers_and_weights_of_every_key():
    steps = a.ScoreInputs(
        RNG.normal(size=(1, 1, 3, 2)),
        RNG.normal(size=(1, 1, 4, 2)),
        np.array([[[[0, 0, 0, -np.inf]] * 3]]),
        (0.7,),
    )
    one = a.AttentionPattern("encoder", ("s",), WORDS, KEYS, np.zeros((1, 1, 3, 4)), steps)
    walk = a.trace_query(one, 0, 0, 1)
    figure = figures.query_trace_chart(walk, "title")
    assert [trace.type for trace in figure.data] == ["heatmap", "bar", "bar", "bar"]
    assert np.isnan(figure.data[1].x[3])
    assert list(figure.data[3].x) == pytest.approx(walk.weights)
    assert "weight" in figures.query_trace_alt(walk)
