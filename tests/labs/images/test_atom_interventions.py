"""Pictures with atoms weighed: gains, layers, names of what an atom does."""

import numpy as np
import torch

from peftcore.adapters.no_adapter import unadapted_model
from peftcore.data.task import Example
from peftcore.labs.images import atom_interventions
from peftcore.tasks.images import canvas

PROMPTS, KEYS = ["draw a one", "draw a two", "draw a one"], ["a", "b", "c"]


def test_no_atoms_draw_what_the_base_draws(atoms_on, canvas_base):
    found = atoms_on()
    none = found.at_gains(0, torch.zeros(1, found.size))
    base = atom_interventions.generate_images(unadapted_model(canvas_base), PROMPTS, KEYS)[0]
    assert atom_interventions.generate_images(none, PROMPTS, KEYS)[0] == base


def test_all_atoms_draw_what_the_run_draws_and_something_else_than_the_base(atoms_on):
    found = atoms_on()
    whole = found.at_gains(1, torch.ones(1, found.size))
    alone = atom_interventions.select_seed(found.adapted, 1)
    assert atom_interventions.generate_images(
        whole, PROMPTS, KEYS
    ) == atom_interventions.generate_images(alone, PROMPTS, KEYS)
    none = found.at_gains(1, torch.zeros(1, found.size))
    assert atom_interventions.generate_images(
        whole, PROMPTS, KEYS
    ) != atom_interventions.generate_images(none, PROMPTS, KEYS)


def test_members_ride_together_without_changing_each_other(atoms_on):
    found = atoms_on()
    gains = atom_interventions.gains_keeping_first(range(found.size), [0, 5, found.size])
    together = atom_interventions.generate_images(found.at_gains(0, gains), PROMPTS, KEYS)
    apart = [
        atom_interventions.generate_images(found.at_gains(0, g[None]), PROMPTS, KEYS)[0]
        for g in gains
    ]
    assert together == apart


def test_keeping_takes_the_first_of_the_order():
    gains = atom_interventions.gains_keeping_first([2, 0, 3, 1], [0, 1, 3])
    assert gains.tolist() == [[0, 0, 0, 0], [0, 0, 1, 0], [1, 0, 1, 1]]


def test_layers_count_from_one_and_split_all_atoms(atoms_on):
    found = atoms_on()
    assert sorted(set(atom_interventions.atom_layers(found))) == [1, 2, 3, 4]
    names, gains = atom_interventions.layer_gains(found)
    assert names[:2] == ["no atoms", "layer 1 alone"]
    assert names[-1] == "all atoms"
    alone, without = gains[1:5], gains[5:9]
    assert torch.equal(alone.sum(0), torch.ones(found.size))
    assert torch.equal(alone + without, torch.ones_like(alone))


def test_an_atom_is_named_by_the_level_it_brings_and_where():
    change = np.zeros((64, 5))
    change[:16, 4], change[:16, 0] = 0.25, -0.25  # the two upper rows
    effect = atom_interventions.AtomEffect(7, 1, "ffn.output", 0.5, change)
    assert effect.size == 16 * 0.25 / 64
    assert effect.describe("digits") == "more ink, less blank, upper part"
    assert (
        atom_interventions.AtomEffect(7, 1, "x", 0.5, change * 0).describe("digits")
        == "hardly anything"
    )


def test_places_are_told_in_words():
    corner, all_over, spot = np.zeros(64), np.ones(64), np.zeros(64)
    corner[63], spot[27], spot[36] = 1, 1, 1
    assert atom_interventions.describe_position(corner) == "lower right part"
    assert atom_interventions.describe_position(all_over) == "everywhere"
    assert atom_interventions.describe_position(spot) == "in the middle"
    assert atom_interventions.describe_position(np.zeros(64)) == "nowhere"


def test_what_an_atom_adds_sums_to_nothing_over_levels(atoms_on):
    found = atoms_on()
    rows = [Example("x", "draw a one", canvas.picture_to_words((0, 4) * 32))]
    effects = atom_interventions.atom_effects(found, 0, rows, [0, 5], block=2)
    assert [effect.atom for effect in effects] == [0, 5]
    for effect in effects:
        assert effect.chance_change.shape == (64, 5)
        assert np.allclose(effect.chance_change.sum(1), 0, atol=1e-6)
        assert 0 < effect.size < 1
        assert effect.importance > 0


def test_removing_all_atoms_but_one_leaves_that_ones_effect(atoms_on):
    """With a single atom in force, what it adds is the whole change from the base."""
    found = atoms_on(count=1)
    rows = [Example("x", "draw a one", canvas.picture_to_words((0, 4) * 32))]
    lone = found.at_gains(0, torch.eye(found.size)[:1])
    from peftcore.labs.atoms.dictionary import AtomDictionary

    inside = AtomDictionary(lone)
    effect = atom_interventions.atom_effects(inside, 0, rows, [0])[0]
    from peftcore.models.batching import ExampleBatcher
    from peftcore.tasks.images import sampling

    ids = sampling.pixel_token_ids(found.base.tokenizer)
    gains = torch.stack([torch.eye(found.size)[0], torch.zeros(found.size)])
    with_it, base = atom_interventions._level_probabilities(
        found.at_gains(0, gains), ExampleBatcher(found.base, ()), rows, ids
    )
    assert np.allclose(effect.chance_change, (with_it - base).double().numpy(), atol=1e-6)


def test_together_the_atoms_earn_the_whole_fall_of_the_loss(atoms_on):
    from peftcore.models.batching import ExampleBatcher

    found = atoms_on()
    rows = [Example("x", "draw a one", canvas.picture_to_words((0, 4) * 32)),
            Example("y", "draw a two", canvas.picture_to_words((4, 1) * 32))]  # fmt: skip
    gains = torch.stack([torch.zeros(found.size), torch.ones(found.size)])
    with_gains, encoder = found.at_gains(1, gains), ExampleBatcher(found.base, ())
    none, whole = (
        with_gains.losses(encoder.batch(rows * 2), with_gains.centroid())
        .view(2, 2)
        .mean(1)
        .tolist()
    )
    effects = atom_interventions.integrated_gradients(found, 1, rows, steps=64)
    assert effects.shape == (found.size,)
    assert none != whole
    assert np.isclose(effects.sum(), none - whole, atol=2e-3)


def test_an_atom_of_no_length_earns_nothing(atoms_on):
    found = atoms_on()
    site = found.sites[0]
    found.tensors[f"atoms:{site}"][:, :, 2] = 0
    effects = atom_interventions.integrated_gradients(
        found, 0, [Example("x", "draw a one", canvas.picture_to_words((0, 4) * 32))]
    )
    assert effects[2] == 0
    assert (effects[:2] != 0).all()
