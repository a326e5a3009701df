"""Pictures of scores: some seeds and items of shipped runs, verdicts, and how many it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.figures import compare as figures
from app.figures import verdicts as verdict_figures
from app.figures.rows import empty_chart
from app.figures.scaling_ablations import scores_by_value_alt, scores_by_value_chart
from app.figures.theme import NEUTRAL, RunStyle, plotly_text, style_of_method
from app.learn.picture import Knob, Options, Picture, Shown, fit
from app.ui.charts import chart
from app.ui.run_styles import styles_by_run
from peftcore import paths
from peftcore.analysis import inference, judgement, power, run_tables
from peftcore.analysis.inference import SeedItemTable
from peftcore.analysis.judgement import JudgedRuns
from peftcore.errors import BadInput
from peftcore.experiments import published, studies
from peftcore.metrics.scores import find_measure
from peftcore.runs.store import Run, RunStore

FOLDERS = ("demo_runs", "real_runs", "study_runs", "sweep_runs", "pictures/runs")  # of assets
ITEM_STEPS = (10, 25, 50, 100, 200)
SEED_STEPS = (2, 3, 5, 8, 12, 20, 30, 60)
SHOTS_STUDY = "shots"
SCORES_HEIGHT = 340  # pixels
CURVE_SEEDS = (4, 8, 20, 60)
CURVE_ITEMS = (50, 100, 200, 500, 1000, 2000, 5000)


@dataclass(frozen=True)
class ScoredRuns:
    """Runs with a table of seeds and items each, and what they are drawn with."""

    metric: str
    tables: dict[str, SeedItemTable]
    styles: dict[str, RunStyle]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that all runs share."""
        first, *others = (table.seeds for table in self.tables.values())
        return tuple(seed for seed in first if all(seed in other for other in others))

    @property
    def items(self) -> tuple[str, ...]:
        """Test examples that all runs answered, in the order of the first."""
        first, *others = (table.items for table in self.tables.values())
        shared = set(first).intersection(*others)
        return tuple(item for item in first if item in shared)

    def judge(self, seeds: Sequence[int], items: Sequence[str]) -> JudgedRuns:
        """Judge the runs by these seeds and items alone."""
        parts = {run: table.select(seeds, items) for run, table in self.tables.items()}
        return judgement.judge(parts, self.metric)


def open_shipped(run: str) -> Run:
    """Open a run out of the folders of assets; BadInput if it does not ship."""
    for folder in FOLDERS:
        if (paths.ASSETS / folder / run).is_dir():
            return RunStore(paths.ASSETS / folder).open(run)
    raise BadInput(f"run {run} does not ship with the app")


@st.cache_resource(max_entries=16, show_spinner=False)
def scored_runs(ids: tuple[str, ...], metric: str) -> ScoredRuns:
    """Read the tables of shipped runs."""
    runs = [open_shipped(run) for run in ids]
    found = {run.id: run_tables.table_of_run(run, metric) for run in runs}
    tables = {run: table for run, table in found.items() if table is not None}
    if len(tables) < len(found):
        raise BadInput(f"not every run of {', '.join(ids)} has {metric}")
    return ScoredRuns(metric, tables, styles_by_run(runs))


def _runs_of(options: Options) -> ScoredRuns:
    return scored_runs(tuple(options["runs"]), str(options.get("metric", "accuracy")))


def _random_order(names: Sequence[str]) -> list[str]:
    """Return items in an order that a fixed seed drew, as the first few are to be a sample."""
    return [names[n] for n in np.random.default_rng(0).permutation(len(names))]


def _dots(scored: ScoredRuns, judged: JudgedRuns, title: str) -> go.Figure:
    """Draw mean, interval and a dot for each seed of every run."""
    parts = [
        pd.DataFrame({"run": run, "seed": table.seeds, scored.metric: table.seed_values()})
        for run, table in judged.tables.items()
    ]
    summary = judgement.with_estimates(pd.DataFrame({"run": list(judged.tables)}), judged)
    seeds = pd.concat(parts)
    return figures.score_intervals(summary, seeds, scored.metric, scored.styles, title=title)


def _show_dots(scored: ScoredRuns, judged: JudgedRuns, title: str, key: str) -> None:
    figure = _dots(scored, judged, title)
    summary = judgement.with_estimates(pd.DataFrame({"run": list(judged.tables)}), judged)
    figure.update_xaxes(
        range=[-0.03, 1.03] if judgement.points_scale(scored.metric) == 100 else None
    )
    alt = figures.score_intervals_alt(summary, scored.metric, scored.styles)
    height = max(SCORES_HEIGHT, int(figure.layout.height or 0))
    chart(fit(figure, height), key=f"learn.{key}", name=f"story-{key}", alt=alt)


def _verdict_text(scored: ScoredRuns, judged: JudgedRuns) -> str:
    names = {run: style.name for run, style in scored.styles.items()}
    return judgement.headline(judged, names)


def _basis(scored: ScoredRuns, seeds: int, items: int) -> str:
    runs = ", ".join(scored.tables)
    if all(run_tables.has_items(table) for table in scored.tables.values()):
        about = f"{items} test examples; other seeds and other examples of the task"
    else:
        about = "these examples only"
    return f"n = {seeds} seeds, {about}, margin 2 points. Runs {runs}"


def _one_seed_knob(options: Options) -> Knob:
    values = [str(seed) for seed in _runs_of(options).seeds]
    return Knob("Seed", values, values[0])


def _one_seed(options: Options, value: str) -> Shown:
    """Show one seed of two runs; how often each was better over all."""
    scored = _runs_of(options)
    judged = scored.judge([int(value)], scored.items)
    _show_dots(scored, judged, f"Seed {value} alone", "one-seed")
    best, other = list(judged.tables)[:2]
    values = {
        run: scored.tables[run].select(scored.seeds, scored.items).seed_values()
        for run in (best, other)
    }
    gap = float(values[best][scored.seeds.index(int(value))])
    gap -= float(values[other][scored.seeds.index(int(value))])
    wins = int((values[best] > values[other]).sum())
    words = judgement.signed_points(gap, scored.metric).removeprefix("+")
    return Shown(
        f"On seed {value} {scored.styles[best].name} is better by {words} points. On all "
        f"{len(scored.seeds)} seeds it is better in {wins}.",
        _basis(scored, 1, len(scored.items)),
    )


def _seeds_knob(options: Options) -> Knob:
    count = len(_runs_of(options).seeds)
    values = [str(n) for n in SEED_STEPS if n <= count]
    return Knob("Seeds", values, values[0])


def _some_seeds(options: Options, value: str) -> Shown:
    scored = _runs_of(options)
    judged = scored.judge(scored.seeds[: int(value)], scored.items)
    _show_dots(scored, judged, f"The first {value} seeds", "seeds")
    return Shown(
        _verdict_text(scored, judged),
        _basis(scored, int(value), len(scored.items)),
    )


def _items_knob(options: Options) -> Knob:
    count = len(_runs_of(options).items)
    values = [str(n) for n in ITEM_STEPS if n <= count]
    return Knob("Test examples", values, values[0])


def _some_items(options: Options, value: str) -> Shown:
    scored = _runs_of(options)
    judged = scored.judge(scored.seeds, _random_order(scored.items)[: int(value)])
    _show_dots(scored, judged, f"{value} test examples, all seeds", "items")
    return Shown(
        _verdict_text(scored, judged),
        _basis(scored, len(scored.seeds), int(value)),
    )


def _verdicts(options: Options, value: str) -> Shown:
    scored = _runs_of(options)
    judged = scored.judge(scored.seeds, scored.items)
    figure = verdict_figures.verdict_matrix(judged, scored.styles)
    chart(
        fit(figure, int(figure.layout.height or 0)),
        key="learn.verdicts",
        name="story-verdicts",
        alt=verdict_figures.verdict_matrix_alt(judged, scored.styles),
        table=verdict_figures.verdict_table(judged, scored.styles),
    )
    st.caption(verdict_figures.LEGEND)
    return Shown(
        judgement.count_in_words(judged) or _verdict_text(scored, judged),
        _basis(scored, len(scored.seeds), len(scored.items)),
    )


def _by_shots(options: Options, value: str) -> Shown:
    """Draw scaled prompt tuning and prompt tuning by number of examples, from the study's table."""
    rows = [row for row in studies.read(published.MEASURED) if row.study == SHOTS_STUDY]
    metric = rows[0].metric
    table = pd.DataFrame(
        [
            {"line": row.label, "place": row.shots, metric: float(score)}
            for row in rows
            for score in row.values.split()
        ]
    )
    styles = {row.label: style_of_method(row.method, row.label) for row in rows}
    axis = "Training examples"
    chart(
        fit(scores_by_value_chart(table, metric, styles, axis), SCORES_HEIGHT + 60),
        key="learn.shots",
        name="story-shots",
        alt=scores_by_value_alt(table, metric, axis),
        table=table,
    )
    first, second = styles
    judged = published.study_verdicts(rows, SHOTS_STUDY, first, second)
    counts = Counter(judged["verdict"])
    words = ", ".join(f"{verdict} in {count}" for verdict, count in counts.most_common())
    return Shown(
        f"{first} against {second}: {words} of {len(judged)} numbers of examples.",
        f"{rows[0].base}, {rows[0].task}; {rows[0].n} seeds, these examples, margin two points of "
        f"a hundred. `python -m peftcore experiment {SHOTS_STUDY}`",
    )


def _metric_knob(options: Options) -> Knob | None:
    """Offer several measures, where a step names them."""
    titles = [find_measure(metric).title for metric in options.get("metrics", ())]
    return Knob("Measure", titles, titles[0], slides=False) if titles else None


def _scores(options: Options, value: str) -> Shown:
    by_title = {find_measure(metric).title: metric for metric in options.get("metrics", ())}
    scored = _runs_of({**options, "metric": by_title[value]} if value in by_title else options)
    judged = scored.judge(scored.seeds, scored.items)
    _show_dots(scored, judged, f"All {len(scored.seeds)} seeds", "scores")
    return Shown(
        _verdict_text(scored, judged),
        _basis(scored, len(scored.seeds), len(scored.items)),
    )


def _needed_knob(options: Options) -> Knob:
    values = [str(n) for n in CURVE_SEEDS]
    return Knob("Seeds", values, values[0])


def _needed(options: Options, value: str) -> Shown:
    """Draw the smallest difference that can be seen by items, for a number of seeds."""
    scored = _runs_of(options)
    first, second = list(scored.tables.values())[:2]
    components = judgement.pair_components(first, second)
    if components is None:
        raise BadInput("that takes at least two seeds and two test examples")
    scale = judgement.points_scale(scored.metric)
    one, other = inference.common_part(first, second)
    gap = abs(float(other.seed_values().mean() - one.seed_values().mean())) * scale
    figure, seen = _needed_chart(components, int(value), scale, gap)
    chart(
        fit(figure, 400),
        key="learn.needed",
        name="story-needed",
        alt=f"Smallest difference seen with {value} seeds, in points: "
        + ", ".join(f"{items} items {points:.1f}" for items, points in seen.items()),
    )
    names = " and ".join(scored.styles[run].name for run in list(scored.tables)[:2])
    return Shown(
        f"{names} differ by {gap:.1f} points here. "
        + power.power_in_words(
            components, int(value), len(scored.items), max(round(gap, 1), 0.1) / scale, scale
        ),
        _basis(scored, len(scored.seeds), len(scored.items)),
    )


def _needed_chart(
    components: inference.Components, seeds: int, scale: float, gap: float
) -> tuple[go.Figure, dict[int, float]]:
    """Return the curve for a number of seeds, and its points by number of items."""
    figure, shown = empty_chart(400), {}
    for count in CURVE_SEEDS:
        found = {n: power.smallest_difference(components, count, n) for n in CURVE_ITEMS}
        points = {n: scale * each for n, each in found.items() if each is not None}
        if count == seeds:
            shown = points
        elif count != CURVE_SEEDS[-1]:
            continue
        figure.add_scatter(
            x=list(points),
            y=list(points.values()),
            mode="lines+markers" if count == seeds else "lines",
            line={
                "color": "#0072B2" if count == seeds else NEUTRAL,
                "width": 3 if count == seeds else 1.5,
                "dash": "solid" if count == seeds else "dot",
            },
            name=f"{count} seeds",
            hovertemplate=f"{count} seeds, %{{x}} items: %{{y:.1f}} points<extra></extra>",
        )
    figure.add_hline(
        y=gap,
        line={"color": "#D55E00", "dash": "dash"},
        annotation={"text": plotly_text("their difference"), "xanchor": "right"},
    )
    figure.update_xaxes(
        title_text="Test examples",
        type="log",
        tickvals=list(CURVE_ITEMS),
        ticktext=[f"{n:,}" for n in CURVE_ITEMS],
    )
    figure.update_yaxes(title_text="Smallest difference that is seen (points)", rangemode="tozero")
    figure.update_layout(showlegend=True, title={"text": "Four times in five", "x": 0})
    return figure, shown


_PAIR = frozenset({"runs", "metric"})
PICTURES = {
    "one_seed": Picture(_one_seed, _PAIR, _one_seed_knob),
    "some_seeds": Picture(_some_seeds, _PAIR, _seeds_knob),
    "some_items": Picture(_some_items, _PAIR, _items_knob),
    "verdicts": Picture(_verdicts, _PAIR),
    "scores": Picture(_scores, _PAIR | {"metrics"}, _metric_knob),
    "scores_by_shots": Picture(_by_shots),
    "needed": Picture(_needed, _PAIR, _needed_knob),
}
