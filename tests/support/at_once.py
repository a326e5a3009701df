"""The same function in eight processes at the same moment."""

import multiprocessing

import pytest

PROCESSES = 8
IMPORTS = ["peftcore.rating", "peftcore.jobs.queue", "alembic.command", "psycopg", "pytest"]


@pytest.fixture(scope="module")
def at_once():
    """Calls a function in eight processes at the same moment, with each one's own arguments; what
    each returned comes back.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTS)  # once, not eight times
    barrier = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, _share, (barrier,)) as pool:
        yield lambda target, arguments: pool.starmap(
            _together, [(target, *own) for own in arguments], chunksize=1
        )


def _share(barrier):
    _together.barrier = barrier


def _together(target, *arguments):
    _together.barrier.wait(120)  # each of the eight tasks keeps a process of its own
    return target(*arguments)
