"""Starts act for one workflow run and reads its log: no containers, nothing from the user's own settings, nothing from the network."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.actions import cancelling
from rehearsal.actions.render import RUNNER_LABEL


@dataclass(frozen=True)
class ActCall:
    """One call of act.

    Args:
        act: The program.
        event: The event's name.
        event_file: The event's payload (JSON).
        workflow: The rendered workflow's file.
        workdir: The project at the event's commit: what jobs check out.
        empty: An empty folder that act starts in, so that it finds no settings (`.actrc`, `.env`, `.secrets`).
        actor: Login of who caused the event.
        repositories: `owner/name@ref` → folder with its actions and workflows.
        job_environment: Variables that every step sees (nothing secret: they stand on the command line).
        variables: The repository's `vars`, for places that are read before a job starts.
        secrets: The repository's secrets, for a caller that hands them on. act gets them by an open file without a name: what is in its
            environment or on its command line, every step could see (see `ActProcess.forget_secrets`).
        environment: act's own environment, complete.
    """

    act: Path
    event: str
    event_file: Path
    workflow: Path
    workdir: Path
    empty: Path
    actor: str
    repositories: Mapping[str, Path]
    job_environment: Mapping[str, str]
    environment: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)

    def argv(self, secrets: str = os.devnull) -> list[str]:
        """Give the command line.

        Args:
            secrets: The file with the secrets.
        """
        nothing = os.devnull
        out = [str(self.act), self.event, "--json", "--verbose", "--no-cache-server", "--concurrent-jobs", "16"]
        out += ["-W", str(self.workflow), "-C", str(self.workdir), "-e", str(self.event_file), "-a", self.actor]
        out += ["-P", f"{RUNNER_LABEL}=-self-hosted", "--container-daemon-socket", "-", "--artifact-server-addr", "127.0.0.1"]
        out += ["--env-file", nothing, "--secret-file", secrets, "--var-file", nothing, "--input-file", nothing]
        for repository, folder in sorted(self.repositories.items()):
            out += ["--local-repository", f"{repository}={folder}"]
        for name, value in sorted(self.job_environment.items()):
            out += ["--env", f"{name}={value}"]
        for name, value in sorted(self.variables.items()):
            out += ["--var", f"{name}={value}"]
        return out

    def secrets_text(self) -> str:
        """Write the secrets as act reads them from a file."""
        return "".join(f'{name}="{_escaped(value)}"\n' for name, value in sorted(self.secrets.items()))


def _escaped(value: str) -> str:
    escaped = re.sub(r'([\\"$])', r"\\\1", value)
    return escaped.replace("\r", "\\r").replace("\n", "\\n")


class ActProcess:
    """act at work on one run.

    Args:
        call: What to run.
        on_line: Gets every line of the log, in a thread of the process's own.
    """

    def __init__(self, call: ActCall, on_line: Callable[[str], None]) -> None:
        self._secrets = tempfile.TemporaryFile()  # noqa: SIM115  # open until act has read it
        self._secrets.write(call.secrets_text().encode())
        self._secrets.flush()
        descriptor = self._secrets.fileno()
        self._process = subprocess.Popen(
            call.argv(f"/dev/fd/{descriptor}" if call.secrets else os.devnull),
            pass_fds=(descriptor,) if call.secrets else (),
            cwd=call.empty,
            env=dict(call.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._errors: list[str] = []
        self._readers: Sequence[threading.Thread] = (
            threading.Thread(target=self._read, args=(on_line,), name="act-log", daemon=True),
            threading.Thread(target=self._read_errors, name="act-errors", daemon=True),
        )
        for reader in self._readers:
            reader.start()

    def forget_secrets(self) -> None:
        """Empty the file with the secrets: steps inherit it. To be called when a job arrives, which is after act has read it."""
        if not self._secrets.closed:
            self._secrets.truncate(0)
            self._secrets.close()

    def _read(self, on_line: Callable[[str], None]) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            on_line(line)

    def _read_errors(self) -> None:
        assert self._process.stderr
        for line in self._process.stderr:
            if line.startswith("Error:"):
                self._errors.append(line.removeprefix("Error:").strip())

    def wait(self, timeout: float) -> int:
        """Wait for the end.

        Args:
            timeout: Seconds.

        Returns:
            act's exit code: 0, or 1 where a job failed or the file was refused.

        Raises:
            subprocess.TimeoutExpired: It runs on.
        """
        code = self._process.wait(timeout)
        self.forget_secrets()
        for reader in self._readers:
            reader.join(5)
        return code

    @property
    def errors(self) -> list[str]:
        """What act said about the run as a whole."""
        return list(self._errors)

    def interrupt(self) -> None:
        """Cancel the run: its steps are told as GitHub's runner tells them; then act lets `always()` and `cancelled()` steps run."""
        if self._process.poll() is None:
            threading.Thread(target=cancelling.stop, args=(self._process.pid,), name="act-cancel", daemon=True).start()

    def kill(self) -> None:
        """End act at once (its steps are ended by the stage's watchdog)."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
