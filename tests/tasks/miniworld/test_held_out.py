"""Text that no embedded base was pretrained on, and pairs that differ in one fault."""

from peftcore.tasks.miniworld import held_out
from peftcore.tasks.miniworld.splits import part_of


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
