"""The Grid view of the Components page: what training other subsets of the weights comes to."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from app.compare.selection import task_title
from app.figures import compare
from app.figures import components as figures
from app.labs.components import picker_component, selection
from app.state import cache
from app.theme import OTHERS, SYMBOLS, Look
from app.ui import errors, forms, url_state, widgets
from app.ui.charts import chart
from peftcore import tasks
from peftcore.adapters import component_map
from peftcore.adapters.base import METHODS
from peftcore.analysis import comparison, subsets
from peftcore.labs.components import grid as component_grid
from peftcore.labs.components.grid import KINDS, METHOD, SHIPPED_PRESETS, SubsetGrid
from peftcore.runs.spec import Members, RunSpec, Training
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.spec import SweepCell, SweepJob

FIRST = "miniworld_nli"  # the task whose grids ship
METRICS = ("accuracy", "normalised_chrf", "ratio_chrf", "broken", "unexplained")


@dataclass(frozen=True)
class Asked:
    """A grid and the metric it is judged by."""

    grid: SubsetGrid
    spec: RunSpec
    table: pd.DataFrame
    metrics: list[str]
    metric: str

    @property
    def file(self) -> str:
        """How files saved from here are called."""
        return f"{self.spec.base}-{self.spec.task}-{self.grid.kind}"


def show() -> None:
    """Choose base, task and subsets; what is done is drawn, what is missing can be trained."""
    spec = _spec()
    kind: str = st.segmented_control(
        "Subsets",
        list(KINDS),
        default="presets",
        required=True,
        format_func=KINDS.__getitem__,
        key="components.kind",
    )
    names = _names(spec.base) if kind == "presets" else list(SHIPPED_PRESETS)
    if kind == "layers":
        found = selection.find(spec.base)
        on = picker_component.on(found)
        if not on:
            st.info("Nothing is on in the map of this base; switch on what is to be taken apart.")
            return
        made = found.settings_for(on)
        spec = component_grid.vary_settings(spec, made)
        st.caption(
            "Takes apart what is on in the map: "
            f"{widgets.escape_markdown(selection.in_words(made))}."
        )
    grid = component_grid.build_subset_grid(kind, spec, cache.run_store(), names)
    table = grid.table()
    if table.empty:
        st.info("None of these runs is there yet; train them below.")
    else:
        _draw(_judged(grid, spec, table))
    _complete(grid)


def _spec() -> RunSpec:
    """What every subset has in common."""
    kinds = METHODS[METHOD].kinds
    here = [info.name for info in cache.list_bases() if info.kind in kinds]
    known = [name for name in here if selection.ships(name)]
    writing = [
        task.name for task in cache.list_tasks() if task.labels and cache.has_local_data(task.name)
    ]
    left, right = st.columns(2)
    key = "components.grid.base"
    base = left.selectbox(
        "Base model", known, key=key, on_change=url_state.sync_with_url("Base model", key, known)
    )
    key = "components.grid.task"
    task = right.selectbox(
        "Task",
        writing,
        format_func=task_title,
        key=key,
        on_change=url_state.sync_with_url(
            "Task", key, writing, format_option=task_title, first=FIRST
        ),
    )
    with st.expander("Training of every subset", icon=":material/tune:"):
        first, second, third, fourth = st.columns(4)
        with first:
            seeds = forms.field_widget(Members, "seeds", "components")
        with second:
            shots = forms.field_widget(Training, "shots", "components")
        with third:
            steps = forms.field_widget(Training, "steps", "components")
        with fourth:
            usual = f"{METHODS[METHOD].learning_rate:g}"
            rate = forms.field_widget(Training, "learning_rate", "components", usual)
    course = {"shots": shots, "steps": steps, "learning_rate": rate}
    return component_grid.subset_spec(base, task, {}, {"seeds": seeds}, course)


def _names(base: str) -> list[str]:
    """Which of the paper's configurations are set side by side."""
    known = component_map.find_map(base).presets
    names: list[str] = st.multiselect(
        "Configurations",
        list(known),
        default=[name for name in SHIPPED_PRESETS if name in known],
        key=f"components.names.{base}",
        placeholder="Choose two or more",
    )
    return names


def _judged(grid: SubsetGrid, spec: RunSpec, table: pd.DataFrame) -> Asked:
    metrics = [name for name in METRICS if name in table]
    main = tasks.find_task(spec.task).main_metric
    metrics = metrics if main in metrics else [main, *metrics]
    metric: str = st.selectbox(
        "Metric of the charts below",
        metrics,
        index=metrics.index(main),
        format_func=lambda name: compare.measure(name).title,
        key=f"components.metric.{spec.task}",
    )
    return Asked(grid, spec, table, metrics, metric)


def _draw(asked: Asked) -> None:
    whole = subsets.subset_scores(asked.table, asked.metrics)
    chart(
        figures.heat(whole, asked.metrics),
        key="components.heat",
        name=f"{asked.file}-grid",
        alt=figures.heat_alt(whole, asked.metrics),
        table=whole,
    )
    counts = sorted({int(n) for n in whole["n"] if n})
    seeds = " to ".join(map(str, dict.fromkeys(counts[:1] + counts[-1:])))
    st.caption(
        f"Means over {seeds} seed{'s' * (counts != [1])}, their intervals in the table; the "
        "numbers trained by one seed stand beside the name. A normalised "
        "score counts wrong labels as 0; divided by the accuracy it is the score of right answers, "
        "their ratio, which no number of right labels can lift. ↓: lower is better."
    )
    if asked.grid.kind == "layers":
        _layers(asked)
    else:
        _front(asked)
        _pairs(asked)


def _front(asked: Asked) -> None:
    """Score against numbers trained."""
    lower = compare.measure(asked.metric).better == "lower"
    runs = {run.id: one.name for one, run in asked.grid.done}
    table = cache.run_store().table([run for _, run in asked.grid.done])
    if asked.metric not in table:
        return
    summary = comparison.summarize_runs(table, asked.metric, lowest_first=lower)
    looks = {
        run: Look(name, OTHERS[nth % len(OTHERS)], SYMBOLS[nth % len(SYMBOLS)])
        for nth, (run, name) in enumerate(runs.items())
    }
    chart(
        compare.score_by_parameters(summary, asked.metric, looks),
        key="components.front",
        name=f"{asked.file}-front",
        alt=compare.score_by_parameters_alt(summary, asked.metric, looks),
        table=summary.assign(run=[runs[run] for run in summary["run"]]),
    )


def _pairs(asked: Asked) -> None:
    """Every two subsets, tested seed by seed."""
    if len(asked.grid.done) < 2:
        return
    found = subsets.subset_differences(asked.table, asked.metric)
    if found["difference"].isna().all():
        return
    chart(
        figures.pairs(found, asked.metric),
        key="components.pairs",
        name=f"{asked.file}-pairs",
        alt=figures.pairs_alt(found, asked.metric),
        table=found,
    )
    reachable = found["smallest_p"].min()
    enough = comparison.seeds_for_significance(0.05, len(found))
    st.caption(
        f"p: exact two-sided sign-flip test over pairs of seeds, after Holm's correction for "
        f"{len(found)} pairs. Before it, {int(found['n'].max())} seeds can reach {reachable:.3g} "
        f"at best; after it, 0.05 can be reached from {enough} seeds on."
    )


def _layers(asked: Asked) -> None:
    """What each layer does."""
    whole = asked.table[asked.table["name"] == component_grid.ALL_WEIGHTS]
    if whole.empty:
        st.info("Layers are judged against all of them together, and that run is not done yet.")
        return
    found = subsets.layer_effects(asked.table, asked.metric, component_grid.ALL_WEIGHTS)
    if found.empty:
        return
    mean = float(whole[asked.metric].mean())
    chart(
        figures.layers(found, asked.metric, mean),
        key="components.layers",
        name=f"{asked.file}-by-layer",
        alt=figures.layers_alt(found, asked.metric, mean),
        table=found,
    )


def _complete(grid: SubsetGrid) -> None:
    """What of a grid is there, and the one job that trains the rest."""
    work = component_grid.grid_job(grid)
    title = f"Runs of this grid: {len(grid.done)} of {len(grid.subsets)} are done"
    with st.expander(title, expanded=bool(grid.missing)):
        st.dataframe(_states(grid), hide_index=True, alt="Every run of this grid with its state")
        if work and grid.missing:
            _job(grid, work)


def _states(grid: SubsetGrid) -> pd.DataFrame:
    rows = [
        {
            "Subset": one.name,
            "State": widgets.state_name(run.status().state) if run else "Not run yet",
            "Run": run.id if run else "",
        }
        for one, run in zip(grid.subsets, grid.runs, strict=True)
    ]
    return pd.DataFrame(rows)


def _job(grid: SubsetGrid, work: SweepJob) -> None:
    """Start it, or watch and stop it; the page is drawn again whenever a run is done."""
    cells = work.request.cells()
    working, before = work.status().busy, _done(cells)

    @st.fragment(run_every=2.0 if working else None)
    @errors.guarded
    def live() -> None:
        if work.status().busy != working or _done(cells) != before:
            st.rerun()
        if working:
            _progress(grid, work)
        else:
            _start(grid, work)

    live()


def _done(cells: list[SweepCell]) -> int:
    return sum(state.done for state in sweep_status.cell_states(cells, cache.run_store()))


def _start(grid: SubsetGrid, work: SweepJob) -> None:
    missing, status = len(grid.missing), work.status()
    if status.state == "failed":
        st.error(widgets.escape_markdown(status.message), icon=":material/error:")
    verb = "Go on with" if status.updated else "Train"
    st.button(
        f"{verb} {missing} missing run{'s' * (missing > 1)}",
        type="primary",
        icon=":material/play_arrow:",
        key=f"components.train.{grid.kind}",
        on_click=component_grid.start_grid_job,
        args=(work, cache.run_store()),
        help="One job for all of them; it goes on if you close the page",
    )
    spent = [run.status().seconds for _, run in grid.done if run.status().seconds]
    if spent:
        pace = sum(spent) / len(spent)
        st.caption(
            "At the pace of those that are done about "
            f"{widgets.format_duration(pace * missing)}, one "
            "after another."
        )


def _progress(grid: SubsetGrid, work: SweepJob) -> None:
    """How many runs are trained, which are under way, and the button that stops them all."""
    of, status = len(grid.subsets), work.status()
    begun = [run.status() for one in grid.missing if (run := cache.run_store().find(one.spec))]
    at_work = [each for each in begun if each.state in ("training", "answering")]
    part = sum(each.step / each.steps for each in at_work if each.steps)
    words = f"{len(grid.done)} of {of} runs trained, {len(at_work)} under way"
    words += f", about {widgets.format_duration(status.left)} left" if status.left else ""
    stopping = work.stop_requested()
    words += ", stopping…" if stopping else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, (len(grid.done) + part) / of), text=words)
        st.button(
            "Stop",
            icon=":material/stop_circle:",
            key="components.stop",
            on_click=work.stop,
            disabled=stopping,
            help="What was learnt is kept, and can be gone on with",
        )
