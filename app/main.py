"""Entry point: `streamlit run app/main.py`, from any directory.

Puts the project's root on the path, hands the table of pages to Streamlit, and keeps tracebacks out
of the browser.  torch is imported only after the first page has been drawn, in the background.
"""

import os
import sys
from pathlib import Path

# Before anything can import torch: beside a busy neighbour two spinning threads crawl.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

import streamlit as st  # noqa: E402

from app.state import early_imports  # noqa: E402

early_imports.wait()
from app import nav  # noqa: E402
from app.state import access, cache, worker_watch  # noqa: E402
from app.ui import browser_notices, errors, url_state  # noqa: E402
from peftcore import paths  # noqa: E402
from peftcore.system import people  # noqa: E402

# Captions and chosen pills are paler than low vision can take; a contrast of 4.5 is the least.
STYLE = """<style>
.stApp [data-testid="stCaptionContainer"] {
    color: light-dark(#47515E, #B4BDC8); opacity: 1;
}
.stApp button[data-selected="true"] p { color: light-dark(#17497F, #BBD6FA); }
.stApp [data-testid="stSliderThumbValue"] p { color: light-dark(#17497F, #BBD6FA); }
/* A wide table scrolls by itself: the page never does. */
.stApp [data-testid="stMarkdownContainer"]:has(> table) { overflow-x: auto; }
</style>"""

st.set_page_config(
    page_title="Adapter Lab",
    page_icon=str(paths.ASSETS / "icon.svg"),
    layout="wide",
    initial_sidebar_state=216,  # pixels: what is looked at needs the rest
)
st.logo(str(paths.ASSETS / "logo.svg"), size="large", icon_image=str(paths.ASSETS / "icon.svg"))
st.html(STYLE)
visitor = access.current_visitor()
people.ask_sessions(access.current_person)
if visitor.in_lab:
    # All of it, also above who is signed in.
    page = st.navigation(nav.navigation_pages(), expanded=True)
    if visitor.signed_in:
        with st.sidebar:
            st.text(f"{visitor.login} · {people.who().role}")
            if access.login_configured():  # whom a proxy signed in, it signs out
                access.sign_out_button()
else:
    needs_sign_in = (
        access.login_configured() and visitor.role == "stranger" and not visitor.signed_in
    )
    visible_pages = nav.sign_in_pages() if needs_sign_in else nav.rater_pages()
    page = st.navigation(visible_pages, position="hidden")
if visitor.in_lab and people.read_only():
    st.info(
        "This server only shows: everything can be looked at, and nothing started or changed.",
        icon=":material/visibility:",
    )
with errors.boundary(page.title):
    url_state.open_renamed_views()
    page.run()
if visitor.in_lab:
    browser_notices.listen()
    cache.warm_up()
    worker_watch.start()
