"""Files that people bring: arrays, chats, other separators and encodings, and what is none."""

import csv
import io
import json

import pytest

from peftcore.data import tables
from peftcore.errors import BadInput

ROWS = [
    {"text": f'the soup, no. {n}; "hot" | cold', "label": "good" if n % 2 else "bad"}
    for n in range(10)
]


def as_csv(separator, header=("text", "label"), quoting=csv.QUOTE_MINIMAL):
    target = io.StringIO()
    writer = csv.writer(target, delimiter=separator, quoting=quoting)
    writer.writerow(header)
    writer.writerows([row["text"], row["label"]] for row in ROWS)
    return target.getvalue()


def read(text, name):
    return tables.preview_table(text if isinstance(text, bytes) else text.encode(), name)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        "\ufeff" + json.dumps(ROWS),
        json.dumps({"data": ROWS, "version": 2}, indent=1),
        "\n".join(map(json.dumps, ROWS)),
    ],
)
@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
def test_json_is_read_as_lines_as_an_array_or_as_the_one_list_of_an_object(text, name):
    """Case A02 (huggingface/datasets#7322)."""
    found = read(text, name)
    assert [dict(row) for row in found.rows] == ROWS
    assert not found.bad


def test_rows_of_an_array_are_numbered_by_their_place():
    found = read(json.dumps([ROWS[0], 7, ROWS[1], {"text": ["x"], "label": "a"}]), "x.json")
    assert found.lines == (1, 3)
    assert [(bad.line, bad.reason[:20]) for bad in found.bad] == [
        (2, "not an object in bra"),
        (4, "'text' holds a list "),
    ]


@pytest.mark.parametrize("names", ["role content user assistant", "from value human gpt"])
@pytest.mark.parametrize("field", ["messages", "conversations"])
def test_a_chat_is_what_comes_before_its_last_answer_and_that_answer(field, names):
    """Case A03 (unslothai/unsloth#337)."""
    who, what, asks, answers = names.split()
    turn = lambda speaker, text: {who: speaker, what: text}
    chats = [
        {
            field: [turn("system", "Be short."), turn(asks, f"soup {n}"), turn(answers, "good")],
            "id": n,
        }
        for n in range(3)
    ]
    found = read("\n".join(map(json.dumps, chats)), "x.jsonl")
    assert found.columns == ("text", "answer", "id")
    assert found.rows[1] == {"text": "Be short.\nsoup 1", "answer": "good", "id": "1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '{"messages": [{"role": "user", "content": "a"}]}\n' * 3,
            "line 1: 'messages' holds a list",
        ),
        ("[1, 2, 3]", "line 1: not an object in braces"),
        ('[{"text": "a", "label": "b"},', "begins like a JSON array and is none"),
        ("[" * 100_000, "begins like a JSON array and is none"),
        ('{"a":' * 100_000, "line 1: not JSON that can be read"),
        ('[{"text": %s}]' % ("9" * 6000), "begins like a JSON array and is none"),
    ],
)
def test_json_of_which_no_row_can_be_read_is_a_sentence_that_names_the_first(text, message):
    with pytest.raises(BadInput) as caught:
        read(text, "x.json")
    assert message in str(caught.value)
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_every_separator_is_found_though_texts_hold_the_others(separator, quoting):
    """Cases A16 and A17 (frappe/frappe#26183)."""
    found = read(as_csv(separator, quoting=quoting), "x.csv")
    assert [dict(row) for row in found.rows] == ROWS


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_header_whose_quoted_name_holds_other_separators_misleads_nobody(separator):
    others = "".join({",", ";", "\t", "|"} - {separator}) * 3
    found = read(as_csv(separator, ("text " + others + " x", "label")), "x.csv")
    assert [row["label"] for row in found.rows] == [row["label"] for row in ROWS]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_texts_of_marked_encodings_are_read(encoding):
    bom = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    found = read((bom + "text,label\nein Café,ja\nnoch eins,nein\n").encode(encoding), "x.csv")
    assert [row["text"] for row in found.rows] == ["ein Café", "noch eins"]


@pytest.mark.parametrize(
    "content", ["text,label\nein Café,ja\n".encode("latin-1"), b"\xff\xfea\x00b"]
)
def test_other_encodings_are_refused_with_the_remedy(content):
    with pytest.raises(BadInput, match="save the file as UTF-8"):
        read(content, "x.csv")


@pytest.mark.parametrize("line", ['"open ,b\n', '"open\n', 'a"b,c,d\n', "a,b,c\n"])
def test_a_file_of_bad_lines_is_not_read_to_its_end(line, monkeypatch):
    """A quotation mark that is never closed took minutes: every line after it is bad."""
    read_lines = []
    check = tables._check_bad_count
    monkeypatch.setattr(tables, "_check_bad_count", lambda bad: (read_lines.append(1), check(bad)))
    with pytest.raises(BadInput, match=r"can(not)? be read"):
        read("text,label\n" + line * 200_000, "x.csv")
    assert len(read_lines) <= tables.MAX_BAD_LINES + 1
