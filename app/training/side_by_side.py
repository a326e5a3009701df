"""Further templates and further training explanations on the Train page: a run more for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from peftcore.data.task import Task
from peftcore.data.templates import offered_templates
from peftcore.errors import BadInput
from peftcore.models.catalog import BaseInfo
from peftcore.runs.spec import RunSpec, Training
from peftcore.training import planning

EXPLANATION_TITLES: Mapping[str, str] = {
    "shuffled": "shuffled words",
    "truncated": "first third",
    "same_label": "of another example",
    "other_label": "of another label",
}


def pick_variants(task: Task, base: BaseInfo) -> list[dict[str, str]]:
    """Offer templates and corrupted explanations beside those of the form; changes of each run.

    An encoder reads the texts without a template and writes nothing.
    """
    if base.kind == "encoder" or not task.available():
        return []
    offered = offered_templates(task)
    chosen: list[dict[str, str]] = []
    if offered:
        names = st.pills(
            "Also ask by these templates",
            list(offered),
            selection_mode="multi",
            key=f"train.templates.{task.name}",
            help="A run more for each method: " + "; ".join(offered.values()),
        )
        chosen += [{"template": offered[name]} for name in names]
    if task.kind == "explain":
        kinds = st.pills(
            "Also train on explanations that are wrong on purpose",
            list(EXPLANATION_TITLES),
            selection_mode="multi",
            format_func=EXPLANATION_TITLES.__getitem__,
            key=f"train.explanations.{task.name}",
            help="A run more for each method; labels and the examples that are answered stay.",
        )
        chosen += [{"explanations": kind} for kind in kinds]
    return chosen


def vary_specs(specs: Sequence[RunSpec], variants: Sequence[Mapping[str, str]]) -> list[RunSpec]:
    """Return a spec for each of these and each variant, without those that are there already."""
    known = {spec.id for spec in specs}
    found: dict[str, RunSpec] = {}
    for spec in specs:
        for changes in variants:
            varied = _varied(spec, changes)
            if varied.id not in known:
                found.setdefault(varied.id, varied)
    return list(found.values())


def _varied(spec: RunSpec, changes: Mapping[str, Any]) -> RunSpec:
    training = Training.make(spec.training.model_dump() | dict(changes))
    try:
        return planning.build_spec(
            spec.base, spec.task, spec.method, spec.settings, spec.population, training,
            spec.evaluation, spec.start,
        )  # fmt: skip
    except BadInput:  # what cannot be so stays as it is, and is no run more
        return spec
