"""Where an adapter first touches a base, and passes that begin there."""

import copy

import pytest
import torch
from support.adapters import EXAMPLES, random_adapted

from peftcore.adapters import lower_layers
from peftcore.adapters.lower_layers import FirstTouched
from peftcore.models.batching import ExampleBatcher

LISTS = [
    ("t5", "encoder", "encoder.block"),
    ("t5", "decoder", "decoder.block"),
    ("bert", "encoder", "encoder.layer"),
    ("gpt2", "decoder", "transformer.h"),
    ("llama", "decoder", "model.layers"),
]
PLACES = [
    ("t5", ["decoder.block.1.layer.1.EncDecAttention.q"], FirstTouched("decoder", 1)),
    ("t5", ["decoder.final_layer_norm", "lm_head"], FirstTouched("decoder", 2)),
    ("t5", ["decoder.block.0.layer.0.SelfAttention.q", "encoder.block.1.x"], ("encoder", 1)),
    ("t5", ["encoder.final_layer_norm"], FirstTouched("encoder", 2)),
    ("t5", ["decoder.embed_tokens"], FirstTouched("decoder", 0)),
    ("t5", ["shared"], FirstTouched("encoder", 0)),
    ("bert", [], FirstTouched(None, 0)),
    ("bert", ["embeddings.LayerNorm"], FirstTouched("encoder", 0)),
    ("gpt2", ["transformer.ln_f"], FirstTouched("decoder", 2)),
    ("gpt2", ["transformer.h.1.attn.c_attn", "transformer.ln_f"], FirstTouched("decoder", 1)),
    ("llama", ["model.norm"], FirstTouched("decoder", 2)),
    ("llama", ["model.layers.1.input_layernorm"], FirstTouched("decoder", 1)),
    ("llama", ["model.embed_tokens", "lm_head"], FirstTouched("decoder", 0)),
    ("llama", ["something.nobody.knows"], FirstTouched("decoder", 0)),
    ("llama", None, FirstTouched("decoder", 0)),
]


@pytest.mark.parametrize(("family", "stack", "path"), LISTS)
def test_the_list_of_a_stacks_layers_is_found(tiny, family, stack, path):
    assert lower_layers.layer_list_path(tiny(family).structure, stack) == path


def test_layers_that_share_their_modules_have_no_list(tiny):
    structure = tiny("llama").structure
    shared = copy.copy(structure)
    object.__setattr__(shared, "attention_blocks", structure.attention_blocks[:1] * 2)
    assert lower_layers.layer_list_path(shared, "decoder") is None
    assert lower_layers.layer_list_path(structure, "encoder") is None


@pytest.mark.parametrize(("family", "paths", "wanted"), PLACES)
def test_the_first_layer_touched_is_the_lowest_of_the_first_stack(
    tiny, family, paths, wanted, monkeypatch
):
    adapted = random_adapted(tiny(family), "lora", seeds=(0,), vertices=1)
    monkeypatch.setattr(adapted.adapter, "injection_paths", lambda: paths)
    assert lower_layers.find_first_touched(adapted.adapter) == (
        wanted if isinstance(wanted, FirstTouched) else FirstTouched(*wanted)
    )


@pytest.mark.parametrize("family", ["t5", "bert", "gpt2", "llama"])
def test_a_copy_of_a_model_that_resumes_resumes_by_its_own_modules(tiny, family):
    settings = {"stacks": ["encoder"]} if family == "t5" else {}
    adapted = random_adapted(tiny(family), "lora", (0,), 1, first_layer=1, **settings)
    batch = ExampleBatcher(adapted.base, ["yes", "no"]).batch(EXAMPLES)
    states = adapted.states_below(batch)
    other, met = copy.deepcopy(adapted.model), []
    path = lower_layers.layer_list_path(adapted.base.structure, adapted.first_touched.stack)
    other.get_submodule(f"{path}.1").register_forward_pre_hook(lambda _, args: met.append(args[0]))
    inputs = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    if family == "t5":
        inputs["decoder_input_ids"] = batch.input_ids
    with torch.no_grad(), lower_layers.resume(1, states + 1):
        other(**inputs)
    torch.testing.assert_close(met[0], states + 1)


def test_a_pass_that_never_meets_its_layer_is_a_fault(tiny):
    with pytest.raises(AssertionError, match="did not meet layer 1"):
        lower_layers.compute(2, lambda: None)


def test_rows_lose_their_padding_and_get_it_back_on_their_side():
    states = torch.arange(1.0, 13).view(2, 3, 2)
    mask = torch.tensor([[0, 1, 1], [1, 1, 1]])
    rows = list(lower_layers.own_rows(states, mask))
    assert [len(row) for row in rows] == [2, 3]
    left, right = (lower_layers.padded(rows, 4, left) for left in (True, False))
    assert left[0].tolist() == [[0, 0], [0, 0], *states[0, 1:].tolist()]
    assert right[0].tolist() == [*states[0, 1:].tolist(), [0, 0], [0, 0]]
