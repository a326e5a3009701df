"""Who a visit is taken for: by address, by login, by what the server was told."""

from types import SimpleNamespace

import pytest

from app.state import access, http_policy
from app.state.http_policy import ProxyTrust
from peftcore.system.people import Person

LAB = {"auth": {}, "rating": {"experimenters": ["Boss@Lab.example"]}}


class Secrets(dict):
    """Secrets that could be read; None stands for a file that could not."""

    def __init__(self, values):
        super().__init__(values or {})
        self.loaded = values is not None

    def load_if_toml_exists(self):
        return self.loaded and bool(self)


@pytest.fixture
def server(monkeypatch, tmp_path):
    """Sets up what Streamlit would tell of a visit."""
    monkeypatch.delenv("PEFTCORE_RATERS_ONLY", raising=False)

    monkeypatch.setattr(http_policy, "TRUST", ProxyTrust())

    def visitor(query=None, secrets=None, files=(), headers=None, **user):
        user = {"email_verified": True} | user if user else {}
        known = SimpleNamespace(is_logged_in=bool(user), to_dict=lambda: user)
        visitor = {"query_params": query or {}, "user": known, "get_option": lambda name: files}
        visitor |= {"context": SimpleNamespace(headers=headers or {})}
        monkeypatch.setattr(access, "st", SimpleNamespace(secrets=Secrets(secrets), **visitor))
        return access.current_visitor()

    return visitor


def test_whoever_opens_a_plain_server_runs_the_lab(server):
    assert server().role == "experimenter"


def test_a_link_makes_a_rater_of_anybody(server):
    found = server({"r": "id.secret"}, LAB, email="boss@lab.example")
    assert (found.role, found.token) == ("rater", "id.secret")


def test_with_logins_only_those_named_run_the_lab(server):
    assert server(secrets=LAB).role == "stranger"
    assert server(secrets=LAB, email="boss@lab.example").role == "experimenter"
    other = server(secrets=LAB, email="Ann@else.example")
    assert (other.role, other.login) == ("rater", "ann@else.example")


@pytest.mark.parametrize(
    "user", [{"email": ""}, {"email": None}, {"email_verified": False}, {"email_verified": None}]
)
def test_a_login_without_a_verified_address_is_a_strangers(server, user):
    found = server(secrets=LAB, **{"email": "boss@lab.example"} | user)
    assert (found.role, found.signed_in) == ("stranger", True)


def test_silence_about_an_address_counts_only_where_the_secrets_say_so(server):
    trusting = {"auth": {}, "rating": LAB["rating"] | {"trust_addresses": True}}
    boss = {"email": "boss@lab.example"}
    assert server(secrets=trusting, **boss, email_verified=None).role == "experimenter"
    assert server(secrets=trusting, **boss, email_verified=False).role == "stranger"
    assert server(secrets=LAB, **boss, email_verified="true").role == "experimenter"


def test_nobody_runs_the_lab_on_a_server_for_raters(server, monkeypatch):
    monkeypatch.setenv("PEFTCORE_RATERS_ONLY", "1")
    assert server().role == "stranger"
    assert server(secrets=LAB, email="boss@lab.example").role == "rater"


def test_secrets_that_cannot_be_read_let_nobody_in(server, tmp_path):
    file = tmp_path / "secrets.toml"
    file.write_text("[auth\n")
    assert server(files=[str(file)]).role == "stranger"


ROLES = {
    "admins": ["Eve@lab.example"],
    "experimenters": ["ann@lab.example"],
    "viewers": ["*"],
}


@pytest.mark.parametrize(
    ("login", "role"),
    [("eve@lab.example", "admin"), ("ann@lab.example", "experimenter"), ("x@y.example", "viewer")],
)
def test_roles_are_listed_in_the_secrets(server, monkeypatch, login, role):
    found = server(secrets={"auth": {}, "roles": ROLES}, email=login)
    assert (found.role, found.in_lab) == (role, True)
    monkeypatch.setattr(access, "get_script_run_ctx", lambda **_: object())
    assert access.current_person() == Person(login, role)


def test_where_no_admin_is_listed_experimenters_are(server, monkeypatch):
    server(secrets=LAB, email="boss@lab.example")
    monkeypatch.setattr(access, "get_script_run_ctx", lambda **_: object())
    assert access.current_person() == Person("boss@lab.example", "admin")
    server(secrets=LAB)
    assert access.current_person() == Person("", "viewer")  # who is at the door
    server({"r": "id.secret"}, LAB)
    assert access.current_person().role == "rater"
    server()
    assert access.current_person() is None  # one's own machine


def test_a_header_counts_only_where_the_server_enforces_it(server, monkeypatch):
    secrets, claim = {"roles": ROLES}, {"X-Signed-In": "Eve@Lab.example"}
    assert server(secrets=secrets, headers=claim).login == ""
    monkeypatch.setattr(http_policy, "TRUST", ProxyTrust("X-Signed-In", "10.0.0.2"))
    found = access.current_visitor()
    assert (found.role, found.login, found.signed_in) == ("admin", "eve@lab.example", True)


def test_behind_a_proxy_who_brings_no_name_is_a_stranger(server, monkeypatch):
    server(secrets={"roles": ROLES})
    monkeypatch.setattr(http_policy, "TRUST", ProxyTrust("X-Signed-In", "10.0.0.2"))
    assert access.current_visitor().role == "stranger"
