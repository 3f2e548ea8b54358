"""`python -m serving.gateway`: the gateway as a process."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import click

from adapters.settings import Settings, read_settings
from contracts.errors import UnderstudyError, UsageError
from serving.gateway.limits import Limits
from serving.gateway.workers import Place, leave_with_supervisor, supervise

_GRACE_SECONDS = 2
_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75  # longer than clients keep an idle connection: who closes first must be the one who would ask next
_SWITCH_SECONDS = 0.001
_USUAL = Limits()
_MOST = (  # --max-NAME
    ("body-bytes", _USUAL.body_bytes, "UNDERSTUDY_MAX_BODY_BYTES", click.IntRange(1), "Size of one request."),
    ("rows", _USUAL.rows, "UNDERSTUDY_MAX_ROWS", click.IntRange(1), "Rows of one request."),
    (
        "waiting-rows",
        _USUAL.waiting_rows,
        "UNDERSTUDY_MAX_WAITING_ROWS",
        click.IntRange(1),
        "Rows that may wait for one pipeline; beyond them requests get 429.",
    ),
    (
        "wait-seconds",
        _USUAL.wait_seconds,
        "UNDERSTUDY_MAX_WAIT_SECONDS",
        click.FloatRange(0.001),
        "A request that would wait longer for its turn gets 429.",
    ),
    (
        "send-seconds",
        _USUAL.body_seconds,
        "UNDERSTUDY_MAX_SEND_SECONDS",
        click.FloatRange(0.1),
        "How long a caller may take to send a request or to read its answer; a third of it for the request's head.",
    ),
)


def _limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each limit."""
    for name, usual, variable, kind, told in reversed(_MOST):
        command = click.option(f"--max-{name}", default=usual, envvar=variable, type=kind, help=told)(command)
    return command


def _limits(max_send_seconds: float, **most: Any) -> Limits:
    others = {name.removeprefix("max_"): value for name, value in most.items()}
    return Limits(head_seconds=max_send_seconds / 3, body_seconds=max_send_seconds, read_seconds=max_send_seconds, **others)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--host", default="127.0.0.1", help="Address to listen on; loopback unless told otherwise.")
@click.option("--port", default=8080, type=click.IntRange(0, 65535), help="Port to listen on; 0 for any that is free.")
@click.option(
    "--grpc-port",
    type=click.IntRange(1, 65535),
    envvar="UNDERSTUDY_GRPC_PORT",
    show_default="no gRPC",
    help="Port to answer the Open Inference Protocol over gRPC on.",
)
@_limit_options
@click.option(
    "--workers",
    default=1,
    envvar="UNDERSTUDY_GATEWAY_WORKERS",
    type=click.IntRange(1, 64),
    help="Processes that share the port; one for each core that is to answer.",
)
@click.option("--worker", "place", hidden=True, help="NUMBER/COUNT of this worker, as its supervisor tells it.")
@click.option("--descriptor", type=int, hidden=True, help="The socket that a worker inherits.")
@click.option("--access-log", is_flag=True, envvar="UNDERSTUDY_ACCESS_LOG", help="Log every request, not only refused and failed ones.")
@click.option("--insecure", is_flag=True, help="Listen beyond loopback without a tokens file: whoever reaches the port may call.")
def main(
    host: str,
    port: int,
    grpc_port: int | None,
    workers: int,
    place: str | None,
    descriptor: int | None,
    access_log: bool,
    insecure: bool,
    **most: Any,
) -> None:
    """Answer users with the champion of each pipeline."""
    # Before scikit-learn loads: on small batches a team of threads for each tree costs far more than it saves, and waits for its slowest.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda *_: sys.exit(0))  # the server stops in good order, then hands the signal back
    sys.setswitchinterval(_SWITCH_SECONDS)  # the event loop gets its turn soon while a model is being loaded or answers
    try:
        settings = read_settings()
        if not (insecure or settings.tokens_file or _is_loopback(host)):
            raise UsageError(
                f"The gateway does not listen on {host or 'every address'} without tokens: whoever reaches it could call it.",
                "Set UNDERSTUDY_TOKENS_FILE, or say --insecure where something else guards the port.",
            )
        limits = _limits(**most)
        grpc_address = None if grpc_port is None else _address(host, grpc_port)
        if place is not None and descriptor is not None:
            leave_with_supervisor()
            _serve(settings, socket.socket(fileno=descriptor), grpc_address, limits, access_log, Place(*map(int, place.split("/"))))
        elif workers > 1:
            if grpc_port is not None:
                _listen(host, grpc_port).close()  # workers share it: whether it is free must be asked before they do
            sys.exit(supervise(_listen(host, port), workers, sys.argv[1:]))
        else:
            _serve(settings, _listen(host, port), grpc_address, limits, access_log, Place())
    except UnderstudyError as error:
        click.echo(str(error), err=True)
        raise SystemExit(error.exit_code) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"  # any other name may lead anywhere


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sends without delay only where TCP is named
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise UsageError(f"The gateway cannot listen on {host}:{port}: {error.strerror}.", "Choose another with --port.") from error
    return listening


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _serve(settings: Settings, listening: socket.socket, grpc_address: str | None, limits: Limits, access_log: bool, place: Place) -> None:
    import uvicorn

    from adapters.process_log import configure_log
    from serving.gateway.http.arrivals import doors
    from serving.gateway.http.patience import PatientServer
    from serving.gateway.http.pipelining import Pipelining
    from serving.gateway.wiring import build_gateway

    port = listening.getsockname()[1]

    def leaving() -> bool:
        return server.should_exit

    app = build_gateway(settings, limits, port, log_all=access_log, grpc_address=grpc_address, place=place, leaving=leaving)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,  # nothing here trusts what a header says of who calls
        server_header=False,
        date_header=False,
        http=Pipelining,
        ws="none",
        lifespan="on",
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS + 1,
    )
    server = PatientServer(config, limits, configure_log("gateway"), _GRACE_SECONDS)
    server.run(sockets=doors(listening, place.count))


if __name__ == "__main__":
    main()
