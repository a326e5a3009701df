"""Sweeps on the Train page: what is chosen above on more bases and tasks, with several settings.

A sweep is done by a process of its own, which outlives the page; its file is offered too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.state import cache
from app.state.costs import CostEstimator
from app.training.specs_from_form import TrainForm
from app.ui import errors, job_panel, permitted, widgets
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.settings import Settings
from peftcore.sweeps import costs, execute
from peftcore.sweeps import spec as sweep_spec
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.costs import SweepPreview
from peftcore.sweeps.engines import slurm_programs
from peftcore.sweeps.engines.local import default_processes
from peftcore.sweeps.engines.slurm_programs import SlurmSite
from peftcore.sweeps.spec import Sweep, SweepJob
from peftcore.sweeps.status import CellState

if TYPE_CHECKING:
    from peftcore.training.planning import CostEstimate

VARY_NOTHING = "nothing"
ENGINES = {"local": "Processes of this machine", "slurm": "Slurm"}
SLURM_EXAMPLES = {"time": "As 90 (minutes), 1:30:00 or 2-12:00:00", "memory": "As 900M or 8G"}
COUNTED_SWEEP = "sweep.counted"  # in the session: the sweep whose cost was asked for


@dataclass(frozen=True)
class FormVariation:
    """What a sweep varies in the methods of the form: learning rates, and one setting of one."""

    learning_rates: str = ""  # with commas between them; empty: each method's own
    setting: str = VARY_NOTHING  # "method: setting"
    values: str = ""

    def method_entry(self, form: TrainForm, name: str) -> dict[str, Any]:
        """Return one method as a sweep's file has it; BadInput for values that are none."""
        settings = _non_defaults(form.settings[name])
        method, _, setting = self.setting.partition(": ")
        if method == name and self.values:
            settings[setting] = sweep_spec.parse_values(self.values)
        rate = None if self.learning_rates else form.learning_rates.get(name)
        training = {} if rate is None else {"learning_rate": rate}
        return {"method": name, "settings": settings, "training": training}


def show(form: TrainForm) -> None:
    """Show the panel: more of everything, what it costs, and the sweeps of this workspace."""
    with st.expander("Sweep: many bases, tasks and settings at once", icon=":material/grid_view:"):
        sweep = _pick_sweep(form)
        if sweep:
            _offer_sweep(sweep)
        _watch_sweeps()


def _pick_sweep(form: TrainForm) -> Sweep | None:
    """Return the sweep of what is chosen above and here; None, with the reason shown, if bad."""
    st.caption(
        "The methods ticked above with their settings and seeds, also on more bases and tasks, and "
        "with more values of a setting. Each combination becomes a run."
    )
    left, right = st.columns(2)
    more = [info.name for info in cache.list_bases() if info.name != form.base]
    bases = [form.base, *left.multiselect("More bases", more, key="sweep.bases")]
    more = [each.name for each in cache.list_tasks() if each.name != form.task]
    tasks = [form.task, *right.multiselect("More tasks", more, key="sweep.tasks")]
    variation = _pick_variation(form)
    seeds_per_shard, where = _pick_execution()
    training = _non_defaults(form.training)
    try:
        if variation.learning_rates:
            training["learning_rate"] = sweep_spec.parse_values(variation.learning_rates)
        return Sweep.make(
            {
                "bases": bases,
                "tasks": tasks,
                "methods": [variation.method_entry(form, name) for name in form.settings],
                "episodes": _non_defaults(form.population) | {"seeds": form.population.seeds},
                "training": training,
                "evaluation": _non_defaults(form.evaluation),
                "chunk": seeds_per_shard,
                "where": where,
            }
        )
    except BadInput as error:
        st.error(widgets.escape_markdown(str(error)), icon=":material/error:")
        return None


def _pick_variation(form: TrainForm) -> FormVariation:
    """Offer the learning rates and the setting to vary."""
    first, second, third = st.columns(3)
    learning_rates = first.text_input(
        "Learning rates",
        key="sweep.rates",
        placeholder="each method's own",
        help="With commas between them, such as 0.001, 0.005",
    )
    settings = [f"{m}: {n}" for m in form.settings for n in METHODS[m].Config.model_fields]
    setting = second.selectbox("Vary as well", [VARY_NOTHING, *settings], key="sweep.vary")
    values = third.text_input(
        "Its values",
        key="sweep.values",
        disabled=setting == VARY_NOTHING,
        placeholder="4, 8, 16",
        help="With commas between them; a setting that takes a list wants [one], [another, third]",
    )
    return FormVariation(learning_rates, setting, values)


def _pick_execution() -> tuple[int, dict[str, Any]]:
    """Return how many seeds a part has, and what trains parts: processes here, or a cluster."""
    first, second, third = st.columns(3)
    seeds_per_shard = first.number_input(
        "Seeds in a part",
        1,
        64,
        12,
        key="sweep.chunk",
        help="A part is trained in one pass and can be retried alone",
    )
    engine = "local"
    if slurm_programs.found():
        engine = third.selectbox(
            "Trained by",
            list(ENGINES),
            format_func=ENGINES.__getitem__,
            key="sweep.engine",
            help="Slurm trains each part as a task of an array job, on nodes that share this disk",
        )
    if engine == "slurm":
        at_once = second.number_input(
            "Parts at once",
            1,
            1024,
            None,
            key="sweep.at_once",
            placeholder="as many as Slurm allows",
        )
        return int(seeds_per_shard), {
            "engine": engine,
            "processes": at_once,
            "slurm": _pick_slurm_site(),
        }
    processes = second.number_input(
        "Processes",
        1,
        64,
        default_processes("cpu"),
        key="sweep.processes",
        help="Parts trained at once; one for each processor core is best",
    )
    return int(seeds_per_shard), {"processes": int(processes)}


def _pick_slurm_site() -> dict[str, Any]:
    """Offer what a part asks of the cluster; what is left empty is the cluster's to say."""
    fields = SlurmSite.model_fields
    values: dict[str, Any] = {}
    columns = st.columns(3)
    for number, name in enumerate(("partition", "time", "memory")):
        values[name] = (
            columns[number]
            .text_input(
                str(fields[name].description),
                key=f"sweep.slurm.{name}",
                placeholder="the cluster's default",
                help=SLURM_EXAMPLES.get(name),
            )
            .strip()
        )
    columns = st.columns(3)
    for number, name in enumerate(("cpus", "gpus")):
        values[name] = int(
            columns[number].number_input(
                str(fields[name].description),
                int(name == "cpus"),
                256 if name == "cpus" else 16,
                fields[name].default,
                key=f"sweep.slurm.{name}",
            )
        )
    values["account"] = (
        columns[2]
        .text_input(
            str(fields["account"].description),
            key="sweep.slurm.account",
            placeholder="the cluster's default",
        )
        .strip()
    )
    return values


def _non_defaults(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude_defaults=True)


def _offer_sweep(sweep: Sweep) -> None:
    """Show how many runs a sweep has, and the buttons that count its cost, save and start it."""
    try:
        cells = sweep.cells()
    except BadInput as error:
        st.error(widgets.escape_markdown(str(error)), icon=":material/error:")
        return
    states = sweep_status.cell_states(cells, cache.run_store())
    job = SweepJob.find(sweep)
    busy = bool(job and job.status().active)
    done = sum(state.done for state in states)
    parts = sum(part.state != "done" for state in states for part in state.shards)
    st.markdown(
        f"**{len(cells)} runs** of {sweep.episodes['seeds']} seeds, {done} of them done; "
        f"{parts} parts to train."
    )
    with st.container(horizontal=True):
        st.button(
            "Start the sweep",
            type="primary",
            icon=":material/play_arrow:",
            key="sweep.start",
            on_click=start_sweep,
            **permitted.to_start(
                "Goes on if you close the page; nothing equal is trained twice",
                busy or done == len(cells),
            ),
            args=(sweep,),
        )
        if st.button("Count what it costs", icon=":material/timer:", key="sweep.count"):
            st.session_state[COUNTED_SWEEP] = sweep.id
        st.download_button(
            "Save as a file",
            sweep_spec.to_yaml(sweep),
            f"sweep_{sweep.id}.yaml",
            "application/yaml",
            icon=":material/download:",
            key="sweep.save",
            on_click="ignore",
            help="For python -m peftcore sweep, here or on a cluster",
        )
    if st.session_state.get(COUNTED_SWEEP) == sweep.id:
        _show_cost(states, sweep.where.processes or 1)


def start_sweep(sweep: Sweep) -> None:
    """Do a sweep in a process of its own; parts that failed are tried again."""
    execute.reset_failed_shards(sweep.cells(), cache.run_store())
    job = SweepJob.create_own(sweep)
    if job.status().state == "done":  # runs were deleted since
        job.write_status(state="cancelled")
    job.launch()
    st.session_state["sweep.watched"] = job.id


@st.cache_resource(max_entries=1, show_spinner=False)
def _cost_estimator() -> CostEstimator:
    """Costs of sweeps; those of the page itself are counted elsewhere and must not wait."""
    return CostEstimator()


def _show_cost(states: Sequence[CellState], processes: int) -> None:
    """Time and problems, counted with a trial of each cell."""
    waiting_specs = [
        [part.spec for part in state.shards if part.state != "done"] for state in states
    ]
    wanted = [specs[0] for specs in waiting_specs if specs]

    def known_costs() -> dict[str, CostEstimate | BadInput | None]:
        known = _cost_estimator().estimates_so_far(wanted) if cache.counts_costs() else []
        return dict(zip([spec.id for spec in wanted], known, strict=False))

    counting = len(known_costs()) < len(wanted) or None in known_costs().values()

    @st.fragment(run_every=2.0 if counting else None)
    @errors.guarded
    def live() -> None:
        estimates = known_costs()
        if counting and len(estimates) == len(wanted) and None not in estimates.values():
            st.rerun()
        _show_preview(
            costs.preview_cost(states, lambda spec: estimates.get(spec.id), processes),
            estimates,
        )

    live()


def _show_preview(preview: SweepPreview, estimates: Mapping[str, Any]) -> None:
    """Show the time that is left, and the problems found."""
    if preview.minutes is not None:
        st.caption(
            f"About {widgets.format_duration(60 * preview.minutes)} for what is left, "
            "from a trial of each run on this machine."
        )
    elif not preview.problems:
        estimated = sum(value is not None for value in estimates.values())
        st.caption(f"Counting: {estimated} of {preview.cells - preview.done} runs tried.")
    for problem in preview.problems:
        st.error(widgets.escape_markdown(problem), icon=":material/error:")


def _watch_sweeps() -> None:
    """The sweeps of this workspace, one at a time, drawn anew while it is at work."""
    jobs = {job.id: job for job in SweepJob.list_all()}
    if not jobs:
        return
    if st.session_state.get("sweep.watched") not in jobs:
        st.session_state["sweep.watched"] = _latest_job(list(jobs.values()))
    chosen = st.selectbox(
        "Sweeps begun here",
        list(jobs),
        format_func=lambda name: sweep_title(jobs[name].request),
        key="sweep.watched",
    )
    job = jobs[chosen]
    job_panel.watch(lambda: job.status().active, lambda: _show_progress(job))


def _latest_job(jobs: Sequence[SweepJob]) -> str:
    """The one that works, or else the one that worked last."""
    return max(jobs, key=lambda job: (job.status().active, job.status().updated)).id


def sweep_title(sweep: Sweep) -> str:
    """A sweep in a few words."""
    methods = len({entry.method for entry in sweep.methods})
    plain = (
        f"{methods} method{'s' * (methods > 1)} on {', '.join(sweep.tasks)} "
        f"with {', '.join(sweep.bases)}"
    )
    return f"{sweep.title or plain} ({sweep.id})"


def _show_progress(job: SweepJob) -> None:
    """Show how far a sweep is, what failed, and links to its runs."""
    status = job.status()
    job_panel.keep_queue_going(status)
    states = sweep_status.cell_states(job.request.cells(), cache.run_store())
    failed = [part for state in states for part in state.failed]
    total = sum(len(state.cell.shards) for state in states)
    done = total - sum(part.state != "done" for state in states for part in state.shards)
    left = (
        f", about {widgets.format_duration(status.left)} left"
        if status.busy and status.left
        else ""
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        partly_done = sum(
            part.progress for s in states for part in s.shards if part.state != "done"
        )
        st.progress(
            min(1.0, (done + partly_done) / total), text=f"{done} of {total} parts trained{left}"
        )
        if status.active:
            job_panel.stop_button(job, "sweep.stop")
        elif done < total:
            st.button(
                "Retry what failed" if failed else "Go on",
                icon=":material/replay:",
                key="sweep.again",
                **permitted.to_start(),
                on_click=start_sweep,
                args=(job.request,),
            )
    if status.busy and job.request.where.engine == "slurm" and status.message:
        st.caption(widgets.escape_markdown(status.message))
    if status.state == "failed" and not failed:
        st.error(widgets.escape_markdown(status.message), icon=":material/error:")
    for part in failed:
        st.error(
            widgets.escape_markdown(
                f"{sweep_spec.spec_label(part.spec)}, part {part.spec.id}: {part.message}"
            ),
            icon=":material/error:",
        )
    _run_table(states)
    job_panel.show_command(job.request)
    _compare_links(states)


def _run_table(states: Sequence[CellState]) -> None:
    """Show the runs of a sweep with their state."""
    rows = [
        {
            "Method": METHODS[row["method"]].title,
            "Varied": row["varied"],
            "Base": row["base"],
            "Task": row["task"],
            "Parts": f"{row['done']} of {row['parts']}",
            "State": widgets.state_name(row["state"]),
            "Run": row["run"],
        }
        for row in sweep_status.status_table(states)
    ]
    table = pd.DataFrame(rows)
    if not table["Varied"].any():
        table = table.drop(columns="Varied")
    st.dataframe(table, hide_index=True, alt="The runs of the sweep and how far each is")


def _compare_links(states: Sequence[CellState]) -> None:
    """Links to Compare, for each base and task that has finished runs."""
    groups: dict[tuple[str, str], list[str]] = {}
    for state in states:
        if state.done:
            spec = state.cell.spec
            groups.setdefault((spec.base, spec.task), []).append(spec.id)
    with st.container(horizontal=True):
        for (base, task), runs in groups.items():
            if len(runs) > 1:
                words = f"Compare {len(runs)} runs on {task} with {base}"
                widgets.page_link("compare", words, runs=",".join(runs))
