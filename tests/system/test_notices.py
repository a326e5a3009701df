"""Notices: kept, posted and mailed as set, and never in the way of what they speak of."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from peftcore.errors import BadInput
from peftcore.system import notices
from peftcore.system.notices import Notice

NOTICE = Notice("train", "abc", "done", "Run abc is done", "score 0.9")


@pytest.fixture
def hook(home, monkeypatch):
    """A server that writes down what is posted, and sends everything under /away elsewhere."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers.get("Authorization"), json.loads(body)))
            self.send_response(302 if self.path == "/away" else 204)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("PEFTCORE_NOTICE_WEBHOOK", f"http://127.0.0.1:{server.server_port}/done")
    yield seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_webhook_gets_words_and_the_secret_apart(hook, monkeypatch):
    monkeypatch.setenv("PEFTCORE_NOTICE_TOKEN", "s3cret")
    assert notices.send(NOTICE) == {}
    ((path, secret, body),) = hook
    assert (path, secret) == ("/done", "Bearer s3cret")
    assert body["text"] == "Run abc is done. score 0.9"
    assert body["state"] == "done"
    assert "s3cret" not in str(notices.channels())
    assert notices.recent() == [NOTICE]
    assert notices.recent(NOTICE.at) == []


def test_no_redirect_is_followed(hook, monkeypatch):
    away = notices.webhook_address().replace("/done", "/away")
    monkeypatch.setenv("PEFTCORE_NOTICE_WEBHOOK", away)
    assert "302" in notices.send(NOTICE)["webhook"]
    assert [path for path, _, _ in hook] == ["/away"]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("file:///etc/passwd", "http or https"),
        ("https://", "http or https"),
        ("https://me:secret@example.org/x", "PEFTCORE_NOTICE_TOKEN"),
    ],
)
def test_an_address_that_is_no_good_is_refused_and_breaks_nothing(home, monkeypatch, address, why):
    monkeypatch.setenv("PEFTCORE_NOTICE_WEBHOOK", address)
    with pytest.raises(BadInput, match=why):
        notices.channels()
    assert why in notices.send(NOTICE)["webhook"]
    assert notices.recent() == [NOTICE]
    assert "train abc by webhook: BadInput" in (home / "notices" / "failed.txt").read_text()


class FakeServer:
    """What smtplib offers, writing down what is done with it."""

    acts: ClassVar[list] = []

    def __init__(self, host, port, timeout):
        self.acts.append(("to", host, port))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def starttls(self, context):
        self.acts.append(("tls",))

    def login(self, user, password):
        self.acts.append(("login", user, password))

    def send_message(self, letter):
        self.acts.append(("sent", letter["To"], letter["Subject"], letter.get_content().strip()))


def test_a_mail_is_sent_and_a_password_only_over_tls(home, monkeypatch):
    monkeypatch.setattr("smtplib.SMTP", FakeServer)
    monkeypatch.setattr(FakeServer, "acts", [])
    monkeypatch.setenv("PEFTCORE_NOTICE_MAIL", "ann@example.org, bo@example.org")
    assert "PEFTCORE_SMTP_SERVER" in notices.send(NOTICE)["e-mail"]
    monkeypatch.setenv("PEFTCORE_SMTP_SERVER", "mail.example.org:2525")
    monkeypatch.setenv("PEFTCORE_SMTP_USER", "lab")
    monkeypatch.setenv("PEFTCORE_SMTP_PASSWORD", "pw")
    odd = Notice("rating", "p", "done", "Project a\nBcc: x@y.z is complete")
    assert notices.send(odd) == {}
    assert FakeServer.acts == [
        ("to", "mail.example.org", 2525),
        ("tls",),
        ("login", "lab", "pw"),
        (
            "sent",
            "ann@example.org, bo@example.org",
            "Project a Bcc: x@y.z is complete",
            "Project a\nBcc: x@y.z is complete.",
        ),
    ]


def test_a_long_file_is_shortened_and_a_half_line_passed_over(home, monkeypatch):
    monkeypatch.setattr(notices, "KEPT", 3)
    for number in range(7):
        notices.send(Notice("train", str(number), "done", "x", at=float(number)))
    file = home / "notices" / "notices.jsonl"
    assert len(file.read_text().splitlines()) == 3
    file.write_text(file.read_text() + '{"kind": "tra')
    assert [notice.id for notice in notices.recent()] == ["5", "6"]
