"""General text that a base is measured on: sentences, and pairs of a right and a wrong one.

BLiMP (Warstadt et al., TACL 2020) asks for whole minimal pairs. A folder `blimp` of the data
directory, as the authors' repository or the hub has it (`sentence_good`, `sentence_bad`, `UID`), is
read so. The folder `blimp_acceptability` has one sentence of each pair only: there an acceptable
sentence is set against another, unacceptable one of its paradigm, of like length, by mean
log-likelihood per token. That is harder, and the result is named so. ComVE gives whole pairs of
sense and nonsense. The embedded bases know Miniworld alone; what they are measured on is sampled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.data import sources
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.tasks.miniworld import held_out

SPLITS = ("test", "validation", "train")
TEXT_SOURCE = "glue_qnli"
TEXT_TITLE = "Wikipedia (QNLI, test)"
PASSAGES, SENTENCES = 64, 32  # texts that forgetting is measured on; a sentence is twice as long
PAIRS = 64
FEW_SENTENCES, FEW_PAIRS = 12, 24  # on large bases, whose runs are short and whose passes long


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
class GeneralText:
    """Sentences or passages by the name of their source, and pairs."""

    title: str
    texts: list[str]
    pairs: SentencePairs

    def digest(self) -> str:
        """Return twelve digits: equal texts and pairs have equal digests."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]


def choose_general_text(base: str) -> GeneralText:
    """Choose what a base knew before: some 900 words of text, and 64 to 67 pairs.

    Embedded bases know Miniworld; others get sentences that people wrote and BLiMP, or Miniworld
    for whatever the data directory lacks, since every machine has it. Large bases get a part of
    it, spread over paradigms, so that measuring takes less time than a short run.
    """
    embedded = catalog.base_folders().get(base, Path()).parent == paths.ASSETS / "models"
    minimal = None if embedded else blimp_pairs(1)  # 67 paradigms
    if embedded or not sources.is_available(TEXT_SOURCE):
        title, texts = "Miniworld, clauses left out of pretraining", _miniworld_passages()
    else:
        title, texts = TEXT_TITLE, load_texts(SENTENCES)
    text = GeneralText(title, texts, minimal or _miniworld_pairs())
    return _a_part(text) if _is_large(base) else text


def _is_large(base: str) -> bool:
    """Return whether a base of this machine is large; one in memory alone is not."""
    folder = catalog.base_folders().get(base)
    return folder is not None and catalog.stored_parameter_count(folder) >= LARGE_BASE


def _a_part(text: GeneralText) -> GeneralText:
    """Return the first sentences, and pairs spread over the list."""
    pairs = text.pairs
    taken = [n * len(pairs.right) // FEW_PAIRS for n in range(FEW_PAIRS)]
    few = replace(
        pairs, right=[pairs.right[n] for n in taken], wrong=[pairs.wrong[n] for n in taken]
    )
    return GeneralText(text.title, text.texts[:FEW_SENTENCES], few)


def _miniworld_passages() -> list[str]:
    return held_out.sample_passages(PASSAGES)


def _miniworld_pairs() -> SentencePairs:
    chosen = held_out.sample_minimal_pairs(PAIRS)
    return SentencePairs(
        "Miniworld minimal pairs",
        "minimal pairs",
        "One fault of number, article or word order; by the log-likelihood of the whole sentence",
        [pair.right for pair in chosen],
        [pair.wrong for pair in chosen],
    )


def blimp_pairs(per_paradigm: int) -> SentencePairs | None:
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


def comve_pairs(count: int) -> SentencePairs | None:
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
