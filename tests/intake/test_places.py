"""Where bases lie that come in, and which names are free."""

import pytest

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.intake import places


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/a/SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct.q4_1"),
        ("incoming/x y(1).gguf", "x-y-1"),
        (f"Owner/Some_Model@{'0' * 40}", "some_model"),
        ("C:\\models\\Mine\\", "mine"),
        ("…", "my-model"),
        ("a" * 90 + ".gguf", "a" * 64),
    ],
)
def test_a_name_is_suggested_that_is_allowed(source, name):
    assert places.suggest_name(source) == name


def test_only_plain_files_are_listed():
    folder = places.incoming_folder()
    for name in ("b.gguf", "a.gguf", "x.part", "c d.gguf", ".hidden.gguf"):
        (folder / name).touch()
    assert places.incoming_files() == ["incoming/a.gguf", "incoming/b.gguf"]
    assert places.find_incoming("incoming/a.gguf") == folder / "a.gguf"


def test_names_of_bases_are_taken():
    with pytest.raises(BadInput, match="comes with the project"):
        places.refuse_taken_name("tiny-gpt")
    places.refuse_taken_name("free")


def test_quality_of_a_base_of_the_project_is_kept_in_the_workspace():
    assert places.quality_file("tiny-gpt").is_relative_to(paths.workspace_folder())
    assert places.read_quality("tiny-gpt") == {}
    with pytest.raises(BadInput, match="no base 'nope'"):
        places.quality_file("nope")
