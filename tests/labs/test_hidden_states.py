"""Hidden states of every layer: those of the words, and those of soft tokens before them."""

import numpy as np
import pytest
import torch
from support.adapters import EXAMPLES, random_adapted
from support.bases import FAMILIES

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.errors import BadInput
from peftcore.labs.common.hidden_states import read_states
from peftcore.models.batching import ExampleBatcher

STACKS = {"t5": ["encoder", "decoder"], "bert": ["encoder"], "gpt2": ["decoder"]}


@pytest.mark.parametrize("family", [family for family in FAMILIES if family in STACKS])
def test_soft_tokens_stand_apart_and_words_are_at_the_same_places(tiny, family):
    base = tiny(family)
    prompted = read_states(random_adapted(base, "prompt_tuning", vertices=1, length=4), EXAMPLES)
    plain = read_states(unadapted_model(base), EXAMPLES)
    assert list(prompted) == list(plain) == STACKS[family]
    for stack, states in prompted.items():
        seeds, layers, positions, width = states.words.shape
        assert (seeds, layers, width) == (2, base.structure.layers + 1, base.structure.width)
        assert plain[stack].words.shape == (1, layers, positions, width)
        assert plain[stack].soft.shape[2] == 0
        # What enters the stack is the words' own embeddings, whatever stands before them.
        if family == "t5":
            np.testing.assert_allclose(states.words[0, 0], plain[stack].words[0, 0], atol=1e-5)
        answer_alone = family == "t5" and stack == "decoder"
        assert states.soft.shape[2] == (0 if answer_alone else 4 * len(EXAMPLES))


def test_the_last_layer_is_what_the_model_ends_with(tiny):
    base = tiny("bert")
    batch = ExampleBatcher(base, ()).batch(EXAMPLES[:1])
    out = base.model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        token_type_ids=batch.token_type_ids,
    )[0]
    states = read_states(unadapted_model(base), EXAMPLES[:1])["encoder"].words
    torch.testing.assert_close(torch.tensor(states[0, -1]), out[0].detach())


def test_nothing_to_read_is_refused(tiny):
    with pytest.raises(BadInput, match="no examples"):
        read_states(unadapted_model(tiny("bert")), [])
