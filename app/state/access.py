"""Who is looking: somebody who runs the lab, or a rater, who gets the Rate page and nothing else.

Without configuration the server listens on this machine only and whoever opens it runs the lab; a
rater's secret link (`?r=…`) makes the visit a rater's.  To let raters in from elsewhere, start a
second server on the same workspace with PEFTCORE_RATERS_ONLY=1: it has no other page.  With `auth`
in Streamlit's secrets people sign in by OpenID Connect, and only those under
`[rating] experimenters` run the lab.  What a role may do is checked in `peftcore.rating`, not here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

LINK_PARAM = "r"  # the part of an address that carries a rater's secret


@dataclass(frozen=True)
class Visitor:
    """A role before anybody checked it: `token` of a link, `login` of somebody signed in.

    Somebody may be signed in and a stranger still: by an address that nobody has verified.
    """

    role: Literal["experimenter", "rater", "stranger"]
    token: str = ""
    login: str = ""
    signed_in: bool = False


def current_visitor() -> Visitor:
    """Whose visit this is; a stranger has neither a link nor signed in, where one is needed."""
    token = st.query_params.get(LINK_PARAM, "")
    if token:
        return Visitor("rater", token=token)
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
    is_experimenter = login in _experimenters() and not raters_only()
    role: Literal["experimenter", "rater"] = "experimenter" if is_experimenter else "rater"
    return Visitor(role, login=login, signed_in=True)


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


def _experimenters() -> set[str]:
    logins = st.secrets.get("rating", {}).get("experimenters", ())
    return {str(login).strip().lower() for login in logins}
