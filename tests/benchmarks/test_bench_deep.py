"""Kept states change no loss, and their gain is told for training and landscapes."""

import pytest

from peftcore.benchmarks.bench_deep import word_examples
from peftcore.models.batching import ExampleBatcher


@pytest.mark.filterwarnings("ignore")  # the package still uses a name that is going away
def test_losses_are_equal_and_every_ratio_is_told(saved, asked):
    few = ("--first-layer", "1", "--steps", "3", "--points", "4", "--rounds", "1", "--tokens", "20")
    found = asked("deep", *saved("llama"), *few)
    training, landscape = found["rows"]
    assert (found["first_layer"], landscape["what"]) == (1, "4 points")
    assert all(row["off"] < 1e-4 and row["whole"] > 0 for row in (training, landscape))
    assert training["peft"] > 0
    assert training["processor_peft"] > 0
    assert "peft" not in landscape


def test_examples_have_the_tokens_that_were_asked_for(tiny):
    batcher = ExampleBatcher(tiny("gpt2"), ())
    for example in word_examples(batcher, 3, 40):
        row = batcher.tokenize(example)
        assert 30 <= len(row.input_ids) + len(row.target_ids) <= 40
    assert len({e.source for e in word_examples(batcher, 3, 40)}) == 3
