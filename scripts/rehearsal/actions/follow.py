"""Reads act's JSON log into jobs with their steps, summaries, annotations and outputs; masks first, so nothing secret is kept."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rehearsal.actions.masking import Masker

TAIL_LINES = 400
"""Lines of a job's log that are kept."""

KEPT_BYTES = 8 * 1024 * 1024
"""Size up to which a job's whole log is kept in a file."""

_OWN_STEPS = {"--setup-job", "--complete-job"}
_LINK = re.compile(r"rehearsal-job=(\d+)")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._~-]")
_SKIPPED = re.compile(r"^Skipping job '(.+)' due to '(.*)'$", re.DOTALL)


@dataclass
class LoggedStep:
    """A step as the log tells it."""

    name: str
    conclusion: str = "success"
    duration_s: float = 0.0


@dataclass
class LoggedAnnotation:
    """A workflow command `notice`, `warning` or `error`."""

    level: str
    message: str
    title: str = ""
    path: str = ""
    line: int | None = None


@dataclass
class LoggedJob:
    """A job as the log tells it.

    `log_name` is the job's name in the copy (see `JobSpec.log_name`), `instance` the whole name in the log: different for each job of a
    matrix. `job_id` is what the driver answered to its first step, 0 until then. `result` is empty until the job is over.
    """

    log_name: str
    instance: str
    job_id: int = 0
    result: str = ""
    steps: list[LoggedStep] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    annotations: list[LoggedAnnotation] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    secret_outputs: list[str] = field(default_factory=list)
    """Outputs that hold a masked value: empty in the next job on GitHub, passed on by act."""
    kept_bytes: int = 0
    """Size of the log that has been kept in a file."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Follower:
    """Takes the log line by line.

    Args:
        masker: Learns masked values from the log and hides all it knows.
        names: The jobs' names in the copy.
        folder: Where each job's whole log is kept, masked, in a file of its own; None: nowhere.
    """

    def __init__(self, masker: Masker, names: set[str], folder: Path | None = None) -> None:
        self._masker = masker
        self._names = names
        self._folder = folder
        self.jobs: dict[str, LoggedJob] = {}
        self.skipped: dict[str, str] = {}
        """Name in the copy (or name of the calling job) → the condition that did not hold."""
        self.unsupported: list[str] = []
        """Jobs that act left out because their runner's label is unknown."""
        self.errors: list[str] = []
        """Errors that belong to no job, such as a file that act refuses."""

    def line(self, text: str) -> LoggedJob | None:
        """Take one line; gives the job that it changed."""
        try:
            entry = json.loads(text)
        except ValueError:
            self.errors.append(self._masker.text(text.strip()))
            return None
        if not isinstance(entry, dict):
            return None
        return self._entry(entry)

    def _entry(self, entry: dict[str, Any]) -> LoggedJob | None:
        if entry.get("command") == "add-mask":
            self._masker.add(str(entry.get("arg", "")))
        message = str(entry.get("msg", ""))
        instance = str(entry.get("job", "")).strip()
        skipped = _SKIPPED.match(message)
        if skipped and instance:
            self.skipped[self._log_name(instance, entry)] = skipped[2]
            return None
        if entry.get("level") == "debug":
            return None
        if not instance:
            if entry.get("level") == "error":
                self.errors.append(self._masker.text(message))
            return None
        name = self._log_name(instance, entry)
        if "Skipping unsupported platform" in message:
            self.unsupported.append(name)
            return None
        if name not in self._names:
            return None  # a job that only calls another workflow
        job = self.jobs.setdefault(instance, LoggedJob(name, instance))
        self._take(job, entry, message)
        return job

    def _log_name(self, instance: str, entry: dict[str, Any]) -> str:
        last = instance.rsplit("/", 1)[-1].strip()
        if last not in self._names and entry.get("matrix"):
            return re.sub(r"-\d+$", "", last)
        return last

    def _take(self, job: LoggedJob, entry: dict[str, Any], message: str) -> None:
        when = _time(entry)
        job.started_at = job.started_at or when
        link = _LINK.match(message) if entry.get("raw_output") else None
        if link and not job.job_id:
            job.job_id = int(link[1])
        if "jobResult" in entry:
            job.result = str(entry["jobResult"])
            job.ended_at = when
        if "stepResult" in entry:
            self._step(job, entry)
        command = entry.get("command")
        if command == "summary":
            job.summaries.append(self._masker.text(str(entry.get("content", ""))))
        elif command in {"notice", "warning", "error"}:
            job.annotations.append(self._annotation(str(command), entry))
            self._say(job, f"{command}: {entry.get('arg', '')}")
        elif command == "set-output":
            self._output(job, entry)
        elif entry.get("raw_output") or (entry.get("level") == "error" and not command):
            self._say(job, message.rstrip("\r\n"))  # act gives steps a terminal, hence the \\r

    def _say(self, job: LoggedJob, text: str) -> None:
        masked = self._masker.text(text)
        job.tail.append(masked)
        if self._folder is not None and job.kept_bytes <= KEPT_BYTES:
            line = f"{masked}\n".encode()
            job.kept_bytes += len(line)
            if job.kept_bytes > KEPT_BYTES:
                line = f"The rest is left out: a log is kept up to {KEPT_BYTES} bytes.\n".encode()
            self._folder.mkdir(parents=True, exist_ok=True)
            number = list(self.jobs).index(job.instance) + 1
            with (self._folder / f"{number}-{_NOT_IN_A_NAME.sub('-', job.log_name)}.log").open("ab") as file:
                file.write(line)

    def _step(self, job: LoggedJob, entry: dict[str, Any]) -> None:
        place = entry.get("stepID") or entry.get("stepid") or []
        if len(place) != 1 or place[0] in _OWN_STEPS or (entry.get("stage") != "Main" and entry.get("stepResult") != "failure"):
            return
        name = self._masker.text(str(entry.get("step", "")).split("\n", 1)[0])
        job.steps.append(LoggedStep(name, str(entry["stepResult"]), float(entry.get("executionTime", 0)) / 1e9))

    def _annotation(self, level: str, entry: dict[str, Any]) -> LoggedAnnotation:
        values = entry.get("kvPairs") or {}
        line = str(values.get("line", ""))
        return LoggedAnnotation(
            level=level,
            message=self._masker.text(str(entry.get("arg", ""))),
            title=self._masker.text(str(values.get("title", ""))),
            path=self._masker.text(str(values.get("file", ""))),
            line=int(line) if line.isdigit() else None,
        )

    def _output(self, job: LoggedJob, entry: dict[str, Any]) -> None:
        name, value = str(entry.get("name", "")), str(entry.get("arg", ""))
        if self._masker.holds(value) and name not in job.secret_outputs:
            job.secret_outputs.append(name)
        if len(entry.get("stepID") or []) == 1:
            job.outputs[name] = self._masker.text(value)


def _time(entry: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(entry.get("time", "")))
    except ValueError:
        return None
