"""How much rides in one pass."""

import pytest

from peftcore.data.task import Episode, Example
from peftcore.errors import BadInput
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Members, RunSpec, Training
from peftcore.training import batch_budget


def spec(batch=8):
    return RunSpec(
        base="x",
        task="y",
        method="lora",
        population=Members(seeds=16),
        training=Training(batch=batch),
    )


def test_seeds_ride_together_until_their_tokens_fill_a_pass(tiny, monkeypatch):
    base = tiny("t5")
    encoder = ExampleBatcher(base, ())
    rows = (Example("0", "is tea good?", "yes"), Example("1", "is tea good or bad?", "no"))
    longest = max(len(encoder.tokenize(row).input_ids) for row in rows)
    assert batch_budget.token_budget(base) == batch_budget.CPU_TOKENS
    episodes = [Episode(rows, rows)]
    monkeypatch.setenv("PEFTCORE_TOKENS", str(3 * 8 * longest))
    assert batch_budget.seeds_per_pass(spec(), base, encoder, episodes) == 3
    assert batch_budget.seeds_per_pass(spec(4), base, encoder, episodes) == 6
    monkeypatch.setenv("PEFTCORE_TOKENS", "1")
    assert batch_budget.seeds_per_pass(spec(), base, encoder, episodes) == 1


@pytest.mark.parametrize("wrong", ["0", "many", "-3", "1.5"])
def test_a_number_of_tokens_that_is_none_is_refused(tiny, monkeypatch, wrong):
    monkeypatch.setenv("PEFTCORE_TOKENS", wrong)
    with pytest.raises(BadInput, match="PEFTCORE_TOKENS"):
        batch_budget.token_budget(tiny("t5"))
