"""What every HTTP answer says, and who gets none."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from streamlit import config

from app.state import http_policy
from app.state.http_policy import POLICIES, HttpPolicy, ProxyTrust


def own(request):
    return PlainTextResponse("page", headers={"x-frame-options": "ALLOWALL", "x-own": "kept"})


@pytest.fixture
def client(monkeypatch):
    hosts = ["localhost", "127.0.0.1", "[::1]"]
    real = config.get_option
    asked = lambda name: hosts if name == "server.allowedHosts" else real(name)
    monkeypatch.setattr(config, "get_option", asked)

    def make(metrics=False):
        app = Starlette(
            routes=[Route("/{path:path}", own)],
            middleware=[Middleware(HttpPolicy, metrics=metrics)],
        )
        return TestClient(app, base_url="http://localhost:8501")

    return make


@pytest.mark.parametrize("path", ["/", "/train", "/_stcore/metrics", "/_stcore/health"])
def test_every_answer_carries_the_policies(client, path):
    answer = client().get(path)
    assert {name: answer.headers[name] for name in POLICIES} == POLICIES
    assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    if answer.status_code == 200:
        assert answer.headers["x-own"] == "kept"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "", "10.0.0.1:8501"],
)
def test_a_foreign_host_gets_no_page(client, host):
    answer = client().get("/", headers={"host": host})
    assert answer.status_code == 403
    assert "page" not in answer.text
    assert answer.headers["content-security-policy"] == POLICIES["content-security-policy"]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8501", "LOCALHOST:1"])
def test_own_hosts_get_the_page(client, host):
    assert client().get("/", headers={"host": host}).text == "page"


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics/", "/lab/_stcore/METRICS"])
def test_figures_about_the_server_are_closed_unless_opened(client, path):
    assert client().get(path).status_code == 404
    assert client(metrics=True).get(path).status_code == 200


def test_the_policies_let_nothing_in_from_elsewhere_and_no_site_frame_the_pages():
    parts = dict(part.split(" ", 1) for part in POLICIES["content-security-policy"].split("; "))
    for sources in parts.values():
        assert set(sources.split()) <= {
            *("'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:")
        }
    assert parts["frame-ancestors"] == "'self'"
    assert parts["connect-src"].startswith("'self'")


def test_the_served_script_is_an_application_that_streamlit_finds():
    from streamlit.web.server.app_discovery import discover_asgi_app

    from peftcore import paths

    assert discover_asgi_app(paths.ROOT / "app" / "server.py").is_asgi_app
    assert not discover_asgi_app(paths.ROOT / "app" / "main.py").is_asgi_app


PROXY = ProxyTrust("X-Signed-In", "10.0.0.2")


async def talk(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@pytest.fixture
def reached_from(client, monkeypatch):
    """A client of a server behind a proxy, at an address of its own."""
    monkeypatch.setattr(http_policy, "TRUST", ProxyTrust())

    def make(address):
        app = Starlette(
            routes=[WebSocketRoute("/stream", talk), Route("/{path:path}", own)],
            middleware=[Middleware(HttpPolicy, metrics=False, trust=PROXY)],
        )
        return TestClient(app, base_url="http://localhost:8501", client=(address, 50_000))

    client()
    return make


def test_only_the_proxy_may_say_who_is_signed_in(reached_from):
    claim = {"x-signed-in": "boss@lab.example"}
    assert reached_from("10.0.0.2").get("/", headers=claim).status_code == 200
    other = reached_from("10.0.0.3")
    assert other.get("/", headers=claim).status_code == 403
    assert other.get("/").status_code == 200  # a stranger, who is shown the way in
    twice = [("x-signed-in", "a"), ("x-signed-in", "b")]
    assert reached_from("10.0.0.2").get("/", headers=twice).status_code == 403


def test_a_false_name_opens_no_websocket(reached_from):
    claim = {"x-signed-in": "boss@lab.example"}
    with (
        pytest.raises(WebSocketDisconnect),
        reached_from("10.0.0.3").websocket_connect("/stream", headers=claim),
    ):
        pass
    with reached_from("10.0.0.2").websocket_connect("/stream", headers=claim) as websocket:
        assert websocket.receive_text() == "hello"


def test_a_header_without_an_address_stops_the_server(monkeypatch):
    monkeypatch.delenv("PEFTCORE_PROXY_ADDRESS", raising=False)
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    assert http_policy.read_proxy_trust() == ProxyTrust()
    monkeypatch.setenv("PEFTCORE_PROXY_HEADER", "X-Signed-In")
    with pytest.raises(SystemExit, match="or neither"):
        http_policy.read_proxy_trust()
    monkeypatch.setenv("PEFTCORE_PROXY_ADDRESS", "10.0.0.2")
    assert http_policy.read_proxy_trust() == PROXY
    assert http_policy.os.environ["FORWARDED_ALLOW_IPS"] == ""
