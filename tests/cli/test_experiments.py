"""`experiment` lists what there is, and makes the table of a named one."""

import pytest
from support.commands import call, printed

from peftcore.experiments import studies


def test_alone_it_lists_the_experiments():
    names = [row["experiment"] for row in printed("experiment")]
    assert sorted(names) == sorted([*studies.EXPERIMENTS, "components", "ladder", "scaling"])
    assert "Few-shot classification" in call("experiment").stdout


@pytest.mark.parametrize("name", studies.EXPERIMENTS)
def test_done_shows_what_is_there_and_trains_nothing(home, name, tmp_path):
    out = tmp_path / "rows.csv"
    rows = printed("experiment", name, "--done", "--out", str(out))
    assert {row["study"] for row in rows} <= {name}
    assert len(studies.read(out)) == len(rows)


def test_an_unknown_name_is_refused():
    done = call("experiment", "encodr")
    assert done.exit_code == 2
    assert "encoder" in done.stderr
