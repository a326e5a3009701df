"""What identifies a landscape, and the runs to be compared with it."""

import pytest
from support.landscape_page import simplex_run

from peftcore.errors import BadInput
from peftcore.labs.landscape.request import LandscapeRequest


def test_equal_asks_are_one_and_their_command_asks_the_same():
    ask = LandscapeRequest.make(
        {"kind": "face", "runs": ["a" * 12], "face": ["c", "0", "1"], "metric": True}
    )
    assert ask.id == LandscapeRequest.make(ask.model_dump(mode="json")).id
    words = ask.command_arguments()
    assert words[:4] == ["landscape", "a" * 12, "--kind", "face"]
    from peftcore.cli.options import parse_setting

    sets = dict(parse_setting(w) for w in words[5::2])
    assert LandscapeRequest.make({"kind": "face", "runs": ["a" * 12]} | sets) == ask
    for written in ("c,0,1", "[c, 0, 1]", '["c", "0", "1"]', ["c", 0, 1]):
        assert LandscapeRequest.make({"runs": ["a" * 12], "face": written}).face == ("c", "0", "1")
    for wrong in ("0,1", "0,0,1", "0,1,2,c", []):
        with pytest.raises(BadInput, match="three different corners are needed, such as 0,1,c"):
            LandscapeRequest.make({"runs": ["a" * 12], "face": wrong})


def test_an_ask_is_known_by_what_differs_from_the_defaults():
    plain = LandscapeRequest.make({"runs": ["a" * 12]})
    assert plain.id == LandscapeRequest.make({"runs": ["a" * 12], "steps": 15, "kind": "face"}).id
    assert plain.id != LandscapeRequest.make({"runs": ["a" * 12], "steps": 16}).id


def test_a_run_without_a_plane_says_so():
    from peftcore.labs.landscape.request import specs_by_vertices

    with pytest.raises(BadInput, match="vertices"):
        specs_by_vertices(simplex_run().spec, [99])


def test_a_landscape_counts_its_rows_before_it_starts():
    face = LandscapeRequest.make({"runs": ["0" * 12], "steps": 10, "beyond": 0, "examples": 12})
    assert face.count_points(3) == 66
    assert face.count_rows(3, 48).read == 66 * 12
    assert face.count_rows(3, 48).answered == 0
    plane = face.model_copy(update={"kind": "random", "metric": True, "examples": 0})
    assert plane.count_rows(1, 48).answered == 11 * 11 * 48
