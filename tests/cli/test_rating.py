"""`rating create`, `list`, `serve-link`, `export` and `import`."""

import pytest
from support.rating_commands import call, run_rating

from peftcore import rating
from peftcore.rating import demo

ME = rating.experimenter()


def test_a_project_is_made_and_listed(made):
    assert (made["name"], made["overlap"], made["ratings"], made["open"]) == ("Mine", 2, 0, True)
    listed = run_rating("list")
    assert [row["demo"] for row in listed] == [False, *[True] * len(demo.DEMOS)]
    assert "Mine" in call("list").stdout


def test_a_link_lets_a_rater_in_and_what_they_say_is_exported(made, tmp_path):
    invited = run_rating(
        "serve-link", made["project"], "--name", "Ann", "--address", "http://lab:1/"
    )
    address, _, token = invited["link"].partition("?r=")
    assert address == "http://lab:1/rate"
    book = rating.RatingStore()
    who = rating.sign_in(book, token)
    while shown := rating.next_item(book, who):
        rating.submit_answer(book, who, shown.lease, shown.options[0], shown.lease)
        rating.submit_rating(book, who, shown.lease, rating.Judgement(verdict="no"), shown.lease)
    lines = call("export", made["project"]).stdout.splitlines()
    assert len(lines) == made["items"]
    assert not any(word in "".join(lines) for word in ("lora", "spt", *made["facts"]["runs"]))
    out = tmp_path / "ratings.csv"
    wrote = run_rating("export", made["project"], "--out", out, "--format", "csv", "--with-key")
    assert wrote["rows"] == made["items"]
    assert "lora" in out.read_text()
    assert call("export", made["project"], "--json").exit_code == 2


def test_a_link_is_also_a_picture_and_guidelines_have_languages(made, tmp_path):
    picture = tmp_path / "ann.svg"
    run_rating("serve-link", made["project"], "--name", "Ann", "--qr", picture)
    assert b"<svg" in picture.read_bytes()
    for name in (picture, tmp_path / "ann.gif"):
        assert call("serve-link", made["project"], "--qr", name).exit_code == 2
    german = tmp_path / "de.txt"
    german.write_text("Zuerst selbst antworten.", "utf-8")
    runs = (*made["facts"]["runs"], "--set", "items=4")
    other = run_rating("create", *runs, "--translation", f"de={german}")
    book = rating.RatingStore()
    settings = rating.find_project(book, ME, other["project"]).settings
    assert settings.translations == {"de": "Zuerst selbst antworten."}
    wrong = call("create", *runs, "--translation", german)
    assert "is given as de=FILE" in wrong.output


def test_a_bundle_moves_a_project_to_another_machine(made, tmp_path, monkeypatch):
    out = tmp_path / "project.jsonl"
    run_rating("export", made["project"], "--format", "bundle", "--out", out)
    monkeypatch.setenv("PEFTCORE_DATABASE", f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert run_rating("import", out) == made


def test_a_table_is_imported_and_its_agreement_told(home, tmp_path):
    table = tmp_path / "Elsewhere.csv"
    rows = ["item,rater,verdict", "a,1,yes", "a,2,weak yes", "b,1,no", "b,2,yes"]
    table.write_text("\n".join(rows))
    made = run_rating("import", table, "--method", "theirs")
    assert (made["name"], made["ratings"], made["facts"]["methods"]) == ("Elsewhere", 4, ["theirs"])
    found = run_rating("agreement", made["project"])
    shares = [found[scale][0]["value"] for scale in ("scale", "yes or no")]
    assert shares == [0, 0.5]
    assert "Krippendorff" in call("agreement", made["project"]).stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", "nosuchrun000"), "no run"),
        (("serve-link", "nosuch"), "no project 'nosuch'"),
        (("export", "nosuch"), "no project 'nosuch'"),
        (("import", "/no/such/file.csv"), "cannot be read"),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(home, arguments, message):
    done = call(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr
