"""What a job of a workflow does, read from its YAML: which commands it runs, whether it deploys, logs in or only probes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .files import YamlFile

PROMOTE = "model promote"
DEPLOYING = ("deploy-stage", "test-integration", "cleanup", "deploy")
LOGIN = "DATABRICKS_HOST"


def jobs_with_steps(file: YamlFile) -> Iterator[tuple[str, dict[str, Any]]]:
    yield from ((name, job) for name, job in file.jobs.items() if "steps" in job)


def commands(job: dict[str, Any]) -> list[str]:
    """The kit's commands that a job runs, such as `deploy-stage` or `model promote`."""
    runs = [str(step.get("run", "")) for step in job.get("steps", [])]
    return [match[1] for run in runs for match in re.finditer(r"^(?:exec )?bundleflow ((?:model )?[\w-]+)", run, re.MULTILINE)]


def deploys(job: dict[str, Any]) -> bool:
    return any(command in DEPLOYING for command in commands(job)) or any(
        re.search(r"\bbundle (deploy|destroy)\b", str(step.get("run", ""))) for step in job.get("steps", [])
    )


def logs_in(job: dict[str, Any]) -> bool:
    return any(LOGIN in step.get("env", {}) for step in job.get("steps", []))


def probes(job: dict[str, Any]) -> bool:
    """Whether a job only asserts facts about GitHub itself: what it asks for is what is looked at, and it logs in nowhere."""
    runs = [str(step["run"]) for step in job.get("steps", []) if "run" in step]
    return bool(runs) and all(run.startswith("scripts/platform ") for run in runs)


def publishes(job: dict[str, Any]) -> bool:
    """Whether a job makes a release of this kit."""
    return any("scripts/release publish" in str(step.get("run", "")) for step in job.get("steps", []))


def scalars(value: Any) -> Iterator[Any]:
    """Every value below."""
    if isinstance(value, dict):
        for each in value.values():
            yield from scalars(each)
    elif isinstance(value, list):
        for each in value:
            yield from scalars(each)
    else:
        yield value
