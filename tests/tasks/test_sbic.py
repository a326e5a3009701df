"""Annotations of a post are averaged and told in a sentence."""

from collections import Counter

import pytest

from peftcore import paths
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks import sbic

EMPTY = dict.fromkeys(sbic.FIELDS, "")


def annotation(post, offensive, group="", minority="", stereotype=""):
    fields = {"post": post, "offensiveYN": offensive, "whoTarget": group}
    return EMPTY | fields | {"targetMinority": minority, "targetStereotype": stereotype}


@pytest.mark.parametrize(
    ("statement", "group", "sentence"),
    [
        ("can't cook", "plumbers", "this post implies that plumbers can't cook"),
        ("mocks plumbers", "plumbers", "this post mocks plumbers"),
        ("calling plumbers slow", "plumbers", "this post is calling plumbers slow"),
        ("being slow is bad", "plumbers", "this post implies that being slow is bad"),
        ("is slow", "old folks", "this post implies that old folks are slow"),
        ("is slow", "the plumber", "this post implies that the plumber is slow"),
        ("all the same", "plumbers", "this post implies that plumbers are all the same"),
        ("plumbers are slow", "plumbers", "this post implies that plumbers are slow"),
        ("are slow", "", "this post implies that are slow"),
    ],
)
def test_the_first_word_chooses_the_sentence(statement, group, sentence):
    assert sbic.implied_sentence(statement, group) == sentence


POSTS = [
    annotation("Nice  Pipe", "0.0"),
    annotation("Bad pipe", "1.0", "1.0", "plumbers", "are slow"),
    annotation("Bad pipe", "0.0"),
    annotation("Bad pipe", "1.0", "1.0", "plumbers", "plumbers cheat"),
    annotation("You pipe", "0.5", "0.0"),
    annotation("Odd pipe", "1.0", "1.0", "plumbers", ""),
]


def test_training_has_an_example_for_each_statement(invented):
    invented("social_bias_frames", train=POSTS)
    rows = sbic.SocialBias().load("train")
    assert [row.target for row in rows] == [
        "not_offensive because this post does not imply anything offensive",
        "offensive because this post implies that plumbers are slow",
        "offensive because this post implies that plumbers cheat",
        "offensive because this post is a personal attack",
    ]
    assert rows[0].source == r"explain what is this? \n post: nice pipe"


def test_elsewhere_a_post_has_all_its_statements(invented):
    invented("social_bias_frames", test=POSTS)
    rows = sbic.SocialBias().load("test")
    assert [len(row.references) for row in rows] == [1, 2, 1]
    assert rows[1].label == "offensive"


def test_what_is_not_offensive_is_not_unless_it_is_broken():
    read = sbic.SocialBias().parse
    assert read("yes because x") == Answer("yes because x", "offensive", "x")
    assert read("banana because x") == Answer("banana because x", "not_offensive", "x")
    assert read("offensive") == Answer("offensive", None, None)


def test_annotations_that_are_no_numbers_are_refused(invented):
    invented("social_bias_frames", test=[annotation("x", "maybe")])
    with pytest.raises(BadInput, match=r"offensiveYN must be a number or empty; got .'maybe'."):
        sbic.SocialBias().load("test")


def test_episodes_have_the_sizes_of_the_benchmark(invented):
    rows = [annotation(f"{n}", f"{n % 2}.0", "0.0") for n in range(400)]
    invented("social_bias_frames", train=rows, validation=rows)
    episode = sbic.SocialBias().episode(0)
    assert Counter(row.label for row in episode.train) == dict.fromkeys(sbic.SocialBias.labels, 24)
    assert Counter(row.label for row in episode.dev) == dict.fromkeys(sbic.SocialBias.labels, 175)


def test_the_hubs_layout_loads(tmp_path, monkeypatch):
    samples = paths.ROOT.parent / "shared" / "data" / "_format_samples"
    if not samples.is_dir():
        pytest.skip("no format samples")
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    folder = tmp_path / "social_bias_frames"
    folder.mkdir()
    text = (samples / "social_bias_frames.jsonl").read_text("utf-8")
    (folder / "test.jsonl").write_text(text, "utf-8")
    rows = sbic.SocialBias().load("test")
    assert len(rows) == 8
    assert {row.label for row in rows} == {"not_offensive"}
