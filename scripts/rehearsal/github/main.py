"""`bundleflow local github`: the imitated GitHub as a server of its own."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

EXAMPLES = """\
examples:
  bundleflow local github                       a free port, a temporary folder
  bundleflow local github --port 3000 --data ~/github-data --log requests.jsonl

The first line of standard output is the address. Any token is the user `tester`, who may do everything;
`POST /user/repos` creates a repository, to which you push by its path below DATA/repositories.
"""
DEFAULT_USER = "tester"
PARENT_LOOK_SECONDS = 0.5


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bundleflow local github",
        description="Serve an imitated GitHub (REST API, OIDC issuer, artifacts) on 127.0.0.1 until SIGTERM.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port (default: a free one)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder for repositories, artifacts and state (default: a temporary one)")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write each request and answer to FILE as a JSON line")
    return parser


def main(argv: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT.

    Args:
        argv: The arguments after `bundleflow local github`.

    Returns:
        The exit code.

    Raises:
        BundleflowError: The port is taken, or the folder or log cannot be written.
    """
    args = _parser().parse_args(list(argv))
    if args.data:
        return _serve(args.port, args.data, args.log)
    with tempfile.TemporaryDirectory(prefix="bundleflow-github-") as folder:
        return _serve(args.port, Path(folder), args.log)


def _serve(port: int, data: Path, log: Path | None) -> int:
    from rehearsal.github.errors import GitHubError
    from rehearsal.github.server import Server
    from rehearsal.github.store import load, save
    from rehearsal.github.world import GitHub

    try:
        data.mkdir(parents=True, exist_ok=True)
        github = GitHub(data.resolve())
        load(github.state)
        github.state.open_user = DEFAULT_USER
        github.add_user(DEFAULT_USER)
        server = Server(github, port, log)
    except (OSError, OverflowError) as error:
        what = getattr(error, "filename", None) or f"port {port}"
        raise _refusal(f"{getattr(error, 'strerror', None) or error} ({what}).") from error
    except GitHubError as error:
        raise _refusal(error.message) from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=_stop_with_parent, args=(stop,), daemon=True).start()
    with server:
        print(server.url, flush=True)
        stop.wait()
    save(github.state)
    return ExitCode.OK


def _refusal(cause: str) -> BundleflowError:
    return BundleflowError(
        f"The imitated GitHub cannot start: {cause}",
        fix="Choose another `--port` (0 finds a free one), `--data` or `--log`.",
        reason=FailureReason.OUTSIDE_TROUBLE,
        exit_code=ExitCode.TROUBLE,
    )


def _stop_with_parent(stop: threading.Event) -> None:
    """Watch the parent process, and stop the server when it is gone, so that none is left behind."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(PARENT_LOOK_SECONDS)
    stop.set()
