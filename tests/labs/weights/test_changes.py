"""What an adapter changed, against the weights it has once it is merged, and against outputs."""

import pytest
import torch
from support.adapters import EXAMPLES, random_adapted

from peftcore.exchange.merge import merged_weights
from peftcore.exchange.peft_export import centroid
from peftcore.labs.weights import changes
from peftcore.models.batching import ExampleBatcher


def found_at(base, method, seed=0, **settings):
    """The adapted model, what its base computes on examples, and what is found of a seed."""
    adapted = random_adapted(base, method, **settings)
    batcher = ExampleBatcher(base, ("yes", "no"))
    batches = [batcher.batch([example]) for example in EXAMPLES]
    recording = changes.record_base(base, batches, changes.recorded_paths(adapted))
    return adapted, recording, list(changes.site_changes(adapted, seed, recording))


@pytest.mark.parametrize("family", ["t5", "bert", "gpt2", "llama"])
@pytest.mark.parametrize("method", ["lora", "sparsefit"])
def test_changes_are_what_merging_adds(tiny, family, method):
    """In GPT-2 query, key and value share a matrix, of which each is a part."""
    base = tiny(family)
    adapted, _, found = found_at(base, method, seed=1)
    merged = merged_weights(adapted, centroid(adapted, 1))
    own = dict(base.model.named_parameters())
    square = sum(float((value - own[name]).square().sum()) for name, value in merged.items())
    assert found
    assert sum(float(each.change.square().sum()) for each in found) == pytest.approx(square, 1e-3)
    for each in found:
        assert each.change.shape == each.base.shape


def test_a_change_of_one_part_of_a_fused_matrix_is_that_part(tiny):
    base = tiny("gpt2")
    _, _, found = found_at(base, "lora", components=("attention.value",))
    assert {each.component for each in found} == {"attention.value"}
    weight = base.model.get_submodule(found[0].path).weight  # (i, 3 o)
    assert torch.equal(found[0].base, weight[:, -base.structure.width :].mT)


def test_scales_change_a_matrix_by_a_share_of_itself(tiny):
    adapted, _, found = found_at(tiny("llama"), "ia3")
    key = next(each for each in found if each.component == "attention.key")
    mix = centroid(adapted, 0)
    scale = mix(f"scale:attention.key:{key.path}", 1)[0, 0]
    assert torch.allclose(key.change, (scale - 1)[:, None] * key.base, atol=1e-5)
    inner = [each for each in found if each.component == "ffn.activation"]
    assert inner
    assert all(each.form == "vector" and bool((each.base == 1).all()) for each in inner)


@pytest.mark.parametrize("method", ["atoms", "bottleneck"])
def test_what_depends_on_the_token_is_no_matrix(tiny, method):
    adapted, recording, found = found_at(tiny("t5"), method)
    assert {each.form for each in found} == {"function"}
    effect = changes.output_effect(
        adapted, found[0].path, centroid(adapted, 0), recording.inputs[found[0].path]
    )
    assert effect > 0


def test_atoms_without_a_threshold_are_a_matrix(tiny):
    _, _, found = found_at(tiny("t5"), "atoms", threshold=0, learned_threshold=False)
    assert {each.form for each in found} == {"matrix"}


def test_the_effect_on_outputs_is_that_of_the_matrix(tiny):
    base = tiny("llama")
    adapted, recording, found = found_at(base, "lora")
    site = found[0]
    inputs = recording.inputs[site.path]
    rows = torch.cat([x[0] for x in inputs])
    expected = (rows @ site.change.mT).norm() / (rows @ site.base.mT).norm()
    effect = changes.output_effect(adapted, site.path, centroid(adapted, 0), inputs)
    assert effect == pytest.approx(float(expected), 1e-4)


@pytest.mark.parametrize("family", ["t5", "gpt2", "llama"])
def test_a_prefix_stands_beside_the_keys_and_values_of_the_base(tiny, family):
    base = tiny(family)
    adapted, recording, found = found_at(base, "prefix_tuning")
    assert len(found) == 2 * len(base.structure.attention_blocks)
    keys = next(each for each in found if each.form == "keys")
    mine = adapted.tensors[f"key:{keys.path}"][0].mean(0).detach()  # (h, p, e)
    assert keys.change.shape == (4, mine.shape[0] * mine.shape[2])
    assert keys.change.norm() == pytest.approx(float(mine.norm()), 1e-5)
    part = next(
        part
        for part in base.structure.target_slices["attention.key"]
        if part.path.startswith(keys.path)
    )
    written = [part.columns.take(out) for out in recording.outputs[part.path]]
    lengths = torch.cat([out.norm(dim=-1).flatten() for out in written])
    assert float(keys.base) == pytest.approx(float(lengths.mean()), 1e-5)


def test_soft_tokens_stand_beside_the_words(tiny):
    base = tiny("t5")
    (found,) = found_at(base, "prompt_tuning")[2]
    assert found.form == "tokens"
    assert found.change.shape == (4, base.structure.width)
    assert float(found.base) == pytest.approx(float(base.embeddings.norm(dim=-1).mean()), 1e-5)
