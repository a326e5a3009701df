import csv
import io
import json

import pytest
from support.ratings import ME, METHODS, item, project, rate_all, rate_next, rater

from peftcore import rating
from peftcore.rating import export
from peftcore.rating.item_sampling import TextOrigin


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    book = rating.RatingStore(f"sqlite:///{tmp_path_factory.mktemp('book') / 'lab.sqlite'}")
    made = project(book, [item(n, METHODS[n % 2]) for n in range(4)])
    rate_all(book, rater(book, made), "weak yes", comment="=1+1", shortcomings=("trivial",))
    return book, made


def test_every_rating_is_a_line_with_its_question_and_text(there):
    book, made = there
    lines = export.to_jsonl(export.export_rows(book, ME, made.id)).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["score"] for row in rows] == [pytest.approx(2 / 3)] * 4
    for row in rows:
        number = row["fields"][0][1].split()[1]
        assert row["texts"] == [[row["label"], f"reason {number}"]]


def test_without_the_key_no_method_run_or_example_is_in_the_file(there):
    book, made = there
    plain = export.to_jsonl(export.export_rows(book, ME, made.id))
    keyed = export.to_jsonl(export.export_rows(book, ME, made.id, with_key=True))
    for word in (*METHODS, "aaaaaaaaaaaa", "task/test"):
        assert word not in plain
        assert word in keyed


def test_the_key_is_not_for_raters_and_their_own_rows_hold_none(there):
    book, made = there
    who = rater(book, made, "Bob")
    rate_next(book, who, "no")
    with pytest.raises(rating.NotAllowed):
        export.export_rows(book, who, made.id)
    own = export.export_own_rows(book, who)
    assert [row["verdict"] for row in own] == ["no"]
    assert not any(word in str(own) for word in (*METHODS, "seed", "run"))


def test_the_datas_own_explanations_have_no_seed_in_the_key(home):
    book = rating.RatingStore()
    made = project(book, [item(0, origins=(TextOrigin(0, "", "gold", None, None),))])
    rate_next(book, rater(book, made))
    (line,) = export.to_jsonl(export.export_rows(book, ME, made.id, with_key=True)).splitlines()
    (origin,) = json.loads(line)["key"]
    assert (origin["method"], origin["seed"], origin["correct"]) == ("gold", None, None)


def test_an_adjudication_stands_beside_the_verdicts(home):
    book = rating.RatingStore()
    made = project(book, 1)
    rate_next(book, rater(book, made), "yes")
    rating.adjudicate(book, ME, rating.item_table(book, ME, made.id)["item"][0], judged("no"))
    (row,) = export.export_rows(book, ME, made.id)
    assert (row["verdict"], row["adjudicated"]) == ("yes", "no")


def judged(verdict):
    return rating.Judgement(verdict=verdict)


@pytest.mark.parametrize(
    "text", ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\tx", "\r=1", "  =1", '=HYPERLINK("x")']
)
def test_no_cell_of_the_table_is_a_formula(text):
    (row,) = csv.DictReader(io.StringIO(export.to_csv([{"comment": text}]), newline=""))
    assert row["comment"] == f"'{text}"


@pytest.mark.parametrize("value", [-2.5, "-2.5", "-1e-3", 0, "plain", "it's", None, True])
def test_numbers_and_plain_text_survive_the_table(value):
    text = export.to_csv([{"value": value, "end": 1}])
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["value"] == ("" if value is None else str(value))
    if value == -2.5:
        assert float(row["value"]) == -2.5


def test_a_table_of_a_project_can_be_read_back(there):
    book, made = there
    rows = export.export_rows(book, ME, made.id, with_key=True)[:4]
    read = list(csv.DictReader(io.StringIO(export.to_csv(rows))))
    assert [row["comment"] for row in read] == ["'=1+1"] * 4
    assert [json.loads(row["key"])[0]["method"] for row in read] == [
        row["key"][0]["method"] for row in rows
    ]
