"""What page and command line ask: words, counts and seeds are checked, pictures are the same."""

import pytest
import torch

from peftcore.errors import BadInput
from peftcore.labs.images import atom_interventions, queries
from peftcore.tasks.images import canvas


def test_the_world_of_a_base_is_known_by_its_files():
    assert queries.image_world("tiny-digits") == "digits"
    with pytest.raises(BadInput, match="tiny-gpt writes text; a base that draws is tiny-digits"):
        queries.image_world("tiny-gpt")


def test_what_is_drawn_depends_on_the_number_of_its_chance_alone(canvas_base):
    few = queries.generate_from_base(canvas_base, "draw a one", 2, first=1)
    many = queries.generate_from_base(canvas_base, "draw a one", 3)
    assert many.pictures[1:] == few.pictures
    assert many.to_json()["pictures"][0] == canvas.picture_to_code(many.pictures[0])
    assert 0.0 <= many.alignment <= 1.0


def test_fewer_atoms_end_at_the_base_and_at_the_run(atoms_on, canvas_base):
    found = atoms_on()
    order = list(range(found.size))
    gains = atom_interventions.gains_keeping_first(order, [0, found.size])
    none, whole = queries.generate_at_gains(found, 1, gains, "draw a one", 2)
    assert none == queries.generate_from_base(canvas_base, "draw a one", 2)
    alone = queries.generate_for_prompt(
        atom_interventions.select_seed(found.adapted, 1), "draw a one", 2
    )[0]
    assert whole == alone


def test_an_atom_off_is_the_same_as_a_gain_of_zero(atoms_on):
    found = atoms_on()
    by_gain = queries.generate_at_strengths(found, 0, 4, "draw a one", 2)
    assert list(by_gain) == ["off", "as it is", "2 times", "4 times"]
    gains = torch.ones(1, found.size)
    gains[0, 4] = 0
    assert by_gain["off"] == queries.generate_at_gains(found, 0, gains, "draw a one", 2)[0]


def test_two_runs_at_share_zero_are_the_base_and_alone_are_themselves(atoms_on, canvas_base):
    one, other = atoms_on(3), atoms_on(2, threshold=0.2)
    by_gain = queries.generate_with_joined_atoms((one, other), 0, (1.0, 1.0), "draw a one", 2)
    assert by_gain["none"] == queries.generate_from_base(canvas_base, "draw a one", 2)
    assert (
        by_gain["concept"]
        == queries.generate_for_prompt(
            atom_interventions.select_seed(one.adapted, 0), "draw a one", 2
        )[0]
    )
    assert (
        by_gain["style"]
        == queries.generate_for_prompt(
            atom_interventions.select_seed(other.adapted, 0), "draw a one", 2
        )[0]
    )


def test_counts_atoms_and_words_are_checked(atoms_on, canvas_base):
    found = atoms_on()
    with pytest.raises(BadInput, match=r"count must lie in \[1, 64\]; got 65"):
        queries.generate_from_base(canvas_base, "draw a one", 65)
    with pytest.raises(BadInput, match="atoms kept must lie in"):
        atom_interventions.gains_keeping_first(range(found.size), [999])
    with pytest.raises(BadInput, match="atom must lie in"):
        queries.generate_at_strengths(found, 0, found.size, "draw a one", 1)
    with pytest.raises(BadInput, match="does not know 'elephant'"):
        queries.generate_from_base(canvas_base, "draw an elephant", 1)
