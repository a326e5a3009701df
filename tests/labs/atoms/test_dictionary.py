"""Atoms as a dictionary: reading, weighing and joining them, on tiny random models."""

import numpy as np
import pytest
import torch

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.labs.atoms import dictionary as atom_dictionary
from peftcore.labs.atoms.dictionary import AtomDictionary
from peftcore.models import target_modules
from peftcore.models.batching import ExampleBatcher
from peftcore.training import planning
from peftcore.training.planning import build_spec

TASK = "miniworld_nli"


def dictionary(base, *, method="atoms", seeds=2, vertices=1, salt=0, **settings):
    """Atoms of random values on a base, as if they had been learnt."""
    given = {"atoms": 3, **settings} if method == "atoms" else settings
    spec = build_spec(base.name, TASK, method, given, {"seeds": seeds, "vertices": vertices})
    adapted_model = planning.build_adapted(base, spec)
    rng = torch.Generator().manual_seed(salt)
    for tensor in adapted_model.tensors.values():
        tensor.data += 0.5 * torch.randn(tensor.shape, generator=rng)
    return AtomDictionary(adapted_model)


@pytest.fixture(autouse=True)
def model_folder(tiny, tmp_path_factory, monkeypatch):
    """Planning looks a base up by name."""
    folder = tmp_path_factory.mktemp("models")
    for family in ("t5", "bert", "gpt2"):
        base = tiny(family)
        base.model.save_pretrained(folder / base.name)
        base.tokenizer.save_pretrained(folder / base.name)
    monkeypatch.setenv("PEFTCORE_MODELS", str(folder))


def rows(count=5):
    return list(tasks.find_task(TASK).load("test")[:count])


def encoder(base):
    return ExampleBatcher(base, tasks.find_task(TASK).labels)


def losses(found, seed, gains):
    return found.evaluator(seed, rows(), encoder(found.base)).losses(gains)


@pytest.mark.parametrize("family", ["t5", "bert", "gpt2"])
@pytest.mark.parametrize("vertices", [1, 2])
def test_gains_of_one_are_the_run_and_gains_of_zero_the_base(tiny, family, vertices):
    found = dictionary(tiny(family), vertices=vertices)
    whole, none = losses(found, 1, torch.stack([torch.ones(found.size), torch.zeros(found.size)]))
    batch = encoder(found.base).batch(rows())
    alone = {n: t[1:2] for n, t in found.tensors.items()}
    assert whole == pytest.approx(
        float(found.adapted.losses(batch, torch.ones(1, 1, 1), alone).mean())
    )
    still = alone | {n: t * 0 for n, t in alone.items() if n.startswith("atoms:")}
    assert none == pytest.approx(
        float(found.adapted.losses(batch, torch.ones(1, 1, 1), still).mean())
    )
    assert abs(whole - none) > 1e-3


def test_a_gain_scales_what_one_atom_adds(tiny):
    found = dictionary(tiny("t5"))
    gains = torch.ones(1, found.size)
    gains[0, 4] = 2.5  # atom 1 of site 1
    member = found.at_gains(0, gains)
    name = f"atoms:{found.sites[1]}"
    ratio = member.tensors[name][0, 0] / found.tensors[name][0, 0]
    assert torch.allclose(ratio[1], torch.full_like(ratio[1], 2.5))
    assert torch.allclose(ratio[[0, 2]], torch.ones_like(ratio[[0, 2]]))


def test_an_atom_that_is_never_used_can_go_without_a_trace(tiny):
    found = dictionary(tiny("t5"), threshold=1.5)
    for site in found.sites:
        found.tensors[f"encode:{site}"][..., 0] = 0.0  # never passes its threshold
    dead = range(0, found.size, found.atoms_per_site)
    gone, whole = losses(
        found, 0, torch.cat([found.gains_without(*dead), torch.ones(1, found.size)])
    )
    assert gone == pytest.approx(whole, abs=1e-6)
    read = found.read_coefficients(0, rows(), encoder(found.base))
    assert all((codes[:, 0] == 0).all() for codes in read)


def test_reading_leaves_padding_out_and_sees_what_the_model_noted(tiny):
    found = dictionary(tiny("t5"), components=["ffn.output", "cross.key"])
    encode = encoder(found.base)
    examples = rows(4)
    read = found.read_coefficients(1, examples, encode)
    texts = sum(len(encode.tokenize(e).input_ids) for e in examples)
    answers = sum(len(encode.tokenize(e).target_ids) for e in examples)
    for part, codes in zip(found.matrices, read, strict=True):
        long = part.stack == "encoder" or part.component == "cross.key"
        assert codes.shape == (texts if long else answers, 3)
    member = found.at_gains(1, torch.ones(1, found.size))
    first = encode.batch(examples[:1])
    noted = member.notes(first, torch.ones(1, 1, 1))[target_modules.layer_key(found.matrices[0])][0]
    assert np.isin(np.round(noted.numpy(), 4), np.round(read[0], 4)).all()


@pytest.mark.parametrize("family", ["t5", "bert", "gpt2"])
def test_every_token_has_its_coefficients(tiny, family):
    found = dictionary(tiny(family))
    encode, example = encoder(found.base), rows(1)[0]
    for place in range(len(found.sites)):
        tokens = atom_dictionary.token_codes(found, 0, example, encode, place)
        whole = found.read_coefficients(0, [example], encode)[place]
        assert np.array([token.codes for token in tokens]) == pytest.approx(whole)
    assert "".join(token.text for token in tokens)


def test_norms_are_the_lengths_of_the_atoms(tiny):
    found = dictionary(tiny("t5"))
    one = found.tensors[f"atoms:{found.sites[2]}"][1, 0, 0]
    assert found.norms()[1, 2, 0] == pytest.approx(float(one.norm()), rel=1e-5)


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("family", ["t5", "gpt2"])
def test_joined_atoms_hold_both_runs(tiny, family, learned):
    base = tiny(family)
    first = dictionary(base, salt=1, threshold=0.4, learned_threshold=learned)
    second = dictionary(base, salt=2, atoms=2, threshold=1.3)
    both = atom_dictionary.join_dictionaries(first, second, (1, 0))
    assert (both.atoms_per_site, both.sites) == (5, first.sites)
    gains = torch.zeros(2, len(both.sites), 5)
    gains[0, :, :3], gains[1, :, 3:] = 1, 1
    only_first, only_second = losses(both, 0, gains.view(2, -1))
    assert only_first == pytest.approx(losses(first, 1, torch.ones(1, first.size))[0], abs=1e-5)
    assert only_second == pytest.approx(losses(second, 0, torch.ones(1, second.size))[0], abs=1e-5)


def test_what_both_add_to_one_matrix_is_the_sum(tiny):
    base = tiny("t5")
    first, second = dictionary(base, salt=1), dictionary(base, salt=2)
    both = atom_dictionary.join_dictionaries(first, second)
    site = both.sites[0]  # the first matrix reads the same in all three
    batch = encoder(base).batch(rows(2))

    def added(found):
        codes = found.at_gains(0, torch.ones(1, found.size)).notes(batch, torch.ones(1, 1, 1))[site]
        return codes @ found.tensors[f"atoms:{site}"][0, 0]

    assert torch.allclose(added(both), added(first) + added(second), atol=1e-5)


def test_what_does_not_fit_together_is_refused(tiny):
    base = tiny("t5")
    first = dictionary(base)
    with pytest.raises(BadInput, match="different matrices"):
        atom_dictionary.join_dictionaries(first, dictionary(base, stacks=["decoder"]))
    with pytest.raises(BadInput, match="different rounds: 1 and 2"):
        atom_dictionary.join_dictionaries(first, dictionary(base, rounds=2))
    with pytest.raises(BadInput, match="top_k"):
        atom_dictionary.join_dictionaries(first, dictionary(base, top_k=1))
    with pytest.raises(BadInput, match="different base models"):
        atom_dictionary.join_dictionaries(first, dictionary(tiny("gpt2")))
    reader = dictionary(tiny("bert"))
    with pytest.raises(BadInput, match="two heads"):
        atom_dictionary.join_dictionaries(reader, reader)


def test_other_methods_have_no_atoms(tiny):
    with pytest.raises(BadInput, match="has no coefficients of atoms"):
        dictionary(tiny("t5"), method="lora")


def test_shares_reach_the_atoms_of_their_own_run(tiny):
    one, other = dictionary(tiny("t5")), dictionary(tiny("t5"), atoms=2)
    both = atom_dictionary.join_dictionaries(one, other)
    gains = atom_dictionary.joined_gains(both, one.atoms_per_site, [(1.0, 0.5)]).view(
        len(both.sites), 5
    )
    assert torch.equal(gains, torch.tensor([1.0, 1.0, 1.0, 0.5, 0.5]).expand(len(both.sites), 5))
