"""Workers are looked after by the server, once, unless work in the background is off."""

import threading

import pytest

from app.state import worker_watch

START = worker_watch._start


@pytest.fixture
def watched(monkeypatch):
    """The queues that a thread was started for."""
    seen, begun = [], threading.Semaphore(0)

    def watch(queue):
        seen.append(queue)
        begun.release()

    monkeypatch.setattr(worker_watch, "_watch", watch)
    yield lambda: begun.acquire(timeout=60) and seen
    START.clear()


def test_one_thread_watches_the_queue_of_a_workspace(watched, monkeypatch):
    monkeypatch.delenv("PEFTCORE_WARM", raising=False)
    worker_watch.start()
    worker_watch.start()
    assert len(watched()) == 1


def test_background_work_that_is_off_starts_nothing(watched, monkeypatch):
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    started = []
    monkeypatch.setattr(worker_watch, "_start", lambda *asked: started.append(asked))
    worker_watch.start()
    assert not started
