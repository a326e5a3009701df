import pytest
import torch
from support.adapters import outputs_before_training, random_adapted
from support.bases import FAMILIES

from peftcore.errors import BadInput
from peftcore.methods.common import block_codes
from peftcore.models.target_modules import layer_key


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_with_the_dictionarys_own_atoms_the_change_is_the_coded_matrix(tiny, family):
    """What a layer adds is then what its weights, as coded, would compute."""
    base = tiny(family)
    ours = random_adapted(base, "block_atoms", (0,), 1, components=["attention.value"], price=0.01)
    part = ours.adapter.matrices[0]
    coded = block_codes.cached_coding(base, part, 4, 64, 0.01)
    ours.tensors[f"atoms:{layer_key(part)}"].data = coded.atoms[None, None].clone()
    leaf = ours.model.get_submodule(part.path)
    x = torch.randn(2, 5, part.inputs, generator=torch.Generator().manual_seed(1))
    plain = leaf(x)
    with ours.active(ours.centroid(), 2, None):
        change = leaf(x) - plain
    wanted = x @ block_codes.weight_matrix(base, part).float()
    inside = change[..., part.start : part.stop]
    assert (inside - wanted).norm() < 0.1 * wanted.norm()
    outside = torch.cat([change[..., : part.start], change[..., part.stop :]], -1)
    assert (outside == 0).all()


def test_the_change_is_linear_in_the_atoms_block_by_block(tiny):
    ours = random_adapted(tiny("t5"), "block_atoms", vertices=2)
    (name, change), *_ = ours.adapter.effective_tensors(ours.tensors).items()
    at = name.removeprefix("change:")
    codes, atoms = ours.adapter.codes[at], ours.tensors[f"atoms:{at}"]
    block = change[1, 0, 4:8, 8:12]  # the second row of blocks, the third in it
    wanted = sum(c * a for c, a in zip(codes[1, 2], atoms[1, 0], strict=True))
    torch.testing.assert_close(block, wanted)


@pytest.mark.parametrize("family", FAMILIES)
def test_training_starts_at_the_base_model(tiny, family):
    before, plain = outputs_before_training(tiny(family), "block_atoms")
    assert torch.equal(before, plain)


def test_codes_are_no_part_of_what_is_trained_or_kept(tiny):
    ours = random_adapted(tiny("t5"), "block_atoms", block=2, multiple=3)
    assert set(ours.tensors) == {f"atoms:{layer_key(part)}" for part in ours.adapter.matrices}
    assert {t.shape[2:] for t in ours.tensors.values()} == {(12, 2, 2)}


def test_blocks_that_do_not_divide_a_matrix_are_refused_with_those_that_do(tiny):
    with pytest.raises(
        BadInput, match=r"is 16 by 16, which blocks of 3 do not divide; .*: 2, 4, 8, 16$"
    ):
        random_adapted(tiny("bert"), "block_atoms", block=3)
