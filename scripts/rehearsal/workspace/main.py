"""`bundleflow local workspace`: serves an imitated Databricks workspace on a port of this machine until SIGTERM."""

from __future__ import annotations

import argparse
import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

OPEN_CATALOGS = ("main", "samples", "system", "workspace")
STOP_SECONDS = 3
BACKLOG = 256


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        argv: The arguments after `bundleflow local workspace`.

    Returns:
        0 when it was asked to end.

    Raises:
        BundleflowError: The port is taken, or the identities or faults file is not usable.
    """
    arguments = _parser().parse_args(argv)
    own_folder = None if arguments.data else Path(tempfile.mkdtemp(prefix="bundleflow-workspace-"))
    try:
        return _serve(arguments, (own_folder or arguments.data).resolve())
    finally:
        if own_folder:
            shutil.rmtree(own_folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bundleflow local workspace",
        description="A stand-in for a Databricks workspace, on 127.0.0.1. The first line it prints is its URL. For rehearsing and testing.",
    )
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one (default)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="keep the workspace's data here (default: a folder that goes with it)")
    parser.add_argument("--log", type=Path, metavar="FILE.jsonl", help="write each request and its answer as a JSON line")
    parser.add_argument("--identities", type=Path, metavar="FILE", help="JSON: who may call (default: any token is the default user's)")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="JSON: requests that fail on purpose")
    parser.add_argument("--warm", action="store_true", help="start the processes that run tasks, Spark and MLflow at once")
    parser.add_argument("--spark-remote", metavar="URL", help="run Spark on this Spark Connect cluster instead of the local one")
    return parser


def _serve(arguments: argparse.Namespace, data: Path) -> int:
    import uvicorn

    from rehearsal.workspace import faults, identities
    from rehearsal.workspace.app import make_app
    from rehearsal.workspace.server import Server
    from rehearsal.workspace.services import make_services

    known, catalogs = identities.load(arguments.identities) if arguments.identities else (identities.default_identities(), [*OPEN_CATALOGS])
    orders = faults.load(arguments.faults) if arguments.faults else []
    listener = _listen(arguments.port)
    services = make_services(data, known, catalogs=catalogs, warm=arguments.warm, spark_remote=arguments.spark_remote)
    services.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = make_app(services, log=arguments.log, faults=orders)
    config = uvicorn.Config(
        app, http=faults.FaultProtocol, ws="none", log_level="error", access_log=False, timeout_graceful_shutdown=STOP_SECONDS,
        server_header=False, timeout_keep_alive=75,
    )  # fmt: skip
    # The socket listens already: whoever reads the URL may connect, and waits for the few milliseconds until it is served.
    print(services.url, flush=True)
    Server(config).run(sockets=[listener])
    return ExitCode.OK


def _listen(port: int) -> socket.socket:
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # asyncio switches Nagle off (40 ms an answer) only where the protocol is named
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as problem:
        listener.close()
        raise BundleflowError(
            f"Port {port} of 127.0.0.1 cannot be used: {problem.strerror}.",
            fix="Choose another with `--port`, or leave it out to get a free one.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        ) from problem
    listener.listen(BACKLOG)
    return listener
