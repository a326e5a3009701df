"""Who is looking: somebody who runs the lab, or a rater, who gets the Rate page and nothing else.

Without configuration the server listens on this machine only and whoever opens it runs the lab; a
rater's secret link (`?r=…`) makes the visit a rater's.  To let raters in from elsewhere, start a
second server on the same workspace with PEFTCORE_RATERS_ONLY=1: it has no other page.  With `auth`
in Streamlit's secrets people sign in by OpenID Connect, or a reverse proxy signs them in and says
who they are in a header (`http_policy`); only those under `[roles]` see the lab.  What a role may
do is checked in `peftcore.system.rights` and `peftcore.rating`, not here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.state import http_policy
from peftcore.system.people import Person

LINK_PARAM = "r"  # the part of an address that carries a rater's secret


@dataclass(frozen=True)
class Visitor:
    """A role before anybody checked it: `token` of a link, `login` of somebody signed in.

    Somebody may be signed in and a stranger still: by an address that nobody has verified.
    """

    role: Literal["admin", "experimenter", "viewer", "rater", "stranger"]
    token: str = ""
    login: str = ""
    signed_in: bool = False

    @property
    def in_lab(self) -> bool:
        """Return whether every page is shown: to all but raters and strangers."""
        return self.role in ("admin", "experimenter", "viewer")


def current_visitor() -> Visitor:
    """Whose visit this is; a stranger has neither a link nor signed in, where one is needed."""
    token = st.query_params.get(LINK_PARAM, "")
    if token:
        return Visitor("rater", token=token)
    if http_policy.TRUST.header:
        login = str(st.context.headers.get(http_policy.TRUST.header) or "").strip().lower()
        return _known_visitor(login) if login else Visitor("stranger")
    if login_configured():
        return _signed_in_visitor()
    return Visitor("stranger" if raters_only() else "experimenter")


def _signed_in_visitor() -> Visitor:
    """By OpenID Connect; an address counts only if its provider has verified it."""
    if not st.user.is_logged_in:
        return Visitor("stranger")
    user = st.user.to_dict()
    login = str(user.get("email") or "").strip().lower()
    if not login or not _email_verified(user):
        return Visitor("stranger", signed_in=True)
    return _known_visitor(login)


def _known_visitor(login: str) -> Visitor:
    """Somebody whose address is certain, in the highest role they are listed under."""
    listed = _listed_roles()
    roles: tuple[Literal["admin", "experimenter", "viewer"], ...]
    roles = () if raters_only() else ("admin", "experimenter", "viewer")
    for role in roles:
        if login in listed[role] or "*" in listed[role]:
            return Visitor(role, login=login, signed_in=True)
    return Visitor("rater", login=login, signed_in=True)


def current_person() -> Person | None:
    """Who acts in this session, for the core's checks; None outside of one, or without sign-in.

    Where no admin is listed, experimenters are: nobody else could do what admins do.
    """
    if get_script_run_ctx(suppress_warning=True) is None:
        return None
    visitor = current_visitor()
    if visitor.role == "rater":
        return Person(visitor.login, "rater")
    if visitor.role == "stranger":
        return Person("", "viewer")
    if not visitor.signed_in:
        return None
    no_admin = visitor.role == "experimenter" and not _listed_roles()["admin"]
    return Person(visitor.login, "admin" if no_admin else visitor.role)


def _email_verified(user: Mapping[str, Any]) -> bool:
    """Return whether the address is verified; some providers let people claim any.

    Where a provider never says, though its addresses can be trusted, `[rating] trust_addresses`
    in the secrets lets its silence count; a plain no never counts.
    """
    verified = user.get("email_verified")
    if verified is None:
        return bool(st.secrets.get("rating", {}).get("trust_addresses", False))
    return str(verified).lower() == "true"  # some say it as a text


def sign_out_button() -> None:
    """The button that ends the visit of somebody signed in."""
    st.button("Sign out", key="visit.logout", on_click=st.logout, icon=":material/logout:")


def raters_only() -> bool:
    """Return whether only Rate is served; so too if secrets exist that cannot be read."""
    return os.environ.get("PEFTCORE_RATERS_ONLY", "0") not in ("", "0") or _secrets_broken()


def login_configured() -> bool:
    """Return whether signing in is configured."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def _secrets_broken() -> bool:
    files = st.get_option("secrets.files") or ()
    return not st.secrets.load_if_toml_exists() and any(Path(file).is_file() for file in files)


def _listed_roles() -> dict[str, set[str]]:
    """Return role → the logins listed under it; `*` lists everybody who is signed in."""
    secrets = st.secrets if st.secrets.load_if_toml_exists() else {}
    roles, rating = secrets.get("roles", {}), secrets.get("rating", {})
    lists = {role: [*roles.get(f"{role}s", ())] for role in ("admin", "experimenter", "viewer")}
    lists["experimenter"] += rating.get("experimenters", ())  # where all of them once stood
    return {role: {str(login).strip().lower() for login in lists[role]} for role in lists}
