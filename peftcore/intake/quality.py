"""Measure a decoder's language: which of two sentences it finds likelier, and its perplexity.

Which sentences there are is in `training.general_text`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from peftcore import paths
from peftcore.analysis import likelihood
from peftcore.errors import BadInput
from peftcore.intake import card
from peftcore.intake.places import is_removable, quality_file
from peftcore.intake.request import QualityJob, QualityRequest
from peftcore.models import base_model, catalog
from peftcore.models.base_model import BaseModel
from peftcore.system import atomic_files
from peftcore.system.job_folder import JobStatus
from peftcore.training import general_text, text_likelihood
from peftcore.training.general_text import SentencePairs


def run_quality_job(
    job: QualityJob, report: Callable[[JobStatus], None] = lambda status: None
) -> JobStatus:
    """Measure a base and write the result beside it; a stop begins anew later."""

    def measure() -> None:
        request = job.request
        pair_sets, texts = load_pairs(request), general_text.load_texts(request.sentences)
        base = base_model.load(request.base)
        began = time.monotonic()

        def tell(done: int, total: int) -> None:
            seconds = time.monotonic() - began
            status = job.write_status(
                state="running", done=done, of=total, seconds=seconds, message=""
            )
            report(status)
            if job.stop_requested():
                raise InterruptedError

        quality = measure_quality(base, pair_sets, texts, tell)
        write_quality(request.base, quality)
        job.append_value({"what": "quality"} | quality)

    job.reset_if_lost()
    return job.run(measure)


def load_pairs(request: QualityRequest) -> list[SentencePairs]:
    """Load the pairs that the data directory has; BadInput if it has none."""
    found = [general_text.blimp_pairs(request.pairs)]
    if request.choices:
        found.append(general_text.comve_pairs(request.choices))
    pair_sets = [pairs for pairs in found if pairs]
    if not pair_sets:
        raise BadInput(
            f"no folder blimp, blimp_acceptability or comve in {paths.data_folder()}; set "
            "PEFTCORE_DATA or --data to the directory that has them"
        )
    return pair_sets


def measure_quality(
    base: BaseModel,
    pair_sets: Sequence[SentencePairs],
    texts: Sequence[str],
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Return accuracies of pairs and the perplexity of texts as JSON; BadInput unless a decoder.

    `tell` gets how many of how many sentences were read; it may raise to stop.
    """
    if base.kind != "decoder":
        raise BadInput(f"{base.name} is an {base.kind}; only decoders give texts a likelihood")
    sentences = [s for pairs in pair_sets for s in (*pairs.right, *pairs.wrong)]
    scored = text_likelihood.measure_base(base, [*sentences, *texts], tell)
    sums, tokens = scored.sums[0], scored.tokens
    measured: dict[str, Any] = {"base": base.name, "fingerprint": base.fingerprint, "pairs": []}
    begin = 0
    for pairs in pair_sets:
        n = len(pairs.right)
        part = slice(begin, begin + 2 * n)
        values = sums[part] / (tokens[part] if pairs.per_token else 1)
        found = likelihood.pair_accuracy(values[:n], values[n:])
        words = {"title": pairs.title, "unit": pairs.unit, "note": pairs.note}
        measured["pairs"].append(words | asdict(found))
        begin += 2 * n
    found_text = likelihood.perplexity(
        sums[begin:], tokens[begin:], sum(len(text.split()) for text in texts)
    )
    return measured | {"perplexity": {"title": general_text.TEXT_TITLE} | asdict(found_text)}


def write_quality(name: str, quality: dict[str, Any]) -> None:
    """Keep a measurement beside the base, or in the workspace if the base does not belong to it."""
    if is_removable(name):
        card.write_quality(catalog.base_folders()[name], quality)
        return
    path = quality_file(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_files.replace_file(path, json.dumps(atomic_files.to_jsonable(quality)).encode())
