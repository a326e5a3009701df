"""Train: choose a task, a base and several methods; see what it costs; start."""

import streamlit as st

from app.state import cache
from app.training import (
    label_words,
    power_note,
    run_size,
    specs_from_form,
    submit,
    sweep_panel,
)
from app.training.specs_from_form import TrainForm
from app.ui import errors, forms, pickers, url_state, widgets
from peftcore.errors import BadInput
from peftcore.runs.spec import Evaluation, Members, Training
from peftcore.settings import Settings
from peftcore.sweeps import learning_rate
from peftcore.training.planning import CostEstimate

DEFAULT_METHODS = ("prompt_tuning", "spt", "lora", "linear_probe")  # ticked to begin with

st.title("Train", anchor=False)
methods_by_name = {method.name: method for method in cache.list_methods()}
left, right = st.columns(2)
with left:
    task = pickers.pick_task("train.task")
    st.caption(widgets.escape_markdown(task.source_note))
with right:
    base = pickers.pick_base("train.base")
    st.caption(widgets.describe_base(base))
words = label_words.pick_words(task, base)


def method_name(name: str) -> str:
    return methods_by_name[name].title


suited = [name for name, method in methods_by_name.items() if base.kind in method.kinds]
chosen = st.pills(
    "Methods, trained side by side",
    suited,
    selection_mode="multi",
    format_func=method_name,
    key="train.methods",
    on_change=url_state.sync_several_with_url(
        "Method", "train.methods", suited, format_option=method_name, first=DEFAULT_METHODS
    ),
)
size = run_size.pick_size(base)
form_key = run_size.form_key(base, size)
first, second, third = st.columns(3)
with first:
    shots = forms.field_widget(Training, "shots", form_key, value=size.values["shots"])
with second:
    seeds = forms.field_widget(Members, "seeds", form_key, value=size.values["seeds"])
with third:
    steps = forms.field_widget(Training, "steps", form_key, value=size.values["steps"])
with st.expander("Training, population and evaluation", icon=":material/tune:"):
    skipped_fields = {"shots", "steps", "learning_rate", "standardise", "label_words"}
    training = forms.settings_form(
        Training,
        f"{form_key}.training",
        values=size.section("training") | {"shots": shots, "steps": steps, "label_words": words},
        skip=skipped_fields,
    )
    population = forms.settings_form(
        Members, f"{form_key}.population", values={"seeds": seeds}, skip={"seeds"}
    )
    evaluation = forms.settings_form(
        Evaluation, f"{form_key}.evaluation", values=size.section("evaluation")
    )
if "linear_probe" in suited and "linear_probe" not in chosen:
    st.caption("Tick linear probe too: it is the baseline an adapter on an encoder has to beat.")
if not chosen:
    widgets.empty_state("No method ticked", "Tick one or more methods above; each becomes a run.")
    st.stop()

settings: dict[str, Settings | None] = {}
learning_rates: dict[str, float | None] = {}
start_runs: dict[str, str] = {}
existing_runs = cache.run_store().all()
for tab, name in zip(
    st.tabs([methods_by_name[name].title for name in chosen]), chosen, strict=True
):
    with tab:
        st.caption(f"{methods_by_name[name].summary} Source: {methods_by_name[name].source}.")
        default_rate = (
            f"{methods_by_name[name].default_learning_rate(base.kind, base.parameter_count):g}"
        )
        rate_column, start_column, _ = st.columns(3)
        if methods_by_name[name].trains():
            with rate_column:
                learning_rates[name] = forms.field_widget(
                    Training, "learning_rate", f"train.{name}", default_rate
                )
            if offered := specs_from_form.startable_runs(base.name, name, existing_runs):
                titles = {"": "nothing: a start of its own"} | offered
                start_runs[name] = start_column.selectbox(
                    "Start from the adapter of",
                    list(titles),
                    format_func=titles.__getitem__,
                    key=f"train.{name}.from",
                    help="Transfer: goes on from what another run learnt, on this task",
                )
        settings[name] = forms.settings_form(methods_by_name[name].Config, f"train.{name}")
valid_settings = {name: values for name, values in settings.items() if values}
if not (training and population and evaluation and len(valid_settings) == len(settings)):
    st.caption("Correct what is marked above, then training can start.")
    st.stop()

form = TrainForm(
    base.name,
    task.name,
    valid_settings,
    learning_rates,
    start_runs,
    population,
    training,
    evaluation,
)
form_specs = specs_from_form.build_specs(form)
for problem, names in specs_from_form.group_problems(form_specs.problems).items():
    who = ", ".join(methods_by_name[name].title for name in names)
    st.error(f"{who}: {widgets.escape_markdown(problem)}", icon=":material/error:")
if not form_specs.specs:
    st.stop()
specs = list(form_specs.specs.values())


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
    if long_text := specs_from_form.long_time_text(found):
        st.warning(long_text, icon=":material/timer:")
    for name, cost in zip(form_specs.specs, found, strict=True):
        if isinstance(cost, BadInput):
            st.error(
                f"{methods_by_name[name].title}: {widgets.escape_markdown(str(cost))}",
                icon=":material/error:",
            )


show_costs()
power_note.show_power(task, specs[0], existing_runs)


refused = any(isinstance(cost, BadInput) for cost in known_costs())
tuned = [spec for spec in specs if methods_by_name[spec.method].trains()]
search_specs = [each for spec in tuned for each in learning_rate.search_specs(spec)]
with st.container(horizontal=True):
    if st.button(
        f"Train {len(specs)} run{'s' * (len(specs) > 1)}",
        type="primary",
        icon=":material/play_arrow:",
        disabled=refused,
        key="train.start",
    ):
        submit.submit_runs(specs, specs, submit.STARTED_RUNS)
    if st.button(
        f"Sweep learning rates ({len(search_specs)} short runs)",
        icon=":material/speed:",
        disabled=refused or not search_specs,
        key="train.sweep",
        help="Short runs at five learning rates around each method's own",
    ):
        submit.submit_runs(specs, search_specs, submit.SWEPT_RUNS)
if refused:
    st.caption("One of the methods cannot run as it is set; the reason stands above.")
submit.show_started()
submit.show_sweep()
sweep_panel.show(form)

with st.expander("The same on the command line", icon=":material/terminal:"):
    st.code(
        "\n".join(map(specs_from_form.training_command, specs)), language="bash", wrap_lines=True
    )
