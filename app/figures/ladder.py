"""The ladder of novelty as a picture: methods × rungs, each cell with score, interval, verdicts."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from app.figures.rows import empty_chart
from app.figures.theme import NEUTRAL, plotly_text, with_opacity
from app.figures.verdicts import SIGNS
from peftcore.analysis import judgement
from peftcore.experiments.ladder import RUNGS
from peftcore.experiments.ladder_results import METRIC, LadderResult, LadderScore

SCORE_COLOUR = "#2166AC"
CELL_HEIGHT = 46
LEGEND = (
    "▲ ahead of zero-shot, of 4 in context and of guessing; ▼ behind the best of them, = equal to "
    "it within the margin, ? cannot tell"
)
NOT_RUN = "not run"


def ladder_matrix(found: LadderResult) -> go.Figure:
    """Draw mean accuracy by method and rung, with the verdict against the baselines."""
    arms = found.arms
    shade: list[list[float | None]] = []
    words, hover = [], []
    for arm in arms:
        scores = [found.find(arm, rung.letter) for rung in RUNGS]
        shade.append([s.estimate.mean if s and s.estimate else None for s in scores])
        words += [_cell_text(score) for score in scores]
        hover.append([_hover(score, found) for score in scores])
    figure = empty_chart(150 + CELL_HEIGHT * len(arms))
    figure.add_heatmap(
        z=shade,
        zmin=0,
        zmax=1,
        colorscale=[[0, with_opacity(NEUTRAL, 0.06)], [1, with_opacity(SCORE_COLOUR, 0.45)]],
        showscale=False,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
        hoverongaps=False,
        xgap=2,
        ygap=2,
    )
    figure.add_scatter(
        x=[x for _ in arms for x in range(len(RUNGS))],
        y=[y for y in range(len(arms)) for _ in RUNGS],
        mode="text",
        text=words,
        textfont={"size": 10},
        hoverinfo="skip",
    )
    ticks = list(range(len(arms)))
    figure.update_yaxes(
        tickvals=ticks, ticktext=list(map(_row_name, arms)), autorange="reversed", showgrid=False
    )
    # Short words, one below the other: so much room has a phone.
    names = [f"{rung.letter}<br>{rung.short.replace(' ', '<br>')}" for rung in RUNGS]
    figure.update_xaxes(
        tickvals=list(range(len(RUNGS))), ticktext=names, side="top", showgrid=False, ticks=""
    )
    figure.update_xaxes(tickfont={"size": 10}, tickangle=0)
    return figure.update_layout(
        title={"text": "Accuracy by method and rung", "x": 0}, margin={"t": 92}
    )


def _row_name(arm: str) -> str:
    """Return a method's name in at most two lines, for which a phone has room."""
    head, _, tail = arm.rpartition(" ")
    return f"{plotly_text(head)}<br>{plotly_text(tail)}" if len(arm) > 10 and head else arm


def _cell_text(score: LadderScore | None) -> str:
    """Return the mean with the verdict's sign above its interval, in lines a phone has room for."""
    if score is None or score.estimate is None or score.estimate.mean is None:
        return "–"
    sign = SIGNS.get(score.summary, "")
    mean = f"{sign} {_share(score.estimate.mean)}".strip()
    interval = _interval(score)
    return f"{mean}<br>{interval}" if interval else mean


def _interval(score: LadderScore) -> str:
    """Return the limits, empty where there are none or both are the mean."""
    found = score.estimate
    if found is None or found.low is None or found.high is None or found.low == found.high:
        return ""
    return f"{_share(found.low)}–{_share(found.high)}"


def _share(value: float) -> str:
    """Return a share with two digits and no leading zero: .97, .00, 1."""
    return f"{value:.2f}".lstrip("0").replace("1.00", "1")


def _hover(score: LadderScore | None, found: LadderResult) -> str:
    """Return a cell in words: score, verdicts, tries."""
    if score is None or score.estimate is None:
        return ""
    cell = score.cell
    lines = [f"{cell.arm.label}, {cell.rung.name}", f"{_cell_text(score).replace('<br>', ', ')}"]
    for row in score.against.values():
        names = {row["first"]: row["first"], row["second"]: row["second"]}
        lines.append(judgement.pair_in_words(row, names, METRIC, found.margin))
    if cell.tries:
        lines.append(f"{len(cell.tries)} tries, chosen on dev: {cell.chosen and cell.chosen.value}")
    return "<br>".join(map(plotly_text, lines))


def ladder_matrix_alt(found: LadderResult) -> str:
    """Return every cell in words."""
    rungs: Mapping[str, str] = {rung.letter: rung.title for rung in RUNGS}
    parts = []
    for arm in found.arms:
        cells = []
        for letter, title in rungs.items():
            score = found.find(arm, letter)
            mean = score.estimate.mean if score and score.estimate else None
            cells.append(f"{title}: {NOT_RUN if mean is None else _share(mean)}")
        parts.append(f"{arm}, {', '.join(cells)}")
    return f"Accuracy by method and rung. {found.in_words()}. {'; '.join(parts)}."
