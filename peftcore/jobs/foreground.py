"""Work that a command does itself, without the queue: it counts for quotas like a worker's.

It is noted where whoever gives commands has a name (PEFTCORE_PERSON): they own what is made, their
quota is asked first, and the time is a row of the queue's table that has ended.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peftcore.jobs import quotas
from peftcore.jobs.queue import Queue
from peftcore.settings import Settings
from peftcore.system import people, rights
from peftcore.system.job_folder import JobFolder


@contextmanager
def counted(kind: str, job: JobFolder[Any], request: Settings, device: str) -> Iterator[None]:
    """Do a job of a kind ("train" or any other) here; BadInput beyond a quota."""
    rights.require_maker()
    if not people.who().name:
        yield
        return
    queue = Queue()
    row = queue.job_for(job.id)
    if row and row.active:  # a worker's, which counts it
        yield
        return
    quotas.refuse_beyond_quota(queue.database, queue.store.folder)
    thing = f"{'run' if kind == 'train' else 'job'} {job.id}"
    rights.start(kind, thing)
    rights.change("go on with", thing)  # which may be somebody else's
    began = time.time()
    try:
        yield
    finally:
        queue.note_ended(kind, job, request, device, began)
