"""Train: choose a task, a base and several methods; see what it costs; start."""

import streamlit as st

from app.state import cache
from app.training import specs_from_form, submit, sweep_panel
from app.ui import errors, forms, url_state, widgets
from peftcore.errors import BadInput
from peftcore.runs.spec import Evaluation, Population, Training
from peftcore.sweeps import learning_rate

USUAL = ("prompt_tuning", "spt", "lora", "linear_probe")  # ticked to begin with

st.title("Train", anchor=False)
known = {method.name: method for method in cache.methods()}
left, right = st.columns(2)
with left:
    task = url_state.pick_task("train.task")
    st.caption(widgets.plain(task.source_note))
with right:
    base = url_state.pick_base("train.base")
    st.caption(widgets.base_in_words(base))


def title(name):
    return known[name].title


suited = [name for name, method in known.items() if base.kind in method.kinds]
chosen = st.pills(
    "Methods, trained side by side",
    suited,
    selection_mode="multi",
    format_func=title,
    key="train.methods",
    on_change=url_state.follow_several("Method", "train.methods", suited, words=title, first=USUAL),
)
first, second, third = st.columns(3)
with first:
    shots = forms.field(Training, "shots", "train")
with second:
    seeds = forms.field(Population, "seeds", "train")
with third:
    steps = forms.field(Training, "steps", "train")
with st.expander("Training, population and evaluation", icon=":material/tune:"):
    own = {"shots", "steps", "learning_rate"}
    training = forms.form(
        Training, "train.training", values={"shots": shots, "steps": steps}, skip=own
    )
    population = forms.form(Population, "train.population", values={"seeds": seeds}, skip={"seeds"})
    evaluation = forms.form(Evaluation, "train.evaluation")
if "linear_probe" in suited and "linear_probe" not in chosen:
    st.caption("Tick linear probe too: it is the baseline an adapter on an encoder has to beat.")
if not chosen:
    widgets.empty("No method ticked", "Tick one or more methods above; each becomes a run.")
    st.stop()

settings, rates, starts, before = {}, {}, {}, cache.store().all()
for tab, name in zip(st.tabs([known[name].title for name in chosen]), chosen, strict=True):
    with tab:
        st.caption(f"{known[name].summary} Source: {known[name].source}.")
        usual = f"{known[name].default_learning_rate(base.kind):g}"
        near, far, _ = st.columns(3)
        with near:
            rates[name] = forms.field(Training, "learning_rate", f"train.{name}", usual)
        if offered := specs_from_form.startable(base.name, name, before):
            starts[name] = far.selectbox(
                "Start from the adapter of",
                ["", *offered],
                format_func=lambda run, offered=offered: offered.get(
                    run, "nothing: a start of its own"
                ),
                key=f"train.{name}.from",
                help="Transfer: goes on from what another run learnt, on this task",
            )
        settings[name] = forms.form(known[name].Config, f"train.{name}")
if not all((training, population, evaluation, *settings.values())):
    st.caption("Correct what is marked above, then training can start.")
    st.stop()

made = specs_from_form.plans(
    base.name, task.name, settings, rates, population, training, evaluation, starts
)
for problem, names in specs_from_form.grouped(made.problems).items():
    who = ", ".join(known[name].title for name in names)
    st.error(f"{who}: {widgets.plain(problem)}", icon=":material/error:")
if not made.specs:
    st.stop()
specs = list(made.specs.values())


def known_costs():
    return cache.costs().of(specs) if cache.ready() else [None] * len(specs)


counting = None in known_costs()


@st.fragment(run_every=2.0 if counting else None)
@errors.guarded
def show_costs():
    found = known_costs()
    if counting and None not in found:
        st.rerun()  # nothing is left to wait for, so the clock stops
    st.header("What it will cost", anchor=False)
    alt = "Trained numbers, time and memory of each method"
    st.dataframe(specs_from_form.costs_table(made.specs, found), hide_index=True, alt=alt)
    st.caption(specs_from_form.total(found) or "Time and memory are counted with two trial steps.")
    for name, cost in zip(made.specs, found, strict=True):
        if isinstance(cost, BadInput):
            st.error(f"{known[name].title}: {widgets.plain(str(cost))}", icon=":material/error:")


show_costs()


refused = any(isinstance(cost, BadInput) for cost in known_costs())
tried = [each for spec in specs for each in learning_rate.search_specs(spec)]
with st.container(horizontal=True):
    if st.button(
        f"Train {len(specs)} run{'s' * (len(specs) > 1)}",
        type="primary",
        icon=":material/play_arrow:",
        disabled=refused,
        key="train.start",
    ):
        submit.submit(specs, specs, submit.STARTED)
    if st.button(
        f"Sweep learning rates ({len(tried)} short runs)",
        icon=":material/speed:",
        disabled=refused,
        key="train.sweep",
        help="Short runs at five learning rates around each method's own",
    ):
        submit.submit(specs, tried, submit.SWEPT)
if refused:
    st.caption("One of the methods cannot run as it is set; the reason stands above.")
submit.show_started()
submit.show_sweep()
sweep_panel.show(base.name, task.name, settings, rates, population, training, evaluation)

with st.expander("The same on the command line", icon=":material/terminal:"):
    st.code("\n".join(map(specs_from_form.command, specs)), language="bash", wrap_lines=True)
