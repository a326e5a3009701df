"""Bases of ours are measured on Miniworld, others on what people wrote where that is at hand."""

import json

from peftcore.training import general_text


def test_what_a_base_is_measured_on_depends_on_the_base_and_the_data(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_DATA", str(tmp_path))
    without = general_text.choose_general_text("stranger")
    assert without == general_text.choose_general_text("tiny-gpt")
    assert "Miniworld" in without.title
    (tmp_path / "glue_qnli").mkdir()
    rows = [{"sentence": f"people wrote {n}"} for n in range(40)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "glue_qnli" / "test.jsonl").write_text(text)
    found = general_text.choose_general_text("stranger")
    assert found.title == general_text.TEXT_TITLE
    assert len(found.texts) == general_text.SENTENCES
    assert found.pairs == without.pairs  # there is no BLiMP here
    assert found.digest() != without.digest()
    assert general_text.choose_general_text("tiny-gpt") == without
