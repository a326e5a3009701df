"""Your own table: read without loss, refused in words, split without leaks."""

import csv
import io
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from peftcore import paths, tasks
from peftcore.data import table_checks, tables
from peftcore.data.task import Answer
from peftcore.errors import BadInput
from peftcore.tasks import table

COLUMNS = {"text": ["text"], "target": "label"}
LABELS = ("good", "bad")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PEFTCORE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def as_csv(rows, header=None):
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerows([*([header] if header else []), *rows])
    return file.getvalue().encode()


def reviews(n=50):
    return as_csv([[f"text {i}", LABELS[i % 2]] for i in range(n)], ["text", "label"])


names = some.text("abcdefgh ", min_size=1, max_size=6).map(str.strip).filter(bool)
headers = some.lists(names, min_size=2, max_size=4, unique=True)
fields = some.text(max_size=12)


@given(headers, some.data())
def test_rows_of_a_csv_round_trip(header, data):
    width = some.lists(fields, min_size=len(header), max_size=len(header))
    rows = data.draw(some.lists(width, min_size=1, max_size=6))
    found = tables.preview_table(as_csv(rows, header), "x.csv")
    assert found.columns == tuple(header)
    assert [list(row.values()) for row in found.rows] == rows
    assert found.bad == ()


@given(some.lists(some.dictionaries(names, fields, min_size=2), min_size=1, max_size=6))
def test_rows_of_json_lines_round_trip(rows):
    content = "\r\n".join(json.dumps(row) for row in rows).encode()
    found = tables.preview_table(content, "x.jsonl")
    assert set(found.columns) == set().union(*rows)
    empty = dict.fromkeys(found.columns, "")
    assert list(found.rows) == [empty | row for row in rows]


@given(
    some.binary(max_size=300) | some.text('a,";\t\n\r{}[]:1é', max_size=80).map(str.encode),
    some.sampled_from(["x.csv", "x.jsonl", "x.tsv"]),
)
@settings(max_examples=300)
def test_any_bytes_are_read_or_refused_in_words(content, filename):
    try:
        found = tables.preview_table(content, filename)
    except BadInput:
        return
    assert found.rows or found.bad
    assert len(found.rows) == len(found.lines)
    assert all(tuple(row) == found.columns for row in found.rows)
    assert not set(found.lines) & {bad.line for bad in found.bad}


def test_bad_lines_of_a_csv_are_listed_and_good_ones_kept():
    content = b'text,label\na,good\nb\nc,bad,more\n"d"e,good\n\n"two\nlines",bad\n'
    found = tables.preview_table(content, "x.csv")
    assert [row["text"] for row in found.rows] == ["a", "two\nlines"]
    assert found.lines == (2, 7)
    assert [(bad.line, bad.reason) for bad in found.bad] == [
        (3, "1 fields; the header has 2"),
        (4, "3 fields; the header has 2"),
        (5, "text after a closing quotation mark"),
    ]


def test_an_open_quotation_mark_says_how_far_it_reaches():
    found = tables.preview_table(b'a,b\n1,2\n"open,3\n4,5\n', "x.csv")
    assert [str(bad) for bad in found.bad] == [
        "line 3: a quotation mark is opened and never closed (up to line 4)"
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_endings_and_byte_order_marks(ending, separator):
    lines = [["text", "label"], ["a", "good"], ["b", "bad"]]
    content = ending.join(separator.join(line) for line in lines).encode("utf-8-sig")
    found = tables.preview_table(content, "X.CSV")
    assert found.columns == ("text", "label")
    assert found.rows == ({"text": "a", "label": "good"}, {"text": "b", "label": "bad"})


def test_endings_may_be_mixed():
    found = tables.preview_table(b"a,b\r\n1,2\n3,4\r5,6", "x.csv")
    assert [row["a"] for row in found.rows] == ["1", "3", "5"]


def test_values_of_json_lines_become_text_and_nested_ones_are_listed():
    lines = ['{"a": 1.5, "b": true}', '{"a": null, "c": "x"}', '{"a": [1]}', "{", "3", "{}"]
    found = tables.preview_table("\n".join(lines).encode(), "x.jsonl")
    assert found.rows == ({"a": "1.5", "b": "true", "c": ""}, {"a": "", "b": "", "c": "x"})
    assert [bad.line for bad in found.bad] == [3, 4, 5, 6]
    assert "'a' holds a list" in found.bad[0].reason


@pytest.mark.parametrize(
    ("content", "filename", "message"),
    [
        (b"", "x.csv", "the file is empty"),
        (b"\xef\xbb\xbf \n", "x.jsonl", "the file is empty"),
        (b"a,b\n", "x.csv", "a header and no rows"),
        (b"a\n1\n", "x.csv", "one column, 'a'"),
        (b"a,b,a\n1,2,3\n", "x.csv", "names 'a' more than once"),
        (b"a,b\n1,2\n\xe9,3\n", "x.csv", "line 3 of the file is not UTF-8"),
        ("a,b\n1,2".encode("utf-16-le"), "x.csv", "not UTF-8 but looks like UTF-16"),
        (b"a,b\n1,2", "../x.xlsx", r"\.csv, \.tsv or \.jsonl file is needed; got '\.\./x\.xlsx'"),
        (
            b"a,b\n" + b"1,2\n" * 100_001,
            "x.csv",
            r"at most 100,000 rows \(PEFTCORE_MAX_TABLE_ROWS\)",
        ),
        (b"a,b\n" + b"x" * 20_000_000, "x.csv", r"20\.0 MB; at most 20 MB"),
        (
            ",".join(f"c{i}" for i in range(300)).encode() + b"\n",
            "x.csv",
            "300 columns; at most 200",
        ),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_words(content, filename, message):
    with pytest.raises(BadInput, match=message):
        tables.preview_table(content, filename)


def test_a_field_that_is_too_long_is_a_bad_line():
    content = as_csv([["x" * 10_001, "y"], ["a", "b"]], ["text", "label"])
    lines = b'{"text": "' + b"x" * 10_001 + b'", "label": "y"}\n{"text": "a", "label": "b"}'
    for found in (tables.preview_table(content, "x.csv"), tables.preview_table(lines, "x.jsonl")):
        assert len(found.rows) == 1
        assert "'text' has 10001 characters; at most 10000 fit" in str(found.bad[0])
    huge = tables.preview_table(as_csv([["x" * 200_000, "y"], ["a", "b"]], ["t", "l"]), "x.csv")
    assert [row["t"] for row in huge.rows] == ["a"]
    assert [bad.line for bad in huge.bad] == [2]


def test_an_imported_table_is_a_task_with_its_own_labels():
    name = table.import_table(reviews(), "My reviews!", COLUMNS, "classify")
    assert name.startswith("table_my_reviews_")
    assert name in tasks.task_names()
    task = tasks.find_task(name)
    assert (task.title, task.labels, task.kind) == ("My reviews!", ("bad", "good"), "classify")
    sizes = [len(task.load(split)) for split in table.SPLITS]
    assert sizes == [30, 10, 10]
    rows = task.load("test")
    assert rows[0].source.startswith("text ")
    assert rows[0].parts == (rows[0].source,)
    assert task.score([Answer(row.target, row.label) for row in rows], rows)["accuracy"] == 1
    assert len(task.few_shot(8, 0, 4).train) == 8


def test_importing_twice_is_one_task_and_another_mapping_is_another():
    first = table.import_table(reviews(), "a", COLUMNS, "classify")
    assert table.import_table(reviews(), "a", COLUMNS, "classify") == first
    other = table.import_table(reviews(), "a", COLUMNS | {"template": "say: {text}"}, "classify")
    assert sorted([first, other]) == table.imported_task_names()
    assert tasks.find_task(other).load("train")[0].source.startswith("say: text ")


def test_deleting_forgets_the_task():
    name = table.import_table(reviews(), "a", COLUMNS, "classify")
    task = tasks.find_task(name)
    assert task.available()
    table.delete_table(name)
    assert not task.available()
    assert name not in tasks.task_names()
    with pytest.raises(BadInput, match="no task"):
        tasks.find_task(name)
    with pytest.raises(BadInput, match="no imported table"):
        table.delete_table("../../etc")


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a/b\\c", "é", "...", "x" * 80])
def test_no_path_is_made_from_what_somebody_typed(name, home):
    made = table.import_table(reviews(), name, COLUMNS, "classify")
    assert tasks.find_task(made).title == name
    folders = list(home.rglob("*"))
    assert {path.name for path in folders if path.is_file()} == {
        "task.json",
        "train.jsonl",
        "validation.jsonl",
        "test.jsonl",
    }
    assert all(path.name.isalnum() for path in folders if path.is_dir())
    assert all(part.isalnum() or part == "_" for part in made)


def test_drawn_splits_share_no_input_and_keep_the_labels_apart_evenly():
    rng = random.Random(0)
    rows = [[f"t{rng.randrange(60)}", rng.choice("abc")] for _ in range(200)]
    content = as_csv(rows, ["text", "label"])
    task = tasks.find_task(table.import_table(content, "a", COLUMNS, "classify"))
    splits = {split: task.load(split) for split in table.SPLITS}
    inputs = [{row.source for row in rows} for rows in splits.values()]
    assert sum(map(len, inputs)) == len(set.union(*inputs)) == len({text for text, _ in rows})
    assert sum(map(len, splits.values())) == 200  # nothing lost
    assert all({row.label for row in rows} == set("abc") for rows in splits.values())


def test_another_seed_draws_another_split():
    one = tasks.find_task(table.import_table(reviews(), "a", COLUMNS, "classify", seed=1))
    two = tasks.find_task(table.import_table(reviews(), "a", COLUMNS, "classify", seed=2))
    assert one.data_hash() != two.data_hash()


def test_a_split_column_decides_and_its_odd_values_are_listed():
    rows = [["a", "x", "train"], ["b", "y", "Dev"], ["c", "x", "TEST"], ["d", "y", "later"]]
    content = as_csv(rows, ["text", "label", "part"])
    mapping = COLUMNS | {"split": "part"}
    found = table.map_columns(
        table.preview_table(content, "a.csv"), table.ColumnMapping.make(mapping), "classify"
    )
    assert [str(bad) for bad in found.bad] == [
        "line 5: column 'part' says 'later', not train, validation or test"
    ]
    task = tasks.find_task(table.import_table(content, "a", mapping, "classify"))
    assert [task.load(split)[0].source for split in table.SPLITS] == ["a", "b", "c"]
    assert task.source_note == "Your own table, 1 lines left out"
    with pytest.raises(BadInput, match="names no test row"):
        table.import_table(as_csv(rows[:2], ["text", "label", "part"]), "a", mapping, "classify")


def test_explanations_become_targets_and_references():
    rows = [[f"p{i}", f"h{i}", "Yes" if i % 2 else "NO ", f"Since  {i}"] for i in range(10)]
    content = as_csv([*rows, ["p", "h", "yes", " "]], ["premise", "hypothesis", "label", "why"])
    mapping = {"text": ["premise", "hypothesis"], "target": "label", "explanation": "why"}
    task = tasks.find_task(table.import_table(content, "nli", mapping, "explain"))
    row = task.load("train")[0]
    assert row.source == f"premise: {row.parts[0]} hypothesis: {row.parts[1]}"
    assert row.target == f"{row.label} because {row.references[0]}"
    assert task.labels == ("no", "yes")
    answer = task.parse(row.target)
    assert (answer.label, answer.explanation) == (row.label, row.references[0])
    assert "1 lines left out" in task.source_note
    assert task.score([answer], [row])["normalised_chrf"] == pytest.approx(100)


def test_texts_of_one_input_are_grouped_where_they_are_scored():
    rows = [[f"slots {i % 10}", f"Text {i}."] for i in range(30)]
    task = tasks.find_task(
        table.import_table(as_csv(rows, ["text", "label"]), "g", COLUMNS, "generate")
    )
    assert [len(task.load(split)) for split in table.SPLITS] == [18, 2, 2]
    row = task.load("test")[0]
    assert len(row.references) == 3
    assert (row.label, row.target) == (None, row.references[0])
    assert task.score([Answer(row.references[2])], [row])["rougeL"] == 1


def test_templates_replace_and_nothing_else():
    row = {"text": "{label} {0} %s", "a.b": "dot", "label": "x"}
    columns = table.ColumnMapping(text=("text",), target="label", template="{a.b}: {text}!")
    assert table._source_text(row, columns) == "dot: {label} {0} %s!"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": ["txt"]}, "no column 'txt'; did you mean 'text'"),
        ({"text": ["text", "text"]}, "column 'text' is chosen twice"),
        ({"target": "text"}, "column 'text' is chosen twice"),
        ({"text": []}, "text: .*at least 1"),
        ({"explanation": "text"}, "chosen twice"),
        ({"colour": "text"}, "no setting 'colour'"),
        ({"template": "no placeholder"}, "every row would read the same"),
        ({"template": "{text.__class__}"}, r"no column 'text\.__class__'"),
        ({"template": "{text!r:>99}"}, "no column 'text!r:>99'"),
        ({"template": "{text} {"}, "brace without its partner"),
        ({"template": "{text} {label}"}, "gives the answer away"),
    ],
)
def test_mappings_that_cannot_work_are_refused_in_words(change, message):
    with pytest.raises(BadInput, match=message):
        table.import_table(reviews(), "a", COLUMNS | change, "classify")


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (reviews(), "explain", "choose the column of the explanation"),
        (reviews(), "guess", "no kind 'guess'"),
        (
            as_csv([[f"{i}", "same"] for i in range(9)], ["text", "label"]),
            "classify",
            "1 different",
        ),
        (as_csv([[f"{i}", i] for i in range(99)], ["text", "label"]), "classify", "99 different"),
        (reviews(4), "classify", "4 different inputs; at least 5"),
        (
            as_csv([["a", ""], ["", "b"]], ["text", "label"]),
            "classify",
            "no row can be used: line 2",
        ),
    ],
)
def test_tables_that_cannot_be_learnt_are_refused_in_words(content, kind, message):
    with pytest.raises(BadInput, match=message):
        table.import_table(content, "a", COLUMNS, kind)


def test_a_label_that_holds_the_separator_is_a_bad_line():
    content = as_csv([["a", "no because x"], ["b", "good"], ["c", "bad"]], ["text", "label"])
    found = table.map_columns(
        table.preview_table(content, "x.csv"), table.ColumnMapping.make(COLUMNS), "classify"
    )
    assert [bad.line for bad in found.bad] == [2]


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\x00b"])
def test_names_out_of_limits_are_refused(name):
    with pytest.raises(BadInput, match="a name of 1 to 80 characters"):
        table.import_table(reviews(), name, COLUMNS, "classify")


def test_a_folder_that_is_not_whole_is_no_task(home):
    name = table.import_table(reviews(), "a", COLUMNS, "classify")
    (paths.workspace_folder() / "tables" / "half").mkdir()
    (paths.workspace_folder() / "tables" / ".partial").mkdir()
    assert table.imported_task_names() == [name]


ALIKE = "caf\u00e9", "cafe\u0301"  # composed and decomposed


@pytest.mark.parametrize(
    ("case", "answers", "labels", "remarked"),
    [
        ("A11", ["1", "0", "1.0", "0.0"] * 2, ("0", "1"), "0.0 as 0, 1.0 as 1"),
        ("A12", ["1", "0", "1", "0", "1", "0", "-1", "-1"], ("-1", "0", "1"), ""),
        ("A13", [ALIKE[0], "bad", ALIKE[1], "bad"] * 2, ("bad", ALIKE[0]), ""),
    ],
)
def test_labels_as_table_programs_write_them_are_one_or_named(case, answers, labels, remarked):
    """Cases A11 (calpaterson/csvbase#11), A12 (huggingface/datasets#183), A13 (TheCombine#3713)."""
    content = "text,label\n" + "".join(f"row {n},{each}\n" for n, each in enumerate(answers))
    preview = tables.preview_table(content.encode(), "own.csv")
    mapping = table.ColumnMapping(text=("text",), target="label")
    mapped = table.map_columns(preview, mapping, "classify")
    assert mapped.labels == labels
    assert remarked in "; ".join(mapped.notes)
    findings = table_checks.check_up(table.split_rows(mapped, mapping, "classify"), "classify")
    without = [found.remedy_keys for found in findings if found.check == "no label"]
    assert without == ([["no label: leave out"]] if case == "A12" else [])
