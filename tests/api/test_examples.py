"""Every block of Python in the READMEs runs as it stands."""

import re

import pytest

from peftcore import paths

FILES = (paths.ROOT / "README.md", paths.ROOT / "peftcore" / "api" / "README.md")
README = "\n".join(file.read_text("utf-8") for file in FILES)
BLOCKS = re.findall(r"^([^\n]+)\n\n```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("code", [pytest.param(c, id=title[:24]) for title, c in BLOCKS])
def test_a_block_runs(code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip()


def test_there_is_one_block_for_every_lab():
    labs = ("Attention", "Limits", "Landscape", "Scaling", "Components", "Atoms", "Images", "Toys")
    titles = [title for title, _ in BLOCKS]
    assert all(any(t.startswith(f"**{lab}**") for t in titles) for lab in labs)
    assert len(BLOCKS) == README.count("```python")
