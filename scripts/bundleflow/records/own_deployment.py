"""A pull request's own deployment as the kit's marker describes it: a small file in the deployment's root folder.

The marker is written before anything is deployed and goes with the folder. Whatever folder has none of this repository was not made
by this repository's pull requests, and is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

MARKER_FILE = "bundleflow-deployment.json"
MARKER_LIMIT = 16 * 1024
KIND = "bundleflow/own-deployment"
SUFFIX = re.compile(r"[-_][A-Za-z0-9_-]{1,60}")
"""What a suffix may be: part of names in Unity Catalog, of paths, and of environment variables."""


@dataclass(frozen=True)
class OwnDeployment:
    """One deployment of a stage with `per-pull-request: true`.

    Args:
        repository: `owner/name`; empty when it was made outside a workflow.
        repository_id: GitHub's number of it, which a new repository of the same name does not have; empty where it is not known.
        pull_request: The pull request; None when a run of another event made it.
        run_id: The workflow run; 0 outside a workflow.
        commit: Commit that was deployed.
        bundle_dir: Folder of the bundle, relative to the repository's root.
        target: Target of the bundle.
        suffix: Value of the variable `suffix`.
        root_path: Folder of the deployment.
        state_path: Folder of its state.
        created: When it was made, as ISO 8601 in UTC.
    """

    repository: str
    repository_id: str
    pull_request: int | None
    run_id: int
    commit: str
    bundle_dir: str
    target: str
    suffix: str
    root_path: str
    state_path: str
    created: str

    @property
    def marker_path(self) -> str:
        """Where the marker is."""
        return f"{self.root_path}/{MARKER_FILE}"

    def marker(self) -> bytes:
        """The marker's content."""
        return json.dumps({"kind": KIND, "version": 1, **asdict(self)}, indent=1).encode() + b"\n"

    def age_hours(self, now: datetime) -> float:
        """Hours since it was made."""
        return (now - datetime.fromisoformat(self.created)).total_seconds() / 3600


def read_marker(content: bytes) -> OwnDeployment | None:
    """Understand a marker.

    Args:
        content: The file.

    Returns:
        The deployment; None when the file is not a marker of the kit, word for word: a doubt is no permission to remove anything.
    """
    if len(content) > MARKER_LIMIT:
        return None
    try:
        data = json.loads(content)
        created = datetime.fromisoformat(data["created"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if data.get("kind") != KIND or data.get("version") != 1 or created.tzinfo is None:
        return None
    return _checked(data)


def _checked(data: Mapping[str, Any]) -> OwnDeployment | None:
    texts = ("repository", "repository_id", "commit", "bundle_dir", "target", "suffix", "root_path", "state_path", "created")
    pull, run = data.get("pull_request"), data.get("run_id")
    if any(not isinstance(data.get(name), str) for name in texts) or type(run) is not int or not (pull is None or type(pull) is int):
        return None
    if not SUFFIX.fullmatch(data["suffix"]) or not re.fullmatch(r"[0-9a-f]{40}|", data["commit"]):
        return None
    return OwnDeployment(pull_request=pull, run_id=run, **{name: data[name] for name in texts})


def now() -> datetime:
    """The present time, in UTC."""
    return datetime.now(UTC)
