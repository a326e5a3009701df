"""Sweeps on the Train page: what is chosen above on more bases and tasks, with several settings.

A sweep is done by a process of its own, which outlives the page; its file is offered too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.state import cache
from app.state.costs import Costs
from app.ui import errors, job_panel, widgets
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.runs.spec import Evaluation, Population, Training
from peftcore.settings import Settings
from peftcore.sweeps import costs, execute
from peftcore.sweeps import spec as sweep_spec
from peftcore.sweeps import status as sweep_status
from peftcore.sweeps.costs import SweepPreview
from peftcore.sweeps.engines.local import default_processes
from peftcore.sweeps.spec import Sweep, SweepJob
from peftcore.sweeps.status import CellState

if TYPE_CHECKING:
    from peftcore.runs.spec import RunSpec
    from peftcore.training.planning import Estimate

NOTHING = "nothing"
COUNTED = "sweep.counted"  # in the session: the sweep whose cost was asked for
STATES = {"waiting": "Waiting", "training": "Training", "answering": "Answering", "done": "Done"}
STATES |= {"failed": "Failed", "queued": "Queued"}


def show(
    base: str,
    task: str,
    settings: Mapping[str, Settings],
    rates: Mapping[str, float | None],
    population: Population,
    training: Training,
    evaluation: Evaluation,
) -> None:
    """The panel: more of everything, what it costs, and the sweeps of this workspace."""
    with st.expander("Sweep: many bases, tasks and settings at once", icon=":material/grid_view:"):
        made = _form(base, task, settings, rates, population, training, evaluation)
        if made:
            _offer(made)
        _watch()


def _form(
    base: str,
    task: str,
    settings: Mapping[str, Settings],
    rates: Mapping[str, float | None],
    population: Population,
    training: Training,
    evaluation: Evaluation,
) -> Sweep | None:
    """The sweep of what is chosen above and here; None, said at the form, if it cannot be."""
    st.caption(
        "The methods ticked above with their settings and seeds, also on more bases and tasks, and "
        "with more values of a setting. Each combination becomes a run."
    )
    left, right = st.columns(2)
    more = [info.name for info in cache.bases() if info.name != base]
    bases = [base, *left.multiselect("More bases", more, key="sweep.bases")]
    more = [each.name for each in cache.tasks() if each.name != task]
    tasks = [task, *right.multiselect("More tasks", more, key="sweep.tasks")]
    first, second, third = st.columns(3)
    learning = first.text_input(
        "Learning rates",
        key="sweep.rates",
        placeholder="each method's own",
        help="With commas between them, such as 0.001, 0.005",
    )
    options = [NOTHING, *(f"{m}: {n}" for m in settings for n in METHODS[m].Config.model_fields)]
    varied = second.selectbox("Vary as well", options, key="sweep.vary")
    values = third.text_input(
        "Its values",
        key="sweep.values",
        disabled=varied == NOTHING,
        placeholder="4, 8, 16",
        help="With commas between them; a setting that takes a list wants [one], [another, third]",
    )
    first, second, _ = st.columns(3)
    chunk = first.number_input(
        "Seeds in a part",
        1,
        64,
        12,
        key="sweep.chunk",
        help="A part is trained in one pass and can be retried alone",
    )
    processes = second.number_input(
        "Processes",
        1,
        64,
        default_processes("cpu"),
        key="sweep.processes",
        help="Parts trained at once; one for each processor core is best",
    )
    try:
        return Sweep.make(
            {
                "bases": bases,
                "tasks": tasks,
                "methods": [
                    _entry(name, chosen, None if learning else rates.get(name), varied, values)
                    for name, chosen in settings.items()
                ],
                "episodes": _changed(population) | {"seeds": population.seeds},
                "training": _changed(training)
                | ({"learning_rate": _values(learning)} if learning else {}),
                "evaluation": _changed(evaluation),
                "chunk": int(chunk),
                "where": {"processes": int(processes)},
            }
        )
    except BadInput as error:
        st.error(widgets.plain(str(error)), icon=":material/error:")
        return None


def _changed(held: Settings) -> dict[str, Any]:
    return held.model_dump(mode="json", exclude_defaults=True)


def _entry(
    name: str, chosen: Settings, rate: float | None, varied: str, values: str
) -> dict[str, Any]:
    """One method as a sweep's file has it."""
    settings = _changed(chosen)
    method, _, setting = varied.partition(": ")
    if method == name and values:
        settings[setting] = _values(values)
    training = {} if rate is None else {"learning_rate": rate}
    return {"method": name, "settings": settings, "training": training}


def _values(text: str) -> list[Any]:
    """Values with commas between them, as YAML reads them."""
    return sweep_spec.parse_values(text)


def _offer(asked: Sweep) -> None:
    """What it comes to, and the buttons that count its cost, save it and start it."""
    try:
        cells = asked.cells()
    except BadInput as error:
        st.error(widgets.plain(str(error)), icon=":material/error:")
        return
    states = sweep_status.cell_states(cells, cache.store())
    found = SweepJob.find(asked)
    busy = bool(found and found.status().busy)
    done = sum(state.done for state in states)
    parts = sum(part.state != "done" for state in states for part in state.shards)
    st.markdown(
        f"**{len(cells)} runs** of {asked.episodes['seeds']} seeds, {done} of them done; "
        f"{parts} parts to train."
    )
    with st.container(horizontal=True):
        st.button(
            "Start the sweep",
            type="primary",
            icon=":material/play_arrow:",
            key="sweep.start",
            disabled=busy or done == len(cells),
            help="Goes on if you close the page; nothing equal is trained twice",
            on_click=begin,
            args=(asked,),
        )
        if st.button("Count what it costs", icon=":material/timer:", key="sweep.count"):
            st.session_state[COUNTED] = asked.id
        st.download_button(
            "Save as a file",
            sweep_spec.to_yaml(asked),
            f"sweep_{asked.id}.yaml",
            "application/yaml",
            icon=":material/download:",
            key="sweep.save",
            on_click="ignore",
            help="For python -m peftcore sweep, here or on a cluster",
        )
    if st.session_state.get(COUNTED) == asked.id:
        _cost(states, asked.where.processes or 1)


def begin(asked: Sweep) -> None:
    """Do a sweep in a process of its own; parts that failed are tried again."""
    execute.reset_failed_shards(asked.cells(), cache.store())
    work = SweepJob.create_own(asked)
    if work.status().state == "done":  # runs were deleted since
        work.write_status(state="stopped")
    work.launch()
    st.session_state["sweep.watched"] = work.id


@st.cache_resource(max_entries=1, show_spinner=False)
def _costs() -> Costs:
    """Costs of sweeps; those of the page itself are counted elsewhere and must not wait."""
    return Costs()


def _cost(states: Sequence[CellState], processes: int) -> None:
    """Time and problems, counted with two trial steps of each cell."""
    left = [[part.spec for part in state.shards if part.state != "done"] for state in states]
    wanted = [specs[0] for specs in left if specs]

    def known() -> dict[str, Estimate | BadInput | None]:
        ids = [spec.id for spec in wanted]
        return dict(zip(ids, _costs().of(wanted) if cache.ready() else [], strict=False))

    counting = len(known()) < len(wanted) or None in known().values()

    @st.fragment(run_every=2.0 if counting else None)
    @errors.guarded
    def live() -> None:
        found = known()
        if counting and len(found) == len(wanted) and None not in found.values():
            st.rerun()
        _told(costs.preview_cost(states, lambda spec: _looked_up(found, spec), processes), found)

    live()


def _looked_up(
    found: Mapping[str, Estimate | BadInput | None], spec: RunSpec
) -> Estimate | BadInput | None:
    return found.get(spec.id)


def _told(counted: SweepPreview, found: Mapping[str, Any]) -> None:
    if counted.minutes is not None:
        st.caption(
            f"About {widgets.duration(60 * counted.minutes)} for what is left, "
            "from two trial steps of each run on this machine."
        )
    elif not counted.problems:
        known = sum(value is not None for value in found.values())
        st.caption(f"Counting: {known} of {counted.cells - counted.done} runs tried.")
    for problem in counted.problems:
        st.error(widgets.plain(problem), icon=":material/error:")


def _watch() -> None:
    """The sweeps of this workspace, one at a time, drawn anew while it is at work."""
    known = {work.id: work for work in SweepJob.list_all()}
    if not known:
        return
    if st.session_state.get("sweep.watched") not in known:
        st.session_state["sweep.watched"] = _latest(list(known.values()))
    chosen = st.selectbox(
        "Sweeps begun here",
        list(known),
        format_func=lambda name: title(known[name].request),
        key="sweep.watched",
    )
    work = known[chosen]
    busy = work.status().busy

    @st.fragment(run_every=2.0 if busy else None)
    @errors.guarded
    def live() -> None:
        if busy != work.status().busy:
            st.rerun()
        _progress(work)

    live()


def _latest(works: Sequence[SweepJob]) -> str:
    """The one that works, or else the one that worked last."""
    return max(works, key=lambda work: (work.status().busy, work.status().updated)).id


def title(asked: Sweep) -> str:
    """A sweep in a few words."""
    methods = len({entry.method for entry in asked.methods})
    plain = (
        f"{methods} method{'s' * (methods > 1)} on {', '.join(asked.tasks)} "
        f"with {', '.join(asked.bases)}"
    )
    return f"{asked.title or plain} ({asked.id})"


def _progress(work: SweepJob) -> None:
    """How far a sweep is, what failed, and where to look at what it made."""
    status = work.status()
    states = sweep_status.cell_states(work.request.cells(), cache.store())
    failed = [part for state in states for part in state.failed]
    of = sum(len(state.cell.shards) for state in states)
    done = of - sum(part.state != "done" for state in states for part in state.shards)
    left = f", about {widgets.duration(status.left)} left" if status.busy and status.left else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        at_work = sum(part.progress for s in states for part in s.shards if part.state != "done")
        st.progress(min(1.0, (done + at_work) / of), text=f"{done} of {of} parts trained{left}")
        if status.busy:
            st.button(
                "Stop",
                icon=":material/stop_circle:",
                key="sweep.stop",
                on_click=work.stop,
                help="What was learnt is kept, and can be gone on with",
            )
        elif done < of:
            st.button(
                "Retry what failed" if failed else "Go on",
                icon=":material/replay:",
                key="sweep.again",
                on_click=begin,
                args=(work.request,),
            )
    if status.state == "failed" and not failed:
        st.error(widgets.plain(status.message), icon=":material/error:")
    for part in failed:
        st.error(
            widgets.plain(
                f"{sweep_spec.spec_label(part.spec)}, part {part.spec.id}: {part.message}"
            ),
            icon=":material/error:",
        )
    _table(states)
    job_panel.command(work.request)
    _compare(states)


def _table(states: Sequence[CellState]) -> None:
    rows = [
        {
            "Method": METHODS[row["method"]].title,
            "Varied": row["varied"],
            "Base": row["base"],
            "Task": row["task"],
            "Parts": f"{row['done']} of {row['parts']}",
            "State": STATES[row["state"]],
            "Run": row["run"],
        }
        for row in sweep_status.status_table(states)
    ]
    table = pd.DataFrame(rows)
    if not table["Varied"].any():
        table = table.drop(columns="Varied")
    st.dataframe(table, hide_index=True, alt="The runs of the sweep and how far each is")


def _compare(states: Sequence[CellState]) -> None:
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
                widgets.link("compare", words, runs=",".join(runs))
