"""The Grid view of the Components page: what training other subsets of the weights comes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from app.figures import compare, verdicts
from app.figures import components as figures
from app.figures.theme import EXTRA_COLOURS, SYMBOLS, RunStyle
from app.labs.components import picker_component, selection
from app.labs.components.selection import LAB
from app.state import cache
from app.state.run_catalog import task_title
from app.state.score_estimates import judged_runs, score_estimates
from app.ui import errors, forms, job_panel, widgets
from app.ui.charts import picture
from app.ui.frame import Frame
from app.ui.population import estimates_caption, pick_population, population_caption
from app.ui.subject import Choice, several
from peftcore import tasks
from peftcore.adapters import component_map
from peftcore.adapters.base import METHODS
from peftcore.analysis import comparison, judgement, subsets
from peftcore.analysis.inference import Population
from peftcore.labs.components import grid as component_grid
from peftcore.labs.components.grid import KINDS, METHOD, SHIPPED_PRESETS
from peftcore.runs.spec import Members, RunSpec, Training
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.grid import RunGrid
from peftcore.sweeps.spec import SweepCell, SweepJob

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

DEFAULT_TASK = "miniworld_nli"  # the task whose grids ship
GRID_METRICS = ("accuracy", "normalised_chrf", "ratio_chrf", "broken", "unexplained")


@dataclass(frozen=True)
class ScoredGrid:
    """A grid and the metric it is judged by."""

    grid: RunGrid
    spec: RunSpec
    table: pd.DataFrame
    metrics: list[str]
    metric: str

    @property
    def file_stem(self) -> str:
        """Return the start of the names of saved files."""
        return f"{self.spec.base}-{self.spec.task}-{self.grid.name}"


def show(frame: Frame) -> None:
    """Choose base, task and subsets; what is done is drawn, what is missing can be trained."""
    kinds = sorted(KINDS, key=lambda name: name != "presets")
    with frame.side:
        kind = Choice(LAB, "kind", "Subsets", kinds, option_text=KINDS.__getitem__).as_buttons()
        place = st.container()
    frame.explain(
        "A row is a subset of the base's weights trained alone, a column a metric: means over "
        "seeds, their intervals in the table; darker is better, ↓: lower is. A normalised score "
        "counts wrong labels as 0; divided by the accuracy it is the score of right answers, their "
        "ratio, which no number of right labels can lift."
    )
    with frame.more():
        spec = _pick_spec(frame.bar)
        presets = (
            _pick_components(spec.base)
            if kind == "combinations"
            else _pick_presets(spec.base)
            if kind == "presets"
            else list(SHIPPED_PRESETS)
        )
        population = pick_population("components.population")
    if kind == "layers":
        cell_map = selection.find_cell_map(spec.base)
        selected = picker_component.selected_cells(cell_map)
        if not selected:
            frame.picture.info(
                "Nothing is on in the map of this base; switch on what is to be taken apart."
            )
            return
        settings = cell_map.settings_for(selected)
        spec = component_grid.vary_settings(spec, settings)
        with frame.side:
            st.caption(
                "Takes apart what is on in the map: "
                f"{widgets.escape_markdown(selection.settings_in_words(settings))}."
            )
    grid = component_grid.build_subset_grid(kind, spec, cache.run_store(), presets)
    table = grid.table()
    if table.empty:
        frame.picture.info("None of these runs is there yet; train them below.")
    else:
        with place:
            scored_grid = _pick_metric(grid, spec, table)
        _show_charts(frame, scored_grid, population)
    with frame.below:
        _show_runs(grid)


def _pick_spec(bar: DeltaGenerator) -> RunSpec:
    """Offer what every subset has in common: base and task in the bar, the training here."""
    kinds = METHODS[METHOD].kinds
    base_names = [info.name for info in cache.list_bases() if info.kind in kinds]
    mapped_bases = [name for name in base_names if selection.has_shipped_map(name)]
    task_names = [task.name for task in cache.list_tasks() if task.labels and task.available()]
    with bar:
        base = Choice(LAB, "grid-base", "Base model", mapped_bases).as_list(
            label_visibility="collapsed", width=180
        )
        task = Choice(
            LAB, "task", "Task", task_names, first=DEFAULT_TASK, option_text=task_title
        ).as_list(label_visibility="collapsed", width=260)
    st.markdown("**Training of every subset**")
    first, second = st.columns(2)
    with first:
        seeds = forms.field_widget(Members, "seeds", "components")
        shots = forms.field_widget(Training, "shots", "components")
    with second:
        steps = forms.field_widget(Training, "steps", "components")
        default_rate = f"{METHODS[METHOD].learning_rate:g}"
        learning_rate = forms.field_widget(Training, "learning_rate", "components", default_rate)
    training = {"shots": shots, "steps": steps, "learning_rate": learning_rate}
    return component_grid.subset_spec(base, task, {}, {"seeds": seeds}, training)


def _pick_presets(base: str) -> list[str]:
    """Offer the paper's configurations to set side by side."""
    presets = component_map.find_map(base).presets
    return several(
        LAB,
        "names",
        "Configurations",
        list(presets),
        first=[name for name in SHIPPED_PRESETS if name in presets],
        placeholder="Choose two or more",
    )


def _pick_components(base: str) -> list[str]:
    """Offer the components whose combinations are set side by side."""
    known = component_grid.components_of(base)
    chosen = several(
        LAB,
        "combined",
        "Components to combine",
        known,
        first=known[:2],
        placeholder="Choose two or more",
    )
    return chosen[: component_grid.MOST_COMBINED]


def _pick_metric(grid: RunGrid, spec: RunSpec, table: pd.DataFrame) -> ScoredGrid:
    """Offer the metrics that the runs of a grid have."""
    metrics = [name for name in GRID_METRICS if name in table]
    main_metric = tasks.find_task(spec.task).main_metric
    metrics = metrics if main_metric in metrics else [main_metric, *metrics]
    metric = Choice(
        LAB,
        "metric",
        "Metric of the charts below",
        metrics,
        first=main_metric,
        option_text=lambda name: compare.find_measure(name).title,
    ).as_list()
    return ScoredGrid(grid, spec, table, metrics, metric)


def _show_charts(frame: Frame, scored_grid: ScoredGrid, population: Population) -> None:
    """Show the scores of the subsets and their tests."""
    estimates = {cell.name: score_estimates(run, population) for cell, run in scored_grid.grid.done}
    summary = subsets.subset_scores(scored_grid.table, scored_grid.metrics, estimates)
    frame.say(*_grid_finding(scored_grid))
    with frame.picture:
        quiet = picture(
            figures.subset_heatmap(summary, scored_grid.metrics),
            key="components.heat",
            name=f"{scored_grid.file_stem}-grid",
            alt=figures.subset_heatmap_alt(summary, scored_grid.metrics),
            table=summary,
        )
    shown = [
        (metric, found[metric])
        for found in estimates.values()
        for metric in scored_grid.metrics
        if metric in found
    ]
    quiet.caption(
        f"{estimates_caption(population, shown)} Numbers trained by one seed stand beside the name."
    )
    with frame.below:
        if scored_grid.grid.name == "layers":
            _show_layer_effects(scored_grid)
        else:
            _show_score_by_parameters(scored_grid)
            _show_differences(scored_grid, population)


def _grid_finding(scored_grid: ScoredGrid) -> tuple[str, str]:
    """Which subset scores highest on average, and that this is no verdict."""
    measure = compare.find_measure(scored_grid.metric)
    table = scored_grid.table
    if scored_grid.metric not in table:
        return "None of these runs has this metric.", ""
    means = table.groupby("name", sort=False)[scored_grid.metric].mean()
    best = means.idxmin() if measure.better == "lower" else means.idxmax()
    value = f"{means[best]:{compare.value_format(scored_grid.metric)}}"
    return (
        f"{measure.title}: on average “{best}” is best with {value}; the pairs below say whether "
        "that may be chance.",
        f"{len(means)} subsets, {table['seed'].nunique()} seeds",
    )


def _show_score_by_parameters(scored_grid: ScoredGrid) -> None:
    """Score against numbers trained."""
    lower_is_better = compare.find_measure(scored_grid.metric).better == "lower"
    runs = {run.id: subset.name for subset, run in scored_grid.grid.done}
    table = cache.run_store().table([run for _, run in scored_grid.grid.done])
    if scored_grid.metric not in table:
        return
    summary = comparison.summarize_runs(table, scored_grid.metric, lowest_first=lower_is_better)
    styles = {
        run: RunStyle(name, EXTRA_COLOURS[nth % len(EXTRA_COLOURS)], SYMBOLS[nth % len(SYMBOLS)])
        for nth, (run, name) in enumerate(runs.items())
    }
    picture(
        compare.score_by_parameters(summary, scored_grid.metric, styles),
        key="components.front",
        name=f"{scored_grid.file_stem}-front",
        alt=compare.score_by_parameters_alt(summary, scored_grid.metric, styles),
        table=summary.assign(run=[runs[run] for run in summary["run"]]),
    )


def _show_differences(scored_grid: ScoredGrid, population: Population) -> None:
    """Every subset against every other: the finding, and the matrix of verdicts."""
    runs = {run.id: subset.name for subset, run in scored_grid.grid.done}
    judged = judged_runs([run for _, run in scored_grid.grid.done], scored_grid.metric, population)
    if len(judged.tables) < 2:
        return
    styles = {run: RunStyle(name, EXTRA_COLOURS[0]) for run, name in runs.items()}
    bold = {run: f"**{widgets.escape_markdown(name)}**" for run, name in runs.items()}
    st.markdown(f"{judgement.headline(judged, bold)} {judgement.count_in_words(judged)}")
    picture(
        verdicts.verdict_matrix(judged, styles),
        key="components.pairs",
        name=f"{scored_grid.file_stem}-pairs",
        alt=verdicts.verdict_matrix_alt(judged, styles),
        table=lambda: verdicts.verdict_table(judged, styles),
    )
    estimates = judged.estimates.values()
    rests_on = population_caption(
        judged.population,
        [each.seeds for each in estimates],
        [] if judged.limits else [each.items for each in estimates],
    )
    st.caption(
        f"{verdicts.LEGEND}. The margin is {judged.margin:g} points; Holm's correction counts all "
        f"{len(judged.verdicts)} pairs. {rests_on}"
    )


def _show_layer_effects(scored_grid: ScoredGrid) -> None:
    """Show what each layer does."""
    full_runs = scored_grid.table[scored_grid.table["name"] == component_grid.ALL_WEIGHTS]
    if full_runs.empty:
        st.info("Layers are judged against all of them together, and that run is not done yet.")
        return
    effects = subsets.layer_effects(
        scored_grid.table, scored_grid.metric, component_grid.ALL_WEIGHTS
    )
    if effects.empty:
        return
    mean = float(full_runs[scored_grid.metric].mean())
    picture(
        figures.layer_effects_chart(effects, scored_grid.metric, mean),
        key="components.layers",
        name=f"{scored_grid.file_stem}-by-layer",
        alt=figures.layer_effects_alt(effects, scored_grid.metric, mean),
        table=effects,
    )


def _show_runs(grid: RunGrid) -> None:
    """Show which runs of a grid exist, and the one job that trains the rest."""
    job = component_grid.grid_job(grid)
    title = f"Runs of this grid: {len(grid.done)} of {len(grid.cells)} are done"
    with st.expander(title, expanded=bool(grid.missing)):
        st.dataframe(
            _run_states(grid), hide_index=True, alt="Every run of this grid with its state"
        )
        if job and grid.missing:
            _show_job(grid, job)


def _run_states(grid: RunGrid) -> pd.DataFrame:
    """Return the state of every run of a grid."""
    rows = [
        {
            "Subset": subset.name,
            "State": widgets.state_name(run.status().label) if run else "Not run yet",
            "Run": run.id if run else "",
        }
        for subset, run in grid.pairs
    ]
    return pd.DataFrame(rows)


def _show_job(grid: RunGrid, job: SweepJob) -> None:
    """Start it, or watch and stop it; the page is drawn again whenever a run is done."""
    cells = job.request.cells()
    working, done_before = job.status().active, _count_done(cells)

    @st.fragment(run_every=2.0 if working else None)
    @errors.guarded
    def live() -> None:
        if job.status().active != working or _count_done(cells) != done_before:
            st.rerun()
        if working:
            _show_progress(grid, job)
        else:
            _start_button(grid, job)

    live()


def _count_done(cells: list[SweepCell]) -> int:
    return sum(cell_state.done for cell_state in sweep_status.cell_states(cells, cache.run_store()))


def _start_button(grid: RunGrid, job: SweepJob) -> None:
    """Offer to train the missing runs in one job."""
    missing, status = len(grid.missing), job.status()
    if status.state == "failed":
        st.error(widgets.escape_markdown(status.message), icon=":material/error:")
    verb = "Go on with" if status.updated else "Train"
    st.button(
        f"{verb} {missing} missing run{'s' * (missing > 1)}",
        type="primary",
        icon=":material/play_arrow:",
        key=f"components.train.{grid.name}",
        on_click=component_grid.start_grid_job,
        args=(job, cache.run_store()),
        help="One job for all of them; it goes on if you close the page",
    )
    durations = [run.status().seconds for _, run in grid.done if run.status().seconds]
    if durations:
        mean_duration = sum(durations) / len(durations)
        st.caption(
            "At the pace of those that are done about "
            f"{widgets.format_duration(mean_duration * missing)}, one "
            "after another."
        )


def _show_progress(grid: RunGrid, job: SweepJob) -> None:
    """Show how many runs are trained, which are running, and a button that stops them all."""
    total, status = len(grid.cells), job.status()
    job_panel.keep_queue_going(status)
    statuses = [
        run.status() for subset in grid.missing if (run := cache.run_store().find(subset.spec))
    ]
    active = [each for each in statuses if each.state == "running"]
    partial = sum(each.step / each.steps for each in active if each.steps)
    words = f"{len(grid.done)} of {total} runs trained, {len(active)} under way"
    words += f", about {widgets.format_duration(status.left)} left" if status.left else ""
    words += ", stopping…" if job.stop_requested() else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, (len(grid.done) + partial) / total), text=words)
        job_panel.stop_button(job, "components.stop")
