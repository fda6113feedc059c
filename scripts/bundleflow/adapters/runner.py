"""GitHub's runner: outputs, job summary, annotations and masks, written so that untrusted text stays text.

Formats: "Workflow commands for GitHub Actions" (escaping of `%`, CR, LF, `:` and `,`; delimiters of multi-line values).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TextIO

SUMMARY_LIMIT_BYTES = 1024 * 1024
"""GitHub drops a step's summary that is larger."""

Level = Literal["notice", "warning", "error"]


@dataclass(frozen=True)
class Runner:
    """The runner of this job, or a terminal where there is none.

    Args:
        env: Environment variables.
        stream: Where workflow commands go (the runner reads standard output and standard error alike).
    """

    env: Mapping[str, str]
    stream: TextIO

    @classmethod
    def here(cls) -> Runner:
        """The runner that this process has."""
        return cls(os.environ, sys.stderr)

    @property
    def is_actions(self) -> bool:
        """Whether a GitHub runner reads what is printed."""
        return self.env.get("GITHUB_ACTIONS") == "true"

    def output(self, name: str, value: str) -> None:
        """Set an output of this step; does nothing outside a job.

        Args:
            name: Name of the output.
            value: Any text, several lines too.
        """
        self._append("GITHUB_OUTPUT", name, value)

    def summary(self, markdown: str) -> None:
        """Add to the job summary; text that GitHub would drop as a whole is cut at a line's end."""
        path = self.env.get("GITHUB_STEP_SUMMARY")
        if not path:
            return
        text = _printable(markdown).rstrip("\n") + "\n\n"
        file = Path(path)
        room = SUMMARY_LIMIT_BYTES - (file.stat().st_size if file.exists() else 0) - 200
        data = text.encode()
        if len(data) > room:
            data = data[: max(room, 0)].rpartition(b"\n")[0] + b"\n\n_The rest did not fit into the summary._\n"
        with file.open("ab") as stream:
            stream.write(data)

    def mask(self, value: str) -> None:
        """Keep a value out of the log from here on, each of its lines."""
        if self.is_actions:
            for line in value.splitlines():
                if line.strip():
                    self._command("add-mask", {}, line)

    def annotate(self, level: Level, message: str, *, title: str = "", file: str = "", line: int = 0, column: int = 0) -> None:
        """Show a message on the run's page and, with a file, on the pull request's diff; does nothing outside a job."""
        if self.is_actions:
            properties = {"title": title, "file": file, "line": str(line or ""), "col": str(column or "")}
            self._command(level, properties, message)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold what is printed meanwhile in the job's log."""
        if not self.is_actions:
            yield
            return
        self._command("group", {}, title.replace("\n", " "))
        try:
            yield
        finally:
            self._command("endgroup", {}, "")

    @contextmanager
    def no_commands(self) -> Iterator[None]:
        """Let untrusted output pass without the runner obeying workflow commands in it."""
        if not self.is_actions:
            yield
            return
        token = secrets.token_hex(16)
        self._command("stop-commands", {}, token)
        try:
            yield
        finally:
            self.stream.flush()
            print(f"::{token}::", file=self.stream, flush=True)

    @cached_property
    def event(self) -> Mapping[str, Any]:
        """The event that started the workflow; empty outside a job."""
        path = self.env.get("GITHUB_EVENT_PATH", "")
        if not path or not Path(path).is_file():
            return {}
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        return data if isinstance(data, dict) else {}

    @property
    def pull_request(self) -> int | None:
        """Number of the pull request that started the workflow; None for other events."""
        number = self.event.get("pull_request", {}).get("number") or self.event.get("number")
        return number if isinstance(number, int) else None

    @property
    def run_url(self) -> str:
        """Page of this workflow run; empty outside a job."""
        server, repository, run = (self.env.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
        return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else ""

    def _append(self, variable: str, name: str, value: str) -> None:
        path = self.env.get(variable)
        if not path:
            return
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
            raise ValueError(f"not a name for an output: {name!r}")
        delimiter = f"bundleflow_{secrets.token_hex(16)}"
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(f"{name}<<{delimiter}\n{_printable(value)}\n{delimiter}\n")

    def _command(self, name: str, properties: Mapping[str, str], message: str) -> None:
        given = ",".join(f"{key}={_escape_property(value)}" for key, value in properties.items() if value)
        print(f"::{name}{' ' if given else ''}{given}::{_escape_data(message)}", file=self.stream, flush=True)


def _printable(text: str) -> str:
    """Text that can be written as UTF-8 and holds no lone carriage return."""
    return text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")


def _escape_data(text: str) -> str:
    return _printable(text).replace("%", "%25").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(text).replace(":", "%3A").replace(",", "%2C")
