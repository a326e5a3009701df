"""The two addresses for whatever watches the server."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.state import health


@pytest.fixture
def client():
    return TestClient(Starlette(routes=health.ROUTES))


def test_a_server_with_its_workspace_and_database_is_ready(client):
    assert (client.get("/health").status_code, client.get("/health").text) == (200, "ok\n")
    assert (client.get("/ready").status_code, client.get("/ready").text) == (200, "ready\n")


@pytest.mark.parametrize(
    ("variable", "value", "missing"),
    [
        ("PEFTCORE_HOME", "/proc/nowhere", "workspace"),
        ("PEFTCORE_DATABASE", "nonsense://nowhere", "database"),
    ],
)
def test_what_is_missing_is_said_in_a_word(client, monkeypatch, variable, value, missing):
    monkeypatch.setenv(variable, value)
    answer = client.get("/ready")
    assert (answer.status_code, answer.text) == (503, f"{missing}\n")
    assert client.get("/health").status_code == 200
