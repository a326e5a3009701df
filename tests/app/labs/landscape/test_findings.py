"""Sentences about surfaces, lines and seeds, from made-up losses."""

from types import SimpleNamespace

import pandas as pd
import pytest

from app.labs.landscape import findings


def landscape(kind, rows=(), measures=()):
    return SimpleNamespace(
        request=SimpleNamespace(kind=kind, command_arguments=lambda: ["landscape", "a b"]),
        facts={"base": "tiny", "fingerprint": "f0f0f0f0f0", "n": 24},
        table=lambda: pd.DataFrame(rows, columns=["line", "t", "mark", "loss"]),
        measures=lambda: pd.DataFrame(measures),
    )


CORNERS = [("", None, f"vertex {nth}", loss) for nth, loss in enumerate((1.0, 2.0, 1.5))]


@pytest.mark.parametrize(
    ("loss", "place"),
    [
        (0.5, "lower than at every corner"),
        (2.5, "higher than at every corner"),
        (1.2, "between those of the corners"),
    ],
)
def test_the_centroid_is_placed_among_the_corners(loss, place):
    found = findings.landscape_finding(
        landscape("face", [*CORNERS, ("", None, "centroid", loss), ("", None, "", 9.0)])
    )
    assert found == (
        f"At the centroid, which answers, the loss is {loss:.3f}: {place}, 1.000 to 2.000."
    )


def test_without_a_centroid_the_span_is_given():
    found = findings.landscape_finding(landscape("plane", [*CORNERS, ("", None, "", 9.0)]))
    assert found == "The loss goes from 1.000 to 9.000 over this surface."


def test_an_unmeasured_surface_is_said_to_be_so():
    nothing = landscape("face", [("", None, "centroid", None)])
    assert findings.landscape_finding(nothing) == "Nothing is measured yet."


def line(name, *losses):
    return [(name, nth / (len(losses) - 1), "", loss) for nth, loss in enumerate(losses)]


def test_the_largest_barrier_is_named():
    rows = line("0–1", 1.0, 1.1, 1.0) + line("0–2", 1.0, 3.0, 2.0) + line("1–2", 1.0, None, None)
    assert findings.landscape_finding(landscape("cuts", rows)) == (
        "The largest barrier on 2 lines is 1.500 nats, on 0–2."
    )


def test_the_straight_way_is_compared_with_the_curve():
    rows = line("straight", 1.0, 3.0, 1.0) + line("curved", 1.0, 1.25, 1.0)
    found = findings.landscape_finding(landscape("curve", rows))
    assert "straight way rises by 2.000" in found
    assert "trained curve by 0.250" in found
    half = landscape("curve", line("straight", 1.0, None))
    assert findings.landscape_finding(half) == "No line is measured from end to end yet."


def test_flatness_is_its_mean_rise_with_an_interval_over_seeds():
    measures = [{"measure": "loss", "value": value} for value in (2.0, 2.0)]
    measures += [{"measure": "rise", "value": value} for value in (0.1, 0.2, 0.3)]
    found = findings.landscape_finding(landscape("flatness", measures=measures))
    assert found.startswith("Mean rise (nats): 0.2 on average, 95 % interval over seeds")
    single = findings.landscape_finding(landscape("flatness", measures=measures[2:3]))
    assert single == "Mean rise (nats): 0.1 on average."
    assert findings.landscape_finding(landscape("flatness")) == "Nothing is measured yet."


def test_validation_gives_the_spread_at_random_points():
    measures = [
        {"look": "points", "values": [1.0, 3.0]},  # standard deviation √2
        {"look": "points", "values": [2.0, 2.0]},
        {"look": "centroid", "values": [9.0]},
    ]
    found = findings.landscape_finding(landscape("validation", measures=measures))
    assert "varies by 0.707" in found
    assert "mean of 2 seeds" in found
    assert findings.landscape_finding(landscape("validation", measures=measures[2:])) == (
        "Nothing is measured yet."
    )


def test_the_command_is_quoted_for_a_shell():
    line_below = findings.quiet_line(landscape("face"))
    assert line_below.endswith("`python -m peftcore landscape 'a b'`")
