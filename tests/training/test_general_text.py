"""Bases of ours are measured on Miniworld, others on what people wrote where that is at hand."""

import json

from peftcore.tasks.miniworld import held_out
from peftcore.tasks.miniworld.splits import part_of
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


def test_passages_are_of_clauses_that_pretraining_left_out():
    for passage in held_out.sample_passages(20):
        clauses = passage.removesuffix(" .").split(" . ")
        assert len(clauses) == held_out.CLAUSES
        assert {part_of(clause) for clause in clauses} == {"test"}


def test_pairs_differ_in_one_fault_and_every_fault_is_there():
    pairs = held_out.sample_minimal_pairs(40)
    assert [pair.fault for pair in pairs] == [*held_out.FAULTS] * 10
    assert len({(pair.right, pair.fault) for pair in pairs}) == 40
    for pair in pairs:
        right, wrong = pair.right.split(), pair.wrong.split()
        assert right != wrong
        if pair.fault == "order":
            assert sorted(right) == sorted(wrong)
        elif pair.fault != "sense":
            assert sum(a != b for a, b in zip(right, wrong, strict=True)) == 1
