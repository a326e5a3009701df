"""Gradients of answers: a linear case by hand, the model's own gradient, and sums that hold."""

import numpy as np
import pytest
import torch
from support.adapters import random_adapted

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.attention import attribution, why_answer
from peftcore.models.batching import ExampleBatcher

EXAMPLE = Example("1", "a cat sat there", "yes because", "yes")
WEIGHTS = torch.tensor([[1.0, -2.0], [0.5, 4.0]])  # (i, d)
VECTORS = torch.tensor([[3.0, 1.0], [2.0, -1.0]])


def linear(rows):
    """Two outputs, the second twice the first."""
    one = (rows * WEIGHTS).sum((1, 2))
    return torch.stack([one, 2 * one], 1)


def test_a_linear_model_is_taken_apart_as_by_hand():
    shares, sums = attribution.gradient_times_input(linear, VECTORS)
    # 3 · 1 - 2 · 1 = 1 and 0.5 · 2 - 4 · 1 = -3
    assert shares.tolist() == [pytest.approx([1, 2]), pytest.approx([-3, -6])]
    assert sums.tolist() == pytest.approx([-2, -4], abs=1e-3)
    empty = torch.ones(2, 2)
    shares, sums = attribution.integrated_gradients(linear, VECTORS, empty)
    # Three times the weights times the way: 3 (1 · 2 - 2 · 0) and 3 (0.5 · 1 + 4 · -2)
    assert shares[:, 0].tolist() == pytest.approx([6, -22.5], abs=1e-4)
    assert sums.tolist() == pytest.approx([-16.5], abs=1e-4)


def test_a_square_needs_the_whole_way():
    """Of x² from 1 to 3 the gradient × input is 2 · 9, the way between adds 9 - 1."""

    def square(rows):
        return rows.square().sum((1, 2))[:, None]

    point, empty = torch.tensor([[3.0]]), torch.tensor([[1.0]])
    assert attribution.gradient_times_input(square, point)[0].item() == pytest.approx(18)
    assert attribution.integrated_gradients(square, point, empty)[0].item() == pytest.approx(8)


@pytest.mark.parametrize("family", ["t5", "gpt2", "llama"])
@pytest.mark.parametrize("method", ["lora", "prefix_tuning", "prompt_tuning"])
def test_the_sums_are_those_measured_without_gradients(tiny, family, method):
    base = tiny(family)
    pair = unadapted_model(base), random_adapted(base, method, vertices=1)
    found = attribution.attribute(pair, EXAMPLE, 1)
    for side in ("before", "after"):
        assert found.added[side].shape == (len(found.tokens), len(found.targets))
        assert found.added[side].sum(0) == pytest.approx(found.sums[side], rel=0.03, abs=0.01)
        for column in (None, 0):
            total = found.by_token(side, column).sum()
            assert total == pytest.approx(found.expected(side, column), rel=0.03, abs=0.05)
    whole = attribution.attribute(pair, EXAMPLE, 1, "integrated")
    for side in ("before", "after"):
        assert whole.by_token(side).sum() == pytest.approx(whole.expected(side), rel=0.02, abs=0.02)
        assert not np.allclose(whole.by_token(side), found.by_token(side))


def test_it_is_the_gradient_of_what_the_model_reads(tiny):
    """By the library's own embeddings, with no hook of ours; of one token and of the whole text."""
    base = tiny("llama")
    plain = unadapted_model(base)
    found = attribution.attribute((plain, plain), EXAMPLE, column=1)
    batch = ExampleBatcher(base, ()).batch([EXAMPLE])
    words = base.model.get_input_embeddings()(batch.input_ids).detach().requires_grad_()
    logits = base.model(inputs_embeds=words, attention_mask=batch.attention_mask).logits
    count = batch.targets.shape[1]
    logs = logits[0, -count - 1 : -1].log_softmax(-1)
    (gradient,) = torch.autograd.grad(logs[1, batch.targets[0, 1]], words)
    places = why_answer.text_places(base, EXAMPLE, batch.input_ids.shape[1] - count)[0]
    expected = (gradient * words).sum(-1)[0, places].detach().numpy()
    assert found.by_token("after") == pytest.approx(expected, abs=1e-4)
    assert found.by_token("before") == pytest.approx(found.by_token("after"))


def test_a_word_that_is_not_there_is_refused(tiny):
    plain = unadapted_model(tiny("t5"))
    with pytest.raises(BadInput, match="numbered 1 to"):
        attribution.attribute((plain, plain), EXAMPLE, column=99)
