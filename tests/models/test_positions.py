"""How many tokens a model can read."""

import pytest
import torch
from transformers import RobertaConfig, RobertaModel

from peftcore.models.architectures import find_architecture, supported_families
from peftcore.models.positions import usable_window
from peftcore.models.structure import analyze


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_the_longest_text_of_roberta_passes_and_one_token_more_does_not(padding):
    """Case A04 (huggingface/transformers#14243)."""
    config = RobertaConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=8, max_position_embeddings=12, pad_token_id=padding,
    )  # fmt: skip
    model = RobertaModel(config).eval()
    window = usable_window(find_architecture("roberta"), config.to_dict())
    assert window == analyze(model).window == 12 - padding - 1
    model(input_ids=torch.full((1, window), 7))
    with pytest.raises((IndexError, RuntimeError)):
        model(input_ids=torch.full((1, window + 1), 7))


def test_relatives_count_like_it():
    behind = {n for n in supported_families() if find_architecture(n).positions_after_padding}
    assert {"roberta", "xlm-roberta", "camembert"} <= behind
    for family in behind:
        config = {"max_position_embeddings": 514, "pad_token_id": 1}
        assert usable_window(find_architecture(family), config) == 512


def test_others_have_a_row_for_every_token_and_relative_positions_no_limit():
    bert = {"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}
    assert usable_window(find_architecture("bert"), bert) == 512
    assert usable_window(find_architecture("gpt2"), {"n_positions": 64}) == 64
    assert usable_window(find_architecture("t5"), {"n_positions": 64}) is None
