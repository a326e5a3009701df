"""Passes side by side."""

import threading
from contextvars import ContextVar

import pytest
import torch

from peftcore.errors import BadInput
from peftcore.system import thread_pool

WORD = ContextVar("word", default="none")


def test_work_is_done_side_by_side_and_told_in_order():
    meet = threading.Barrier(2, timeout=120)  # passed only if both are there at once

    def work(number):
        meet.wait()
        return number, threading.get_ident()

    found = thread_pool.map_in_threads(work, [3, 4], 2)
    assert [number for number, _ in found] == [3, 4]
    assert len({thread for _, thread in found}) == 2


def test_one_at_a_time_stays_in_the_callers_thread():
    here = threading.get_ident()
    assert thread_pool.map_in_threads(lambda _: threading.get_ident(), [1, 2, 3], 1) == [here] * 3
    assert thread_pool.map_in_threads(lambda _: threading.get_ident(), [1], 4) == [here]


def test_threads_see_what_is_in_force_for_the_caller():
    token = WORD.set("mine")
    with torch.no_grad():
        found = thread_pool.map_in_threads(
            lambda _: (WORD.get(), torch.is_grad_enabled()), [1, 2], 2
        )
    WORD.reset(token)
    assert found == [("mine", False)] * 2
    assert (
        thread_pool.map_in_threads(lambda _: (WORD.get(), torch.is_grad_enabled()), [1, 2], 2)
        == [("none", True)] * 2
    )


def test_an_error_in_a_thread_is_the_callers():
    def work(number):
        if number == 2:
            raise torch.OutOfMemoryError
        return number

    with pytest.raises(torch.OutOfMemoryError):
        thread_pool.map_in_threads(work, [1, 2, 3], 2)


def test_how_many_follows_the_processors_the_device_and_the_override(monkeypatch):
    processor, card = torch.device("cpu"), torch.device("cuda")
    monkeypatch.delenv("PEFTCORE_THREADS", raising=False)
    monkeypatch.setattr(thread_pool, "processors", lambda: 3)
    assert (thread_pool.thread_count(processor), thread_pool.thread_count(card)) == (3, 1)
    monkeypatch.setattr(thread_pool, "processors", lambda: 64)
    assert thread_pool.thread_count(processor) == thread_pool.MAX_THREADS
    monkeypatch.setenv("PEFTCORE_THREADS", "7")
    assert thread_pool.thread_count(processor) == 7


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5"])
def test_an_override_that_is_no_number_is_named(monkeypatch, wrong):
    monkeypatch.setenv("PEFTCORE_THREADS", wrong)
    with pytest.raises(BadInput, match=f"PEFTCORE_THREADS.*{wrong}"):
        thread_pool.thread_count(torch.device("cpu"))
