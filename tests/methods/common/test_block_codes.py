import numpy as np
import pytest
import torch
from sklearn.decomposition import dict_learning

from peftcore.methods.common import block_codes
from peftcore.methods.common.block_codes import sparse_code, weight_matrix


def planted(rows=64, seed=0):
    """A matrix (32, 32) whose blocks of side four are one or two of twenty atoms each."""
    rng = torch.Generator().manual_seed(seed)
    atoms = torch.randn(20, 16, generator=rng).double()
    codes = torch.zeros(rows, 20).double()
    for row in range(rows):
        codes[row, torch.randperm(20, generator=rng)[:2]] = 1.0
    return (codes @ atoms).view(8, 8, 4, 4).transpose(1, 2).reshape(32, 32)


def rebuilt(made):
    return torch.einsum("qpa,akl->qkpl", made.codes, made.atoms).reshape(32, 32)


def test_codes_times_atoms_give_the_matrix_back():
    weight = planted()
    made = sparse_code(weight, 4, 32, 0.1)
    assert made.codes.shape == (8, 8, 32)
    assert made.atoms.shape == (32, 4, 4)
    torch.testing.assert_close(made.atoms.flatten(1).norm(dim=1), torch.ones(32))
    assert (rebuilt(made) - weight).norm() < 0.15 * weight.norm()


def test_a_higher_price_leaves_more_exact_zeros():
    zeros = [
        float((sparse_code(planted(), 4, 32, p).codes == 0).float().mean()) for p in (0.1, 0.5, 2)
    ]
    assert 0.3 < zeros[0] < zeros[1] < zeros[2]


def test_codes_scale_with_the_matrix_and_atoms_do_not():
    one, large = sparse_code(planted(), 4, 32, 0.3), sparse_code(planted() * 50, 4, 32, 0.3)
    torch.testing.assert_close(large.codes, one.codes * 50)
    torch.testing.assert_close(large.atoms, one.atoms)


def test_rounding_of_another_machine_changes_next_to_nothing():
    noise = 1e-12 * torch.randn(32, 32, generator=torch.Generator().manual_seed(5)).double()
    one, other = sparse_code(planted(), 4, 32, 0.3), sparse_code(planted() + noise, 4, 32, 0.3)
    torch.testing.assert_close(other.codes, one.codes, rtol=1e-4, atol=1e-6)


def test_codes_are_those_that_stored_adapters_were_trained_with():
    """An adapter's file has no codes: other numbers here would change what every run computes."""
    codes = sparse_code(planted(), 4, 32, 0.3).codes
    assert int((codes != 0).sum()) == 323
    assert float(codes.abs().sum()) == pytest.approx(381.00876, rel=1e-5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_librarys_learner_would_change_them():
    """Why ours stays: scikit-learn's codes of equal price are others, for the same matrix."""
    weight = planted()
    rows = (weight / weight.std()).view(8, 4, 8, 4).transpose(1, 2).reshape(-1, 16).numpy()
    theirs, _, _ = dict_learning(
        rows, n_components=32, alpha=0.3, max_iter=10, method="cd", random_state=0
    )
    ours = sparse_code(weight, 4, 32, 0.3).codes.flatten(0, 1).numpy() / float(weight.std())
    sizes = [np.sort(np.abs(codes).sum(1)) for codes in (ours, theirs)]  # whatever atoms' order
    assert np.abs(sizes[0] - sizes[1]).max() > 0.05 * sizes[0].max()


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_the_matrix_of_a_part_is_what_its_columns_compute(tiny, family):
    base = tiny(family)
    part = base.structure.target_slices["attention.value"][1]
    leaf = base.model.get_submodule(part.path)
    x = torch.randn(3, part.inputs, generator=torch.Generator().manual_seed(1))
    bias = leaf.bias if leaf.bias is not None else torch.zeros(part.stop)
    mine = x @ weight_matrix(base, part).float() + bias[part.start : part.stop]
    torch.testing.assert_close(mine, leaf(x)[:, part.start : part.stop])


def test_codes_that_were_made_once_are_read_again(tiny, home, monkeypatch):
    base = tiny("llama")
    part = base.structure.target_slices["attention.query"][0]
    first = block_codes.cached_coding(base, part, 4, 16, 0.3)
    assert len(list((home / "codes").iterdir())) == 1
    monkeypatch.setattr(block_codes, "sparse_code", None)  # nobody may compute them again
    again = block_codes.cached_coding(base, part, 4, 16, 0.3)
    assert torch.equal(first.codes, again.codes)
    assert torch.equal(first.atoms, again.atoms)
