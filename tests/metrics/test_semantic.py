"""Scores by neural models: there with a model, left out without, and in range."""

import json
import math

import pytest
from support.bases import build_tiny

from peftcore.data.task import Answer, Example
from peftcore.metrics import scores as text_scores
from peftcore.metrics import semantic
from peftcore.models import catalog

TEXTS = ["a dog runs outside", "", "the sky is blue"]
GOLD = [["an animal moves", "A dog runs outside".lower()], ["a man sleeps"], ["cars are loud"]]


def explained(label, *explanations):
    return Example("1", "source", f"{label} because x", label, explanations)


@pytest.fixture
def minilm():
    if "minilm" not in catalog.base_folders():
        pytest.skip("minilm is not installed")


def test_the_closest_reference_counts_and_an_empty_text_gets_nothing(minilm):
    same, empty, other = semantic.sentence_cosines(TEXTS, GOLD)
    assert same == pytest.approx(1, abs=1e-5)
    assert empty == 0
    assert -1 <= other < 0.6


def test_sentences_alike_in_meaning_are_nearer_than_others(minilm):
    near, far = semantic.sentence_cosines(
        ["a man is sleeping"] * 2, [["a person naps"], ["stocks fell"]]
    )
    assert near > far + 0.2


def test_normalised_is_accuracy_times_the_mean_over_right_labels(minilm):
    gold = [explained("yes", "a dog runs")] * 3 + [explained("no", "it is late")]
    pairs = [("yes", "dogs run"), ("no", "a dog runs"), (None, None), ("no", "it is dark")]
    answers = [Answer("", label, text) for label, text in pairs]
    scores = semantic.semantic_explanation_scores(answers, gold)
    accuracy = text_scores.accuracy(answers, gold)
    assert accuracy == 0.5
    assert scores["normalised_cosine"] == pytest.approx(accuracy * scores["ratio_cosine"])
    assert scores["ratio_cosine"] > scores["normalised_cosine"] > 0


def test_without_models_their_scores_are_left_out(monkeypatch):
    monkeypatch.setattr(catalog, "base_folders", dict)
    monkeypatch.delenv("PEFTCORE_BERTSCORE", raising=False)
    assert (
        semantic.semantic_explanation_scores([Answer("", "yes", "x")], [explained("yes", "x")])
        == {}
    )


def test_only_a_roberta_large_gives_what_is_called_bertscore(tmp_path, monkeypatch):
    pytest.importorskip("bert_score")
    monkeypatch.setenv("PEFTCORE_BERTSCORE", str(tmp_path))
    assert semantic.bertscore_folder() is None
    (tmp_path / "model.safetensors").touch()
    shape = {"model_type": "roberta", "num_hidden_layers": 24, "hidden_size": 1024}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    assert semantic.bertscore_folder() == tmp_path
    (tmp_path / "config.json").write_text(json.dumps(shape | {"num_hidden_layers": 12}))
    assert semantic.bertscore_folder() is None


def test_bertscore_runs_on_a_folder_and_is_full_for_equal_texts(tmp_path):
    pytest.importorskip("bert_score")
    base = build_tiny("bert")
    base.model.save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"model_max_length": 64}))
    same, other = semantic.bertscores(
        ["a dog", "a dog"], [["cats", "a dog"], ["cats"]], tmp_path, 1
    )
    assert same == pytest.approx(100, abs=1e-3)
    assert other < same
    assert math.isfinite(other)
