import math

import pytest
import torch
from support.adapters import EXAMPLES, outputs_before_training, random_adapted
from support.bases import FAMILIES, build_tiny

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.initializers import SeededInitializer
from peftcore.errors import BadInput
from peftcore.methods.atoms import SparseAtoms, mean_overlap
from peftcore.models.batching import ExampleBatcher
from peftcore.models.target_modules import layer_key

GAUSSIAN = torch.randn(2, 500, 64, generator=torch.Generator().manual_seed(3))


def fresh(base, seeds=(0,), vertices=1, **settings):
    """Atoms as training finds them."""
    draw = SeededInitializer(seeds, vertices)
    return AdaptedModel(base, SparseAtoms(base, SparseAtoms.Config.make(settings), draw), draw)


def coefficients(adapted, x, place=1):
    """The coefficients (n, t, m) of the part at this place, for what its matrix reads."""
    part = adapted.adapter.matrices[place]
    with adapted.active(adapted.centroid(), len(x), None) as (mix, _):
        mix.notes = {}
        adapted.model.get_submodule(part.path)(x[..., : part.inputs].contiguous())
    return mix.notes[layer_key(part)]


@pytest.mark.parametrize("family", FAMILIES)
def test_at_threshold_zero_it_is_lora_of_that_rank(family):
    base = build_tiny(family)
    sites = {"components": ["attention.query", "ffn"], "stacks": ["encoder", "decoder"]}
    ours = random_adapted(base, "atoms", atoms=5, threshold=0.0, learned_threshold=False, **sites)
    lora = random_adapted(base, "lora", rank=5, alpha=5.0, **sites)
    for part in lora.adapter.parts:
        lora.tensors[f"down:{layer_key(part)}"].data = ours.tensors[
            f"encode:{layer_key(part)}"
        ].data
        lora.tensors[f"up:{layer_key(part)}"].data = ours.tensors[f"atoms:{layer_key(part)}"].data
    if family == "bert":
        for name in ("head", "head_bias"):
            lora.tensors[name].data = ours.tensors[name].data
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES * 2)
    mine, theirs = (a.logits(batch, a.centroid()) for a in (ours, lora))
    torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("vertices", [1, 3])
@pytest.mark.parametrize("settings", [{}, {"learned_threshold": False}, {"l1": 0.4}])
def test_one_function_gives_what_plain_operations_give(tiny, vertices, settings, monkeypatch):
    adapted = random_adapted(tiny("t5"), "atoms", (0, 1), vertices, **settings)
    batch = ExampleBatcher(adapted.base, ()).batch(EXAMPLES * 2)
    tensors = list(adapted.trainable_tensors.values())

    def found():
        losses = adapted.losses(batch, adapted.centroid(), with_costs=True)
        return [losses, *torch.autograd.grad(losses.sum(), tensors)]

    in_one = found()
    monkeypatch.setattr(SparseAtoms, "_is_plain", False)
    for one, other in zip(in_one, found(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_starts_at_the_base_model(tiny, family):
    before, plain = outputs_before_training(tiny(family), "atoms", rounds=3)
    assert torch.equal(before, plain)


@pytest.mark.parametrize(("threshold", "size"), [(0.5, 1.0), (1.0, 1.0), (2.0, 1.0), (1.0, 7.0)])
def test_the_share_of_exact_zeros_is_what_a_gaussian_gives(tiny, threshold, size):
    """An encoding of unit variance falls within the threshold with probability erf(λ / √2)."""
    adapted = fresh(tiny("gpt2"), atoms=64, threshold=threshold)
    code = coefficients(adapted, GAUSSIAN * size)
    share = float((code == 0).float().mean())
    assert share == pytest.approx(math.erf(threshold / math.sqrt(2)), abs=0.02)


def test_an_absolute_threshold_does_not_follow_the_size_of_the_input(tiny):
    adapted = fresh(tiny("gpt2"), threshold=1.0, relative=False)
    small, large = (coefficients(adapted, GAUSSIAN * size) for size in (0.1, 10))
    assert (small == 0).all()
    assert (large == 0).float().mean() < 0.15


def test_a_learned_threshold_counts_by_its_size(tiny):
    adapted = fresh(tiny("gpt2"), threshold=1.0)
    before = coefficients(adapted, GAUSSIAN)
    for name, tensor in adapted.tensors.items():
        if name.startswith("threshold:"):
            tensor.data.fill_(-1.0)
    assert torch.equal(coefficients(adapted, GAUSSIAN), before)


def test_top_k_keeps_the_largest_and_no_more(tiny):
    all_of_them = coefficients(fresh(tiny("gpt2"), atoms=8, threshold=0.1), GAUSSIAN)
    kept = coefficients(fresh(tiny("gpt2"), atoms=8, threshold=0.1, top_k=3), GAUSSIAN)
    assert ((kept != 0).sum(-1) <= 3).all()
    sizes = all_of_them.abs().sort(-1, descending=True).values
    torch.testing.assert_close(kept.abs().sum(-1), sizes[..., :3].sum(-1))


def test_many_rounds_end_where_one_more_changes_nothing(tiny):
    """At the least value of the objective the slope is the threshold against each sign."""
    adapted = random_adapted(tiny("gpt2"), "atoms", (0,), 1, atoms=6, rounds=20, threshold=0.3)
    part = adapted.adapter.matrices[0]
    x = GAUSSIAN[..., : part.inputs]
    code = coefficients(adapted, x, 0)
    encode, atoms = (adapted.tensors[f"{k}:{layer_key(part)}"][0, 0] for k in ("encode", "atoms"))
    limit = (
        adapted.tensors[f"threshold:{layer_key(part)}"].abs()[0, 0]
        * x.square().mean(-1, True).sqrt()
    )
    slope = x @ encode - code - code @ atoms @ atoms.mT
    active = code != 0
    assert active.any()
    wanted = (limit * code.sign())[active]
    torch.testing.assert_close(slope[active], wanted.detach(), rtol=0.02, atol=0.02)
    assert (slope.abs() <= limit + 0.02)[~active].all()


def test_atoms_that_write_alike_share_in_later_rounds(tiny):
    one = random_adapted(tiny("gpt2"), "atoms", (0,), 1, atoms=6, threshold=0.3)
    more = random_adapted(tiny("gpt2"), "atoms", (0,), 1, atoms=6, threshold=0.3, rounds=10)
    size = lambda adapted: coefficients(adapted, GAUSSIAN, 0).abs().sum()
    assert size(more) < size(one)


def test_the_price_is_the_mean_size_over_what_is_not_padding(tiny):
    base, weight = tiny("t5"), 0.7
    paid = random_adapted(base, "atoms", (0,), 1, l1=weight)
    batch = ExampleBatcher(base, ()).batch(EXAMPLES)
    task = paid.losses(batch, paid.centroid())
    assert torch.equal(task, random_adapted(base, "atoms", (0,), 1).losses(batch, paid.centroid()))
    cost = paid.losses(batch, paid.centroid(), with_costs=True) - task
    notes = paid.notes(batch, paid.centroid())
    for row in range(3):
        sizes = []
        for part in paid.adapter.matrices:
            real = (
                batch.attention_mask[row].bool()
                if part.stack == "encoder"
                else batch.targets[row] >= 0
            )
            sizes.append(notes[layer_key(part)][row][real].abs().mean())
        wanted = weight * torch.stack(sizes).mean()
        torch.testing.assert_close(cost[row], wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("family", ["t5", "gpt2"])  # gpt2: where the last layer reads a part
def test_overlap_costs_the_mean_squared_cosine_of_two_atoms(tiny, family):
    """By a loop over pairs; atoms at right angles, and atoms still at zero, cost nothing."""
    base, weight = tiny(family), 0.7
    paid = random_adapted(base, "atoms", (0,), 1, atoms=3, overlap=weight)
    batch = ExampleBatcher(base, ()).batch(EXAMPLES)
    cost = paid.losses(batch, paid.centroid(), with_costs=True) - paid.losses(
        batch, paid.centroid()
    )
    squares = []
    for part in paid.adapter.matrices:
        atoms = paid.adapter.tensors[f"atoms:{layer_key(part)}"][0, 0].detach()
        squares += [
            torch.cosine_similarity(atoms[i], atoms[j], dim=0) ** 2
            for i in range(3)
            for j in range(i)
        ]
    wanted = weight * torch.stack(squares).mean()
    torch.testing.assert_close(cost, wanted.expand(len(EXAMPLES)), rtol=1e-3, atol=1e-5)
    assert mean_overlap(torch.eye(4)[None, :3] * 5).item() == 0
    assert mean_overlap(torch.zeros(1, 3, 4)).item() == 0
    assert mean_overlap(torch.ones(2, 1, 4)).tolist() == [0, 0]


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_changes_no_price(tiny, family):
    """So a seed is trained the same whichever seeds ride along."""
    adapted = random_adapted(tiny(family), "atoms", (0,), 1, l1=5.0)
    encoder = ExampleBatcher(adapted.base, ["yes", "no"])
    together = adapted.losses(encoder.batch(EXAMPLES), adapted.centroid(), with_costs=True)
    for row, example in enumerate(EXAMPLES):
        alone = adapted.losses(encoder.batch([example]), adapted.centroid(), with_costs=True)
        torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-5)


def test_coefficients_can_be_read_for_every_part(tiny):
    adapted = random_adapted(tiny("t5"), "atoms", atoms=4)
    batch = ExampleBatcher(adapted.base, ()).batch(EXAMPLES * 2)
    notes = adapted.notes(batch, adapted.centroid())
    assert set(notes) == {layer_key(part) for part in adapted.adapter.matrices}
    for part in adapted.adapter.matrices:
        length = (batch.input_ids if part.stack == "encoder" else batch.targets).shape[1]
        assert notes[layer_key(part)].shape == (6, length, 4)


def test_a_part_the_base_lacks_is_refused_by_name(tiny):
    with pytest.raises(BadInput, match=r"no cross.value in its .*components must name one of"):
        fresh(tiny("bert"), components=["cross.value"])


@pytest.mark.parametrize("family", ["t5", "bert"])
def test_with_a_fixed_dictionary_only_amounts_are_trained_and_it_is_atoms_all_the_same(
    tiny, family
):
    base, settings = tiny(family), {"atoms": 6, "dictionary": "fixed", "learned_threshold": False}
    before, plain = outputs_before_training(base, "atoms", **settings)
    assert torch.equal(before, plain)
    fixed = random_adapted(base, "atoms", **settings)
    trained = set(fixed.trainable_tensors) - {"head", "head_bias"}
    assert len(trained) == len(fixed.adapter.matrices)
    assert all(name.startswith("amount:") for name in trained)
    assert all(fixed.tensors[name].shape == (2, 3, 6, 1) for name in trained)
    drawn = [name for name in fixed.tensors if name.startswith("fixed_atoms:")]
    assert 0 < len(drawn) < len(fixed.adapter.matrices)  # shared by layers
    twin = random_adapted(base, "atoms", atoms=6, learned_threshold=False)
    for name, tensor in fixed.effective_tensors(fixed.tensors).items():
        twin.tensors[name] = tensor.detach()
    batch = ExampleBatcher(base, ["yes", "no"]).batch(EXAMPLES * 2)
    points = torch.tensor([[[0.2, 0.3, 0.5]], [[0.6, 0.1, 0.3]]])
    torch.testing.assert_close(fixed.losses(batch, points), twin.losses(batch, points))
