"""What every method must do on every model family it suits."""

import pytest
import torch
from support.adapters import EXAMPLES, model_inputs, random_adapted
from support.bases import FAMILIES

from peftcore.adapters.base import HEAD_STATS, METHODS
from peftcore.adapters.initializers import SeededInitializer
from peftcore.adapters.mixing import layer_key
from peftcore.adapters.simplex_points import random_points, vertex_coords
from peftcore.errors import BadInput
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Members, RunSpec
from peftcore.training.planning import build_adapted

KIND = {"t5": "encoder-decoder", "bert": "encoder", "gpt2": "decoder", "llama": "decoder"}
REFUSED = {("bitfit", "llama")}  # a decoder without biases
PAIRS = [
    (m, f)
    for m in METHODS
    for f in FAMILIES
    if KIND[f] in METHODS[m].kinds and (m, f) not in REFUSED
]
WRITERS = [(m, f) for m, f in PAIRS if f != "bert"]


def at_point(adapted, seed, point):
    """The adapted base with one member: the given point of one seed's simplex."""
    return at_points(adapted, seed, lambda name: point)


def at_points(adapted, seed, point):
    """The same where every tensor has a point of its own, given by its name."""
    lone = random_adapted(adapted.base, adapted.adapter.name, (0,), 1)
    at = lambda n, t: torch.tensordot(point(n), t[seed], 1)[None, None].detach()
    effective = adapted.adapter.effective_tensors(adapted.tensors)
    there = {name: at(name, t) for name, t in effective.items()}
    lone.adapter.effective_tensors = lambda tensors: there
    for name in ("head", "head_bias", *HEAD_STATS):
        if name in adapted.tensors:
            lone.tensors[name].data = at(name, adapted.tensors[name])
    return lone


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_a_row_at_a_point_equals_a_single_adapter_built_there(tiny, method, family):
    adapted = random_adapted(tiny(family), method)
    encoder = ExampleBatcher(adapted.base, ["yes", "no"])
    coords = random_points([0, 1], 3, 3, salt=5)
    mixed = adapted.losses(encoder.batch(EXAMPLES * 2), coords)
    for row in range(6):
        seed, place = divmod(row, 3)
        lone = at_point(adapted, seed, coords[seed, place])
        alone = lone.losses(encoder.batch([EXAMPLES[place]]), lone.centroid())
        torch.testing.assert_close(mixed[row], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_points_of_each_layer_equal_a_single_adapter_with_these_layers(tiny, method, family):
    adapted = random_adapted(tiny(family), method)
    encoder, slots = ExampleBatcher(adapted.base, ["yes", "no"]), adapted.layer_keys()
    coords = random_points([0, 1], 3, 3, salt=9, layers=len(slots))
    mixed = adapted.losses(encoder.batch(EXAMPLES * 2), coords)
    for row in (0, 4):
        seed, place = divmod(row, 3)
        point = lambda name, s=seed, p=place: coords[slots.index(layer_key(name)), s, p]
        lone = at_points(adapted, seed, point)
        alone = lone.losses(encoder.batch([EXAMPLES[place]]), lone.centroid())
        torch.testing.assert_close(mixed[row], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_hot_coordinates_are_that_vertex(tiny, family):
    for method in METHODS:
        if (method, family) not in PAIRS:
            continue
        adapted = random_adapted(tiny(family), method)
        encoder = ExampleBatcher(adapted.base, ["yes", "no"])
        rows = encoder.batch(EXAMPLES * 2)
        hot = adapted.losses(rows, vertex_coords(2, 1, 3))
        only = {name: t[:, 1:2] if t.shape[1] == 3 else t for name, t in adapted.tensors.items()}
        plain = adapted.losses(rows, torch.ones(2, 1, 1), only)
        torch.testing.assert_close(hot, plain)


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_gradients_reach_every_adapter_tensor_and_no_base_tensor(tiny, method, family):
    adapted = random_adapted(tiny(family), method)
    batch = ExampleBatcher(adapted.base, ["yes", "no"]).batch(EXAMPLES * 2)
    losses = adapted.losses(batch, random_points([0, 1], 3, 3, 0)).sum()
    assert losses.requires_grad == METHODS[method].trains()
    if losses.requires_grad:
        losses.backward()
    for name, tensor in adapted.trainable_tensors.items():
        assert tensor.grad is not None, name
        assert tensor.grad.abs().sum() > 0, name
    assert all(p.grad is None for p in adapted.base.model.parameters())


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_the_base_is_bit_identical_before_and_after(tiny, method, family):
    base = tiny(family)
    ids = torch.arange(6, 14)[None]
    ask = lambda: base.model(
        input_ids=ids, **({"decoder_input_ids": ids} if family == "t5" else {})
    )[0]
    before = ask().clone()
    adapted = random_adapted(base, method)
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES * 2)
    loss = adapted.losses(batch, adapted.centroid()).sum()
    if METHODS[method].trains():
        loss.backward()
        torch.optim.SGD(list(adapted.tensors.values()), lr=0.1).step()
    assert torch.equal(ask(), before)


@pytest.mark.parametrize(("method", "family"), WRITERS)
def test_greedy_answers_are_the_same_with_and_without_cache(tiny, method, family):
    adapted = random_adapted(tiny(family), method)
    batch = ExampleBatcher(adapted.base, ()).batch(EXAMPLES * 2, with_targets=False)
    options = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    coords = random_points([0, 1], 3, 3, 1)
    cached = adapted.generate(batch, coords, use_cache=True, **options)
    assert torch.equal(cached, adapted.generate(batch, coords, use_cache=False, **options))


@pytest.mark.parametrize(("method", "family"), WRITERS)
def test_beams_keep_each_rows_own_adapter_and_padding_changes_nothing(tiny, method, family):
    adapted = random_adapted(tiny(family), method, vertices=1)
    encoder = ExampleBatcher(adapted.base, ())
    options = {"max_new_tokens": 6, "do_sample": False, "num_beams": 3, "pad_token_id": 0}
    together = adapted.generate(
        encoder.batch(EXAMPLES * 2, with_targets=False), adapted.centroid(), **options
    )
    for row in range(6):
        seed, place = divmod(row, 3)
        lone = at_point(adapted, seed, torch.ones(1))
        batch = encoder.batch([EXAMPLES[place]], with_targets=False)
        alone = lone.generate(batch, lone.centroid(), **options)[0]
        ours = together[row][: len(alone)]
        assert torch.equal(ours, alone)


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_the_stated_number_of_parameters_is_what_is_trained(tiny, method, family):
    settings = {"length": 4} if "length" in METHODS[method].Config.model_fields else {}
    spec = RunSpec(
        base="x",
        task="miniworld_nli",
        method=method,
        settings=settings,
        population=Members(seeds=2, vertices=3),
    )
    base = tiny(family)
    real, meta = build_adapted(base, spec), build_adapted(base, spec, "meta")
    assert {k: v.shape for k, v in real.tensors.items()} == {
        k: v.shape for k, v in meta.tensors.items()
    }
    assert all(t.device.type == "meta" for t in meta.tensors.values())


@pytest.mark.parametrize("method", list(METHODS))
def test_a_seed_draws_the_same_values_whoever_rides_along(tiny, method):
    family = next(f for m, f in PAIRS if m == method)
    recipe = METHODS[method]
    make = lambda seeds: recipe(tiny(family), recipe.Config(), SeededInitializer(seeds, 2)).tensors
    together, alone = make([3, 4, 5]), make([4])
    for name in alone:
        assert torch.equal(together[name][1], alone[name][0])


@pytest.mark.parametrize("method", list(METHODS))
def test_settings_outside_their_limits_name_field_limits_and_value(method):
    config = METHODS[method].Config
    for name in ("length", "rank"):
        if name in config.model_fields:
            with pytest.raises(BadInput, match=rf"{name} must lie in \[1, \d+\]; got 0"):
                config.make({name: 0})
    with pytest.raises(BadInput, match="no setting 'no_such_thing'"):
        config.make({"no_such_thing": 1})


@pytest.mark.parametrize("family", FAMILIES)
def test_our_attention_equals_the_librarys_on_a_padded_batch(tiny, family):
    base = tiny(family)
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES, with_targets=False)
    given = model_inputs(base, batch)
    ours = base.model(**given)[0]
    base.model.set_attn_implementation("eager")
    try:
        theirs = base.model(**given)[0]
    finally:
        base.model.set_attn_implementation("peftcore")
    seen = batch.attention_mask.bool()
    torch.testing.assert_close(ours[seen], theirs[seen], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_no_loss(tiny, family):
    method = "linear_probe" if family == "bert" else "prefix_tuning"
    adapted = random_adapted(tiny(family), method, (0,), 1)
    encoder = ExampleBatcher(adapted.base, ["yes", "no"])
    together = adapted.losses(encoder.batch(EXAMPLES), adapted.centroid())
    for row, example in enumerate(EXAMPLES):
        alone = adapted.losses(encoder.batch([example]), adapted.centroid())
        torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-5)
