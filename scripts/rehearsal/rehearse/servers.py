"""Starts the imitated workspace as a process of its own."""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

_START_LIMIT_S = 20.0
_STOP_LIMIT_S = 0.5


class WorkspaceServer:
    """The imitated workspace.

    Args:
        folder: Folder for its data, log and output.
        identities: The identities file.
        environment: Its environment, complete.
        spark_remote: Address of a Spark Connect cluster to use instead of Sail, or empty.
    """

    def __init__(self, folder: Path, identities: Path, environment: Mapping[str, str], spark_remote: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "requests.jsonl"
        self._errors = folder / "workspace.log"
        argv = [sys.executable, "-m", "bundleflow", "local", "workspace", "--port", "0", "--warm"]
        argv += ["--data", str(folder / "data"), "--log", str(self.log), "--identities", str(identities)]
        argv += ["--spark-remote", spark_remote] if spark_remote else []
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                argv,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, name="workspace-output", daemon=True).start()
        self._url = ""

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    @property
    def url(self) -> str:
        """Its address; waits until it serves.

        Raises:
            BundleflowError: It did not start.
        """
        if not self._url:
            with contextlib.suppress(queue.Empty):
                self._url = self._lines.get(timeout=_START_LIMIT_S).strip()
        if not self._url.startswith("http"):
            raise BundleflowError(
                "The imitated workspace did not start.",
                fix="See the details below; `bundleflow local workspace` starts it by itself.",
                reason=FailureReason.OUTSIDE_TROUBLE,
                exit_code=ExitCode.TROUBLE,
                details=self.trouble(),
            )
        return self._url

    def trouble(self) -> str:
        """Give the end of what it said on standard error."""
        return self._errors.read_text(encoding="utf-8", errors="replace")[-3000:]

    def close(self) -> None:
        """Ask it to end, and wait a little: what it would still write is thrown away, and its processes end with it."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
