"""Two addresses for whatever watches the server: `/health` and `/ready`.

Health says that the process answers; readiness that it can work: its workspace can be written and
its database answers. Neither says more than that to whoever asks.
"""

from __future__ import annotations

import os

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from peftcore import paths
from peftcore.errors import BadInput


async def health(_request: Request) -> PlainTextResponse:
    """Answer that the server lives."""
    return PlainTextResponse("ok\n")


async def ready(_request: Request) -> PlainTextResponse:
    """Answer whether it can be worked with: 200, or 503 with what is missing."""
    missing = await run_in_threadpool(find_missing)
    return PlainTextResponse(f"{missing or 'ready'}\n", status_code=503 if missing else 200)


def find_missing() -> str:
    """Return what is not there, in a word; empty if everything is."""
    import sqlalchemy as sa

    from peftcore.system.database import Database

    try:
        if not os.access(paths.workspace_folder(), os.W_OK):
            return "workspace"
    except BadInput:
        return "workspace"
    try:
        database = Database()
    except (BadInput, sa.exc.SQLAlchemyError):
        return "database"
    database.close()  # opening asked it already
    return ""


ROUTES = [Route("/health", health), Route("/ready", ready)]
