"""Measure a decoder's language: which of two sentences it finds likelier, and its perplexity.

BLiMP (Warstadt et al., TACL 2020) asks for whole minimal pairs. A folder `blimp` of the data
directory, as the authors' repository or the hub has it (`sentence_good`, `sentence_bad`, `UID`), is
read so. The folder `blimp_acceptability` has one sentence of each pair only: there an acceptable
sentence is set against another, unacceptable one of its paradigm, of like length, by mean
log-likelihood per token. That is harder, and the result is named so. ComVE gives whole pairs of
sense and nonsense.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from peftcore import paths
from peftcore.analysis import likelihood
from peftcore.data import sources
from peftcore.errors import BadInput
from peftcore.intake import card
from peftcore.intake.places import is_removable, quality_file
from peftcore.intake.request import QualityJob, QualityRequest
from peftcore.models import base_model, catalog
from peftcore.models.base_model import BaseModel
from peftcore.system import atomic_files
from peftcore.system.job_folder import JobStatus

MAX_BATCH_TOKENS = 512  # of one call: its logits take 100 MB with 49,152 words
START_TOKEN = "<|endoftext|>"  # stands in front where the tokenizer puts nothing there
SPLITS = ("test", "validation", "train")
TEXT_SOURCE = "glue_qnli"


@dataclass(frozen=True)
class SentencePairs:
    """Pairs of a right and a wrong sentence, and how they are to be compared."""

    title: str
    unit: str
    note: str
    right: list[str]
    wrong: list[str]
    per_token: bool = False


@dataclass(frozen=True)
class SentenceLikelihoods:
    """Log-likelihoods (n,) of texts after a start token, and their lengths (n,) in tokens."""

    sums: NDArray[np.float64]
    tokens: NDArray[np.int64]


def run_quality_job(
    job: QualityJob, report: Callable[[JobStatus], None] = lambda status: None
) -> JobStatus:
    """Measure a base and write the result beside it; a stop begins anew later."""

    def measure() -> None:
        request = job.request
        pair_sets, texts = load_pairs(request), load_texts(request.sentences)
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
    found = [_blimp_pairs(request.pairs)]
    if request.choices:
        found.append(_comve_pairs(request.choices))
    pair_sets = [pairs for pairs in found if pairs]
    if not pair_sets:
        raise BadInput(
            f"no folder blimp, blimp_acceptability or comve in {paths.data_folder()}; set "
            "PEFTCORE_DATA or --data to the directory that has them"
        )
    return pair_sets


def _blimp_pairs(per_paradigm: int) -> SentencePairs | None:
    """Take whole pairs if they are there, otherwise sentences of the same paradigm."""
    whole = paths.data_folder() / "blimp"
    if whole.is_dir():
        chosen = _first_of_each(_read_whole_pairs(whole), lambda row: row["UID"], per_paradigm)
        return SentencePairs(
            "BLiMP by likelihood",
            "minimal pairs",
            "By the log-likelihood of the whole sentence",
            [row["sentence_good"] for row in chosen],
            [row["sentence_bad"] for row in chosen],
        )
    if not sources.is_available("blimp_acceptability"):
        return None
    fields: sources.Fields = {"sentence": str, "label": int, "UID": str}
    rows = [
        row
        for split in SPLITS
        for row in sources.load_rows("blimp_acceptability", split, None, fields)
    ]
    chosen = _first_of_each(rows, lambda row: (row["UID"], row["label"]), per_paradigm)
    # By paradigm and length, so that the n-th of one list is set against the n-th of the other.
    chosen.sort(key=lambda row: (row["UID"], len(row["sentence"].split())))
    return SentencePairs(
        "BLiMP sentences by likelihood",
        "pairs of the same paradigm",
        "No minimal pairs: the data folder has one sentence of each, so an acceptable sentence is "
        "set against another that is not, by mean log-likelihood per token",
        [row["sentence"] for row in chosen if row["label"] == 1],
        [row["sentence"] for row in chosen if row["label"] == 0],
        per_token=True,
    )


def _read_whole_pairs(folder: Path) -> list[sources.Row]:
    """Read every file of minimal pairs; BadInput for lines that cannot be read."""
    fields: sources.Fields = {"sentence_good": str, "sentence_bad": str, "UID": str}
    rows: list[sources.Row] = []
    for file in sorted(folder.rglob("*.jsonl")):
        good_rows, bad = sources.parse_json_lines(file.read_bytes(), fields)
        if bad:
            raise BadInput(f"{file} has bad lines: {sources.describe_bad_lines(bad)}")
        rows += good_rows
    if not rows:
        raise BadInput(f"{folder} has no files of JSON lines")
    return rows


def _comve_pairs(count: int) -> SentencePairs | None:
    """Take pairs of a sentence that makes sense and one that does not."""
    if not sources.is_available("comve"):
        return None
    fields: sources.Fields = {"sent0": str, "sent1": str, "label": int}
    rows = sources.load_rows("comve", "test", None, fields)[:count]
    return SentencePairs(
        "ComVE, sense above nonsense by likelihood",
        "pairs",
        "By the log-likelihood of the whole sentence, untrained",
        [row[f"sent{1 - row['label']}"] for row in rows],  # the label names the nonsense
        [row[f"sent{row['label']}"] for row in rows],
    )


def _first_of_each(
    rows: Iterable[sources.Row], key: Callable[[sources.Row], Any], count: int
) -> list[sources.Row]:
    """Return the first so many rows of each group."""
    counts: dict[Any, int] = {}
    chosen = []
    for row in rows:
        group = key(row)
        counts[group] = counts.get(group, 0) + 1
        if counts[group] <= count:
            chosen.append(row)
    return chosen


def load_texts(count: int) -> list[str]:
    """Load different sentences that people wrote, in the order of the data set."""
    rows = sources.load_rows(TEXT_SOURCE, "test", None, {"sentence": str})
    return list(dict.fromkeys(row["sentence"].strip() for row in rows))[:count]


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
    scored = sentence_likelihoods(base, [*sentences, *texts], tell)
    measured: dict[str, Any] = {"base": base.name, "fingerprint": base.fingerprint, "pairs": []}
    begin = 0
    for pairs in pair_sets:
        n = len(pairs.right)
        part = slice(begin, begin + 2 * n)
        values = scored.sums[part] / (scored.tokens[part] if pairs.per_token else 1)
        found = likelihood.pair_accuracy(values[:n], values[n:])
        words = {"title": pairs.title, "unit": pairs.unit, "note": pairs.note}
        measured["pairs"].append(words | asdict(found))
        begin += 2 * n
    found_text = likelihood.perplexity(
        scored.sums[begin:], scored.tokens[begin:], sum(len(text.split()) for text in texts)
    )
    title = "Wikipedia (QNLI, test)"
    return measured | {"perplexity": {"title": title} | asdict(found_text)}


def sentence_likelihoods(
    base: BaseModel, texts: Sequence[str], tell: Callable[[int, int], None]
) -> SentenceLikelihoods:
    """Return the log-likelihood of every text, n in all, read in batches of like lengths."""
    rows = [_with_start(base, text) for text in texts]
    sums, tokens = np.zeros(len(rows)), np.array([len(row) - 1 for row in rows], dtype=np.int64)
    done = 0
    tell(done, len(rows))
    for indices in _batches([len(row) for row in rows]):
        sums[indices] = _batch_likelihoods(base, [rows[index] for index in indices])
        done += len(indices)
        tell(done, len(rows))
    return SentenceLikelihoods(sums, tokens)


def _with_start(base: BaseModel, text: str) -> list[int]:
    """Tokenise a text with something in front of it, so that its first token counts, too."""
    tok = base.tokenizer
    ids: list[int] = tok(text)["input_ids"]
    window = base.structure.window
    if window:
        ids = ids[: window - 1]
    if tok.bos_token_id is not None and ids[:1] == [tok.bos_token_id]:
        return ids
    start = tok.get_vocab().get(START_TOKEN, tok.bos_token_id)
    return [tok.eos_token_id if start is None else start, *ids]


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Yield indices in batches of like lengths that take at most so many tokens, padding too."""
    batch: list[int] = []
    for index in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[index] > MAX_BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _batch_likelihoods(base: BaseModel, rows: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return the log-likelihood of each row after its first token, (n,)."""
    width = max(map(len, rows))
    ids = torch.zeros((len(rows), width), dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for number, row in enumerate(rows):  # padded on the right, where a decoder never looks back
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    ids, mask = ids.to(base.device), mask.to(base.device)
    with torch.inference_mode():
        logits = base.model(input_ids=ids, attention_mask=mask).logits[:, :-1].float()
    following = ids[:, 1:]
    chosen = logits.gather(-1, following[..., None])[..., 0] - logits.logsumexp(-1)
    return (chosen * mask[:, 1:]).sum(-1).double().cpu().numpy()


def write_quality(name: str, quality: dict[str, Any]) -> None:
    """Keep a measurement beside the base, or in the workspace if the base does not belong to it."""
    if is_removable(name):
        card.write_quality(catalog.base_folders()[name], quality)
        return
    path = quality_file(name)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_files.replace_file(path, json.dumps(atomic_files.to_jsonable(quality)).encode())
