"""The views of the Images page that show what was measured: methods side by side, and editing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app.figures import images as figures
from app.labs.images import cache, findings, image_grid, selection
from app.labs.images.selection import LAB
from app.state.run_catalog import method_title
from app.ui import job_panel, widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.subject import Choice
from app.ui.widgets import escape_markdown
from peftcore import tasks
from peftcore.analysis import change_sentences
from peftcore.analysis.comparison import interval
from peftcore.labs.images import results_store, summary
from peftcore.labs.images.request import ImagesJob, ImagesKind, ImagesRequest
from peftcore.runs.store import Run
from peftcore.tasks.images import canvas, recognise, scenes

SAME_SHARE = 0.02  # shares that differ by less are equal
MIX_TITLES = {"none": "No atoms", "concept": "The shape's", "style": "The style's", "both": "Both"}


def show_methods(frame: Frame) -> None:
    """Show what every method drew for the same prompts, and how often that was right."""
    task = selection.pick_image_task(frame.bar)
    runs = _newest_per_method(cache.runs_of_task(task))
    if not runs:
        with frame.picture:
            selection.show_no_runs(task)
        return
    seed = runs[0].spec.population.seed_numbers()[selection.pick_seed(frame.bar, runs[:1])]
    with frame.side:
        age = Choice(LAB, "age", "Prompts", ["New", "Old"]).as_buttons(
            help="New: what pretraining left out. Old: what the base could draw before"
        )
    grid, prompts = _drawn_by_methods(runs, seed, age)
    stored = {run.id: results_store.load_figure(f"prune-{run.id}") for run in runs}
    figures_by_run = {run_id: figure for run_id, figure in stored.items() if figure}
    table = _scores(runs, figures_by_run)
    share = findings.base_share(list(figures_by_run.values()))
    frame.say(findings.methods_finding(table, share), findings.methods_guard(table))
    frame.explain(
        f"{selection.TASK_NOTES[task]} {reader_note(grid.world)}\n\n"
        "Every panel is one method; all draw the same prompts with the same chance, so pictures in "
        "the same place can be compared."
    )
    with frame.picture:
        quiet = grid.show(f"images.methods.{task}.{age}", f"{task}-{age.lower()}")
        drawn = widgets.escape_markdown("; ".join(dict.fromkeys(prompts)))
        quiet.caption(
            findings.quiet_line(runs[0], f"n = {len(prompts)} prompts", f"seed {seed}")
            + f" · row by row: {drawn}"
        )
    with frame.below:
        st.subheader("Scores", anchor=False)
        _show_scores(task, table, runs, figures_by_run)


def _drawn_by_methods(
    runs: list[Run], seed: int, age: str
) -> tuple[image_grid.ImageGrid, list[str]]:
    """A panel of pictures for every run, and the prompts that all of them drew."""
    world = tasks.find_task(runs[0].spec.task).image_world
    panels, notes, descriptions = {}, {}, {}
    for run in runs:
        rows = run.answers()
        rows = rows[(rows.seed == seed) & rows.example.str.contains(f"/{age.lower()}/")]
        rows = rows.iloc[:: max(1, len(rows) // 12)][:12]
        images = [canvas.code_to_picture(code) for code in rows.text]
        name = method_title(run.spec.method)
        panels[name] = images
        if world == "digits":  # read when the run was scored
            descriptions[name], correct = rows.predicted.tolist(), rows.correct.tolist()
        else:
            descriptions[name] = recognise.describe_pictures(world, images)
            pairs = zip(rows.source, images, strict=True)
            correct = [
                bool(recognise.matches_prompt(world, prompt, picture)) for prompt, picture in pairs
            ]
        notes[name] = f"{sum(correct)} of {len(correct)} match"
    return image_grid.ImageGrid(world, panels, notes, descriptions), rows.source.tolist()


def _scores(runs: list[Run], figures_by_run: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The scores of every method on new and old prompts, with the methods' names."""
    table = summary.scores_by_method(runs, figures_by_run)
    table["name"] = [
        method_title(method) + ("" if atoms_kept == "all" else f", {atoms_kept} kept")
        for method, atoms_kept in zip(table.method, table.kept, strict=True)
    ]
    return table


def _show_scores(
    task: str,
    table: pd.DataFrame,
    runs: list[Run],
    figures_by_run: Mapping[str, Mapping[str, Any]],
) -> None:
    """Show the scores of every method on new and old prompts."""
    spec = runs[0].spec
    picture(
        figures.alignment_intervals(table),
        key=f"images.scores.{task}",
        name=f"{task}-alignment",
        alt=figures.alignment_intervals_alt(table),
        table=table,
    ).caption(
        "Share of images that match the prompt, new and old: mean and 95 % interval of other seeds "
        f"on the same prompts, from {spec.population.seeds} seeds; "
        f"{spec.training.shots} new examples for training, and "
        f"{_old_examples_per_new(task) * spec.training.shots or 'no'} old ones beside them."
    )
    st.caption(_base_scores_text(cache.runs_of_task(task)))
    for figure in figures_by_run.values():
        st.caption(_pruning_gain_text(figure))


def _pruning_gain_text(figure: Mapping[str, Any]) -> str:
    """Say what removing the atoms that add least brings to new prompts."""
    table = summary.cross_validated_pruning(figure)
    new, old = (
        change_sentences.change_in_words(interval(table[name]), ".3f", SAME_SHARE)
        for name in ("gain", "old_gain")
    )
    return (
        "The share of images that match without the atoms that are needed least, against with "
        f"them: on new prompts {new}; on old prompts {old}. How many are kept is chosen for each "
        "seed by the others; intervals are about other seeds on the same prompts."
    )


def _old_examples_per_new(task: str) -> int:
    return int(getattr(tasks.find_task(task), "rehearsed", 0))


def _base_scores_text(runs: list[Run]) -> str:
    """Say what the base alone reaches on the same prompts, where no atom was left."""
    loaded = (results_store.load_figure(f"prune-{run.id}") for run in runs)
    measured = [figure for figure in loaded if figure]
    new, old = (findings.base_share(measured, name) for name in ("alignment", "old_alignment"))
    if new is None or old is None:
        return ""
    return f"The base alone: {new:.2f} on new and {old:.2f} on old prompts."


def show_editing(frame: Frame) -> None:
    """Show how many atoms images need: alignment against atoms removed."""
    run = selection.pick_run_of_task(frame)
    if run is None:
        return
    figure = results_store.load_figure(f"prune-{run.id}")
    if figure is None:
        with frame.picture:
            offer_measurement("prune", run.id)
        return
    world = tasks.find_task(run.spec.task).image_world
    metrics = [m for m in ("alignment", "belief", "evidence") if m in figure["rows"][0]]
    with frame.side:
        metric = Choice(
            LAB,
            f"shown-{world}",
            "Shown",
            metrics,
            first=summary.headline_metric(figure),
            option_text=lambda name: figures.metric_title(world, name),
        ).as_buttons(help="The logarithm tells steps towards a digit that no picture shows yet")
    enough = summary.fewest_sufficient_atoms(cache.pruning_intervals(run), order="earned")
    guard = rise_in_words(run, figure, "earned")
    frame.say(findings.editing_finding(enough, figure["atoms"]), escape_markdown(guard))
    frame.explain(
        "From left to right more atoms are kept, in four orders; the height is how well new "
        "prompts are drawn. An order that rises early finds the atoms that are needed. Which "
        "atoms matter is decided on other examples than those judged here."
    )
    with frame.picture:
        show_pruning_curve(run, figure, metric)
    with frame.below:
        _show_rises(run, figure, metric)


def show_pruning_curve(
    run: Run, figure: Mapping[str, Any], metric: str, chosen: int | None = None
) -> None:
    """A metric by number of atoms kept, and on what it was measured."""
    world = tasks.find_task(run.spec.task).image_world
    band = cache.pruning_intervals(run)
    images_per_point = figure["new"] * (1 + figure.get("again", 0))
    images_text = (
        "" if metric == "alignment" else f"{images_per_point} pictures of new ones a point and seed"
    )
    request = ImagesRequest.make({"kind": "prune", "runs": [run.id]})
    picture(
        figures.kept_atoms_curves(band, world, metric, chosen),
        key=f"images.curve.{chosen is None}",
        name=f"{run.id}-pruning-{metric}",
        alt=figures.kept_atoms_curves_alt(band, world, metric),
        table=lambda: band,
    ).caption(
        findings.quiet_line(
            run,
            f"{figure['new']} new and {figure['old']} old prompts",
            images_text,
            f"{len(figure['seeds'])} seeds",
            "95 % intervals of other seeds on these prompts",
            command=request.command(),
        )
    )


def rise_in_words(run: Run, figure: Mapping[str, Any], by: str) -> str:
    """Describe how steadily images approach the prompt as atoms are added in an order."""
    metric = summary.headline_metric(figure)
    rise = cache.metric_rise(run, metric, by)
    metric_title = figures.metric_title(tasks.find_task(run.spec.task).image_world, metric).lower()
    if not math.isfinite(rise.spearman):
        return (
            f"{figures.ORDER_TITLES[by]} first: {metric_title} is the same for every number of "
            "atoms."
        )
    return (
        f"{figures.ORDER_TITLES[by]} first: rank correlation of atoms kept with {metric_title} "
        f"{rise.spearman:.3f} ({rise.spearman_low:.3f} to {rise.spearman_high:.3f} with one of "
        f"{rise.seeds} seeds left out); {rise.kept_up} of {rise.steps} steps do not "
        f"fall, and it never lies more than {rise.deepest:.3f} below what fewer atoms gave."
    )


def _show_rises(run: Run, figure: Mapping[str, Any], metric: str) -> None:
    """Show in a table how steadily a metric rises along every order."""
    band = cache.pruning_intervals(run)
    rows = []
    for by in summary.ranked_orders(figure):
        rise = cache.metric_rise(run, metric, by)
        rows.append(
            {
                "Kept first": figures.ORDER_TITLES[by],
                "Spearman (one seed left out)": _interval_text(
                    rise.spearman, rise.spearman_low, rise.spearman_high
                ),
                "Kendall (one seed left out)": _interval_text(
                    rise.kendall, rise.kendall_low, rise.kendall_high
                ),
                "Steps up": f"{rise.kept_up} of {rise.steps}",
                "Deepest fall": f"{rise.deepest:.3f}",
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
        f"{figure['atoms']} atoms on, the interval of the share that matches reaches that of all."
    )


def _interval_text(value: float, low: float, high: float) -> str:
    """A correlation with its interval; a dash where nothing varies."""
    return f"{value:.3f} ({low:.3f} to {high:.3f})" if math.isfinite(value) else "–"


def show_mixes(concept: Run, style: Run, figure: Mapping[str, Any]) -> None:
    """Show what was measured of two runs' atoms at once, and the best shares."""
    band = summary.mix_scores(figure)
    names = MIX_TITLES | {"chosen": _chosen_mix_title(figure)}
    st.subheader("Over seeds and prompts", anchor=False)
    one, other, independent = summary.independent_alignment(concept, style)
    picture(
        figures.mix_intervals(band, names),
        key="images.mixes",
        name="both-alignment",
        alt=figures.mix_intervals_alt(band),
        table=band,
    ).caption(
        f"Prompts that ask for the unseen shape at night, which neither run was trained on: "
        f"{figure['new']} prompts, {len(figure['seeds'])} seeds, 95 % intervals of other seeds "
        f"on these prompts. Alone on new prompts of its own the shape's run matches in {one:.2f} "
        f"and the style's {other:.2f}; were the two independent, both together would reach "
        f"{independent:.2f}."
    )
    if "grid" not in figure:
        return
    table = summary.share_grid_scores(figure)
    metric = Choice(
        LAB,
        "worth",
        "Shown",
        list(figures.MIX_METRIC_TITLES),
        first="facts",
        option_text=figures.MIX_METRIC_TITLES.__getitem__,
    ).as_buttons()
    picture(
        figures.share_grid_heatmap(table, metric, figure["chosen"]),
        key="images.shares",
        name="both-shares",
        alt=figures.share_grid_alt(table, metric, figure["chosen"]),
        table=table,
    ).caption(
        "Shares are tried on as many other prompts of the same kind, mean of "
        f"{len(figure['seeds'])} seeds. The frame marks those at which most scenes match, "
        "then most facts; above they are judged on the prompts that were not used to choose them."
    )


def _chosen_mix_title(figure: Mapping[str, Any]) -> str:
    one, other = figure.get("chosen", (1.0, 1.0))
    return f"Both, {one:g} and {other:g}"


def offer_measurement(kind: ImagesKind, *ids: str) -> None:
    """Offer to measure what is not measured yet, in a process of its own."""
    job_panel.show_job(
        ImagesJob,
        ImagesRequest.make({"kind": kind, "runs": ids}),
        lambda job: None,  # the figure takes this panel's place when it is there
        "this run" if kind == "prune" else "both together",
        "Nobody has measured this yet. It takes a minute or two on a quiet processor.",
    )


def _newest_per_method(runs: list[Run]) -> list[Run]:
    """One run for each method, the newest, in the order methods are listed."""
    newest: dict[str, Run] = {}
    for run in runs:
        newest.setdefault(run.spec.method, run)
    order = [*results_store.METHODS, *sorted(set(newest) - set(results_store.METHODS))]
    return [newest[name] for name in order if name in newest]


def reader_note(world: str) -> str:
    """Who says what a picture shows."""
    if world == "digits":
        runs = cache.atom_runs_by_task().get("pictures_digit", [])
        figures_by_run = (results_store.load_figure(f"prune-{run.id}") for run in runs)
        accuracy = next((figure["reader"] for figure in figures_by_run if figure), None)
        accuracy_text = (
            ""
            if accuracy is None
            else f"; it names {100 * accuracy:.1f} % of real test digits rightly"
        )
        return f"A classifier fitted on real digits says what is shown{accuracy_text}."
    return (
        "A picture counts only if every pixel belongs to a shape of the prompt, in its colour "
        f"and place. Shapes: {', '.join(scenes.SHAPES)}."
    )
