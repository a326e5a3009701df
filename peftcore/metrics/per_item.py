"""Automatic scores of single explanations, to compare with what people say of the same.

The same measures as a run's scores, but item by item: similarity to the closest gold explanation by
chrF and ROUGE-L and, where their models are available, by sentence vectors and BERTScore; also
length and whether the label is right. The data set's own explanations are left out: the others are
compared with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from peftcore.errors import BadInput
from peftcore.metrics import scores, semantic
from peftcore.models import catalog

if TYPE_CHECKING:
    from peftcore.data.task import Example, Split

TITLES = {
    "chrf": "chrF to the closest gold explanation",
    "rougeL": "ROUGE-L to the closest gold explanation",
    "cosine": "Sentence-vector nearness to the closest gold explanation",
    "bertscore": "BERTScore to the closest gold explanation",
    "words": "Length in words",
    "label_right": "Label is right",
}


def item_scores(
    texts: pd.DataFrame, references: Mapping[str, Sequence[str]], use_models: bool = False
) -> pd.DataFrame:
    """Score each item: one row with columns item and those of TITLES that are available.

    `texts` has columns item, example, label, shown_label, explanation, method; `references` gives
    the gold explanations of each example. With use_models, loading them takes a while.
    """
    rows = texts[texts["method"] != "gold"].drop_duplicates("item")
    rows = rows[[bool(references.get(str(example))) for example in rows["example"]]]
    if rows.empty:
        raise BadInput("none of these explanations has a gold explanation to compare with")
    explanations = [str(text).lower() for text in rows["explanation"]]
    golds = [
        [gold.lower() for gold in references[str(example_id)]] for example_id in rows["example"]
    ]
    item_table = pd.DataFrame({"item": rows["item"]})
    item_table["chrf"] = scores.sentence_chrf(explanations, golds)
    item_table["rougeL"] = scores.sentence_rouge(explanations, golds)
    if use_models and "minilm" in catalog.base_folders():
        item_table["cosine"] = semantic.sentence_cosines(explanations, golds)
    if use_models and (folder := semantic.bertscore_folder()):
        item_table["bertscore"] = semantic.bertscores(
            [text or semantic.PLACEHOLDER for text in explanations], golds, folder
        )
    item_table["words"] = [float(len(text.split())) for text in explanations]
    pairs = zip(rows["shown_label"], rows["label"], strict=True)
    item_table["label_right"] = [
        float(_normalized(shown_label) == _normalized(label)) for shown_label, label in pairs
    ]
    return item_table.reset_index(drop=True)


def gold_explanations(
    texts: pd.DataFrame, load: Callable[[Split], Iterable[Example]] | None
) -> dict[str, list[str]]:
    """Return the gold explanations of each example, from these texts or else from the task.

    `texts` as in `item_scores`; `load` gives a split of the task, None where the task is gone.
    """
    texts_by_example: dict[str, list[str]] = {}
    for row in texts[texts["method"] == "gold"].itertuples():
        texts_by_example.setdefault(str(row.example), []).append(str(row.explanation))
    wanted_ids = set(map(str, texts["example"]))
    splits: tuple[Split, ...] = ("test", "validation")
    for split in splits:
        if load is None or wanted_ids <= set(texts_by_example):
            break
        for example in load(split):
            if example.id in wanted_ids and example.references:
                texts_by_example[example.id] = list(example.references)
    return texts_by_example


def model_metrics_available() -> bool:
    """Return whether there are measures that need a model, and the model is there."""
    return "minilm" in catalog.base_folders() or semantic.bertscore_folder() is not None


def _normalized(text: str) -> str:
    """Lower the case and collapse spaces."""
    return " ".join(str(text).lower().split())
