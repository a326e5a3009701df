"""WebNLG: facts of three parts, English texts only, two layouts of the data."""

import pytest

from peftcore import paths, tasks
from peftcore.data import sources
from peftcore.errors import BadInput
from peftcore.tasks.webnlg import WebNLG


def webnlg(*texts, facts=("Oak_Inn | food | pies", "Oak_Inn | area | centre"), lang=""):
    lex = {"comment": ["good"] * len(texts), "text": texts, "lang": [lang] * len(texts)}
    return {"modified_triple_sets": {"mtriple_set": [facts]}, "lex": lex}


def test_a_fact_has_three_parts(invented):
    invented("web_nlg", test=[webnlg("x", facts=["Oak_Inn | food"])])
    with pytest.raises(BadInput, match="web_nlg test-0: a fact must read"):
        WebNLG().load("test")


def test_texts_in_other_languages_are_left_out(invented):
    invented("web_nlg", test=[webnlg("x", lang="ru"), webnlg("y", lang="en")])
    assert WebNLG().load("test")[0].references == ("y",)


def test_the_hub_calls_validation_dev(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    seen = []
    monkeypatch.setattr(sources, "_from_hub", lambda *call: seen.append(call) or [webnlg("x")])
    WebNLG().load("validation")
    assert [call[1] for call in seen] == ["dev"]


def test_the_hubs_layout_of_webnlg_loads(tmp_path, monkeypatch):
    samples = paths.ROOT.parent / "shared" / "data" / "_format_samples"
    if not samples.is_dir():
        pytest.skip("no format samples")
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    folder = tmp_path / "web_nlg"
    folder.mkdir()
    text = (samples / "web_nlg_release_v3.0_en.jsonl").read_text("utf-8")
    (folder / "test.jsonl").write_text(text, "utf-8")
    first, second, *_ = rows = tasks.find_task("web_nlg").load("test")
    assert first.parts == ("Lake Miro | location | Norland",)
    assert first.references == ("Lake Miro is in Norland.", "Lake Miro lies in Norland.")
    assert second.source.count(" && ") == 1
    assert len(rows) == 8
