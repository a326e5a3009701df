"""Answers with atoms removed, scaled and joined."""

import pytest

from peftcore.errors import BadInput
from peftcore.labs.atoms import interventions


def test_removing_an_atom_answers_beside_the_old_and_the_base(runs):
    run, text = runs["atoms"], "Ann is at home. || Ann is out."
    by_choice = interventions.answers_with_changed_atoms(run.id, 1, ["D1.xk[0]", "0:1"], 0.0, text)
    assert list(by_choice) == ["all atoms", "without D1.xk[0], 0:1", "no atoms (the base)"]
    found = interventions.load_atoms(run)
    same = interventions.answers_with_gains(run, found, 1, {}, text)
    assert same[0] == same[1] == by_choice["all atoms"]
    gone = interventions.answers_with_gains(
        run, found, 1, dict.fromkeys(range(found.size), 0.0), text
    )
    assert gone[1] == gone[2] == by_choice["no atoms (the base)"]
    with pytest.raises(BadInput, match="seed must lie in"):
        interventions.answers_with_changed_atoms(run.id, 9, ["0:0"], 0.0, text)


def test_coefficients_of_a_typed_text_follow_the_answer_it_gets(runs):
    run = runs["atoms"]
    found = interventions.load_atoms(run)
    by_choice = interventions.codes_of_answer(run, found, 0, "Ann is glad.")
    assert (
        by_choice.answer == interventions.answers_with_gains(run, found, 0, {}, "Ann is glad.")[0]
    )
    assert [site.site for site in by_choice.sites] == found.sites
    for site in by_choice.sites:
        assert site.codes.shape == (len(site.tokens), 2)
        across = site.site.startswith("cross.key")  # reads what the encoder made of the text
        assert (len(site.tokens) == len("Ann is glad.") + 1) == across


def test_two_runs_answer_alone_and_together(runs):
    names = [runs["atoms"].id, f"{runs['other'].id}/1"]
    by_choice = interventions.answers_with_joined_atoms(names, "Ann is glad.", (1.0, 0.0))
    assert by_choice["both, 1 and 0 times"] == by_choice["first alone"]
    assert len(by_choice) == 4
    with pytest.raises(BadInput, match="two runs"):
        interventions.answers_with_joined_atoms(names[:1], "Ann")
