"""The templates' callers against the workflows that they call: what GitHub would refuse before any job starts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from .files import KIT, SHA, YamlFile, all_files, parse

FILES = {file.name: file for file in all_files()}
CALLERS = [file for file in FILES.values() if file.is_template and not file.is_action and any("uses" in job for job in file.jobs.values())]
GRANTS = {"none": 0, "read": 1, "write": 2}


def objections(caller: YamlFile) -> Iterator[str]:
    """Why GitHub, or the kit's rules, would refuse the caller."""
    for name, job in caller.jobs.items():
        if "uses" not in job:
            continue
        path, _, ref = job["uses"].removeprefix(f"{KIT}/").partition("@")
        called = FILES.get(path)
        if called is None or called.call is None:
            yield f"job {name} calls {path}, which the kit does not offer"
            continue
        if ref != SHA:
            yield f"job {name} is not pinned to the kit's commit"
        yield from _interface(name, job, called.call)
        yield from _permissions(name, job.get("permissions", {}), called)
        if "concurrency" in job or "concurrency" in caller.data:
            yield f"job {name}: the kit's own groups hang on bundle and target; a caller's group can only get in their way"


def _interface(name: str, job: dict[str, Any], call: dict[str, Any]) -> Iterator[str]:
    for kind, given in (("inputs", job.get("with", {})), ("secrets", job.get("secrets", {}))):
        declared = call.get(kind) or {}
        yield from (f"job {name} gives {kind[:-1]} {each}, which the workflow does not have" for each in given if each not in declared)
        required = [each for each, what in declared.items() if what.get("required")]
        yield from (f"job {name} does not give {kind[:-1]} {each}" for each in required if each not in given)
    types = {"string": str, "boolean": bool, "number": (int, float)}
    for each, value in job.get("with", {}).items():
        kind = call["inputs"].get(each, {}).get("type", "string")
        if not isinstance(value, types[kind]) and not str(value).startswith("${{ inputs."):
            yield f"job {name} gives input {each} as {type(value).__name__}, not {kind}"


def _permissions(name: str, granted: dict[str, str], called: YamlFile) -> Iterator[str]:
    """A called job that asks for more than the caller grants makes the whole run invalid."""
    needed: dict[str, str] = {}
    for job in called.jobs.values():
        for scope, level in job["permissions"].items():
            if GRANTS[level] > GRANTS[needed.get(scope, "none")]:
                needed[scope] = level
    for scope in {*needed, *granted}:
        if granted.get(scope, "none") != needed.get(scope, "none"):
            yield f"job {name} grants {scope}: {granted.get(scope, 'none')}, the workflow needs {needed.get(scope, 'none')}"


@pytest.mark.parametrize("caller", CALLERS, ids=[file.name for file in CALLERS])
def test_caller_fits_what_it_calls(caller: YamlFile) -> None:
    assert list(objections(caller)) == []


@pytest.mark.parametrize("caller", CALLERS, ids=[file.name for file in CALLERS])
def test_caller_stays_small(caller: YamlFile) -> None:
    """About ten lines besides triggers, permissions and comments."""
    body = caller.text.partition("\njobs:")[2].splitlines()
    own = [line for line in body if line.strip() and ": read #" not in line and ": write #" not in line]
    assert len(own) <= 10


CALLER = f"""name: cd-prod
on: {{push: {{branches: [release]}}, workflow_dispatch: }}
permissions: {{}}
jobs:
  cd-prod:
    permissions:
      actions: read
      contents: read
      deployments: write
      id-token: write
      pull-requests: read
    uses: {KIT}/.github/workflows/cd-prod.yml@{SHA} # v0.1.0
    with:
      stage: prod
      plan-environment: production-plan
      environment: production
"""


def test_good_caller_has_no_objection() -> None:
    assert list(objections(parse("templates/x/.github/workflows/x.yml", CALLER))) == []


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("      environment: production\n", "", "does not give input environment"),
        ("      stage: prod\n", "      stages: prod\n", "stages"),
        ("      stage: prod\n", "      stage: 3\n", "as int"),
        ("      id-token: write\n", "", "id-token"),
        ("      contents: read\n", "      contents: write\n", "contents"),
        ("cd-prod.yml@", "cd-production.yml@", "does not offer"),
        (SHA, "main", "not pinned"),
        ("permissions: {}\n", "permissions: {}\nconcurrency: {group: cd, cancel-in-progress: true}\n", "group"),
        ("    with:\n", "    secrets: {prod-token: x}\n    with:\n", "secret"),
    ],
)
def test_bad_caller_is_refused(old: str, new: str, says: str) -> None:
    assert old in CALLER
    assert any(says in objection for objection in objections(parse("templates/x/.github/workflows/x.yml", CALLER.replace(old, new))))
