"""One page on this machine's own address, until Ctrl-C."""

import os
import sys
import webbrowser
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS = "127.0.0.1"
"""Never another: what is served is meant for the person at this machine."""


def server_of(page: str) -> ThreadingHTTPServer:
    """A server that has a free port and answers ``/`` with the page and everything else with 404; ``serve_forever`` runs it."""
    content = page.encode()

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "video3d", ""

        def do_GET(self) -> None:
            # A page elsewhere whose name was made to mean this machine asks with its own name.
            ours = self.headers.get("Host", "").rsplit(":", 1)[0] in (ADDRESS, "localhost")
            found = ours and self.path.split("?")[0] == "/"
            body = content if found else b"not here\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8" if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing: there is one page and one reader."""

    return ThreadingHTTPServer((ADDRESS, 0), Handler)


def serve(page: str, *, say: Callable[[str], object], open_browser: bool = True) -> None:
    """Serves the page until Ctrl-C, and opens a browser where there is one to see.

    Args:
        page: HTML.
        say: is told the address, once it answers.
        open_browser: whether to show it at once.
    """
    with server_of(page) as server:
        url = f"http://{ADDRESS}:{server.server_address[1]}/"
        say(url)
        if open_browser and _has_screen():
            webbrowser.open(url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:  # how it is meant to end
            return


def _has_screen() -> bool:
    """Whether a browser would have a window; one for the terminal would take the terminal."""
    if not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
