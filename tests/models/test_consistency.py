"""Weights, tokenizer and configuration that do not belong together are refused, wherever seen."""

import pytest
import torch
from support.base_folders import edit_json, edit_weights, write_base

from peftcore.errors import BadInput
from peftcore.models import catalog, check
from peftcore.models.base_model import load


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A random Llama, as somebody's own."""
    monkeypatch.setenv("PEFTCORE_MODELS", str(tmp_path))
    return write_base(tmp_path / "mine")


def levels(report, subject):
    return {f.level for f in report.findings if f.subject == subject}


def break_head(folder):
    edit_json(folder / "config.json", tie_word_embeddings=False)
    edit_weights(folder, drop=["lm_head.weight"])


def break_depth(folder):
    edit_json(folder / "config.json", num_hidden_layers=3)


def break_shallow(folder):
    edit_json(folder / "config.json", num_hidden_layers=1)


def break_bias(folder):
    edit_weights(folder, **{"model.layers.0.self_attn.q_proj.bias": torch.zeros(16)})


def break_width(folder):
    edit_json(folder / "config.json", intermediate_size=40)


BROKEN = {
    "no head": (break_head, "lack 1 tensor .*tie_word_embeddings.*: lm_head.weight"),
    "a layer too few": (break_depth, r"lack 9 tensors .*model\.layers\.2\."),
    "a layer too many": (break_shallow, r"hold 9 tensors .*no place for: model\.layers\.1\."),
    "a bias of a matrix without": (break_bias, r"no place for: model\.layers\.0\..*q_proj\.bias"),
    "other sizes": (break_width, r"6 tensors .*differ in shape.*\(32, 16\) for \(40, 16\)"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_weights_that_the_config_does_not_describe_are_refused_with_one_sentence(folder, fault):
    """Case A07 (huggingface/transformers#13233): nothing random and nothing cut enters silently."""
    broken, message = BROKEN[fault]
    broken(folder)
    report = check.check_base(folder)
    assert levels(report, "weights") == {"error"}
    with pytest.raises(BadInput, match=message) as refused:
        load("mine")
    assert str(refused.value) == report.reason
    assert "mine" in catalog.unusable_bases()  # from now on
    assert "mine" not in catalog.base_names()


def test_a_tied_head_may_be_missing(folder):
    edit_json(folder / "config.json", tie_word_embeddings=True)
    edit_weights(folder, drop=["lm_head.weight"])
    assert check.check_base(folder).usable
    base = load("mine")
    assert base.model.lm_head.weight is base.model.get_input_embeddings().weight


def test_heads_for_other_uses_and_a_missing_pooler_are_no_fault(tmp_path):
    folder = write_base(tmp_path / "reader", "bert")
    edit_weights(folder, **{"cls.predictions.bias": torch.zeros(64)})
    report = check.check_base(folder)
    assert report.usable
    assert any("cls.predictions.bias" in finding.sentence for finding in report.findings)


def test_a_tokenizer_of_another_model_is_refused(folder):
    edit_json(folder / "config.json", vocab_size=40)
    weights = {n: torch.zeros(40, 16) for n in ("model.embed_tokens.weight", "lm_head.weight")}
    edit_weights(folder, **weights)
    report = check.check_base(folder)
    assert levels(report, "tokenizer") == {"error"}
    assert "and the embedding has 40 rows" in report.reason
    with pytest.raises(BadInput, match="has 40 rows"):
        load("mine")


def test_a_base_that_writes_needs_an_end_token(folder):
    edit_json(folder / "tokenizer_config.json", eos_token=None)
    report = check.check_base(folder)
    assert "it has no end token" in report.reason
    with pytest.raises(BadInput, match="it has no end token"):
        load("mine")


def test_an_end_token_that_differs_from_the_configs_is_said(folder):
    edit_json(folder / "config.json", eos_token_id=5)
    report = check.check_base(folder)
    assert report.usable
    assert "warning" in levels(report, "special tokens")
