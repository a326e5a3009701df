"""DART and WebNLG: triples in a line, several texts each."""

import pytest

from peftcore import paths, tasks
from peftcore.data import sources
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks.dart import DART
from peftcore.tasks.webnlg import WebNLG

TRIPLES = [["Oak  Inn", "food", "pies"], ["Oak Inn", "area", "centre"]]
LINE = "Oak Inn | food | pies && Oak Inn | area | centre"


def dart(*texts, triples=TRIPLES):
    return {"tripleset": triples, "annotations": {"source": ["x"] * len(texts), "text": texts}}


def webnlg(*texts, facts=("Oak_Inn | food | pies", "Oak_Inn | area | centre"), lang=""):
    lex = {"comment": ["good"] * len(texts), "text": texts, "lang": [lang] * len(texts)}
    return {"modified_triple_sets": {"mtriple_set": [facts]}, "lex": lex}


@pytest.mark.parametrize(("task", "row"), [(DART, dart), (WebNLG, webnlg)])
def test_triples_read_alike_and_texts_are_grouped_to_score(invented, task, row):
    rows = [row("Oak sells pies.", " Pies at Oak. "), row("Oak, pies.", "")]
    invented(task.name, train=rows, test=rows)
    train, test = task().load("train"), task().load("test")
    assert {one.source for one in train + test} == {f"describe: {LINE}"}
    assert [one.target for one in train] == ["Oak sells pies.", "Pies at Oak.", "Oak, pies."]
    (one,) = test
    assert one.references == ("Oak sells pies.", "Pies at Oak.", "Oak, pies.")
    full = {"bleu": 100, "chrf": 100, "ter": 0, "rougeL": 1}
    scores = task().score([Answer("Oak sells pies.")], test)
    assert scores == pytest.approx(full)


def test_the_authors_own_layout_of_texts_is_read(invented):
    row = {"tripleset": TRIPLES, "annotations": [{"source": "x", "text": "Pies."}, {"text": ""}]}
    invented("dart", test=[row])
    assert DART().load("test")[0].references == ("Pies.",)


@pytest.mark.parametrize("triples", [[], [["a", "b"]], ["a | b | c"]])
def test_what_is_no_triple_is_refused(invented, triples):
    invented("dart", test=[dart("x", triples=triples)])
    with pytest.raises(BadInput, match="dart test-0: tripleset must be a list of lists of three"):
        DART().load("test")


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


def test_real_rows_of_dart(real):
    real("dart")
    task = DART()
    train, test = task.load("train"), task.load("test")
    assert len(train) > 510
    assert len({row.source for row in test}) == len(test)
    assert max(len(row.references) for row in test) > 1
    assert len(task.few_shot(48, 0, 48).dev) == 48
