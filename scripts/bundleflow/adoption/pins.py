"""The commit of the kit that a repository's files name: found, moved to another one, and its callers checked against what they call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bundleflow.adoption.files import VERSION_COMMENT, WORKFLOWS
from bundleflow.records.flow import FLOW_FILE
from bundleflow.records.yaml_source import YamlError, parse_yaml
from bundleflow.templates_callers import KIT_REPOSITORY, KIT_ROOT

ANSWERS_FILE = ".bundleflow-answers.yml"
_KIT = re.escape(KIT_REPOSITORY)
_USES = re.compile(
    rf"(?P<head>uses:\s*[\"']?{_KIT}(?:/[\w./-]*)?@)(?P<ref>[^\s\"'#]+)(?P<quote>[\"']?)(?P<version>[ \t]+{VERSION_COMMENT})?"
)
_SCHEMA = re.compile(rf"(?P<head>raw\.githubusercontent\.com/{_KIT}/)(?P<ref>[0-9a-f]{{40}})(?=/)")
_ANSWER = re.compile(r"(?P<head>^_commit:\s*)(?P<ref>[0-9a-f]{40})\s*$", re.MULTILINE)
COMMIT = re.compile(r"[0-9a-f]{40}")
"""A full commit, the only pin that nobody can move."""
_RANK = {"none": 0, "read": 1, "write": 2}


def pinned_files(root: Path) -> list[Path]:
    """The files that can name a commit of the kit."""
    folder = root / WORKFLOWS
    found = sorted([*folder.glob("*.yml"), *folder.glob("*.yaml"), *root.glob(".github/actions/*/action.y*ml")])
    # Flow file, accepted warnings and gate files name their schema by the commit.
    own = sorted([*root.glob("*.yml"), *root.glob("gates/*.y*ml")])
    return [path for path in dict.fromkeys([root / FLOW_FILE, root / ANSWERS_FILE, *own, *found]) if path.is_file()]


def moved(text: str, sha: str, version: str) -> str:
    """A file's text with every full commit of the kit replaced; tags and branches are left as they are.

    Args:
        text: The file.
        sha: The kit's commit, 40 hexadecimal digits.
        version: The kit's version, for the comment beside a pin.
    """

    def uses(match: re.Match[str]) -> str:
        if not COMMIT.fullmatch(match["ref"]):
            return match[0]
        return f"{match['head']}{sha}{match['quote']} # v{version}" if match["version"] else f"{match['head']}{sha}{match['quote']}"

    text = _USES.sub(uses, text)
    for pattern in (_SCHEMA, _ANSWER):
        text = pattern.sub(lambda match: f"{match['head']}{sha}", text)
    return text


def refs(text: str) -> list[str]:
    """What a file pins the kit to: commits, tags, branches, each once."""
    found = [match["ref"] for pattern in (_USES, _SCHEMA, _ANSWER) for match in pattern.finditer(text)]
    return list(dict.fromkeys(found))


def objections(name: str, text: str, kit_root: Path = KIT_ROOT) -> Iterator[str]:
    """What a caller must be changed in for the kit's workflows as they are now: gone, renamed or deprecated inputs, permissions.

    Args:
        name: The caller's file, for the messages.
        text: Its text.
        kit_root: Folder of the kit's checkout.
    """
    try:
        jobs = _mapping(_mapping(parse_yaml(text).data).get("jobs"))
    except YamlError as error:
        yield f"{name}: {error.problem.cause}"
        return
    for key, job in jobs.items():
        found = re.fullmatch(rf"{_KIT}/(\.github/workflows/[\w.-]+\.ya?ml)@.+", str(_mapping(job).get("uses", "")))
        if found:
            yield from (f"{name}: job {key}: {text}" for text in _job(_mapping(job), found[1], kit_root))


def _job(job: Mapping[str, Any], workflow: str, kit_root: Path) -> Iterator[str]:
    file = kit_root / workflow
    if not file.is_file():
        yield f"the kit has no {workflow} any more; see the changelog for what takes its place"
        return
    called = _mapping(parse_yaml(file.read_text(encoding="utf-8")).data)
    call = _mapping(_mapping(called.get("on")).get("workflow_call"))
    inputs, given = _mapping(call.get("inputs")), _mapping(job.get("with"))
    for name in given:
        said = str(_mapping(inputs.get(name)).get("description", ""))
        if name not in inputs:
            yield f"input `{name}` is gone; take it out (inputs: {', '.join(inputs)})"
        elif said.startswith("Deprecated"):
            yield f"input `{name}`: {said}"
    for name, rule in inputs.items():
        if _mapping(rule).get("required") and name not in given:
            yield f"input `{name}` is needed now: {_mapping(rule).get('description', '')}"
    for name in _mapping(job.get("secrets")):
        if name not in _mapping(call.get("secrets")):
            yield f"secret `{name}` is gone; take it out"
    granted = _mapping(job.get("permissions"))
    for scope, level in sorted(_needed(called).items()):
        if _RANK[str(granted.get(scope, "none"))] < _RANK[level]:
            yield f"must grant `{scope}: {level}`; without it GitHub starts no job"


def _needed(called: Mapping[str, Any]) -> dict[str, str]:
    needed: dict[str, str] = {}
    for job in _mapping(called.get("jobs")).values():
        for scope, level in _mapping(_mapping(job).get("permissions")).items():
            if _RANK[str(level)] > _RANK[needed.get(scope, "none")]:
                needed[str(scope)] = str(level)
    return needed


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
