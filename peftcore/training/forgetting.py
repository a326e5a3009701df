"""Measures what a run forgot: general text and minimal pairs, before training and after it.

All seeds read in one pass. What the base itself makes of the text is measured once for its weights
and kept in the workspace. An encoder does not write, so no loss of text says what it forgot; nor is
there one where the base draws pictures.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peftcore import paths
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.no_adapter import unadapted_model
from peftcore.errors import BadInput
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import TokenizedExample
from peftcore.runs.forgetting import Forgetting
from peftcore.runs.spec import RunSpec
from peftcore.system import atomic_files
from peftcore.training import general_text, planning, text_likelihood
from peftcore.training.general_text import GeneralText

TRIED_ROWS = 4  # of the texts, by which the time of all is estimated
DIGITS = 5  # of a loss that is kept


@dataclass(frozen=True)
class TextLosses:
    """Loss of each text in nats per token (s, n), and which pairs are judged rightly (s, m)."""

    loss: NDArray[np.float64]
    right: NDArray[np.float64]


def reason_without(base: BaseModel) -> str:
    """Return why runs on a base have no text that they could forget; empty if they have."""
    if base.kind == "encoder":
        return f"{base.name} reads but does not write, so there is no text that it could forget"
    if getattr(base.model.config, "draws", ""):
        return f"{base.name} draws pictures, so there is no text that it could forget"
    return ""


def measure(
    spec: RunSpec, adapted: AdaptedModel, stop: Callable[[], bool] = lambda: False
) -> Forgetting:
    """Measure what every seed of a run forgot; BadInput for bases without text.

    `stop` is called between passes; InterruptedError if it returns true.
    """
    base, began = adapted.base, time.monotonic()
    if reason := reason_without(base):
        raise BadInput(reason)
    text = general_text.choose_general_text(base.name)
    room = planning.prompt_length(spec, base)
    before = _base_losses(base, text, room, stop)
    after = _losses(adapted, text, room, stop)
    return Forgetting(
        text.title,
        text.pairs.title,
        text.digest(),
        before.loss[0].round(DIGITS).tolist(),
        before.right[0].tolist(),
        after.loss.round(DIGITS).tolist(),
        after.right.tolist(),
        round(time.monotonic() - began, 3),
    )


def estimate_seconds(spec: RunSpec, adapted: AdaptedModel, clock: Callable[[], float]) -> float:
    """Estimate how long `measure` will take, from the pass over a few texts; 0 where none is read.

    adapted: a trial of the run's model, perhaps with fewer seeds.
    """
    base = adapted.base
    if reason_without(base):
        return 0.0
    text, room = general_text.choose_general_text(base.name), planning.prompt_length(spec, base)
    rows = _rows(base, text, room)
    lengths = [len(row.input_ids) + len(row.target_ids) for row in rows]
    few = rows[:TRIED_ROWS]
    began = clock()
    text_likelihood.measure(adapted, few)
    each = (clock() - began) / sum(lengths[:TRIED_ROWS]) / adapted.seeds
    is_known = _base_file(base, text, room).is_file()
    return each * sum(lengths) * (spec.population.seeds + (not is_known))


def _rows(base: BaseModel, text: GeneralText, room: int) -> list[TokenizedExample]:
    """Tokenise the texts, then both sentences of each pair."""
    rows = [text_likelihood.text_row(base, each, room) for each in text.texts]
    for right, wrong in zip(text.pairs.right, text.pairs.wrong, strict=True):
        rows += text_likelihood.pair_rows(base, right, wrong, room)
    return rows


def _base_file(base: BaseModel, text: GeneralText, room: int) -> Path:
    """Return where the workspace keeps what a base makes of the text."""
    folder = paths.workspace_folder() / "forgetting" / "bases"
    return folder / f"{base.fingerprint}-{text.digest()}-{room}.json"


def _base_losses(
    base: BaseModel, text: GeneralText, room: int, stop: Callable[[], bool]
) -> TextLosses:
    """Return what the base makes of the text, from the workspace if it was measured before."""
    file = _base_file(base, text, room)
    if stored := atomic_files.read_json(file):
        return TextLosses(*(np.array([stored[name]], float) for name in ("loss", "right")))
    found = _losses(unadapted_model(base), text, room, stop)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    values = {"loss": found.loss[0].tolist(), "right": found.right[0].tolist()}
    atomic_files.replace_file(file, json.dumps(values).encode())
    return found


def _losses(
    adapted: AdaptedModel, text: GeneralText, room: int, stop: Callable[[], bool]
) -> TextLosses:
    """Return what all seeds of a model make of the text, read in one pass over it."""

    def tell(done: int, total: int) -> None:
        if stop():
            raise InterruptedError

    n = len(text.texts)
    found = text_likelihood.measure(adapted, _rows(adapted.base, text, room), tell)
    means = found.sums / found.tokens
    values = (means if text.pairs.per_token else found.sums)[:, n:]
    of_right, of_wrong = values[:, ::2], values[:, 1::2]  # (s, m)
    # A tie counts one half; a seed that diverged judges nothing rightly.
    judged = (of_right > of_wrong).astype(np.float64) + 0.5 * (of_right == of_wrong)
    return TextLosses(-means[:, :n], judged)
