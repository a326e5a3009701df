"""`models add`, `list`, `measure` and `remove`."""

import pytest
from support.commands import call, printed, refused
from support.gguf_files import tiny_model, write_gguf
from typer.testing import CliRunner

from peftcore.cli import app
from peftcore.intake import install


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write_gguf(tmp_path_factory.mktemp("gguf") / "Tiny-Llama.gguf", tiny_model())


def test_a_file_is_added_listed_everywhere_and_removed(file, monkeypatch):
    added = printed("models", "add", str(file))
    assert (added["name"], added["origin"], added["heads"]) == ("tiny-llama", "added", 4)
    assert "tiny-llama" in printed("list")["bases"]
    listed = {row["name"]: row for row in printed("models", "list")["bases"]}
    assert listed["tiny-llama"]["parameters"] == added["parameters"]
    assert listed["tiny-gpt"]["origin"] == "shipped"
    assert "2 × 4 on 2" in call("models", "list").stdout
    monkeypatch.setattr(install, "runs_on", lambda name: ["0123456789ab"])
    asked = CliRunner().invoke(app, ["models", "remove", "tiny-llama"], input="n\n")
    assert asked.exit_code == 1
    assert "0123456789ab" in asked.output
    assert "tiny-llama" in printed("list")["bases"]
    assert printed("models", "remove", "tiny-llama") == {
        "removed": "tiny-llama",
        "runs": ["0123456789ab"],
    }
    assert "tiny-llama" not in printed("list")["bases"]


def test_what_cannot_be_added_is_refused_in_one_line(file, tmp_path):
    assert "no known base (smollm2-135m)" in refused("models", "add", "smolm2")
    assert "comes with the project" in refused("models", "add", str(file), "--name", "tiny-gpt")
    (tmp_path / "x.gguf").write_bytes(bytes(100))
    assert "no GGUF file" in refused("models", "add", str(tmp_path / "x.gguf"))
    line = refused("models", "add", str(file), "--from", str(file))
    assert "--from names the file of a known base" in line
    assert "a name has 2 to 64" in refused("models", "add", str(file), "--name", "../x")


def test_only_added_bases_are_removed():
    assert "comes with the project" in refused("models", "remove", "tiny-gpt", "--yes")
    assert "no base 'nope'" in refused("models", "remove", "nope", "--yes")


def test_a_base_that_can_be_added_is_named():
    assert printed("models", "list")["can_be_added"] == ["smollm2-135m"]
    assert "models add smollm2-135m" in call("models", "list").stdout


def test_measuring_refuses_what_has_no_likelihood(tmp_path):
    assert "no folder blimp" in refused("models", "measure", "tiny-gpt", "--data", str(tmp_path))
    assert "no base 'nope'" in refused("models", "measure", "nope")
