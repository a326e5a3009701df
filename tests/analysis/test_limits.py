"""The prefix theory as identities, on random tensors and on every model family."""

import numpy as np
import pytest
import torch
from support.bases import FAMILIES

from peftcore.adapters.initializers import SeededInitializer
from peftcore.analysis import limits
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


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def attended(scores, value, length):
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    weights = raised / raised.sum(-1, keepdims=True)
    return limits.AttentionLayer(weights, value, weights @ value, length)


def layers(length=4, heads=2, queries=9, keys=7, width=6):
    """A layer without and with a prefix, the same content."""
    scores = 2 * numbers(heads, queries, length + keys)
    value = numbers(heads, length + keys, width, seed=1)
    plain = attended(scores[..., length:], value[:, length:], 0)
    return plain, attended(scores, value, length), scores


def test_content_attention_is_only_scaled():
    plain, with_adapter, _ = layers()
    found = limits.compare_layers(plain, with_adapter)
    np.testing.assert_allclose(found.after, (1 - found.share[..., None]) * found.before, atol=1e-15)
    assert found.content_drift < 1e-14
    assert found.swapped(0) == 0


def test_output_is_the_scaled_one_plus_weighted_prefix_values():
    plain, with_adapter, _ = layers()
    found = limits.compare_layers(plain, with_adapter)
    np.testing.assert_allclose(found.bias, found.allowed_bias, atol=1e-14)
    assert found.residual < 1e-14


@pytest.mark.parametrize("length", [1, 2, 4])
def test_bias_has_as_many_directions_as_the_prefix_has_positions(length):
    plain, with_adapter, _ = layers(length)
    found = limits.compare_layers(plain, with_adapter)
    assert found.rank(0) == found.allowed_dimensions(0) == length
    assert found.singular_values(0)[length] < 1e-12


@pytest.mark.parametrize(("small", "used"), [(1.0, 2), (0.01, 1)])
def test_directions_used_are_those_that_carry_the_bias(small, used):
    """Two prefix values at right angles, the second of length `small`, each seen by one query."""
    scores = np.full((1, 2, 3), -50.0)
    scores[0, 0, 0] = scores[0, 1, 1] = 0.0
    value = np.array([[[1.0, 0, 0], [0, small, 0], [0, 0, 1.0]]])
    plain = attended(scores[..., 2:], value[:, 2:], 0)
    found = limits.compare_layers(plain, attended(scores, value, 2))
    np.testing.assert_allclose(found.singular_values(0)[:2], sorted((1, small), reverse=True))
    assert (found.allowed_dimensions(0), found.used_dimensions(0)) == (2, used)


def test_prefix_share_is_the_logistic_of_a_difference_of_logsumexps():
    plain, with_adapter, scores = layers()
    share = limits.compare_layers(plain, with_adapter).share
    np.testing.assert_allclose(limits.prefix_share_from_scores(scores, 4), share, atol=1e-15)


def test_a_changed_order_is_seen():
    plain, with_adapter, _ = layers()
    turned = limits.AttentionLayer(
        np.concatenate([with_adapter.weights[..., :4], with_adapter.weights[..., :3:-1]], -1),
        with_adapter.value,
        with_adapter.output,
        4,
    )
    found = limits.compare_layers(plain, turned)
    assert found.content_drift > 0.1
    assert found.swapped(0) > 0.3
    assert not found.summarize_head(0).keeps_order
    assert "changed" in found.summarize_head(0).verdict()


def test_a_changed_output_is_seen():
    plain, with_adapter, _ = layers()
    moved = limits.AttentionLayer(
        with_adapter.weights, with_adapter.value, with_adapter.output + 0.5, 4
    )
    assert limits.compare_layers(plain, moved).residual == pytest.approx(0.5)


def test_bias_of_one_position_is_a_line_in_the_projection():
    plain, with_adapter, _ = layers(length=1)
    shown = limits.compare_layers(plain, with_adapter).projection(0)
    moved = shown.after - shown.scaled
    np.testing.assert_allclose(moved[:, 1], 0, atol=1e-12)
    assert (moved[:, 0] > 0).all()
    assert shown.across == pytest.approx(1.0)


def test_verdict_tells_numbers():
    plain, with_adapter, _ = layers(length=1)
    sentence = limits.compare_layers(plain, with_adapter).summarize_head(1).verdict()
    assert "Order of content unchanged" in sentence
    assert "along one line of 1" in sentence


def test_a_layer_without_change_is_said_to_be_left_alone():
    plain, _, _ = layers()
    assert "left as it was" in limits.compare_layers(plain, plain).summarize_head(0).verdict()


def test_layers_of_other_content_are_refused():
    plain, _, _ = layers(keys=7)
    _, with_adapter, _ = layers(keys=6)
    with pytest.raises(BadInput, match="same"):
        limits.compare_layers(plain, with_adapter)


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
