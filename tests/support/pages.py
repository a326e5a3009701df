"""Open pages of the app with Streamlit's own test driver."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from app import nav
from app.ui.errors import log_file
from peftcore import paths

MAIN = str(paths.ROOT / "app" / "main.py")


def open_page(name: str, **query: str) -> AppTest:
    """Open a page of the whole app, as a browser does by its address."""
    app = AppTest.from_file(MAIN, default_timeout=60)
    app.run()
    app.query_params.clear()
    for key, value in query.items():
        app.query_params[key] = value
    return app.switch_page(nav.find_page(name).script_path).run() if name != "home" else app.run()


def words(app: AppTest) -> str:
    """Return all text that a reader sees."""
    kinds = (app.title, app.header, app.subheader, app.markdown, app.caption, app.error)
    return "\n".join(element.value for kind in kinds for element in kind)


def sound(app: AppTest) -> bool:
    """Return whether there is no exception, and no fault of ours behind an error id."""
    assert not log_file().exists(), log_file().read_text()
    return not app.exception and "went wrong" not in words(app)
