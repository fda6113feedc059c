"""Dynamic value references: `{{job.id}}`, `{{tasks.train.values.accuracy}}` and the others, replaced when a task starts.

The names are those of https://docs.databricks.com/aws/en/jobs/dynamic-value-references.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

REFERENCE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
# Old names of single references, still accepted by Databricks.
OLD_NAMES = {
    "job_id": "job.id",
    "run_id": "task.run_id",
    "parent_run_id": "job.run_id",
    "task_key": "task.name",
    "start_date": "job.start_time.iso_date",
    "start_time": "job.start_time.timestamp_ms",
    "task_retry_count": "task.retry_count",
}
TIME_PARTS: dict[str, Callable[[datetime], str]] = {
    "iso_date": lambda t: t.strftime("%Y-%m-%d"),
    "iso_datetime": lambda t: t.strftime("%Y-%m-%dT%H:%M:%S"),
    "year": lambda t: str(t.year),
    "month": lambda t: str(t.month),
    "day": lambda t: str(t.day),
    "hour": lambda t: str(t.hour),
    "minute": lambda t: str(t.minute),
    "second": lambda t: str(t.second),
    "is_weekday": lambda t: "true" if t.isoweekday() <= 5 else "false",
    "iso_weekday": lambda t: str(t.isoweekday()),
    "timestamp_ms": lambda t: str(int(t.timestamp() * 1000)),
}


class UnknownReference(ValueError):  # noqa: N818 - says what it is
    """A reference that has no value here; the message names it."""


@dataclass(frozen=True)
class Values:
    """What references may refer to.

    Attributes:
        names: Values by full name (`job.id`, `task.name`, `workspace.url`, ...).
        parameters: Job parameters.
        tasks: Per upstream task key: `result_state`, `run_id`, `execution_count`, `error_code`, `values`, `output`.
        start_ms: Start of the run, in milliseconds since the epoch.
        trigger_ms: Time the run was asked for, in milliseconds since the epoch.
        input: Input of a for-each iteration; `...` outside of one.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    start_ms: int = 0
    trigger_ms: int = 0
    input: Any = ...

    def lookup(self, name: str) -> str:
        """Return the value of one reference, without its braces.

        Raises:
            UnknownReference: it is unknown, or has no value.
        """
        name = OLD_NAMES.get(name, name)
        if name in self.names:
            return self.names[name]
        parts = _split(name)
        if parts[:2] == ["job", "parameters"] and len(parts) == 3:
            return self._parameter(name, parts[2])
        if parts[:2] in (["job", "start_time"], ["job", "trigger"]) and parts[-1] in TIME_PARTS:
            moment = self.start_ms if parts[1] == "start_time" else self.trigger_ms
            return TIME_PARTS[parts[-1]](datetime.fromtimestamp(moment / 1000, UTC))
        if parts[0] == "input" and self.input is not ...:
            return text_of(_dig(self.input, parts[1:], name))
        if parts[0] == "tasks" and len(parts) >= 3:
            return self._task(name, parts)
        raise UnknownReference(f"The dynamic value reference {{{{{name}}}}} is not known, or has no value in this task.")

    def _parameter(self, name: str, key: str) -> str:
        if key not in self.parameters:
            raise UnknownReference(
                f"{{{{{name}}}}}: the job has no parameter {key!r}; its parameters are {', '.join(sorted(self.parameters)) or 'none'}."
            )
        return self.parameters[key]

    def _task(self, name: str, parts: list[str]) -> str:
        task = self.tasks.get(parts[1])
        if task is None:
            raise UnknownReference(f"{{{{{name}}}}}: task {parts[1]!r} is not upstream of this task.")
        if parts[2] == "values":
            values = task.get("values", {})
            if len(parts) < 4 or parts[3] not in values:
                raise UnknownReference(
                    f"{{{{{name}}}}}: task {parts[1]!r} set no value of this key; it set {', '.join(sorted(values)) or 'none'}."
                )
            return text_of(_dig(values[parts[3]], parts[4:], name))
        if parts[2] in task:
            return text_of(_dig(task[parts[2]], parts[3:], name))
        raise UnknownReference(f"The dynamic value reference {{{{{name}}}}} is not known.")


def _split(name: str) -> list[str]:
    """Return the parts of a dotted name; a part may be quoted: `tasks."my task".values.x`."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|([^.\[\]"]+)', name)]


def _dig(value: Any, path: list[str], name: str) -> Any:
    for part in path:
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            raise UnknownReference(f"{{{{{name}}}}}: there is no {part!r} in the value.")
    return value


def text_of(value: Any) -> str:
    """Return a value as references and parameters show it: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def resolve(value: Any, values: Values) -> Any:
    """Return `value` (text, list or mapping) with all references in its texts replaced; keys of mappings stay.

    Raises:
        UnknownReference: a reference is unknown, or has no value.
    """
    if isinstance(value, str):
        # Two rounds: a job parameter's value may itself be a reference ({{job.start_time.iso_date}} as a default).
        first = REFERENCE.sub(lambda match: values.lookup(match.group(1)), value)
        return REFERENCE.sub(lambda match: values.lookup(match.group(1)), first) if "{{" in first and "job.parameters" in value else first
    if isinstance(value, list):
        return [resolve(item, values) for item in value]
    if isinstance(value, Mapping):
        return {key: resolve(item, values) for key, item in value.items()}
    return value
