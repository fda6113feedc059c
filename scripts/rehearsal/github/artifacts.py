"""Artifacts of runs: zip files on disk."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

from rehearsal.github.errors import GitHubError, not_found
from rehearsal.github.model_actions import Artifact
from rehearsal.github.state import State

RETENTION_SECONDS = 90 * 86_400
_FORBIDDEN = re.compile(r'["<>|*?:\r\n\\/]')


def _new_path(state: State, run_id: int, name: str) -> tuple[int, Path]:
    """Give an id and a file for a new artifact; the name that users chose never becomes part of a path."""
    state.run(run_id)
    if not name or _FORBIDDEN.search(name):
        raise GitHubError(422, f'The artifact name {name!r} is not valid: it may not contain " < > | * ? : \\ / or line breaks.')
    if any(each.run_id == run_id and each.name == name for each in state.artifacts.values()):
        raise GitHubError(409, f"An artifact with the name {name} already exists on the workflow run.")
    artifact_id = state.new_id()
    return artifact_id, state.data / "artifacts" / f"{artifact_id}.zip"


def _keep(state: State, artifact_id: int, run_id: int, name: str, path: Path) -> Artifact:
    content = path.read_bytes()
    now = state.clock.now()
    made = Artifact(
        artifact_id,
        state.run(run_id).repository,
        run_id,
        name,
        path,
        len(content),
        "sha256:" + hashlib.sha256(content).hexdigest(),
        state.clock.stamp(now),
        state.clock.stamp(now + RETENTION_SECONDS),
    )
    state.artifacts[artifact_id] = made
    return made


def store(state: State, run_id: int, name: str, source: Path) -> Artifact:
    """Zip a folder's files, or one file (see `GitHub.store_artifact`)."""
    if not source.exists():
        raise GitHubError(422, f"There is nothing at {source} to keep as the artifact {name}.")
    artifact_id, path = _new_path(state, run_id, name)
    files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.is_file())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.name if source.is_file() else file.relative_to(source).as_posix())
    return _keep(state, artifact_id, run_id, name, path)


def store_zip(state: State, run_id: int, name: str, content: bytes) -> Artifact:
    """Keep a zip file that was uploaded."""
    artifact_id, path = _new_path(state, run_id, name)
    path.write_bytes(content)
    if not zipfile.is_zipfile(path):
        path.unlink()
        raise GitHubError(422, "The uploaded artifact is not a zip file.")
    return _keep(state, artifact_id, run_id, name, path)


def find(state: State, run_id: int, name: str) -> Artifact:
    """Give a run's artifact by name; raises 404."""
    for each in state.artifacts.values():
        if each.run_id == run_id and each.name == name:
            return each
    raise not_found()


def get(state: State, artifact_id: int) -> Artifact:
    """Give an artifact by id; raises 404; one past its retention is expired."""
    if artifact_id not in state.artifacts:
        raise not_found()
    found = state.artifacts[artifact_id]
    found.expired = found.expired or state.stamp() >= found.expires_at
    return found
