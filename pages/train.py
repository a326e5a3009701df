"""Train: choose a task, a base and several methods; see what it costs; start."""

import streamlit as st

from app import cache, errors, forms, plans, widgets
from peftcore.errors import BadInput
from peftcore.jobs import ensure_worker
from peftcore.spec import Evaluation, Population, Training

st.title("Train")
known = {method.name: method for method in cache.methods()}
left, right = st.columns(2)
with left:
    task = widgets.pick_task("train.task")
    st.caption(widgets.plain(task.source_note))
with right:
    base = widgets.pick_base("train.base")
    st.caption(widgets.base_in_words(base))

suited = [name for name, method in known.items() if base.kind in method.kinds]
chosen = st.pills(
    "Methods, trained side by side",
    suited,
    default=[name for name in ("prompt_tuning", "spt", "lora") if name in suited],
    selection_mode="multi",
    format_func=lambda name: known[name].title,
    key="train.methods",
    bind="query-params",
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
if not chosen:
    widgets.empty("No method ticked", "Tick one or more methods above; each becomes a run.")
    st.stop()

settings, rates = {}, {}
for tab, name in zip(st.tabs([known[name].title for name in chosen]), chosen, strict=True):
    with tab:
        st.caption(f"{known[name].summary} Source: {known[name].source}.")
        rates[name] = forms.field(
            Training,
            "learning_rate",
            f"train.{name}",
            placeholder=f"{known[name].learning_rate:g}",
        )
        settings[name] = forms.form(known[name].Config, f"train.{name}")
if not all((training, population, evaluation, *settings.values())):
    st.caption("Correct what is marked above, then training can start.")
    st.stop()

made = plans.plans(base.name, task.name, settings, rates, population, training, evaluation)
for name, problem in made.problems.items():
    st.error(f"{known[name].title}: {widgets.plain(problem)}", icon=":material/error:")
if not made.specs:
    st.stop()
specs = list(made.specs.values())


def known_costs():
    return cache.costs().of(specs) if cache.ready() else [None] * len(specs)


counting = None in known_costs()


@st.fragment(run_every=1.0 if counting else None)
@errors.guarded
def show_costs():
    found = known_costs()
    if counting and None not in found:
        st.rerun()  # nothing is left to wait for, so the clock stops
    st.subheader("What it will cost")
    alt = "Trained numbers, time and memory of each method"
    st.dataframe(plans.costs_table(made.specs, found), hide_index=True, alt=alt)
    st.caption(plans.total(found) or "Time and memory are counted with two trial steps.")
    for name, cost in zip(made.specs, found, strict=True):
        if isinstance(cost, BadInput):
            st.error(f"{known[name].title}: {widgets.plain(str(cost))}", icon=":material/error:")


show_costs()


def submit(wanted):
    with st.spinner("Checking that it can work…"):
        refused = [cost for cost in cache.costs().wait(specs) if isinstance(cost, BadInput)]
    if refused:
        raise refused[0]
    jobs = [cache.queue().submit(spec) for spec in wanted]
    ensure_worker(queue=cache.queue())
    st.session_state["train.submitted"] = [(job.run_id, job.state) for job in jobs]


refused = any(isinstance(cost, BadInput) for cost in known_costs())
sweeps = [each for spec in specs for each in plans.sweep(spec)]
with st.container(horizontal=True):
    if st.button(
        f"Train {len(specs)} run{'s' * (len(specs) > 1)}",
        type="primary",
        icon=":material/play_arrow:",
        disabled=refused,
        key="train.start",
    ):
        submit(specs)
    if st.button(
        f"Sweep learning rates ({len(sweeps)} runs)",
        icon=":material/speed:",
        disabled=refused,
        key="train.sweep",
        help="Each method at a third of its learning rate, at it, and at three times it",
    ):
        submit(sweeps)
if refused:
    st.caption("One of the methods cannot run as it is set; the reason stands above.")
if submitted := st.session_state.get("train.submitted"):
    plans.show_submitted(submitted)

with st.expander("The same on the command line", icon=":material/terminal:"):
    st.code("\n".join(map(plans.command, specs)), language="bash", wrap_lines=True)
