"""Eight raters at the same moment, and a rater's server that dies: on both databases."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
import sqlalchemy as sa
from support.at_once import PROCESSES
from support.postgres import postgres  # noqa: F401
from support.ratings import ME, project

from peftcore import rating
from peftcore.rating.schema import ANSWERS, LEASES, RATINGS


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'lab.sqlite'}"
    return request.getfixturevalue("postgres")


def open_new(url):
    rating.RatingStore(url).close()
    return True


def test_eight_processes_may_be_the_first_to_open_the_book(at_once, tmp_path):
    url = f"sqlite:///{tmp_path / 'new.sqlite'}"
    assert at_once(open_new, [(url,)] * PROCESSES) == [True] * PROCESSES


def work_off(url, token):
    """Rate everything there is; every write is sent twice, as a browser does that lost a reply."""
    book = rating.RatingStore(url)
    who = rating.sign_in(book, token)
    made = []
    while shown := rating.next_item(book, who):
        rating.submit_answer(book, who, shown.lease, "neutral", f"a {shown.lease}")
        for _ in range(2):
            verdict = rating.Judgement(verdict="yes")
            written = rating.submit_rating(book, who, shown.lease, verdict, f"r {shown.lease}")
        made.append(written.id)
    book.close()
    return made


def together(url, at_once, items, overlap):
    book = rating.RatingStore(url)
    made = project(book, items, overlap=overlap)
    tokens = [rating.invite(book, ME, made.id, f"rater {n}").token for n in range(PROCESSES)]
    each = at_once(work_off, [(url, token) for token in tokens])
    leases = book.read(sa.select(LEASES).where(LEASES.c.project == made.id))
    ours = [row["id"] for row in leases]
    ratings = book.read(sa.select(RATINGS).where(RATINGS.c.lease.in_(ours)))
    answers = book.read(sa.select(ANSWERS).where(ANSWERS.c.lease.in_(ours)))
    assert sorted(n for ids in each for n in ids) == sorted(row["id"] for row in ratings)
    assert len(ratings) == len(answers) == len(leases) == items * overlap
    assert {row["state"] for row in leases} == {"done"}
    assert set(Counter(row["item"] for row in leases).values()) == {overlap}
    book.close()


def test_eight_raters_lose_no_rating_and_double_none(url, at_once):
    together(url, at_once, items=4, overlap=PROCESSES)


def test_eight_raters_are_never_more_than_the_overlap(url, at_once):
    together(url, at_once, items=12, overlap=2)


@pytest.mark.slow
@pytest.mark.parametrize(("items", "overlap"), [(200, PROCESSES), (100, 2)])
def test_eight_raters_at_full_size(url, at_once, items, overlap):
    together(url, at_once, items, overlap)


RATE_AND_TELL = """
import sys
from peftcore import rating
book = rating.RatingStore(sys.argv[1])
who = rating.sign_in(book, sys.argv[2])
while shown := rating.next_item(book, who):
    if shown.position == 40:
        sys.stdin.read()  # however late the kill comes, there is something left to do
    rating.submit_answer(book, who, shown.lease, "neutral", "a " + shown.lease)
    said = rating.Judgement(verdict="yes", comment="x" * 1500)
    print(rating.submit_rating(book, who, shown.lease, said, "r " + shown.lease).id, flush=True)
"""


def test_a_kill_in_mid_write_loses_nothing_that_was_acknowledged(url):
    book = rating.RatingStore(url)
    made = project(book, 60)
    token = rating.invite(book, ME, made.id, "Ann").token
    command = [sys.executable, "-c", RATE_AND_TELL, url, token]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as server:
        numbers = [int(server.stdout.readline()) for _ in range(5)]
        os.kill(server.pid, signal.SIGKILL)
        numbers += [int(line) for line in server.stdout if line.strip()]
    assert len(numbers) < 60  # it died on the way
    kept = rating.verdict_table(book, ME, made.id)
    assert set(numbers) <= set(kept["rating"])
    assert (kept["comment"].str.len() == 1500).all()
    who = rating.sign_in(book, token)
    assert rating.next_item(book, who).position == len(kept) + 1  # and goes on where it was
    book.close()
