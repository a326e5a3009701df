"""The prefix theory as identities, on random tensors."""

import numpy as np
import pytest

from peftcore.analysis import limits
from peftcore.errors import BadInput


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
