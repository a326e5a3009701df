"""Similarity in meaning of explanations, by models on this machine; none is downloaded.

`cosine` compares sentence vectors of the base `minilm`, a stand-in under its own name. BERTScore is
what the benchmark publishes; it is available if PEFTCORE_BERTSCORE names a folder with
roberta-large and the package `bert-score` is installed. Without a model its scores are left out.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from peftcore import paths
from peftcore.data.task import Answer, Example
from peftcore.metrics import scores
from peftcore.models import catalog

BATCH_SIZE = 64  # sentences in one pass
MAX_TOKENS = 256  # tokens of a sentence that are read
BERTSCORE_LAYERS = 17  # of roberta-large, whose states bert-score compares
PLACEHOLDER = "unk"  # what the benchmark compares where there is no explanation


def semantic_explanation_scores(
    answers: Sequence[Answer], gold: Sequence[Example]
) -> dict[str, float]:
    """Score by every measure whose model is available, named as in `label_aware_means`."""
    indices, texts, references = scores.explanation_texts(answers, gold)
    pairs = [answers[i] for i in indices], [gold[i] for i in indices]
    all_scores: dict[str, float] = {}
    if "minilm" in catalog.base_folders():
        all_scores |= scores.label_aware_means(
            "cosine", sentence_cosines(texts, references), *pairs
        )
    if folder := bertscore_folder():
        candidates = [text or PLACEHOLDER for text in texts]
        all_scores |= scores.label_aware_means(
            "bertscore", bertscores(candidates, references, folder), *pairs
        )
    return all_scores


def sentence_cosines(texts: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """Return the cosine of each text with its closest reference; 0 for an empty text."""
    vectors = _sentence_vectors(frozenset(texts) - {""})
    golden = _sentence_vectors(frozenset(text for golds in references for text in golds))
    return [
        max(float(vectors[text] @ golden[gold]) for gold in golds) if text else 0.0
        for text, golds in zip(texts, references, strict=True)
    ]


@functools.lru_cache(maxsize=4)  # seeds are scored in turn against the same references
def _sentence_vectors(unique_texts: frozenset[str]) -> Mapping[str, Any]:
    """Return each text's mean of last states, a vector (d,) of length 1."""
    import torch

    tokenizer, model = _load_minilm()
    texts = sorted(unique_texts, key=lambda text: (len(text), text))  # like lengths share a pass
    vector_by_text: dict[str, Any] = {}
    for start in range(0, len(texts), BATCH_SIZE):
        chunk = texts[start : start + BATCH_SIZE]
        batch = tokenizer(
            chunk, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        with torch.no_grad():
            states = model(**batch).last_hidden_state  # (n, t, d)
        mask = batch["attention_mask"][:, :, None]
        mean = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1))
        vector_by_text |= dict(zip(chunk, mean.numpy(), strict=True))
    return vector_by_text


@functools.cache
def _load_minilm() -> tuple[Any, Any]:
    """Load tokenizer and model of `minilm`, once."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = catalog.base_folders()["minilm"]
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    model = AutoModel.from_pretrained(folder, use_safetensors=True, **options)
    return AutoTokenizer.from_pretrained(folder, **options), model.eval()


def bertscore_folder() -> Path | None:
    """Return the folder of roberta-large, or None without it or without the package."""
    folder_name = os.environ.get("PEFTCORE_BERTSCORE")
    folder = paths.expand(folder_name) if folder_name else None
    if folder is None or importlib.util.find_spec("bert_score") is None:
        return None
    config = folder / "config.json"
    if not config.is_file() or not any(folder.glob("*.safetensors")):
        return None
    model_config = json.loads(config.read_text("utf-8"))
    shape = [model_config.get(key) for key in ("model_type", "num_hidden_layers", "hidden_size")]
    return folder if shape == ["roberta", 24, 1024] else None


def bertscores(
    texts: Sequence[str],
    references: Sequence[Sequence[str]],
    folder: Path,
    layers: int = BERTSCORE_LAYERS,
) -> list[float]:
    """Return BERTScore F of each text with its closest reference, times 100, not rescaled."""
    scorer = _load_bertscorer(str(folder.resolve()), layers)
    f = scorer.score(list(texts), [list(golds) for golds in references])[2]
    return [100 * value for value in f.tolist()]


@functools.lru_cache(maxsize=1)
def _load_bertscorer(folder: str, layers: int) -> Any:
    """Load the scorer of a model's folder, once."""
    from bert_score import BERTScorer

    return BERTScorer(model_type=folder, num_layers=layers, batch_size=BATCH_SIZE, device="cpu")
