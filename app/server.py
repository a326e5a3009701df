"""The server with its policies: `streamlit run app/server.py`, which `make app` and `app` call.

Every answer, a refused one included, says that no other site may show the pages in a frame, what
they may load, and that nothing is guessed. The page is refused to foreign hosts as the WebSocket
is, and figures about the server are closed unless PEFTCORE_METRICS=1 opens them. `/health`
says that the server lives, `/ready` that it can be worked with.
"""

import os
import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402
from starlette.middleware import Middleware  # noqa: E402

from app.state import early_imports, health  # noqa: E402
from app.state.http_policy import HttpPolicy, read_proxy_trust  # noqa: E402

app = st.App(
    "main.py",
    routes=health.ROUTES,
    middleware=[
        Middleware(
            HttpPolicy,
            metrics=os.environ.get("PEFTCORE_METRICS") == "1",
            trust=read_proxy_trust(),
        )
    ],
)
early_imports.start()
