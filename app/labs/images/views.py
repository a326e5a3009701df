"""The views of the Images page that show what was measured: methods side by side, and editing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.figures import images as figures
from app.labs.images import cache, image_grid, selection
from app.ui import job_panel, widgets
from app.ui.charts import chart
from app.ui.run_styles import method_title
from app.ui.widgets import escape_markdown
from peftcore import tasks
from peftcore.analysis.comparison import Interval, interval
from peftcore.labs.images import results_store, summary
from peftcore.labs.images.request import ImagesJob, ImagesKind, ImagesRequest
from peftcore.runs.store import Run
from peftcore.tasks.images import canvas, recognise, scenes

MIXES = {"none": "No atoms", "concept": "The shape's", "style": "The style's", "both": "Both"}


def methods() -> None:
    """What every method drew for the same prompts, and how often that was right."""
    task = selection.pick_task()
    found = _latest(cache.runs(task))
    if not found:
        selection.nothing(task)
        return
    world = tasks.find_task(task).image_world
    numbers = found[0].spec.population.seed_numbers()
    with st.container(horizontal=True):
        age = st.segmented_control(
            "Prompts",
            ["New", "Old"],
            default="New",
            required=True,
            key="images.age",
            help="New: what the base never saw. Old: what it could draw before",
        )
        seed = st.selectbox("Seed", numbers, key=f"images.methods.seed.{task}", width=120)
    panels, notes, told = {}, {}, {}
    for run in found:
        rows = run.answers()
        rows = rows[(rows.seed == seed) & rows.example.str.contains(f"/{age.lower()}/")]
        rows = rows.iloc[:: max(1, len(rows) // 12)][:12]
        shown = [canvas.code_to_picture(code) for code in rows.text]
        name = method_title(run.spec.method)
        panels[name] = shown
        if world == "digits":  # read when the run was scored
            told[name], right = rows.predicted.tolist(), rows.correct.tolist()
        else:
            told[name] = recognise.describe_pictures(world, shown)
            pairs = zip(rows.source, shown, strict=True)
            right = [
                bool(recognise.matches_prompt(world, prompt, picture)) for prompt, picture in pairs
            ]
        notes[name] = f"{sum(right)} of {len(right)} as asked"
    asked = rows.source.tolist()
    image_grid.show(
        world,
        panels,
        notes,
        told,
        key=f"images.methods.{task}.{age}",
        name=f"{task}-{age.lower()}",
        columns=4,
        across=3,
    )
    st.caption(
        f"The same {len(asked)} prompts, drawn with the same chance by every method, seed {seed}; "
        f"row by row: {escape_markdown('; '.join(dict.fromkeys(asked)))}."
    )
    _scores(task, found)


def _scores(task: str, found: list[Run]) -> None:
    measured = {run.id: results_store.load_figure(f"prune-{run.id}") for run in found}
    known = {run_id: figure for run_id, figure in measured.items() if figure}
    table = summary.scores_by_method(found, known)
    table["name"] = [
        method_title(method) + ("" if kept == "all" else f", {kept} kept")
        for method, kept in zip(table.method, table.kept, strict=True)
    ]
    chart(
        figures.scores(table),
        key=f"images.scores.{task}",
        name=f"{task}-alignment",
        alt=figures.scores_alt(table),
        table=table,
    )
    spec = found[0].spec
    st.caption(f"{reader(tasks.find_task(task).image_world)} {_before(cache.runs(task))}")
    st.caption(
        "Share of pictures as asked, of new and of old prompts: mean and 95 % interval over "
        f"{spec.population.seeds} seeds; "
        f"{spec.training.shots} new examples for training, and "
        f"{_rehearsed(task) * spec.training.shots or 'no'} old ones beside them."
    )
    for figure in known.values():
        st.caption(_gain(figure))


def _gain(figure: Mapping[str, Any]) -> str:
    """What removing the atoms that earn least brings to new prompts, in words."""
    table = summary.cross_validated_pruning(figure)
    new, old = (_signed(interval(table[name])) for name in ("gain", "old_gain"))
    return (
        f"Without the atoms that are needed least, the share as asked changes by {new} on new and "
        f"by {old} on old prompts, {len(table)} seeds paired. How many are kept is chosen for each "
        "seed by the others."
    )


def _signed(told: Interval) -> str:
    words = "" if told.low is None else f" (95 % {told.low:+.3f} to {told.high:+.3f})"
    return f"{told.mean:+.3f}{words}".replace("-", "−")


def _rehearsed(task: str) -> int:
    return int(getattr(tasks.find_task(task), "rehearsed", 0))


def _before(found: list[Run]) -> str:
    """What the base alone reaches on the same prompts, where atoms were pruned to nothing."""
    for run in found:
        figure = (
            results_store.load_figure(f"prune-{run.id}") if run.spec.method == "atoms" else None
        )
        if figure:
            none = [row for row in figure["rows"] if row["k"] == 0]
            return (
                f"The base alone: {none[0]['alignment']:.2f} on new and "
                f"{none[0]['old_alignment']:.2f} on old prompts."
            )
    return ""


def editing() -> None:
    """How many atoms pictures need: alignment against atoms removed."""
    task, found = selection.pick_weighed()
    if not task:
        return
    run = selection.pick_run("Run", found, f"images.editing.{task}")
    figure = results_store.load_figure(f"prune-{run.id}")
    if figure is None:
        measure("prune", run.id)
        return
    world = tasks.find_task(task).image_world
    known = [m for m in ("alignment", "belief", "evidence") if m in figure["rows"][0]]
    metric = st.segmented_control(
        "Shown",
        known,
        default=summary.headline_metric(figure),
        required=True,
        format_func=lambda name: figures.seen_by(world, name),
        key=f"images.eye.{run.id}",
        help="The logarithm tells steps towards a digit that no picture shows yet",
    )
    curve(run, figure, metric)
    _rises(run, figure, metric)


def curve(run: Run, figure: Mapping[str, Any], metric: str, chosen: int | None = None) -> None:
    """A metric by number of atoms kept, and on what it was measured."""
    world = tasks.find_task(run.spec.task).image_world
    band = cache.curve(run)
    chart(
        figures.curve(band, world, metric, chosen),
        key=f"images.curve.{chosen is None}",
        name=f"{run.id}-pruning-{metric}",
        alt=figures.curve_alt(band, world, metric),
        table=lambda: band,
    )
    more = figure["new"] * (1 + figure.get("again", 0))
    told = "" if metric == "alignment" else f", {more} pictures of new ones a point and seed"
    st.caption(
        f"{figure['new']} new and {figure['old']} old prompts{told}; {len(figure['seeds'])} seeds, "
        "95 % intervals over seeds. Which atoms matter is decided on other examples than those "
        "judged here."
    )


def steadily(run: Run, figure: Mapping[str, Any], by: str) -> str:
    """How steadily pictures become what was asked for as atoms are added in an order, in words."""
    metric = summary.headline_metric(figure)
    told = cache.rise(run, metric, by)
    seen = figures.seen_by(tasks.find_task(run.spec.task).image_world, metric).lower()
    if not math.isfinite(told.spearman):
        return f"{figures.ORDERS[by]} first: {seen} is the same for every number of atoms."
    return (
        f"{figures.ORDERS[by]} first: rank correlation of atoms kept with {seen} "
        f"{told.spearman:.3f} (95 % {told.spearman_low:.3f} to {told.spearman_high:.3f}, "
        f"{told.seeds} seeds drawn again and again); {told.kept_up} of {told.steps} steps do not "
        f"fall, and it never lies more than {told.deepest:.3f} below what fewer atoms gave."
    )


def _rises(run: Run, figure: Mapping[str, Any], metric: str) -> None:
    """How steadily a metric rises along every order, as a table."""
    band = cache.curve(run)
    rows = []
    for by in summary.ranked_orders(figure):
        told = cache.rise(run, metric, by)
        rows.append(
            {
                "Kept first": figures.ORDERS[by],
                "Spearman (95 %)": _told(told.spearman, told.spearman_low, told.spearman_high),
                "Kendall (95 %)": _told(told.kendall, told.kendall_low, told.kendall_high),
                "Steps up": f"{told.kept_up} of {told.steps}",
                "Deepest fall": f"{told.deepest:.3f}",
                "Enough": summary.fewest_sufficient_atoms(band, order=by),
            }
        )
    widgets.table_with_download(
        pd.DataFrame(rows),
        key="images.rises",
        name="orders",
        alt="How steadily pictures follow the number of atoms, by order",
    )
    st.caption(
        "Rank correlations of the number of atoms with the mean over seeds; 1 is monotone. "
        "Intervals by drawing seeds again and again. Steps up: from one number of atoms to the "
        "next without a fall; deepest fall: below what fewer atoms gave. Enough: from so many of "
        f"{figure['atoms']} atoms on, the interval of the share as asked reaches that of all."
    )


def _told(value: float, low: float, high: float) -> str:
    """A correlation with its interval; a dash where nothing varies."""
    return f"{value:.3f} ({low:.3f} to {high:.3f})" if math.isfinite(value) else "–"


def mixed(concept: Run, style: Run, figure: Mapping[str, Any]) -> None:
    """What was measured of two runs' atoms at once, and at which shares they do best."""
    band = summary.mix_scores(figure)
    names = MIXES | {"chosen": _chosen(figure)}
    chart(
        figures.mixes(band, names),
        key="images.mixes",
        name="both-alignment",
        alt=figures.mixes_alt(band),
        table=band,
    )
    one, other, independent = summary.independent_alignment(concept, style)
    st.caption(
        f"Prompts that ask for the unseen shape at night, which neither run was trained on: "
        f"{figure['new']} prompts, {len(figure['seeds'])} seeds, 95 % intervals over seeds. Alone "
        f"on new prompts of its own the shape's run draws {one:.2f} as asked and the style's "
        f"{other:.2f}; were the two independent, both together would reach {independent:.2f}."
    )
    if "grid" not in figure:
        return
    table = summary.share_grid_scores(figure)
    metric = st.segmented_control(
        "Shown",
        list(figures.WORTH),
        default="facts",
        required=True,
        format_func=figures.WORTH.__getitem__,
        key="images.worth",
    )
    chart(
        figures.shares(table, metric, figure["chosen"]),
        key="images.shares",
        name="both-shares",
        alt=figures.shares_alt(table, metric, figure["chosen"]),
        table=table,
    )
    st.caption(
        "Shares are tried on as many other prompts of the same kind, mean of "
        f"{len(figure['seeds'])} seeds. The frame marks those at which most scenes are as asked, "
        "then most facts; above they are judged on the prompts that were not used to choose them."
    )


def _chosen(figure: Mapping[str, Any]) -> str:
    one, other = figure.get("chosen", (1.0, 1.0))
    return f"Both, {one:g} and {other:g}"


def measure(kind: ImagesKind, *ids: str) -> None:
    """Offer to measure what is not measured yet, in a process of its own."""
    job_panel.show_job(
        ImagesJob,
        ImagesRequest.make({"kind": kind, "runs": ids}),
        lambda found: None,  # the figure takes this panel's place when it is there
        "this run" if kind == "prune" else "both together",
        "Nobody has measured this yet. It takes a minute or two on a quiet processor.",
    )


def _latest(found: list[Run]) -> list[Run]:
    """One run for each method, the newest, in the order methods are listed."""
    first: dict[str, Run] = {}
    for run in found:
        first.setdefault(run.spec.method, run)
    order = [*results_store.METHODS, *sorted(set(first) - set(results_store.METHODS))]
    return [first[name] for name in order if name in first]


def reader(world: str) -> str:
    """Who says what a picture shows."""
    if world == "digits":
        runs = cache.weighed().get("pictures_digit", [])
        figures_of = (results_store.load_figure(f"prune-{run.id}") for run in runs)
        known = next((figure["reader"] for figure in figures_of if figure), None)
        share = (
            "" if known is None else f"; it names {100 * known:.1f} % of real test digits rightly"
        )
        return f"A classifier fitted on real digits says what is shown{share}."
    return (
        "A picture counts only if every pixel belongs to a shape that was asked for, in its colour "
        f"and place. Shapes: {', '.join(scenes.SHAPES)}."
    )
