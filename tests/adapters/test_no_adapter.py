"""A base without an adapter answers as the base itself does."""

import pytest
import torch

from peftcore.adapters.no_adapter import unadapted_model


@pytest.mark.parametrize("family", ["t5", "gpt2"])
def test_nothing_is_added_to_the_base(tiny, family):
    base = tiny(family)
    adapted = unadapted_model(base)
    assert not adapted.tensors
    assert adapted.trainable_count == 0
    ids = torch.tensor([[5, 6, 7, 8]])
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if family == "t5" else {})
    with torch.no_grad():
        assert torch.equal(adapted.model(**inputs).logits, base.model(**inputs).logits)
