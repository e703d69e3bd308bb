"""``video3d data annotate``: the page on this machine's own address, until it is stopped."""

import socket
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video3d.data.annotate.app import create_app
from video3d.types import InputError, install_extra

ADDRESS = "127.0.0.1"
"""Never another: what is served is meant for the person at this machine."""


@dataclass(frozen=True, slots=True)
class Listening:
    """A server that has its port already; ``run`` answers until ``server.should_exit`` or Ctrl-C."""

    url: str
    server: Any
    bound: socket.socket

    def run(self) -> None:
        """Answers requests; the port is free again afterwards."""
        try:
            self.server.run(sockets=[self.bound])
        except KeyboardInterrupt:  # how it is meant to end
            return
        finally:
            self.bound.close()


def listen(root: str | Path, *, database: str | Path, annotator: str, port: int = 0) -> Listening:
    """Gets everything ready and takes the port (0: any that is free).

    Errors: ``InputError`` for a port that is taken, uvicorn not installed, and what ``create_app`` refuses.
    """
    try:
        import uvicorn
    except ImportError as error:
        raise InputError("the page", expected="uvicorn", got=f"none ({error})", do=install_extra("serve")) from error
    if not 0 <= port <= 65535:
        raise InputError("the port", expected="0 (any) to 65535", got=port)
    app = create_app(root, database, annotator)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((ADDRESS, port))
        bound.listen(128)  # from here on a browser may come: it waits until the server answers
    except OSError as error:
        bound.close()
        raise InputError(
            "the port", expected="one that is free", got=f"{port}: {error.strerror or error}", do="choose another, or 0"
        ) from error
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=2
    )
    return Listening(f"http://{ADDRESS}:{bound.getsockname()[1]}/", uvicorn.Server(config), bound)


def serve(
    root: str | Path,
    *,
    database: str | Path | None = None,
    annotator: str,
    port: int = 8377,
    open_browser: bool = True,
    say: Callable[[str], object] | None = None,
) -> None:
    """Serves the page until Ctrl-C.

    Args:
        root: the data set.
        database: SQLite file of decisions; by default ``annotations.sqlite`` in the data set's folder.
        annotator: who decides.
        port: on 127.0.0.1; 0 for any that is free.
        open_browser: show it at once.
        say: is told the address; by default it goes to stderr.

    Errors: ``InputError``.
    """
    database = Path(root) / "annotations.sqlite" if database is None else database
    listening = listen(root, database=database, annotator=annotator, port=port)
    tell = say or (lambda line: sys.stderr.write(f"{line}\n"))
    tell(f"{listening.url} (decisions of {annotator} go to {database}; Ctrl-C ends)")
    if open_browser:
        webbrowser.open(listening.url)
    listening.run()
