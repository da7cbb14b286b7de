"""Run the stand-in on a port of this machine."""

import socket
from contextlib import closing

import uvicorn

from xnovu_poller.dev.standin.app import build_application
from xnovu_poller.dev.standin.connection import Protocol
from xnovu_poller.dev.standin.environment import Environment

BACKLOG = 512
SHUTDOWN_SECONDS = 1


def listen(host: str, port: int) -> socket.socket:
    """Listen on a port, 0 for a free one; from now on callers are queued.

    Raises:
        OSError: the port is in use, or the address does not belong to this machine.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)
    return listener


def format_address(listener: socket.socket) -> str:
    """Return the address for `NOVU_API_URL`."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def build_server(environment: Environment, temporal_ui: str | None = None) -> uvicorn.Server:
    """Return a server that does not run yet; set its `should_exit` to stop it."""
    return uvicorn.Server(
        uvicorn.Config(
            build_application(environment, temporal_ui),
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            # uvicorn's default of 5 s is shorter than clients keep their connections.
            timeout_keep_alive=60,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )


def serve(environment: Environment, listener: socket.socket, temporal_ui: str | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    with closing(environment.ledger):
        build_server(environment, temporal_ui).run(sockets=[listener])
