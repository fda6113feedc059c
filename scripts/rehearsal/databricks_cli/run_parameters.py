"""Turns the parameters of `bundle run` into the request that starts a run."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks_cli.args import RUN_TASK_FLAGS, Invocation
from rehearsal.databricks_cli.diagnostics import CommandError

_PAIRS = frozenset(("notebook-params", "python-named-params", "sql-params"))
"""Flags whose values are `key=value`; the others are lists of words."""


def run_now_body(invocation: Invocation, job: dict[str, Any], job_id: int, words: list[str]) -> dict[str, Any]:
    """Return the body of `jobs/run-now`.

    Args:
        invocation: The command line.
        job: The job's configuration.
        job_id: Its id.
        words: What follows the key, or `--`, on the command line.

    Raises:
        CommandError: Parameters of tasks are given to a job that has parameters, or the other way round; or a pair has no `=`.
    """
    body: dict[str, Any] = {"job_id": job_id}
    task_values = {flag: invocation.texts(flag) for flag in RUN_TASK_FLAGS if flag in invocation.values}
    job_values = _pairs(invocation.texts("params"))
    has_parameters = bool(job.get("parameters"))
    if has_parameters and task_values:
        raise CommandError("the job to run defines job parameters; specifying task parameters is not allowed")
    if job_values and not has_parameters:
        raise CommandError("the job to run does not define job parameters; specifying job parameters is not allowed")
    if words:
        if has_parameters:
            job_values |= _named(words)
        else:
            task_values |= _words_for_tasks(job, words)
    if job_values:
        body["job_parameters"] = job_values
    for flag, values in task_values.items():
        body[RUN_TASK_FLAGS[flag]] = _pairs(values) if flag in _PAIRS else values
    if only := invocation.texts("only"):
        body["only"] = only
    return body


def _pairs(values: list[str]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals:
            raise CommandError(f'invalid argument "{value}": {value} must be formatted as key=value')
        pairs[name] = text
    return pairs


def _named(words: list[str]) -> dict[str, str]:
    """Read `--key value` and `--key=value`."""
    pairs: dict[str, str] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("--"):
            raise CommandError("received 1 unexpected positional arguments")
        name, equals, text = word[2:].partition("=")
        if not equals and not queue:
            raise CommandError(f"flag needs an argument: --{name}")
        pairs[name] = text if equals else queue.pop(0)
    return pairs


def _words_for_tasks(job: dict[str, Any], words: list[str]) -> dict[str, list[str]]:
    """Give words to the tasks of a job without parameters, when all its tasks are of one kind."""
    kinds = {name for task in job.get("tasks") or [] for name in task if name.endswith("_task")}
    if kinds == {"notebook_task"}:
        return {"notebook-params": [f"{name}={text}" for name, text in _named(words).items()]}
    if kinds <= {"spark_python_task", "python_wheel_task"} and kinds:
        return {"python-params": words}
    if kinds == {"spark_jar_task"}:
        return {"jar-params": words}
    raise CommandError(f"received {len(words)} unexpected positional arguments")
