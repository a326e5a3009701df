"""The Train form: task and base, methods, size side by side, everything else below them.

What it begins with comes from `train_address`: a plain form, a run, a paper's protocol or a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from app.state import cache
from app.training import (
    available_data,
    label_words,
    run_size,
    side_by_side,
    specs_from_form,
    train_address,
)
from app.training.specs_from_form import TrainForm
from app.training.train_address import Beginning
from app.ui import errors, forms, pickers, url_state, widgets
from peftcore.adapters.base import METHODS
from peftcore.runs.spec import Evaluation, Members, RunSpec, Training
from peftcore.runs.store import Run
from peftcore.settings import Settings
from peftcore.training import presets, spec_changes
from peftcore.training.presets import Preset
from peftcore.training.protocols import PROTOCOLS

if TYPE_CHECKING:
    from peftcore.data.task import Task
    from peftcore.models.catalog import BaseInfo

DEFAULT_METHODS = ("prompt_tuning", "spt", "lora", "linear_probe")  # ticked to begin with
LOOKS = 8  # validations that a run has at least, where the form chooses how often


@dataclass(frozen=True)
class Steps:
    """The three steps of the form: task and base, methods, size with its numbers."""

    task: Task
    base: BaseInfo
    methods: list[str]
    suited: list[str]
    size: Preset
    key: str  # that keys of the form below begin with
    numbers: Mapping[str, int]  # shots, dev, seeds, steps
    label_words: Mapping[str, str]  # label → word where it is another


def offer_beginnings(beginning: Beginning) -> None:
    """Offer to begin with a paper's protocol or a spec from a file, and name what it was."""
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Begin with", icon=":material/start:"):
            st.caption("A paper's protocol, as far as the bases and data here allow")
            for name, protocol in PROTOCOLS.items():
                st.button(
                    protocol.title,
                    key=f"train.protocol.{name}",
                    help=f"{protocol.source}. {protocol.note}",
                    on_click=train_address.begin_with,
                    args=(train_address.PROTOCOL, name),
                )
            st.file_uploader(
                "Or a spec from a file",
                type="json",
                key="train.spec_file",
                on_change=_begin_with_file,
                help="As Runs saves it, or the spec.json of a run",
            )
        if not beginning.title:
            return
        st.markdown(f"**{widgets.escape_markdown(beginning.title)}**", width="content")
        if beginning.run:
            widgets.page_link("runs", "Open it", run=beginning.run)
        st.button(
            "Plain form",
            icon=":material/restart_alt:",
            key="train.plain",
            on_click=train_address.begin_with,
            args=("", ""),
        )
    if beginning.note:
        st.caption(widgets.escape_markdown(beginning.note))


@errors.guarded
def _begin_with_file() -> None:
    file = st.session_state["train.spec_file"]
    if file is not None:
        train_address.begin_with_spec(spec_changes.read_spec(file.getvalue()))


STEPS_STYLE = """<style>
@media (max-width: 1000px) {
    .st-key-train-steps [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
    .st-key-train-steps [data-testid="stColumn"] { min-width: 16rem; }
}
</style>"""  # a tablet has room for two of the steps beside each other


def pick_steps(beginning: Beginning) -> Steps:
    """Offer task and base, methods, and size with its numbers, side by side."""
    st.html(STEPS_STYLE)
    with st.container(key="train-steps"):
        first, second, third = st.columns(3, gap="medium")
    with first:
        st.subheader("1 · Task and base", anchor=False)
        task = pickers.pick_task("train.task")
        base = pickers.pick_base("train.base")
        st.caption(f"{widgets.describe_base(base)}. {widgets.escape_markdown(task.source_note)}")
    with second:
        st.subheader("2 · Methods", anchor=False)
        methods, suited = _pick_methods(base)
    with third:
        st.subheader("3 · Size", anchor=False)
        size = run_size.pick_size(base)
        key = run_size.form_key(base, size, beginning.prefix)
        numbers = _pick_numbers(beginning, task, size, key)
    words = _pick_label_words(beginning, task, base)
    return Steps(task, base, methods, suited, size, key, numbers, words)


def _pick_label_words(beginning: Beginning, task: Task, base: BaseInfo) -> dict[str, str]:
    """Offer words in place of labels, beginning with those of the source or the address."""
    for label, word in beginning.values("training").get("label_words", {}).items():
        st.session_state.setdefault(f"train.words.{task.name}.{label}", word)
    return label_words.pick_words(task, base)


def _pick_methods(base: BaseInfo) -> tuple[list[str], list[str]]:
    """Offer the methods that suit the base; return the chosen ones and all of them."""
    known = {method.name: method for method in cache.list_methods()}
    suited = [name for name, method in known.items() if base.kind in method.kinds]
    chosen = st.pills(
        "Methods, trained side by side",
        suited,
        selection_mode="multi",
        format_func=method_title,
        key="train.methods",
        wrap=True,
        on_change=url_state.sync_several_with_url(
            "Method", "train.methods", suited, format_option=method_title, first=DEFAULT_METHODS
        ),
    )
    if "linear_probe" in suited and "linear_probe" not in chosen:
        st.caption(
            "Tick linear probe too: it is the baseline an adapter on an encoder has to beat."
        )
    return list(chosen), suited


def method_title(name: str) -> str:
    """Return a method's title."""
    return METHODS[name].title


def _pick_numbers(beginning: Beginning, task: Task, size: Preset, key: str) -> dict[str, int]:
    """Offer training examples, seeds and steps; no more examples than the task has."""
    training = beginning.values("training", size.section("training"))
    seeds = beginning.values("population", size.section("population"))["seeds"]
    wanted = int(training["shots"])
    most = available_data.count_examples(task, wanted)
    wanted = available_data.cut_to_available(task, f"{key}.shots", "training", wanted, most.shots)
    shots = forms.field_widget(Training, "shots", key, value=wanted)
    most = available_data.count_examples(task, int(shots or 1))
    dev = available_data.cut_to_available(
        task, f"{key}.training.dev", "validation", int(training["dev"]), most.dev
    )
    seeds = forms.field_widget(Members, "seeds", key, value=seeds)
    steps = forms.field_widget(Training, "steps", key, value=training["steps"])
    return {"shots": shots, "dev": dev, "seeds": seeds, "steps": steps}


def fill_in(steps: Steps, beginning: Beginning, existing: Sequence[Run]) -> TrainForm | None:
    """Offer all other settings; None, with the reason shown, where they do not fit."""
    size, key, numbers = steps.size, steps.key, steps.numbers
    training = beginning.values("training", size.section("training"))
    with st.expander("Training, seeds and evaluation", icon=":material/tune:"):
        chosen: dict[str, Any] = {name: numbers[name] for name in ("shots", "dev", "steps")}
        chosen["label_words"] = dict(steps.label_words)
        filled_training = forms.settings_form(
            Training,
            f"{key}.training",
            values=training | chosen | _fitted_looks(training, steps, beginning),
            skip={"shots", "steps", "learning_rate", "standardise", "label_words"},
        )
        population = forms.settings_form(
            Members,
            f"{key}.population",
            values=beginning.values("population", size.section("population"))
            | {"seeds": numbers["seeds"]},
            skip={"seeds"},
        )
        evaluation = forms.settings_form(
            Evaluation,
            f"{key}.evaluation",
            values=beginning.values("evaluation", size.section("evaluation")),
        )
        variants = side_by_side.pick_variants(steps.task, steps.base)
    methods = _method_tabs(steps, beginning, existing)
    settings = {name: filled for name, (filled, _, _) in methods.items() if filled}
    if not (filled_training and population and evaluation and len(settings) == len(methods)):
        st.caption("Correct what is marked above, then training can start.")
        return None
    rates = {name: rate for name, (_, rate, _) in methods.items()}
    starts = {name: start for name, (_, _, start) in methods.items() if start}
    return TrainForm(
        steps.base.name,
        steps.task.name,
        settings,
        rates,
        starts,
        population,
        filled_training,
        evaluation,
        variants,
    )


def _fitted_looks(
    training: Mapping[str, Any], steps: Steps, beginning: Beginning
) -> dict[str, int]:
    """Look at the validation examples often enough that a short run has a curve.

    What somebody chose stays: the address or the source names it, or the field differs from what
    was put there.
    """
    usual, count = int(training["evaluate_every"]), steps.numbers["steps"]
    if beginning.title or "evaluate_every" in beginning.changed.get("training", {}) or not count:
        return {}
    fitted = usual if count >= LOOKS * usual else max(1, min(usual, count // LOOKS))
    key = f"{steps.key}.training.evaluate_every"
    if key in st.session_state and st.session_state[key] == st.session_state.get(f"{key}.fitted"):
        st.session_state[key] = fitted
    st.session_state[f"{key}.fitted"] = fitted
    return {"evaluate_every": fitted}


def _method_tabs(
    steps: Steps, beginning: Beginning, existing: Sequence[Run]
) -> dict[str, tuple[Settings | None, float | None, str]]:
    """Offer each method's settings; return them with its learning rate and where it starts."""
    found: dict[str, tuple[Settings | None, float | None, str]] = {}
    titles = [method_title(name) for name in steps.methods]
    for tab, name in zip(st.tabs(titles), steps.methods, strict=True):
        with tab:
            found[name] = _method_settings(name, steps.base, beginning, existing)
    return found


def _method_settings(
    name: str, base: BaseInfo, beginning: Beginning, existing: Sequence[Run]
) -> tuple[Settings | None, float | None, str]:
    method, key = METHODS[name], f"{beginning.prefix}.{name}"
    st.caption(f"{method.summary} Source: {method.source}.")
    values, start, rate = beginning.values(name), "", None
    begun_from, begun_rate = values.pop("start_run", ""), values.pop("learning_rate", None)
    rate_column, start_column, _ = st.columns(3)
    if method.trains():
        default_rate = f"{method.default_learning_rate(base.kind, base.parameter_count):g}"
        with rate_column:
            rate = forms.field_widget(
                Training, "learning_rate", key, default_rate, value=begun_rate
            )
    offered = specs_from_form.startable_runs(base.name, name, existing)
    if method.trains() and offered:
        titles = {"": "nothing: a start of its own"} | offered
        start = start_column.selectbox(
            "Start from the adapter of",
            list(titles),
            index=list(titles).index(begun_from) if begun_from in titles else 0,
            format_func=titles.__getitem__,
            key=f"{key}.from",
            help="Transfer: goes on from what another run learnt, on this task",
        )

    def is_absent(choice: str) -> bool:
        """Return whether a base of this kind has no such part."""
        parts = {"encoder-decoder": (), "encoder": ("cross", "decoder")}.get(
            base.kind, ("cross", "encoder")
        )
        return choice.startswith(parts) if parts else False

    known = {key: value for key, value in values.items() if key in method.Config.model_fields}
    filled = forms.settings_form(method.Config, key, values=known, leave_out=is_absent)
    return filled, rate, start


def entered_values(form: TrainForm) -> dict[str, dict[str, Any]]:
    """Return what the form holds by section and method, as the address writes it."""
    sections: dict[str, dict[str, Any]] = {
        "training": form.training.model_dump(mode="json", exclude={"learning_rate"}),
        "population": form.population.model_dump(mode="json"),
        "evaluation": form.evaluation.model_dump(mode="json"),
    }
    for name, settings in form.settings.items():
        sections[name] = settings.model_dump(mode="json") | {
            "learning_rate": form.learning_rates.get(name),
            "start_run": form.start_runs.get(name, ""),
        }
    return sections


def show_changes(beginning: Beginning, specs: Mapping[str, RunSpec]) -> None:
    """Say what differs from the run or protocol that the form was begun with, for each method."""
    if not beginning.specs:
        return
    lines = []
    for method, spec in specs.items():
        source = beginning.specs.get(method)
        if source is None:
            lines.append(f"{method_title(method)} is added.")
            continue
        changes = spec_changes.changes_between(source, spec)
        words = "; ".join(_change_in_words(change) for change in changes) or "nothing"
        lines.append(f"Changed in {method_title(method)}: {words}.")
    lines += [f"{method_title(name)} is left out." for name in beginning.specs if name not in specs]
    with st.container(border=True):
        for line in lines:
            st.markdown(f":material/difference: {widgets.escape_markdown(line)}")
        if beginning.run and all(line.endswith(": nothing.") for line in lines):
            st.caption("Trained again as it is, it would be the same run.")


def _change_in_words(change: spec_changes.Change) -> str:
    section, _, name = change.name.rpartition(".")
    model = presets.SECTIONS.get(section)
    field = model.model_fields.get(name) if model else None
    label = forms.field_label(name, field)
    return f"{label} {_value_text(change.before)} → {_value_text(change.after)}"


def _value_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " + ".join(map(str, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None or value == "" else str(value)
