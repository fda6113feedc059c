"""The workflow files of a repository at a commit: their names, triggers and inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rehearsal.github.errors import GitHubError, not_found
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import Repository
from rehearsal.github.state import State

FOLDER = ".github/workflows"


@dataclass(frozen=True)
class WorkflowFile:
    """A workflow file; `content` is its YAML as Python data, None where it cannot be read."""

    path: str
    name: str
    content: dict[Any, Any] | None


def read(found: Repository, commit: str) -> list[WorkflowFile]:
    """Give the workflow files of a commit, sorted by path."""
    store = GitStore(found.path)
    entries = [entry for entry in store.tree(commit, path=f"{FOLDER}/") if entry.type == "blob" and entry.path.endswith((".yml", ".yaml"))]
    return [_parse(entry.path, store.blob(entry.sha or "")) for entry in entries]


def _parse(path: str, text: bytes) -> WorkflowFile:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError:
        content = None
    if not isinstance(content, dict):
        return WorkflowFile(path, path, None)
    return WorkflowFile(path, str(content.get("name") or path), content)


def workflow_id(state: State, found: Repository, path: str) -> int:
    """Give the id of a workflow by its path."""
    key = f"{found.full_name}/{path}"
    if key not in state.workflow_ids:
        state.workflow_ids[key] = state.new_id()
    return state.workflow_ids[key]


def find(state: State, found: Repository, name_or_id: str) -> WorkflowFile:
    """Give a workflow of the default branch, or one that ran before, by file name or id; raises 404."""
    commit = GitStore(found.path).resolve(f"refs/heads/{found.default_branch}")
    files = {file.path: file for file in (read(found, commit) if commit else [])}
    for key in state.workflow_ids:
        owner_name, _, file = key.partition(f"/{FOLDER}/")
        if owner_name == found.full_name and file and f"{FOLDER}/{file}" not in files:
            files[f"{FOLDER}/{file}"] = WorkflowFile(f"{FOLDER}/{file}", file, None)
    for path, each in files.items():
        if name_or_id in (path.rsplit("/", 1)[-1], path, str(workflow_id(state, found, path))):
            return each
    raise not_found()


def triggers(file: WorkflowFile) -> dict[str, Any]:
    """Give a workflow's `on:` as event to filters (YAML reads the bare word `on` as true)."""
    content = file.content or {}
    on = content.get("on", content.get(True))
    if isinstance(on, str):
        return {on: None}
    if isinstance(on, list):
        return {str(name): None for name in on}
    return {str(name): filters for name, filters in on.items()} if isinstance(on, dict) else {}


def check_dispatch(found: Repository, path: str, ref: str, commit: str, inputs: dict[str, str]) -> None:
    """Refuse a dispatch that GitHub refuses: no such file there, no `workflow_dispatch`, wrong inputs.

    Raises:
        GitHubError: 404 or 422, with GitHub's text.
    """
    files = {file.path: file for file in read(found, commit)}
    if path not in files:
        raise GitHubError(422, f"Workflow does not exist or does not have a workflow_dispatch trigger in this tag or branch: {ref}")
    on = triggers(files[path])
    if "workflow_dispatch" not in on:
        raise GitHubError(422, "Workflow does not have 'workflow_dispatch' trigger")
    filters = on["workflow_dispatch"]
    known = (filters or {}).get("inputs") or {} if isinstance(filters, dict) else {}
    unexpected = sorted(set(inputs) - set(known))
    if unexpected:
        raise GitHubError(422, f"Unexpected inputs provided: {unexpected}")
    for name, spec in known.items():
        spec = spec or {}
        if spec.get("required") and "default" not in spec and name not in inputs:
            raise GitHubError(422, f"Required input '{name}' not provided")
        options = [str(option) for option in spec.get("options") or []]
        if name in inputs and spec.get("type") == "choice" and inputs[name] not in options:
            raise GitHubError(422, f"Provided value '{inputs[name]}' for input '{name}' not in the list of allowed values")
