"""`dbutils.jobs.taskValues`: small values that tasks of a run hand on."""

from __future__ import annotations

import json
from typing import Any

from rehearsal.executor.environment import TaskEnvironment

LIMIT = 48 * 1024


class TaskValues:
    """Values set by this task, and those that earlier tasks set.

    Args:
        environment: The task.
    """

    def __init__(self, environment: TaskEnvironment) -> None:
        self._environment = environment

    def set(self, key: str, value: Any) -> None:
        """Set a value for the tasks that follow.

        Raises:
            ValueError: it is not JSON, or its JSON is longer than 48 KiB.
        """
        try:
            text = json.dumps(value)
        except TypeError as error:
            raise ValueError(f"The task value {key!r} cannot be written as JSON: {error}") from error
        if len(text.encode()) > LIMIT:
            raise ValueError(f"The task value {key!r} has {len(text.encode())} bytes as JSON; at most {LIMIT} are allowed.")
        self._environment.task_values[key] = json.loads(text)

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:  # noqa: N803, ARG002 - Databricks' names
        """Return a value that an earlier task set, or the default.

        Raises:
            ValueError: the task set no such value and there is no default.
        """
        values = self._environment.spec.task_values.get(taskKey, {})
        if key in values:
            return values[key]
        if default is not None:
            return default
        raise ValueError(f"Task {taskKey!r} set no value {key!r}; it set: {', '.join(sorted(values)) or 'none'}.")


class Jobs:
    """`dbutils.jobs`."""

    def __init__(self, environment: TaskEnvironment) -> None:
        self.taskValues = TaskValues(environment)
