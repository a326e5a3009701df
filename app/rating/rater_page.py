"""A rater's visit: signed in by link or login, then one item after another on the card."""

from __future__ import annotations

import importlib.util

import streamlit as st

from app.rating.card_component import rater_card
from app.rating.session import RaterSession
from app.state.access import Visitor, login_configured, sign_out_button
from app.state.rating_store import rating_store
from app.ui import errors
from app.ui.widgets import escape_markdown
from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import RatingUser

# On a phone the item is what the screen is for, so the page's name stands small beside the logo.
PHONE_STYLE = """<style>@media (max-width: 640px) {
.stApp [data-testid="stMainBlockContainer"] { padding: 3.4rem 1rem 2rem; gap: 0.4rem; }
.stApp [data-testid="stHeader"] { min-height: 3rem; height: 3rem; }
.stApp h1 { font-size: 1.1rem; padding: 0; }
}</style>"""


def show(visitor: Visitor) -> None:
    """Show everything that a rater, or a stranger, sees."""
    if visitor.signed_in:
        sign_out_button()
    if visitor.role == "stranger":
        _welcome(visitor)
        return
    user = _sign_in(visitor)
    if user is None:
        login_text = visitor.login.replace("`", "")  # as code, since an address would become a link
        st.info(
            f"No project is open to your login just now: `{login_text}`. If somebody asked you "
            "to rate, "
            "tell them this address.",
            icon=":material/inbox:",
        )
        return
    briefing = rating.briefing(rating_store(), user)
    if not briefing.open:
        st.info(
            "This project is closed; nothing is rated in it any more. Thank you for your help.",
            icon=":material/lock:",
        )
        return
    _show_card(user, _session_of(user))


@st.fragment
@errors.guarded
def _show_card(user: RatingUser, session: RaterSession) -> None:
    rater_card(rating_store(), user, session)


def _sign_in(visitor: Visitor) -> RatingUser | None:
    """The rater's role; with several open projects of one login, the chosen one."""
    if visitor.token:
        return rating.sign_in(rating_store(), visitor.token)
    roles = rating.sign_in_by_login(rating_store(), visitor.login)
    if len(roles) < 2:
        return roles[0] if roles else None
    names = [rating.briefing(rating_store(), role).task for role in roles]
    index = st.selectbox(
        "Project",
        range(len(roles)),
        format_func=lambda number: escape_markdown(f"{number + 1}: {names[number]}"),
        key="rate.role",
    )
    return roles[index]


def _session_of(user: RatingUser) -> RaterSession:
    """Return the session of this visit, one for each rater."""
    sessions: dict[str, RaterSession] = st.session_state.setdefault("rate.sessions", {})
    return sessions.setdefault(user.rater, RaterSession())


def _welcome(visitor: Visitor) -> None:
    """Say how a stranger gets in: by signing in with a verified address, or by a link."""
    if visitor.signed_in:
        st.warning(
            "You signed in, but your provider has not verified your e-mail address, or does not "
            "say so; it opens nothing here. Verify it there, or sign out and come back with "
            "another.",
            icon=":material/mark_email_unread:",
        )
        return
    if login_configured():
        missing = [name for name in ("authlib", "httpx") if importlib.util.find_spec(name) is None]
        if missing:
            raise BadInput(
                f"signing in needs the packages Authlib and httpx, and {missing[0]} is missing; "
                "install it by `pip install -r requirements-extra.txt`, or use a rater's link"
            )
        st.markdown(
            "Sign in: raters find here what there is to rate, and who runs the lab all of it."
        )
        st.button("Sign in", key="rate.login", type="primary", on_click=st.login)
        return
    st.info(
        "Open this page by the link that was sent to you; it looks like /rate?r=… and is yours "
        "alone.",
        icon=":material/link:",
    )
