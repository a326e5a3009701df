"""Word when something is done or failed: kept for browsers, and sent by webhook or e-mail.

| variable | holds |
| --- | --- |
| PEFTCORE_NOTICE_WEBHOOK | an http or https address that gets each notice as JSON |
| PEFTCORE_NOTICE_TOKEN | a secret, sent to it as a bearer token: addresses end up in logs |
| PEFTCORE_NOTICE_MAIL | who gets an e-mail, addresses with commas between |
| PEFTCORE_SMTP_SERVER | the mail server, as host or host:port (587) |
| PEFTCORE_SMTP_USER, PEFTCORE_SMTP_PASSWORD | the account there; with one, the way is encrypted |
| PEFTCORE_SMTP_FROM | the sender; else the first of those who get it |

Whoever runs the server sets them; nobody can name an address in the browser.  What goes wrong on
the way is noted in the log beside the notices and breaks nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import smtplib
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib import request
from urllib.parse import urlsplit

from peftcore import paths
from peftcore.errors import BadInput
from peftcore.system import atomic_files

SECONDS = 10  # that a server may take to answer
KEPT = 200  # notices, of which a file of twice as many is shortened
MAIL_PORT = 587


@dataclass(frozen=True)
class Notice:
    """Something that ended: what it is, whether it is done or failed, and words for people.

    owner: the login of whoever it belongs to; empty: it has no owner.
    """

    kind: str
    id: str
    state: str
    title: str
    message: str = ""
    owner: str = ""
    at: float = field(default_factory=time.time)

    @property
    def text(self) -> str:
        """Return all of it in a sentence or two."""
        return f"{self.title}. {self.message}".strip() if self.message else f"{self.title}."


def _setting(name: str) -> str:
    return os.environ.get(name, "").strip()


def webhook_address() -> str:
    """Return where notices are posted, or empty; BadInput unless it is http without secrets."""
    address = _setting("PEFTCORE_NOTICE_WEBHOOK")
    if not address:
        return ""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput("PEFTCORE_NOTICE_WEBHOOK must be an address that begins with http or https")
    if parts.username or parts.password:
        raise BadInput(
            "PEFTCORE_NOTICE_WEBHOOK must not hold a name or password; put a secret into "
            "PEFTCORE_NOTICE_TOKEN"
        )
    return address


def mail_server() -> tuple[str, int]:
    """Return host and port of the mail server; BadInput if mail is wanted and there is none."""
    host, _, port = _setting("PEFTCORE_SMTP_SERVER").partition(":")
    if not host or (port and not port.isdecimal()):
        raise BadInput(
            "PEFTCORE_NOTICE_MAIL needs PEFTCORE_SMTP_SERVER, a host or host:port such as "
            "mail.example.org:587"
        )
    return host, int(port or MAIL_PORT)


def _recipients() -> list[str]:
    return [part.strip() for part in _setting("PEFTCORE_NOTICE_MAIL").split(",") if part.strip()]


def channels() -> dict[str, str]:
    """Return channel → where it goes, without any secret; BadInput if a setting is no good."""
    found = {}
    if address := webhook_address():
        parts = urlsplit(address)
        found["webhook"] = f"{parts.scheme}://{parts.netloc}"
    if recipients := _recipients():
        host, port = mail_server()
        found["e-mail"] = f"{', '.join(recipients)} by {host}:{port}"
    return found


def send(notice: Notice) -> dict[str, str]:
    """Keep a notice and send it on every channel; return channel → what went wrong there.

    It raises nothing: whatever ended has ended, and its word must not change how.
    """
    failures: dict[str, str] = {}
    sending: dict[str, Callable[[Notice], None]] = {
        "log": _keep,
        "webhook": _post,
        "e-mail": _mail,
    }
    for channel, deliver in sending.items():
        try:
            deliver(notice)
        except Exception as error:  # any fault of a network, a server or a setting
            failures[channel] = f"{type(error).__name__}: {error}"
    if failures:
        with contextlib.suppress(OSError):
            stamp = time.strftime("%Y-%m-%d %H:%M:%S")
            lines = "".join(
                f"{stamp} {notice.kind} {notice.id} by {channel}: {words}\n"
                for channel, words in failures.items()
            )
            atomic_files.append_lines(_folder() / "failed.txt", lines)
    return failures


def send_soon(notice: Notice) -> threading.Thread:
    """Send a notice in a thread, where somebody waits for an answer; it outlives the caller."""
    thread = threading.Thread(target=send, args=(notice,), name="notice")
    thread.start()
    return thread


def recent(since: float = 0.0) -> list[Notice]:
    """Return the notices kept after a moment in epoch seconds, oldest first."""
    try:
        lines = (_folder() / "notices.jsonl").read_text("utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines[-KEPT:]:
        with contextlib.suppress(ValueError, TypeError):  # a half line of a full disk
            found.append(Notice(**json.loads(line)))
    return [notice for notice in found if notice.at > since]


def _folder() -> Path:
    return paths.workspace_folder() / "notices"


def _keep(notice: Notice) -> None:
    """Add a notice to those of this workspace, and shorten a long file."""
    file = _folder() / "notices.jsonl"
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_files.append_lines(file, json.dumps(asdict(notice)) + "\n")
    lines = file.read_text("utf-8").splitlines()
    if len(lines) > 2 * KEPT:
        atomic_files.replace_file(file, "".join(f"{line}\n" for line in lines[-KEPT:]).encode())


class NoDetours(request.HTTPRedirectHandler):
    """Follows no redirect: only the address that was set is asked."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow nothing."""


def _post(notice: Notice) -> None:
    """Post a notice to the webhook; `text` is what chat programs show of it."""
    address = webhook_address()
    if not address:
        return
    headers = {"Content-Type": "application/json", "User-Agent": "adapter-lab"}
    if token := _setting("PEFTCORE_NOTICE_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps({**asdict(notice), "text": notice.text}).encode()
    post = request.Request(address, data=body, headers=headers, method="POST")
    with request.build_opener(NoDetours).open(post, timeout=SECONDS):
        pass


def _mail(notice: Notice) -> None:
    """Send a notice by e-mail, encrypted wherever a password is sent."""
    recipients = _recipients()
    if not recipients:
        return
    host, port = mail_server()
    letter = EmailMessage()
    letter["Subject"] = " ".join(notice.title.split())
    letter["From"] = _setting("PEFTCORE_SMTP_FROM") or recipients[0]
    letter["To"] = ", ".join(recipients)
    letter.set_content(notice.text)
    with smtplib.SMTP(host, port, timeout=SECONDS) as server:
        if user := _setting("PEFTCORE_SMTP_USER"):
            server.starttls(context=ssl.create_default_context())
            server.login(user, _setting("PEFTCORE_SMTP_PASSWORD"))
        server.send_message(letter)
