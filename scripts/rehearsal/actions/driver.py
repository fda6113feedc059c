"""Plays the part of GitHub Actions: takes events, starts the workflows that they start, and keeps their runs in the imitated GitHub."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.actions import filters, yamltext
from rehearsal.actions.desk import Desk
from rehearsal.actions.gatekeeper import Gatekeeper
from rehearsal.actions.masking import Masker
from rehearsal.actions.runner import WorkflowRun
from rehearsal.github.model_actions import Event, RunRequest
from rehearsal.github.world import GitHub

WORKFLOWS = ".github/workflows"


@dataclass(frozen=True)
class Settings:
    """What the driver works with.

    Args:
        repository: `owner/name` of the rehearsed project.
        folder: Folder for checkouts, copies and caches.
        kit_root: This installation's checkout of the kit.
        kit_copy: The kit's rendered copy (see `kit.prepare`).
        kit_sha: The kit's commit.
        act: The program.
        environment: The environment of act and of every step, complete.
        run_limit_s: Seconds after which a workflow run is ended.
    """

    repository: str
    folder: Path
    kit_root: Path
    kit_copy: Path
    kit_sha: str
    act: Path
    environment: Mapping[str, str]
    run_limit_s: float = 900.0


@dataclass
class _Checkouts:
    """One folder per commit and branch, shared by the runs that need it (act copies it for each job)."""

    folder: Path
    repository: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, bare: Path, sha: str, ref: str) -> Path:
        branch = ref.removeprefix("refs/heads/") if ref.startswith("refs/heads/") else ""
        with self.lock:
            target = self.folder / f"{sha[:12]}-{abs(hash(ref)):x}"
            if not target.exists():
                git(["clone", "--quiet", "--shared", "--no-checkout", str(bare), str(target)])
                # act takes owner and name from the remote's address; nothing is fetched from it
                git(["-C", str(target), "remote", "set-url", "origin", f"https://github.com/{self.repository}.git"])
                git(["-C", str(target), "checkout", "--quiet", *(["-B", branch] if branch else ["--detach"]), sha])
            return target


def git(arguments: list[str]) -> str:
    """Run git without the user's settings; gives its output.

    Raises:
        subprocess.CalledProcessError: git failed; its error is in `stderr`.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    done = subprocess.run(["git", *arguments], env=environment, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


class Driver:
    """The driver of all workflow runs of one repository.

    Args:
        github: The imitated GitHub; the driver subscribes to its events at once.
        settings: What it works with.
        masker: Hides secrets from everything that is kept.
        tell: Gets one line for each thing that happens (from several threads).
    """

    def __init__(self, github: GitHub, settings: Settings, masker: Masker, tell: Callable[[str], None]) -> None:
        self.github = github
        self.settings = settings
        self.masker = masker
        self.tell = tell
        self.runs: dict[int, WorkflowRun] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._checkouts = _Checkouts(settings.folder / "checkouts", settings.repository)
        self.gatekeeper = Gatekeeper(github, masker, self._run, self.interrupt, tell)
        self.desk = Desk(self.gatekeeper.decide)
        self._closed = False
        self.asleep = False
        """While it is, events start nothing: for putting branches back between two stories."""
        github.subscribe(self._on_event)
        github.on_run_request(self._on_request)

    def _run(self, run_id: int) -> WorkflowRun:
        with self._lock:
            return self.runs[run_id]

    def _on_event(self, event: Event) -> None:
        if event.repository != self.settings.repository or not event.starts_workflows or self._closed or self.asleep:
            return
        for path, document in self._workflows(event).items():
            occasion = filters.Occasion(event.name, event.action, self._filter_ref(event), lambda: self._changed(event), _cron(event))
            if filters.starts(document, occasion) and self._is_meant(event, path):
                self._start(event, path, document)

    def _workflows(self, event: Event) -> dict[str, dict[str, object]]:
        if set(event.sha) == {"0"}:
            return {}  # a branch was deleted
        root = self.checkout(event.sha, event.ref) / WORKFLOWS
        files = sorted([*root.glob("*.yml"), *root.glob("*.yaml")])
        return {f"{WORKFLOWS}/{file.name}": yamltext.load_file(file) for file in files}

    def checkout(self, sha: str, ref: str) -> Path:
        """Give a folder with the project at a commit; nobody writes into it."""
        return self._checkouts.get(self.github.repository(self.settings.repository).path, sha, ref)

    @staticmethod
    def _filter_ref(event: Event) -> str:
        pull = event.payload.get("pull_request")
        return f"refs/heads/{pull['base']['ref']}" if event.name.startswith("pull_request") and pull else event.ref

    @staticmethod
    def _is_meant(event: Event, path: str) -> bool:
        """Say whether a `workflow_dispatch` names this file (other events name none)."""
        return event.name != "workflow_dispatch" or Path(str(event.payload.get("workflow", ""))).name == Path(path).name

    def _changed(self, event: Event) -> list[str]:
        bare = str(self.github.repository(self.settings.repository).path)
        pull = event.payload.get("pull_request")
        if pull:
            between = f"{pull['base']['sha']}...{pull['head']['sha']}"
        else:
            before = str(event.payload.get("before", ""))
            between = f"{before}..{event.sha}" if before and set(before) != {"0"} else ""
        arguments = ["diff", "--name-only", "-z", between] if between else ["ls-tree", "-r", "--name-only", "-z", event.sha]
        return [name for name in git(["-C", bare, *arguments]).split("\0") if name]

    def _start(self, event: Event, path: str, document: dict[str, object]) -> None:
        record = self.github.create_run(event, name=str(document.get("name") or path), path=path)
        run = WorkflowRun(self, record, event)
        with self._lock:
            self.runs[record.id] = run
        if event.waits_for_approval:
            self.tell(f"{record.name}: waits for a person's approval to run")
            return
        self._play(run)

    def _play(self, run: WorkflowRun) -> None:
        run.reset()
        thread = threading.Thread(target=run.play, name=_thread_name(run.record.id), daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _on_request(self, request: RunRequest) -> None:
        run = self._run(request.run_id)
        if request.kind == "approve":
            self._play(run)
        elif request.kind in {"cancel", "force-cancel"}:
            self.interrupt(request.run_id, f"cancelled by {request.actor}")
        else:
            self.github.rerun(request.run_id)
            self._play(run)

    def interrupt(self, run_id: int, reason: str) -> None:
        """Cancel a run."""
        self._run(run_id).cancel(reason)

    def wait_idle(self, timeout: float, waiting: Callable[[], set[int]] = set) -> bool:
        """Wait until no run is at work; gives False where one still is.

        Args:
            timeout: Seconds to wait at most.
            waiting: Gives the ids of runs that only wait for a person, and are not waited for.
        """
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            patient = {_thread_name(run) for run in waiting()}
            with self._lock:
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                busy = [thread for thread in self._threads if thread.name not in patient]
            if not busy:
                return True
            busy[0].join(0.1)
        return False

    def close(self) -> None:
        """End all runs and stop serving."""
        self._closed = True
        with self._lock:
            runs = list(self.runs.values())
        for run in runs:
            run.kill()
        self.wait_idle(10)
        self.desk.close()


def _thread_name(run_id: int) -> str:
    return f"run-{run_id}"


def _cron(event: Event) -> str:
    return str(event.payload.get("schedule", "")) if event.name == "schedule" else ""
