"""What every HTTP answer says, and what is refused before Streamlit sees it.

Streamlit checks the hosts that a WebSocket names (`server.allowedHosts`) and serves the page itself
to any: behind a name that was bound to this machine anew it could still be read. Here both are
refused alike.

With PEFTCORE_PROXY_HEADER and PEFTCORE_PROXY_ADDRESS a reverse proxy at that address says in that
header who is signed in. Whoever else sends it is refused, so that nobody can claim to be another.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
METRICS_PATHS = ("/_stcore/metrics", "/metrics")
# Streamlit's own page has scripts of its own in it and compiles templates of charts, so that script
# policies can only keep other places out.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' data: blob:",
        "frame-ancestors 'self'",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
POLICIES = {
    "content-security-policy": CONTENT_POLICY,
    "x-frame-options": "SAMEORIGIN",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",  # a rater's link is a secret
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass
class ProxyTrust:
    """The header that names who is signed in, and the only address it is taken from."""

    header: str = ""  # empty: nobody is signed in so
    address: str = ""

    def refuses(self, scope: Scope) -> bool:
        """Return whether a request has the header and does not come from the proxy, or twice."""
        name = self.header.lower().encode("latin-1")
        given = [value for key, value in scope["headers"] if key.lower() == name]
        peer = (scope.get("client") or ("",))[0]
        return bool(self.header and given) and (peer != self.address or len(given) > 1)


TRUST = ProxyTrust()  # as the server in front of the pages enforces it; without it, nobody


class HttpPolicy:
    """ASGI middleware: refuses foreign hosts, closed figures and false names, adds the policies."""

    def __init__(
        self,
        app: Callable[[Scope, Receive, Send], Awaitable[None]],
        metrics: bool,
        trust: ProxyTrust | None = None,
    ) -> None:
        """Wrap an application; metrics: whether figures about the server may be read."""
        self.app, self.metrics = app, metrics
        self.trust = trust or ProxyTrust()
        TRUST.header, TRUST.address = self.trust.header, self.trust.address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "websocket" and self.trust.refuses(scope):
            return await send({"type": "websocket.close", "code": 1008})
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_policies(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                given = [
                    (n, v) for n, v in message["headers"] if n.lower().decode() not in POLICIES
                ]
                own = [(name.encode(), value.encode()) for name, value in POLICIES.items()]
                message = {**message, "headers": [*given, *own]}
            await send(message)

        hosts = [v.decode("latin-1") for n, v in scope["headers"] if n.lower() == b"host"]
        if len(hosts) != 1 or not is_host_allowed(hosts[0]):
            return await _refuse(send_with_policies, 403, "this server has another name")
        if self.trust.refuses(scope):
            return await _refuse(send_with_policies, 403, "only the proxy may say who you are")
        path = str(scope["path"]).rstrip("/").lower()
        if not self.metrics and path.endswith(METRICS_PATHS):
            return await _refuse(send_with_policies, 404, "not found")
        return await self.app(scope, receive, send_with_policies)


def read_proxy_trust() -> ProxyTrust:
    """Read which proxy the settings trust; a header without an address is a mistake."""
    header = os.environ.get("PEFTCORE_PROXY_HEADER", "").strip()
    address = os.environ.get("PEFTCORE_PROXY_ADDRESS", "").strip()
    if bool(header) != bool(address):
        raise SystemExit("set PEFTCORE_PROXY_HEADER and PEFTCORE_PROXY_ADDRESS, or neither")
    if header:
        # Otherwise uvicorn takes what a proxy forwards for the address that a request came from.
        os.environ["FORWARDED_ALLOW_IPS"] = ""
    return ProxyTrust(header, address)


async def _refuse(send: Send, status: int, reason: str) -> None:
    """Send a short answer."""
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind]})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
