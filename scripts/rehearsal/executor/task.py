"""Runs one task inside a forked process and writes how it ended to `result.json`."""

from __future__ import annotations

import json
import linecache
import os
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rehearsal.executor import outgoing_mail, virtual_paths
from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import NotebookExit, TaskEnded, TaskRefused
from rehearsal.executor.own_packages import hide_own_package
from rehearsal.executor.paths import PathMap
from rehearsal.executor.protocol import TaskResult, TaskSpec
from rehearsal.executor.requirements import RequirementError

Report = Callable[[dict[str, Any]], None]
OWN_FOLDER = str(Path(__file__).parent)
FAILED = 3


def run_task(payload: dict[str, Any], report: Report) -> int:
    """Run a task and return the exit code: 0 when it could report how the task ended.

    Args:
        payload: A `TaskSpec` as JSON data.
        report: Sends a message to the fork server (used to start a notebook from a notebook).
    """
    began = time.monotonic()
    spec = TaskSpec.from_json(payload)
    paths = PathMap(Path(spec.data))
    environment = TaskEnvironment(spec, paths, report)
    result = TaskResult("success")
    signal.signal(signal.SIGTERM, _end)
    try:
        virtual_paths.install(paths, environment.files.opened)
        environment.models.install()
        if spec.mailbox:
            outgoing_mail.install(spec.mailbox, environment.say)
        hide_own_package()
        main = types.ModuleType("__main__")
        main.__file__ = spec.path or "task"
        sys.modules["__main__"] = main
        if spec.maven and spec.kind != "spark_jar":
            environment.say(f"Maven libraries have no effect here, Spark runs without a JVM: {', '.join(spec.maven)}")
        for requirement in spec.requirements:
            environment.requirements.add(requirement)
        environment.seconds["start"] = time.monotonic() - began
        value = _run_kind(environment, main)
        result = environment.result("success", value)
    except NotebookExit as leave:
        result = environment.result("success", leave.value)
    except (TaskRefused, RequirementError) as error:
        result = environment.result("failed", error=str(error), trace=f"{type(error).__name__}: {error}")
    except TaskEnded:
        result = environment.result("killed")
    except SystemExit as leave:
        result = _system_exit(environment, leave)
    except BaseException as error:
        result = environment.result("failed", error=one_line(error), trace=user_trace(error))
    if result.status == "failed":
        sys.stdout.flush()
        sys.stderr.write(result.trace + "\n" if spec.kind == "notebook" else "")
    _write(spec, _close(environment, result))
    return 0


def _end(*_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise TaskEnded


def _run_kind(environment: TaskEnvironment, main: types.ModuleType) -> str | None:
    kind = environment.spec.kind
    if kind == "notebook":
        from rehearsal.executor.run_notebook import run_notebook

        return run_notebook(environment, main)
    if kind == "spark_python":
        from rehearsal.executor.run_python import run_file

        run_file(environment, main)
    elif kind == "python_wheel":
        from rehearsal.executor.run_python import run_wheel

        run_wheel(environment)
    elif kind == "sql":
        from rehearsal.executor.run_sql import run_sql

        run_sql(environment)
    elif kind == "spark_jar":
        from rehearsal.executor.run_jar import run_jar

        run_jar(environment)
    else:
        raise TaskRefused(f"Tasks of kind {kind!r} cannot be run.")
    return None


def _system_exit(environment: TaskEnvironment, leave: SystemExit) -> TaskResult:
    if leave.code in (None, 0):
        return environment.result("success")
    return environment.result("failed", error=f"SystemExit: {leave.code}", trace=user_trace(leave))


def _close(environment: TaskEnvironment, result: TaskResult) -> TaskResult:
    """Bring what the task made in Spark into the workspace's catalog; what goes wrong there fails the task."""
    try:
        environment.close()
    except Exception as error:
        message = f"The tables of this task could not be recorded: {one_line(error)}"
        return environment.result("failed", error=message, trace=traceback.format_exc())
    data = {
        **result.to_json(),
        "notes": environment.notes,
        "reads": environment.reads(),
        "writes": environment.writes(),
        "changes": environment.changes,
    }
    return TaskResult.from_json({**data, "seconds": dict(environment.seconds)})


def _write(spec: TaskSpec, result: TaskResult) -> None:
    target = Path(spec.folder) / "result.json"
    temporary = target.with_name(f"result.{os.getpid()}.part")
    temporary.write_text(json.dumps(result.to_json()), "utf-8")
    temporary.replace(target)


def one_line(error: BaseException) -> str:
    """Return an exception as `ValueError: no data`."""
    return "".join(traceback.format_exception_only(error)).strip()


def user_trace(error: BaseException) -> str:
    """Return the traceback without the executor's own frames, as if the user's code had been started directly."""
    shown = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = shown
    while link is not None:
        frames = [frame for frame in link.stack if not frame.filename.startswith(OWN_FOLDER)]
        link.stack = traceback.StackSummary.from_list(frames)
        link = link.__cause__ or link.__context__
    return "".join(shown.format()).rstrip("\n")


def remember_source(filename: str, text: str) -> None:
    """Let tracebacks show the lines of a source that was compiled under a name which is no file on this machine."""
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
