"""Train: choose a task, a base and several methods; see what it costs; start."""

import streamlit as st

from app.state import cache
from app.training import (
    available_data,
    power_note,
    side_by_side,
    specs_from_form,
    submit,
    sweep_panel,
    train_address,
    train_form,
)
from app.training.specs_from_form import TrainForm
from app.training.train_form import method_title
from app.ui import errors, permitted, widgets
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.sweeps import learning_rate
from peftcore.training.planning import CostEstimate

beginning = train_address.begin()
with st.container(horizontal=True, vertical_alignment="center"):
    st.title("Train", anchor=False, width="content")
    train_form.offer_beginnings(beginning)
steps = train_form.pick_steps(beginning)
summary = st.container()  # what it costs and the button, above the settings it follows from
if not steps.methods:
    widgets.empty_state("No method ticked", "Tick one or more methods above; each becomes a run.")
    st.stop()
existing_runs = cache.run_store().all()
filled_form = train_form.fill_in(steps, beginning, existing_runs)
if filled_form is None:
    st.stop()
form: TrainForm = filled_form
train_address.write_address(beginning, steps.size, train_form.entered_values(form))
form_specs = specs_from_form.build_specs(form)
specs = list(form_specs.specs.values())
varied_specs = side_by_side.vary_specs(specs, form.variants)


def known_costs() -> list[CostEstimate | BadInput | None]:
    return (
        cache.cost_estimator().estimates_so_far(specs)
        if cache.counts_costs()
        else [None] * len(specs)
    )


counting = None in known_costs()


@st.fragment(run_every=2.0 if counting else None)
@errors.guarded
def show_costs() -> None:
    found = known_costs()
    if counting and None not in found:
        st.rerun()  # nothing is left to wait for, so the clock stops
    st.header("What it will cost", anchor=False)
    alt = "Trainable parameters, time and memory of each method"
    st.dataframe(specs_from_form.costs_table(form_specs.specs, found), hide_index=True, alt=alt)
    st.caption(
        specs_from_form.total_time_text(found)
        or "Time and memory are counted from trial steps and answers."
    )
    if varied_specs:
        st.caption(
            f"And {len(varied_specs)} more with other templates or explanations, each as long as "
            "that of its method."
        )
    if long_text := specs_from_form.long_time_text(found):
        st.warning(long_text, icon=":material/timer:")
    costs = zip(form_specs.specs, found, strict=True)
    refused = {name: str(cost) for name, cost in costs if isinstance(cost, BadInput)}
    show_problems(refused)


def show_problems(problems: dict[str, str]) -> None:
    """Say each problem once, with the methods that have it."""
    for problem, names in specs_from_form.group_problems(problems).items():
        who = ", ".join(method_title(name) for name in names)
        st.error(f"{who}: {widgets.escape_markdown(problem)}", icon=":material/error:")


def show_start(first: RunSpec) -> None:
    """Show the buttons that start, and what a score will be measured against."""
    refused = any(isinstance(cost, BadInput) for cost in known_costs())
    tuned = [spec for spec in specs if METHODS[spec.method].trains()]
    search_specs = [each for spec in tuned for each in learning_rate.search_specs(spec)]
    with st.container(horizontal=True):
        wanted = [*specs, *varied_specs]
        if st.button(
            f"Train {len(wanted)} run{'s' * (len(wanted) > 1)}",
            type="primary",
            icon=":material/play_arrow:",
            key="train.start",
            **permitted.to_start(disabled=refused),
        ):
            submit.submit_runs(wanted, wanted, submit.STARTED_RUNS)
        if st.button(
            f"Sweep learning rates ({len(search_specs)} short runs)",
            icon=":material/speed:",
            key="train.sweep",
            **permitted.to_start(
                "Short runs at five learning rates around each method's own",
                refused or not search_specs,
            ),
        ):
            submit.submit_runs(specs, search_specs, submit.SWEPT_RUNS)
    if refused:
        st.caption("One of the methods cannot run as it is set; the reason stands above.")
    submit.show_started()
    submit.show_sweep()
    if words := available_data.majority_text(steps.task, first.evaluation):
        st.caption(words)
    power_note.show_power(steps.task, first, existing_runs)


with summary:
    train_form.show_changes(beginning, form_specs.specs)
    show_problems(form_specs.problems)
    if not specs:
        st.stop()
    show_costs()
    show_start(specs[0])
sweep_panel.show(form)
with st.expander("The same on the command line", icon=":material/terminal:"):
    st.code(
        "\n".join(map(specs_from_form.training_command, [*specs, *varied_specs])),
        language="bash",
        wrap_lines=True,
    )
