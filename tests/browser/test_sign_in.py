"""Signing in by OpenID Connect: a provider on loopback, the real server, a real browser."""

from __future__ import annotations

import re

import pytest
from oidc_provider_mock import User, run_server_in_thread
from playwright.sync_api import expect
from support import ratings as rated

from peftcore import rating

PATIENCE = 100_000  # milliseconds; far more than needed, for machines with busy neighbours
SECRETS = """
[auth]
redirect_uri = "{app}/oauth2callback"
cookie_secret = "a long text that only this test knows, for its cookies"
client_id = "adapter-lab"
client_secret = "not a secret here"
server_metadata_url = "{provider}/.well-known/openid-configuration"

[rating]
experimenters = ["Boss@Lab.example"]
"""


def people():
    """Who the provider knows: name → what it says of them."""
    known = {
        "boss": ("boss@lab.example", True),
        "ann": ("ann@lab.example", True),
        "nobody": ("nobody@else.example", True),
        "pretender": ("boss@lab.example", False),  # an address that was never verified
    }
    return [
        User(sub=name, claims={"email": email, "email_verified": verified})
        for name, (email, verified) in known.items()
    ]


@pytest.fixture
def guarded(tmp_path, serve):
    """A server that asks for a sign-in, with a provider of its own."""
    with run_server_in_thread(user_claims=people()) as provider:
        at = f"http://localhost:{provider.server_port}"
        yield serve(tmp_path, SECRETS.replace("{provider}", at))


@pytest.fixture
def lab(guarded):
    """The guarded server's book of ratings."""
    (guarded.workspace / "home").mkdir(exist_ok=True)
    opened = rating.RatingStore(f"sqlite:///{guarded.workspace / 'home' / 'lab.sqlite'}")
    yield opened
    opened.close()


def sign_in(here, name, path=""):
    """By way of the provider's page, and back."""
    here.open(path)
    expect(here.page.get_by_test_id("stSidebarNav")).to_have_count(0)
    here.page.get_by_role("button", name="Sign in").click()
    here.page.get_by_role("button", name=name, exact=True).click(timeout=PATIENCE)
    here.page.wait_for_url(re.compile(re.escape(here.address)))
    here.page.get_by_test_id("stApp").wait_for(timeout=PATIENCE)


def sign_out(here):
    here.page.get_by_role("button", name="Sign out").click()
    here.page.get_by_role("button", name="End session").click(timeout=PATIENCE)
    expect(here.page.get_by_role("button", name="Sign in")).to_be_visible(timeout=PATIENCE)


@pytest.mark.timeout(300)
def test_people_get_what_is_theirs_after_signing_in_and_nothing_after_signing_out(
    visit, guarded, lab
):
    own = rated.project(lab, 2)
    others = rated.project(lab, [rated.item(7), rated.item(8)])
    rating.invite(lab, rated.ME, own.id, "Ann", "Ann@Lab.example")
    rating.invite(lab, rated.ME, others.id, "Bob", "bob@lab.example")
    here = visit(address=guarded.address)
    page = here.page

    sign_in(here, "ann")
    card = page.locator("section.card")
    expect(card.get_by_text(re.compile("of 2 rated"))).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    assert re.search("sentence [01]", card.inner_text())
    assert not re.search("sentence [78]", here.text() + card.inner_text())
    here.open(f"rate?project={others.id}")  # what the address asks for is not hers
    expect(card.get_by_text(re.compile("of 2 rated"))).to_be_visible(timeout=PATIENCE)
    assert not re.search("sentence [78]", here.text() + card.inner_text())
    page.keyboard.press("Enter")  # closes the guidelines
    sign_out(here)

    sign_in(here, "nobody", "ratings")
    expect(page.get_by_text("No project is open to your login")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    sign_out(here)

    sign_in(here, "pretender", "rate")
    expect(page.get_by_text("has not verified your e-mail address")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    sign_out(here)

    sign_in(here, "boss", "compare")  # a stranger gets the way in, whatever the address
    expect(page.get_by_test_id("stSidebarNav")).to_be_visible(timeout=PATIENCE)
    here.open(f"rate?project={others.id}")
    expect(page.get_by_text("0 of 4")).to_be_visible(timeout=PATIENCE)
    sign_out(here)
    assert "Traceback" not in here.text()
