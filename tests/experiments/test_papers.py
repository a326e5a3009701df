"""The table of the five papers: as it ships it is what the runs say, and it claims no more."""

import pytest

from peftcore.analysis.run_tables import table_of_seeds
from peftcore.experiments import papers, published
from peftcore.experiments.paper_table import NOT_ASKED, read_papers


@pytest.fixture(scope="module")
def rows():
    """The rows, worked out anew."""
    return papers.paper_rows()


def test_the_table_that_ships_is_the_one_that_is_worked_out(rows):
    assert read_papers() == rows


def test_every_paper_has_a_row_and_every_verdict_is_one_of_the_words(rows):
    assert {row.paper for row in rows} == {
        papers.THEORY,
        papers.SPARSEFIT,
        papers.SCALED,
        papers.SUBSPACE,
        papers.ATOMS,
    }
    assert {row.verdict for row in rows} <= {*published.VERDICTS, NOT_ASKED}
    assert all(row.claim and row.published and row.ours and row.differs for row in rows)
    assert not any("|" in text for row in rows for text in (row.claim, row.published, row.ours))


def test_a_difference_is_judged_by_its_seeds():
    low, high = (table_of_seeds(range(5), [v + n / 100 for n in range(5)]) for v in (0.2, 0.6))
    assert papers._difference(low, high, "accuracy", has_items=False)[0] == "ahead"
    verdict, words = papers._difference(high, low, "accuracy", has_items=False)
    assert verdict == "behind"
    assert words.startswith("-40.0 points")
    assert words.endswith("5 seeds, these examples")


def test_a_study_without_one_verdict_in_all_cells_cannot_tell(monkeypatch):
    verdict, words = papers._study_row(
        "encoder", "Prefix subspace, stochastic validation", "Prefix tuning"
    )
    assert verdict == "cannot tell"
    assert "of 15 cells" in words
