"""Measuring atoms: mixes of two dictionaries, prompts that need both."""

import torch

from peftcore.pictures import measuring, scenes


def test_shares_reach_the_atoms_of_their_own_run(atoms_on):
    from peftcore import dictionaries

    one, other = atoms_on(3), atoms_on(2)
    both = dictionaries.joined(one, other)
    gains = measuring.mixed(both, one.each, [(1.0, 0.5)]).view(len(both.sites), 5)
    assert torch.equal(gains, torch.tensor([1.0, 1.0, 1.0, 0.5, 0.5]).expand(len(both.sites), 5))


def test_prompts_that_need_both_show_the_shape_at_night():
    rows = measuring.both_examples(20)
    assert rows == measuring.both_examples(20)
    asked = [measuring.asked(row) for row in rows]
    assert all(scenes.kind_of(scene) == "both" for scene in asked)
