"""Layers read with and without an adapter, on every model family."""

import pytest
import torch
from support.bases import FAMILIES

from peftcore.adapters.initializers import SeededInitializer
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.attention.layer_probe import (
    ActiveParts,
    LayerProbe,
    ProbeOptions,
    probe_layers,
    random_prefix,
)
from peftcore.methods.lora import LoRA
from peftcore.models.batching import ExampleBatcher

EXAMPLE = Example("1", "the cat sat on it", "a dog ran")


def sites(base):
    return [site.path for site in base.structure.attention_blocks]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_alone_obeys_the_theory_in_single_precision(tiny, family):
    base = tiny(family)
    found = probe_layers(LayerProbe(random_prefix(base, 4)), EXAMPLE, sites(base), ProbeOptions())
    assert len(found) == len(base.structure.attention_blocks)
    for layer in found.values():
        assert layer.length == 4
        assert 0.05 < layer.share.mean() < 0.95
        assert layer.residual < 1e-5
        assert layer.content_drift < 1e-5
        assert all(layer.summarize_head(h).rank <= 4 for h in range(len(layer.before)))


@pytest.mark.parametrize("family", FAMILIES)
def test_precision_decides_how_exact_it_is(tiny, family):
    base = tiny(family)
    with_adapter, chosen = random_prefix(base, 3), sites(base)[:1]
    error = {
        name: probe_layers(LayerProbe(with_adapter, name), EXAMPLE, chosen, ProbeOptions())[
            chosen[0]
        ].residual
        for name in ("fp64", "fp32", "bf16")
    }
    assert error["fp64"] < 1e-13 < error["fp32"] < 1e-5
    assert error["fp32"] < error["bf16"] < 0.1
    assert base.model.dtype == torch.float32


@pytest.mark.parametrize("family", FAMILIES)
def test_in_the_whole_stack_the_second_layer_gets_other_inputs(tiny, family):
    base = tiny(family)
    found = probe_layers(
        LayerProbe(random_prefix(base, 4)), EXAMPLE, sites(base), ProbeOptions(single_layer=False)
    )
    place = base.structure.attention_blocks[0].attention_kind
    first, second = (s.path for s in base.structure.attention_blocks if s.attention_kind == place)
    assert found[first].residual < 1e-5
    assert found[second].content_drift > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_naive_positions_refute_the_theory_only_where_positions_are_absolute(tiny, family):
    base = tiny(family)
    first = sites(base)[:1]
    found = probe_layers(
        LayerProbe(random_prefix(base, 4)), EXAMPLE, first, ProbeOptions(shift_positions=True)
    )
    drift = found[first[0]].content_drift
    assert drift > 0.01 if base.structure.architecture.absolute_positions else drift < 1e-5


def test_fewer_positions_of_a_prefix_can_be_used(tiny):
    base = tiny("gpt2")
    first = sites(base)[:1]
    found = probe_layers(LayerProbe(random_prefix(base, 4)), EXAMPLE, first, ProbeOptions(length=1))
    assert found[first[0]].length == 1
    assert found[first[0]].summarize_head(0).rank == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_on_queries_reorders(tiny, family):
    base = tiny(family)
    draw = SeededInitializer([0], 1)
    config = LoRA.Config.make({"components": ["attention.query"], "stacks": ["encoder", "decoder"]})
    from peftcore.adapters.adapted_model import AdaptedModel

    adapter = LoRA(base, config, draw)
    for name, tensor in adapter.tensors.items():
        if name.startswith("up"):
            tensor.normal_(generator=torch.Generator().manual_seed(1))
    adapted = AdaptedModel(base, adapter, draw, 2 if base.kind == "encoder" else 0)
    first = sites(base)[:1]
    layer = probe_layers(LayerProbe(adapted), EXAMPLE, first, ProbeOptions())[first[0]]
    assert layer.length == 0
    assert layer.content_drift > 0.05
    assert layer.summarize_head(0).swapped > 0.01


def test_the_plain_pass_is_the_untouched_base(tiny):
    base = tiny("bert")
    made = LayerProbe(random_prefix(base, 2))
    batch = ExampleBatcher(base, ()).batch([EXAMPLE])
    seen = made.record_layers(batch, 0, sites(base), ActiveParts(frozenset()))
    assert all(record.prefix_length == 0 for record in seen.values())


def test_bad_questions_say_what_is_wrong(tiny):
    base = tiny("bert")
    made = LayerProbe(random_prefix(base, 2))
    with pytest.raises(BadInput, match="no attention block"):
        probe_layers(made, EXAMPLE, ["nowhere"], ProbeOptions())
    with pytest.raises(BadInput, match="seed must lie"):
        probe_layers(made, EXAMPLE, sites(base), ProbeOptions(), seed_index=1)
    long = Example("2", "a " * 70, "")
    with pytest.raises(BadInput, match="do not fit"):
        probe_layers(
            LayerProbe(random_prefix(base, 120)),
            long,
            sites(base),
            ProbeOptions(shift_positions=True),
        )


def test_a_page_of_text_is_refused_before_it_fills_the_memory(tiny):
    adapted = random_prefix(tiny("t5"), 1)
    sites = [adapted.base.structure.attention_blocks[0].path]
    with pytest.raises(BadInput, match=r"has \d{3} tokens; up to 160 are measured"):
        probe_layers(LayerProbe(adapted), Example("1", "a cat " * 90, ""), sites, ProbeOptions())
