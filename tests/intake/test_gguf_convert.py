"""A model written as GGUF and turned back computes what it computed."""

import pytest
import torch
from support.gguf_files import tiny_model, write_gguf
from transformers import AutoModelForCausalLM

from peftcore.errors import BadInput
from peftcore.intake import gguf_convert
from peftcore.models import base_model

IDS = torch.tensor([[5, 60, 7, 8, 9, 100, 11, 12]])


def logits(model):
    with torch.inference_mode():
        return model(input_ids=IDS).logits


def converted(path, folder):
    folder.mkdir()
    plan, steps = gguf_convert.plan_conversion(path), []
    gguf_convert.write_model(plan, folder, lambda *step: steps.append(step))
    assert steps[-1] == (len(plan.targets), len(plan.targets))
    return base_model.load(str(folder))


@pytest.mark.parametrize(
    ("architecture", "tied"), [("llama", True), ("llama", False), ("qwen2", True)]
)
def test_an_unquantised_file_gives_the_very_model(tmp_path, architecture, tied):
    model = tiny_model(architecture, tied)
    path = write_gguf(tmp_path / "m.gguf", model, architecture=architecture)
    base = converted(path, tmp_path / "out")
    assert torch.allclose(logits(base.model), logits(model), atol=1e-5)
    assert (base.kind, base.parameter_count) == ("decoder", model.num_parameters())
    assert gguf_convert.plan_conversion(path).parameter_count == base.parameter_count


def test_the_layout_is_that_which_the_library_reads(tmp_path):
    """Another reader of such files, which knows nothing of ours, gets the same model from them."""
    for architecture in ("llama", "qwen2"):
        model = tiny_model(architecture, tied=False)
        write_gguf(tmp_path / "m.gguf", model, architecture=architecture, pre="qwen2")
        theirs = AutoModelForCausalLM.from_pretrained(
            tmp_path, gguf_file="m.gguf", dtype=torch.float32
        )
        assert torch.allclose(logits(theirs), logits(model), atol=1e-4)


def test_without_setting_the_halves_apart_it_would_be_another_model(
    tiny_llama, llama_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(gguf_convert, "separate_halves", lambda matrix, heads: matrix)
    base = converted(llama_file, tmp_path / "out")
    assert (logits(base.model) - logits(tiny_llama)).abs().max() > 0.1


@pytest.mark.parametrize(
    ("kind", "dtype", "near"),
    [
        ("Q8_0", "bfloat16", 0.2),
        ("Q4_1", "bfloat16", 2.5),
        ("F16", "float16", 0.01),
        ("BF16", "bfloat16", 0.2),
    ],
)
def test_other_types_are_unpacked_and_near(tiny_llama, tmp_path, kind, dtype, near):
    path = write_gguf(tmp_path / "m.gguf", tiny_llama, kind)
    assert str(gguf_convert.plan_conversion(path).dtype) == f"torch.{dtype}"
    apart = logits(converted(path, tmp_path / "out").model) - logits(tiny_llama)
    assert apart.abs().mean() < near
    assert "rotary halves" in gguf_convert.describe(gguf_convert.plan_conversion(path))


def test_tensors_larger_than_a_piece_are_put_together(
    tiny_llama, llama_file, tmp_path, monkeypatch
):
    monkeypatch.setattr(gguf_convert, "CHUNK_NUMBERS", 200)
    base = converted(llama_file, tmp_path / "out")
    assert torch.allclose(logits(base.model), logits(tiny_llama), atol=1e-5)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"architecture": "gemma3"}, "no architecture for GGUF files 'gemma3'; known: llama"),
        ({"tokenizer": "llama"}, "tokenizer of kind 'llama'"),
        ({"pre": "deepseek-llm"}, "no way of splitting texts 'deepseek-llm'"),
        ({"merges": ["q q"]}, "merges 'q q'"),
        ({"expert_count": 8}, "expert_count = 8"),
        ({"rope.scaling.type": "yarn"}, "rope.scaling.type = yarn"),
        ({"block_count": 3}, "blk.2.attn_k.weight"),
        ({"block_count": 2**30}, "1073741824 layers"),
        ({"attention.head_count_kv": 3}, "4 heads on 3"),
        ({"embedding_length": 32}, r"must be \[264, 32\]"),
        ({"feed_forward_length": 0}, "feed_forward_length is 0"),
    ],
)  # fmt: skip
def test_what_cannot_become_the_same_model_is_refused(tiny_llama, tmp_path, fields, words):
    path = write_gguf(tmp_path / "m.gguf", tiny_llama, **fields)
    with pytest.raises(BadInput, match=words):
        gguf_convert.plan_conversion(path)


def test_numbers_that_are_none_are_refused(tmp_path):
    model = tiny_model()
    model.model.layers[1].mlp.up_proj.weight.data[0, 0] = torch.nan
    path = write_gguf(tmp_path / "m.gguf", model)
    with pytest.raises(BadInput, match=r"blk.1.ffn_up.weight has numbers that are not finite"):
        converted(path, tmp_path / "out")


def test_the_configuration_says_what_the_file_says(llama_file, tmp_path):
    base = converted(llama_file, tmp_path / "out")
    config = base.model.config
    assert (config.num_key_value_heads, config.max_position_embeddings) == (2, 128)
    assert config.tie_word_embeddings
    assert not base.model.generation_config.do_sample
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 2)
    assert base.tokenizer.chat_template
