"""What every HTTP answer says, and what is refused before Streamlit sees it.

Streamlit checks the hosts that a WebSocket names (`server.allowedHosts`) and serves the page itself
to any: behind a name that was bound to this machine anew it could still be read. Here both are
refused alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
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


class HttpPolicy:
    """ASGI middleware: refuses foreign hosts and closed figures, and adds the policies."""

    def __init__(
        self, app: Callable[[Scope, Receive, Send], Awaitable[None]], metrics: bool
    ) -> None:
        """Wrap an application; metrics: whether figures about the server may be read."""
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
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
        path = str(scope["path"]).rstrip("/").lower()
        if not self.metrics and path.endswith(METRICS_PATHS):
            return await _refuse(send_with_policies, 404, "not found")
        return await self.app(scope, receive, send_with_policies)


async def _refuse(send: Send, status: int, reason: str) -> None:
    """Send a short answer."""
    kind = (b"content-type", b"text/plain; charset=utf-8")
    await send({"type": "http.response.start", "status": status, "headers": [kind]})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
