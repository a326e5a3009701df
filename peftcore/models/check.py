"""Check a base's folder as a whole: do config, weights, tokenizer and settings belong together?

Only headers of the weights are read, and the model is built without numbers, so that a base of any
size takes about a second. Loading refuses with the same sentences.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from peftcore.models import base_model, base_report, catalog, consistency, decoding
from peftcore.models.architectures import find_architecture
from peftcore.models.base_report import BaseFinding, BaseReport, Subject


def read_report(name: str) -> BaseReport:
    """Return the report on a base of this machine, checked now unless a kept one still holds.

    BadInput if there is no such base, or if it lies on the hub.
    """
    located = catalog.unusable_folder(name) or catalog.locate_base(name)
    if isinstance(located, str):
        sentence = "it lies on the hub; it is checked when it is loaded"
        return BaseReport(name, (BaseFinding("config", "warning", sentence),), complete=False)
    kept = base_report.kept_report(located)
    if kept is None or not kept.complete:
        kept = check_base(located)
        if base_report.look(located).usable:  # what a glance finds is found again as fast
            base_report.keep_report(located, kept)
    return replace(kept, name=name)


def check_base(folder: Path) -> BaseReport:
    """Check a folder: config, weights, tokenizer, positions, special tokens, generation settings.

    Nothing is raised for what is wrong with it; the report says it.
    """
    first = base_report.look(folder)
    if not first.usable:
        return replace(first, complete=True)
    source = str(folder)
    try:
        model, loading_info = base_model.load_model(source, headers_only=True)
    except base_model.LOADING_ERRORS as error:
        return _unusable(folder, "weights", f"it cannot be loaded: {base_model.first_line(error)}")
    weights = tuple(consistency.check_weights(model, loading_info))
    if not BaseReport(folder.name, weights).usable:
        return BaseReport(folder.name, weights)
    try:
        tokenizer = base_model.load_tokenizer(source)
    except base_model.LOADING_ERRORS as error:
        reason = base_model.first_line(error)
        return _unusable(folder, "tokenizer", f"its tokenizer cannot be loaded: {reason}")
    findings = (
        *_describe_config(model),
        *weights,
        *consistency.check_tokenizer(model, tokenizer),
        *consistency.check_positions(model),
        *_check_generation(model),
    )
    return BaseReport(folder.name, findings)


def _unusable(folder: Path, subject: Subject, sentence: str) -> BaseReport:
    """Return the report on a folder with which nothing further can be done."""
    return BaseReport(folder.name, (BaseFinding(subject, "error", sentence),))


def _describe_config(model: Any) -> Iterator[BaseFinding]:
    """Say which family and kind it is."""
    kind = find_architecture(model.config.model_type).kind
    yield BaseFinding("config", "ok", f"family {model.config.model_type}, {kind}")
    if getattr(model.config, "auto_map", None):
        sentence = "the folder brings code of its own, which is never run; the library's is used"
        yield BaseFinding("config", "warning", sentence)


def _check_generation(model: Any) -> Iterator[BaseFinding]:
    """Say which of the base's own generation settings are not used."""
    if getattr(model, "generation_config", None) is None:
        return
    set_aside = decoding.settings_set_aside(model.generation_config.to_diff_dict())
    if set_aside:
        listed = ", ".join(
            f"{name} {json.dumps(value, default=str)}" for name, value in set_aside.items()
        )
        sentence = f"answers here are greedy; settings of its own that are not used: {listed[:300]}"
        yield BaseFinding("generation", "warning", sentence)
    else:
        yield BaseFinding("generation", "ok", "answers are greedy, and it asks for nothing else")
