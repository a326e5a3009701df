"""`tables check` and `tables import`."""

import pytest
from support.commands import call, printed, refused

from peftcore import tasks


@pytest.fixture
def file(tmp_path):
    lines = [f"text {n},{'yes' if n % 2 else 'no'}" for n in range(20)]
    odd = ["text 3,yes", "text \u202e30,yes", "text 31,-1"]
    path = tmp_path / "reviews.csv"
    path.write_text("\n".join(["text,label", *lines, *odd]) + "\n")
    return path


def test_check_names_what_is_odd_and_import_repairs_what_was_chosen(home, file):
    found = printed("tables", "check", str(file))
    remedies = {each["check"]: each["remedies"] for each in found["findings"]}
    assert {"no label", "hidden signs", "repeated"} <= set(remedies)
    chosen = ["no label: leave out", "hidden signs: clean", "repeated: leave out"]
    assert set(chosen) <= {key for keys in remedies.values() for key in keys}
    words = [word for key in chosen for word in ("--remedy", key)]
    task = tasks.find_task(printed("tables", "import", str(file), *words)["task"])
    rows = [row for split in ("train", "validation", "test") for row in task.load(split)]
    assert task.labels == ("no", "yes")
    assert len(rows) == 21
    assert all(row.source.isprintable() for row in rows)
    assert "2 lines left out" in task.source_note


def test_signs_that_turn_a_terminal_s_line_are_printed_as_codes(home, file):
    done = call("tables", "check", str(file))
    assert done.exit_code == 0
    assert "\u202e" not in done.stdout
    assert r"text \u202e30" in done.stdout
    assert '--remedy "hidden signs: clean"' in done.stdout


def test_a_remedy_that_leaves_nothing_is_refused(home, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        "text,label\n" + "\n".join(f"t {n},{'nan' if n % 2 else 'a'}" for n in range(20))
    )
    assert "choose fewer of them" in refused(
        "tables", "import", str(path), "--remedy", "no label: leave out"
    )


def test_lengths_count_by_the_tokens_of_a_base(home, file):
    found = printed("tables", "check", str(file), "--base", "tiny-bert")
    assert "too long" not in {each["check"] for each in found["findings"]}
    assert refused("tables", "check", str(file), "--base", "nonsense")
