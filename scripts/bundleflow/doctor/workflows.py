"""The workflows of a repository, read: what starts them, which of their jobs call the kit, and the names of the checks that they give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundleflow.adoption.files import WORKFLOWS
from bundleflow.records.yaml_source import YamlError, YamlProblem, parse_yaml
from bundleflow.templates_callers import KIT_REPOSITORY, KIT_ROOT

_KIT_WORKFLOW = re.compile(rf"{re.escape(KIT_REPOSITORY)}/(\.github/workflows/([\w.-]+)\.ya?ml)@(.+)")
_LOCAL = re.compile(r"\./(\.github/workflows/[\w.-]+\.ya?ml)")
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
DEPTH = 10
"""How deep GitHub lets workflows call each other."""


@dataclass(frozen=True)
class WorkflowFile:
    """One workflow.

    Args:
        path: Relative to the repository's root.
        events: Event → its filters.
        jobs: Key → job.
        env: Environment variables of all its jobs.
    """

    path: str
    events: Mapping[str, Mapping[str, Any]]
    jobs: Mapping[str, Mapping[str, Any]]
    env: Mapping[str, Any] = field(default_factory=dict)

    def push_branches(self) -> tuple[str, ...]:
        """Patterns of the branches whose push starts it; `*` and deeper where it names none."""
        return _branches(self.events["push"]) if "push" in self.events else ()

    def runs_for_pull_requests_to(self, branch: str) -> bool:
        """Whether a pull request to a branch starts it."""
        for event in ("pull_request", "pull_request_target", "merge_group"):
            if event in self.events and any(matches(pattern, branch) for pattern in _branches(self.events[event])):
                return True
        return False

    def path_filter(self) -> str:
        """`paths` or `paths-ignore` of its pull request trigger; empty: it has none."""
        filters = self.events.get("pull_request") or {}
        return next((name for name in ("paths", "paths-ignore") if name in filters), "")


@dataclass(frozen=True)
class KitCall:
    """A job that calls a workflow of the kit.

    Args:
        file: The workflow that it stands in.
        job: Its key.
        workflow: The kit's workflow without its ending, such as `cd-prod`.
        ref: What it is pinned to.
        inputs: What it is given; expressions stay as they are.
        secrets: Names of the secrets that it is given; `inherit` where it is given all of them.
    """

    file: WorkflowFile
    job: str
    workflow: str
    ref: str
    inputs: Mapping[str, str]
    secrets: tuple[str, ...]

    @property
    def shown(self) -> str:
        """How it is told of."""
        return f"{self.file.path}: job {self.job}"


def workflow_files(root: Path) -> tuple[tuple[WorkflowFile, ...], Mapping[str, YamlProblem]]:
    """Read the workflows of a repository.

    Args:
        root: Its root.

    Returns:
        The workflows, and file → problem of those that cannot be read.
    """
    found: list[WorkflowFile] = []
    broken: dict[str, YamlProblem] = {}
    for path in sorted([*(root / WORKFLOWS).glob("*.yml"), *(root / WORKFLOWS).glob("*.yaml")]):
        name = path.relative_to(root).as_posix()
        try:
            found.append(_workflow(name, parse_yaml(path.read_text(encoding="utf-8", errors="replace")).data))
        except YamlError as error:
            broken[name] = error.problem
    return tuple(found), broken


def _workflow(name: str, data: object) -> WorkflowFile:
    document = _mapping(data)
    given = document.get("on")
    if isinstance(given, str):
        events: dict[str, Mapping[str, Any]] = {given: {}}
    elif isinstance(given, list):
        events = {str(each): {} for each in given}
    else:
        events = {str(key): dict(_mapping(value)) for key, value in _mapping(given).items()}
    jobs = {str(key): _mapping(job) for key, job in _mapping(document.get("jobs")).items()}
    return WorkflowFile(name, events, jobs, _mapping(document.get("env")))


def kit_calls(files: Sequence[WorkflowFile]) -> Iterator[KitCall]:
    """The jobs that call a workflow of the kit."""
    for file in files:
        for key, job in file.jobs.items():
            found = _KIT_WORKFLOW.fullmatch(str(job.get("uses") or ""))
            if found:
                given = {str(name): str(value) for name, value in _mapping(job.get("with")).items()}
                secrets = job.get("secrets")
                names = ("inherit",) if secrets == "inherit" else tuple(map(str, _mapping(secrets)))
                yield KitCall(file, key, found[2], found[3], given, names)


def stage_of(call: KitCall) -> str:
    """The stage that a call works on: what it is given, else the default of the kit's workflow; empty: it works on none."""
    return given_or_default(call, "stage")


def given_or_default(call: KitCall, name: str) -> str:
    """An input of a call: what it is given, else the default of the kit's workflow; empty: it has none, or no such input.

    Args:
        call: The call.
        name: The input, such as `bundle-dir`.
    """
    if name in call.inputs:
        return call.inputs[name]
    file = KIT_ROOT / ".github" / "workflows" / f"{call.workflow}.yml"
    if not file.is_file():
        return ""
    data: Any = parse_yaml(file.read_text(encoding="utf-8")).data
    inputs: Mapping[str, Any] = data["on"]["workflow_call"].get("inputs") or {}
    return str((inputs.get(name) or {}).get("default") or "")


def steps_of(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps of a job; none of one that calls a workflow."""
    steps = job.get("steps")
    return [each for each in steps if isinstance(each, Mapping)] if isinstance(steps, list) else []


@dataclass(frozen=True)
class GivenCheck:
    """A check that a workflow gives.

    Args:
        name: Its name, `*` where only a run decides.
        only: When it comes, in words; empty: whenever the workflow runs.
    """

    name: str
    only: str = ""

    def is_named(self, name: str) -> bool:
        """Whether it can have a name."""
        return re.fullmatch(_regex(self.name, r".*"), name, re.DOTALL) is not None


def checks_of(file: WorkflowFile, root: Path) -> Iterator[GivenCheck]:
    """The checks that a workflow's jobs give.

    Args:
        file: The workflow.
        root: The repository's root, for the workflows that it calls there.
    """
    yield from _checks(file.jobs, root, DEPTH)


def _checks(jobs: Mapping[str, Mapping[str, Any]], root: Path, depth: int) -> Iterator[GivenCheck]:
    for key, job in jobs.items():
        own = _EXPRESSION.sub("*", str(job.get("name") or key))
        matrix = _mapping(job.get("strategy")).get("matrix")
        if matrix and "${{" not in str(job.get("name") or ""):
            own += " (*)"
        only = "for what its matrix holds, which is made at run time" if matrix and "${{" in str(matrix) else ""
        uses = str(job.get("uses") or "")
        if not uses:
            yield GivenCheck(own, only)
            continue
        if job.get("if") is not None and not only:
            # A skipped job of its own reports; of one that calls a workflow, the called jobs never come to be.
            only = "when the `if:` of the calling job holds"
        called = _called(uses, root)
        inner = list(_checks(called, root, depth - 1)) if called is not None and depth else [GivenCheck("*")]
        yield from (GivenCheck(f"{own} / {each.name}", only or each.only) for each in inner)


def _called(uses: str, root: Path) -> Mapping[str, Mapping[str, Any]] | None:
    """Jobs of a called workflow; None where its file is not at hand."""
    kit, local = _KIT_WORKFLOW.fullmatch(uses), _LOCAL.fullmatch(uses)
    file = KIT_ROOT / kit[1] if kit else root / local[1] if local else None
    if file is None or not file.is_file():
        return None
    try:
        return _workflow(file.name, parse_yaml(file.read_text(encoding="utf-8", errors="replace")).data).jobs
    except YamlError:
        return None


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern of GitHub's fits a whole name: `*` stops at a slash, `**` does not.

    Args:
        pattern: Of a branch filter or deployment branch policy.
        name: The branch.
    """
    return re.fullmatch(_regex(pattern, r"[^/]*"), name) is not None


def _regex(pattern: str, star: str) -> str:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    return "".join({"**": ".*", "*": star, "?": r"[^/]"}.get(part, re.escape(part)) for part in parts)


def _branches(filters: Mapping[str, Any]) -> tuple[str, ...]:
    given = filters.get("branches")
    if given is None:
        return ("**",)
    return (given,) if isinstance(given, str) else tuple(map(str, given)) if isinstance(given, list) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
