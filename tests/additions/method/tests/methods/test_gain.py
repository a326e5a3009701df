import torch

from peftcore.data.task import Example
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Members, RunSpec
from peftcore.training.planning import build_adapted


def test_training_starts_at_the_base_model(tiny):
    base = tiny("gpt2")
    spec = RunSpec(base="x", task="parity", method="gain", population=Members(seeds=1))
    adapted = build_adapted(base, spec)
    rows = [Example("1", "a cat sat", "yes", "yes", parts=("a cat sat",))]
    batch = ExampleBatcher(base, ()).batch(rows, with_targets=False)
    given = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    with adapted.active(adapted.centroid(), 1, None):
        assert torch.equal(adapted.model(**given).logits, base.model(**given).logits)
