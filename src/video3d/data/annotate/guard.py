"""What stands before the page's server: only this machine's own page may talk to it.

The server listens on 127.0.0.1 alone, but every site that the annotator has open in the same browser can send requests there.
Three things keep them out: the ``Host`` header must name this machine (a foreign name that resolves to 127.0.0.1, "DNS rebinding",
does not); writing needs a token that only the page can read; and a request that the browser says comes from another origin is
refused. The page itself may load nothing from elsewhere (Content-Security-Policy), and a body has a bound.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

MAX_BODY_BYTES = 64 * 1024
TOKEN_HEADER = "x-annotate-token"  # noqa: S105 - the header's name
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def error_body(thing: object, *, expected: str, got: object, do: str = "") -> dict[str, Any]:
    """What every error looks like to the page."""
    return {"error": {"thing": str(thing), "expected": expected, "got": str(got)[:500], "do": do}}


class Guard:
    """An ASGI layer that lets through what the page itself asks, and answers everything else with an error in JSON."""

    def __init__(self, application: Application, *, token: str) -> None:
        self._application, self._token = application, token

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":  # no web sockets here
            return
        refused = _refusal(scope, self._token)
        if refused is not None:
            await _answer(send, *refused)
            return
        body = b""
        if scope["method"] not in ("GET", "HEAD"):
            # A body is read before anything looks at it: what is announced may be untrue, or not be announced at all.
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    wanted = f"at most {MAX_BODY_BYTES} bytes"
                    await _answer(send, 413, error_body("the request", expected=wanted, got="more"))
                    return
                if not message.get("more_body", False):
                    break
        given = False

        async def receive_body() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        await self._application(scope, receive_body, send_guarded)


def _refusal(scope: MutableMapping[str, Any], token: str) -> tuple[int, dict[str, Any]] | None:
    """Status and body of the answer to a request that is not the page's own."""
    headers: dict[str, list[str]] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    hosts = headers.get("host", [])
    if len(hosts) != 1 or not _is_local(hosts[0]):
        return 421, error_body("the Host header", expected="this machine, 127.0.0.1", got=", ".join(hosts) or "none")
    origin = headers.get("origin", [f"http://{hosts[0]}"])
    site = headers.get("sec-fetch-site", ["same-origin"])
    if origin != [f"http://{hosts[0]}"] or site not in (["same-origin"], ["none"]):
        # "none" is the annotator typing the address; following a link from another site to the page itself is harmless too.
        page = scope["method"] == "GET" and scope["path"] == "/" and "origin" not in headers
        if not page:
            got = ", ".join(origin if "origin" in headers else site)
            return 403, error_body("the request", expected="one from this page", got=f"one from {got}")
    if scope["method"] in ("GET", "HEAD"):
        return None
    if scope["method"] != "POST":
        return 405, error_body("the request", expected="GET or POST", got=scope["method"])
    given = headers.get(TOKEN_HEADER, [])
    if len(given) != 1 or not secrets.compare_digest(given[0].encode("latin-1"), token.encode()):
        do = "load the page again" if given else "use the page"
        return 403, error_body("the token", expected="the one of this page", got="another" if given else "none", do=do)
    kinds = [kind.split(";")[0].strip().lower() for kind in headers.get("content-type", [])]
    if kinds != ["application/json"]:
        return 415, error_body("the request", expected="application/json", got=", ".join(kinds) or "no content type")
    lengths = headers.get("content-length", ["0"])
    if any(not length.isdecimal() or int(length[:12]) > MAX_BODY_BYTES for length in lengths):
        return 413, error_body("the request", expected=f"at most {MAX_BODY_BYTES} bytes", got=", ".join(lengths))
    return None


def _is_local(host: str) -> bool:
    """Whether a Host header names this machine, with any port.

    >>> [_is_local(host) for host in ("127.0.0.1:8000", "localhost", "[::1]:80", "127.0.0.1.evil.org", "a@localhost")]
    [True, True, True, False, False]
    """
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        name, port = host, ""
    return name.lower() in _HOSTS and (port.isdecimal() or not colon or host.endswith("]"))


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    kind = (b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())
    # The rest of a body that is too long is not read: the connection ends with the answer.
    headers = [*kind, (b"cache-control", b"no-store"), (b"connection", b"close"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
