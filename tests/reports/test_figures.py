"""Figures show what the tables beside them say."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from support.runs import make_run

from peftcore.reports import figures
from peftcore.reports.groups import ReportOptions, group_runs
from peftcore.reports.sections import group_figures
from peftcore.reports.styles import RunStyle

SVG = "{http://www.w3.org/2000/svg}"


def tips(drawing):
    """The text of every mark."""
    root = ET.fromstring(drawing.markup(standalone=True))
    return [each.text for each in root.iter(f"{SVG}title")][1:]


def within(drawing):
    """Whether every coordinate of every path lies in the drawing."""
    root = ET.fromstring(drawing.markup(standalone=True))
    paths = [each.get("d") for each in root.iter(f"{SVG}path")]
    pairs = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", " ".join(paths))
    return all(
        -1 <= float(x) <= drawing.width + 1 and -1 <= float(y) <= drawing.height + 1
        for x, y in pairs
    )


def test_every_seed_has_a_dot_that_says_its_value(group):
    drawing = figures.dot_plot(group)
    shown = tips(drawing)
    for run in group.runs:
        for seed, value in enumerate(run.scores()["accuracy"]):
            assert f"{group.name(run.id)}, seed {seed}: {value:.3f}" in shown
    markup = drawing.markup()
    assert markup.count("<circle") == 16
    assert "Guessing among 3 labels: 0.333" in markup
    assert "95 % interval" in drawing.description
    assert within(drawing)


def test_a_mean_without_an_interval_says_why():
    group = group_runs([make_run("lora", population={"seeds": 1})], ReportOptions()).groups[0]
    drawing = figures.dot_plot(group)
    assert "; one seed says nothing about others" in drawing.markup()
    assert "(one seed says nothing about others), 1 seed" in drawing.description
    assert "stroke-opacity" not in drawing.markup()  # no bar


def test_the_best_stands_on_top(group):
    places = [
        figures.dot_plot(group).markup().index(f'<tspan font-weight="600">{group.name(run)}<')
        for run in group.estimates("accuracy")["run"]
    ]
    assert places == sorted(places)


def test_sixty_equal_seeds_stay_in_their_row():
    run = make_run("lora", population={"seeds": 60})
    group = group_runs([run], ReportOptions()).groups[0]
    equal = group.tables("accuracy")[run.id].statistics
    equal[:] = 1.0
    root = ET.fromstring(figures.dot_plot(group).markup(standalone=True))
    heights = [float(dot.get("cy")) for dot in root.iter(f"{SVG}circle")]
    assert len(heights) == 60
    assert max(heights) - min(heights) <= 20


def test_differences_are_those_of_the_verdicts_with_the_margin_around_zero(group):
    drawing = figures.difference_plot(group)
    markup, frame = drawing.markup(), group.verdicts("accuracy")
    best = group.estimates("accuracy")["run"].iloc[0]
    for row in frame[frame["first"] == best].itertuples():
        assert f"+{100 * row.difference:.1f} (" in markup
        assert row.verdict in markup
    assert "margin ±2 points" in markup
    assert "Within the margin" in markup
    assert within(drawing)


def test_one_run_has_no_difference_and_no_numbers_no_size():
    group = group_runs([make_run("lora")], ReportOptions()).groups[0]
    assert figures.difference_plot(group) is None
    group.runs[0].write_status(state="done", trainable=None)
    again = group_runs(group.runs, ReportOptions()).groups[0]
    assert figures.size_plot(again) is None


def test_size_shows_every_run_at_its_numbers_with_the_front(group):
    drawing = figures.size_plot(group)
    shown = tips(drawing)
    for row in group.estimates("accuracy").itertuples():
        words = f"{group.name(row.run)}: {row.trainable:,.0f} trained numbers, mean {row.mean:.3f}"
        assert any(tip.startswith(words) for tip in shown)
    assert drawing.markup().count('class="rule"') % 2 == 0
    assert within(drawing)


def test_curves_have_a_line_for_each_seed_and_a_mark_for_each_step(group):
    drawing = figures.learning_curves(group.histories, group.styles, "dev_loss")
    shown = tips(drawing)
    for run in group.runs:
        name = group.name(run.id)
        history = run.history()
        assert {f"{name}, seed {seed}" for seed in range(4)} <= set(shown)
        mean = history[history["step"] == 100]["dev_loss"].mean()
        assert f"{name}, step 100: {mean:.4g}, 4 seeds" in shown
    assert within(drawing)


def test_curves_that_fall_far_have_a_logarithmic_scale_and_flat_ones_do_not():
    def drawn(last):
        rows = [(step, 0, loss) for step, loss in ((1, 6.0), (2, 2.0), (3, last))]
        table = pd.DataFrame(rows, columns=["step", "seed", "dev_loss"])
        style = {"a": RunStyle("A", "#0072B2")}
        return figures.learning_curves({"a": table}, style, "dev_loss").markup()

    assert "nats, log scale" in drawn(0.1)
    assert "nats, log scale" not in drawn(1.5)
    assert "nats, log scale" not in drawn(0.0)  # a loss of zero has no place on a log scale


def test_a_loss_that_ran_away_is_left_out():
    rows = [(step, 0, loss) for step, loss in ((1, 6.0), (2, np.inf), (3, 4.0))]
    table = pd.DataFrame(rows, columns=["step", "seed", "dev_loss"])
    styles = {"a": RunStyle("A", "#0072B2")}
    drawing = figures.learning_curves({"a": table}, styles, "dev_loss")
    assert within(drawing)
    assert not {"inf", "nan"} & {word.lower() for word in re.findall("[a-zA-Z]+", drawing.markup())}


def test_a_thousand_steps_are_thinned_and_the_last_is_kept():
    steps = np.arange(1, 1001)
    table = pd.DataFrame({"step": steps, "seed": 0, "dev_loss": 1 / steps})
    markup = figures.learning_curves({"a": table}, {"a": RunStyle("A", "#0072B2")}, "dev_loss")
    longest = max(re.findall(r' d="(M[^"]*)"', markup.markup()), key=len)
    assert longest.count("L") == figures.MAX_POINTS - 1
    assert "M60" not in longest.split("L")[-1]
    assert figures.learning_curves({"a": table[:0]}, {}, "dev_loss") is None


def test_each_figure_is_a_file_of_its_own(group):
    drawings = group_figures(group)
    assert set(drawings) == {"seeds", "differences", "size", "validation-loss", "training-loss"}
    for drawing in drawings.values():
        root = ET.fromstring(drawing)
        assert root.tag == f"{SVG}svg"
        assert root.find(f"{SVG}desc").text


@pytest.mark.parametrize("low", [0.2, np.nan])
def test_human_scores_have_their_interval_or_none(low):
    row = ("gold", "Data set", 0.5, low, 0.8)
    rows = pd.DataFrame([row], columns=["source", "name", "mean", "low", "high"])
    markup = figures.human_plot(rows, {"gold": RunStyle("Data set", "#7A828C", "x")}, "Mean")
    assert ("0.50 (0.20 to 0.80)" in markup.markup()) == (low == low)
    assert ("stroke-width" in markup.markup()) == (low == low)
