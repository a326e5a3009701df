"""The check-up of an own table: each kind of oddity, with numbers, examples and its remedy."""

import pytest

from peftcore.data import table_checks
from peftcore.data.table_checks import MappedRow, Reader
from peftcore.errors import BadInput

LENGTHS = Reader("small", 12, lambda row: len(row.source), ("{no}",))


def row(line, text, label="yes", split=""):
    return MappedRow(line, text, (text,), label, "", split)


def sound():
    """Return splits in which nothing is odd."""
    texts = iter(range(100))
    of = lambda split: [
        row(n, f"text {n}", label, split) for label in ("yes", "no") for n in [next(texts)]
    ]
    return {split: [*of(split), *of(split)] for split in ("train", "validation", "test")}


def odd(check):
    """Return splits that one check finds odd, and the lines that it should name."""
    splits = sound()
    add = lambda split, *rows: splits[split].extend(rows)
    match check:
        case "no label":
            for split in splits:
                add(split, row(100 + len(split), f"{split} without", "nan"))
            return splits, {104, 105, 110}
        case "hidden signs":
            add("train", row(101, "a\0b"), row(102, "ab\u202edc"), row(103, "of a \u200dfamily"))
            return splits, {101, 102}
        case "too long":
            add("test", row(101, "thirteen long"), row(102, "twelve. long"))
            return splits, {101}
        case "label not writable":
            for split in splits:
                add(split, row(100 + len(split), f"{split} braces", "{no}"))
            return splits, {104, 105, 110}
        case "two labels":
            add("train", row(101, "Text  0", "no"))
            return splits, {0, 101}
        case "repeated":
            add("train", row(101, "text 0"))
            return splits, {101}
        case "text in two splits":
            add("train", row(101, "caf\u00e9"))
            add("test", row(102, "cafe\u0301"))
            return splits, {101}
        case "label of one split":
            add("train", row(101, "only here", "maybe"))
            add("test", row(102, "only there", "never"))
            return splits, {101, 102}
        case "imbalance":
            add("train", *[row(101 + n, f"more {n}") for n in range(6)])
            return splits, {105, 106}
    raise AssertionError(check)


def test_nothing_is_found_in_a_sound_table():
    assert table_checks.check_up(sound(), "classify", LENGTHS) == []


@pytest.mark.parametrize("check", list(table_checks.CHECKS))
def test_every_oddity_is_named_with_numbers_and_examples_and_its_remedy_repairs_it(check):
    splits, lines = odd(check)
    found = {each.check: each for each in table_checks.check_up(splits, "classify", LENGTHS)}
    finding = found[check]
    assert finding.lines == lines
    assert any(character.isdigit() for character in finding.sentence)
    assert finding.examples[0].startswith(f"line {min(finding.lines)}: ") or len(finding.lines) > 1
    assert len(finding.examples) == min(len(lines), table_checks.MAX_NAMED)
    for key in finding.remedy_keys:
        repaired, left_out = table_checks.apply_remedies(splits, "classify", [key], LENGTHS)
        assert check not in {
            each.check for each in table_checks.check_up(repaired, "classify", LENGTHS)
        }
        assert {bad.line for bad in left_out} == (lines if key.endswith("leave out") else set())
    assert table_checks.apply_remedies(splits, "classify", [], LENGTHS) == (splits, [])


def test_a_cut_text_has_as_many_signs_as_fit_and_the_rest_of_the_row_stays():
    long = "x" * 90
    whole = MappedRow(1, f"premise: a b hypothesis: {long}", ("a b", long), "yes", "", "")
    reader = Reader("small", 40, lambda each: len(each.source))
    repaired, _ = table_checks.apply_remedies(
        {"train": [whole]}, "classify", ["too long: cut"], reader
    )
    [cut] = repaired["train"]
    assert cut.source == "premise: a b hypothesis: " + "x" * 15
    assert cut.parts == ("a b", "x" * 15)
    assert cut.target == "yes"


def test_cleaning_takes_hidden_signs_out_of_all_texts_of_a_row():
    splits = {"train": [MappedRow(1, "a\0b\u202e", ("a\0b\u202e",), "y\u200bes", "w\x07hy", "")]}
    repaired, _ = table_checks.apply_remedies(splits, "explain", ["hidden signs: clean"])
    assert repaired["train"] == [MappedRow(1, "ab", ("ab",), "yes", "why", "")]


def test_without_a_base_lengths_and_words_are_not_judged():
    for check in ("too long", "label not writable"):
        splits, _ = odd(check)
        found = {each.check for each in table_checks.check_up(splits, "classify")}
        assert check not in found


def test_texts_to_write_have_no_checks_of_labels():
    for check in ("no label", "two labels", "label of one split", "imbalance"):
        splits, _ = odd(check)
        assert check not in {each.check for each in table_checks.check_up(splits, "generate")}


def test_an_unknown_remedy_is_refused():
    with pytest.raises(BadInput, match="no remedy 'repeted: leave out'; did you mean"):
        table_checks.apply_remedies(sound(), "classify", ["repeted: leave out"])
