"""How near explanations come in meaning, by models that are at hand; none is ever downloaded.

`cosine` compares sentence vectors of the base `minilm`, a stand-in under its own name.  BERTScore
is what the benchmark publishes; it is there if PEFTCORE_BERTSCORE names a folder with roberta-large
and the package `bert-score` is installed.  Without a model its scores are left out.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peftcore.data.task import Answer, Example
from peftcore.metrics import scores
from peftcore.models import catalog

BATCH = 64  # sentences in one pass
WINDOW = 256  # tokens of a sentence that are read
LAYERS = 17  # of roberta-large, whose states bert-score compares
PLACEHOLDER = "unk"  # what the benchmark compares where there is no explanation


def explanation_scores(answers: Sequence[Answer], gold: Sequence[Example]) -> dict[str, float]:
    """Scores of every measure whose model is there, as `metrics.over_labels` names them."""
    kept, texts, references = scores.explained(answers, gold)
    pairs = [answers[i] for i in kept], [gold[i] for i in kept]
    found: dict[str, float] = {}
    if "minilm" in catalog.folders():
        found |= scores.over_labels("cosine", cosine(texts, references), *pairs)
    if folder := bertscore_model():
        given = [text or PLACEHOLDER for text in texts]
        found |= scores.over_labels("bertscore", bertscore(given, references, folder), *pairs)
    return found


def cosine(texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """Of each text with its closest reference; 0 for a text that is empty."""
    vectors = _vectors(frozenset(texts) - {""})
    golden = _vectors(frozenset(text for golds in references for text in golds))
    return [
        max(float(vectors[text] @ golden[gold]) for gold in golds) if text else 0.0
        for text, golds in zip(texts, references, strict=True)
    ]


@functools.lru_cache(maxsize=4)  # seeds are scored in turn against the same references
def _vectors(wanted: frozenset[str]) -> Mapping[str, Any]:
    """Mean of the last states of each text, of length 1."""
    import torch

    tokenizer, model = _minilm()
    texts = sorted(wanted, key=lambda text: (len(text), text))  # like lengths share a pass
    found: dict[str, Any] = {}
    for start in range(0, len(texts), BATCH):
        some = texts[start : start + BATCH]
        batch = tokenizer(
            some, padding=True, truncation=True, max_length=WINDOW, return_tensors="pt"
        )
        with torch.no_grad():
            states = model(**batch).last_hidden_state  # (n, t, d)
        mask = batch["attention_mask"][:, :, None]
        mean = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
        found |= dict(zip(some, mean.numpy(), strict=True))
    return found


@functools.cache
def _minilm() -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = catalog.folders()["minilm"]
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    model = AutoModel.from_pretrained(folder, use_safetensors=True, **options)
    return AutoTokenizer.from_pretrained(folder, **options), model.eval()


def bertscore_model() -> Path | None:
    """The folder of roberta-large, if it is one and the package is installed."""
    named = os.environ.get("PEFTCORE_BERTSCORE")
    folder = Path(named).expanduser() if named else None
    if folder is None or importlib.util.find_spec("bert_score") is None:
        return None
    config = folder / "config.json"
    if not config.is_file() or not any(folder.glob("*.safetensors")):
        return None
    held = json.loads(config.read_text("utf-8"))
    shape = [held.get(key) for key in ("model_type", "num_hidden_layers", "hidden_size")]
    return folder if shape == ["roberta", 24, 1024] else None


def bertscore(
    texts: Sequence[str], references: Sequence[Sequence[str]], folder: Path, layers: int = LAYERS
) -> list[float]:
    """F of each text with its closest reference, times 100, not rescaled."""
    scorer = _bertscorer(str(folder.resolve()), layers)
    f = scorer.score(list(texts), [list(golds) for golds in references])[2]
    return [100 * value for value in f.tolist()]


@functools.lru_cache(maxsize=1)
def _bertscorer(folder: str, layers: int) -> Any:
    from bert_score import BERTScorer

    return BERTScorer(model_type=folder, num_layers=layers, batch_size=BATCH, device="cpu")
