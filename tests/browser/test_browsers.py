"""The benchmark of raters in browsers, with one of them on the server that is there."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from support import ratings as rated

from peftcore import rating
from peftcore.benchmarks.bench_app import find_chromium
from peftcore.benchmarks.browsers import ACTS, _rate_all


def test_what_a_rater_waits_for_is_timed_in_the_page(server, book):
    project = rated.project(book, 2)
    token = rating.invite(book, rated.ME, project.id, "Ann").token
    rates = _rate_all(find_chromium(), [f"{server}/rate?r={token}"], 2, 0.0, 0)
    with ThreadPoolExecutor(1) as pool:  # this thread has an event loop of the other tests
        times = pool.submit(asyncio.run, rates).result(120)
    assert [act for act, _ in times] == [*ACTS, *ACTS]
    assert all(0 < milliseconds < 120_000 for _, milliseconds in times)
    assert len(rating.verdict_table(book, rated.ME, project.id)) == 2
