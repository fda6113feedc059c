"""Works out what the token of one job may: `permissions:` of workflow and job, and what a caller grants to a called workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYS = (
    "actions", "artifact-metadata", "attestations", "checks", "contents", "deployments", "discussions", "id-token", "issues", "models",
    "packages", "pages", "pull-requests", "repository-projects", "security-events", "statuses",
)  # fmt: skip
_RANK = {"none": 0, "read": 1, "write": 2}


def parse(value: Any) -> dict[str, str] | None:
    """Read a `permissions:` value.

    Args:
        value: A mapping, `read-all`, `write-all`, or None where the key is missing.

    Returns:
        Key → `read` or `write` (others have none); None where nothing is said.
    """
    if value is None:
        return None
    if value == "read-all":
        return dict.fromkeys((key for key in KEYS if key != "id-token"), "read")
    if value == "write-all":
        return dict.fromkeys(KEYS, "write")
    return {str(key): str(level) for key, level in dict(value).items() if str(level) != "none"}


def of_job(document: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, str] | None:
    """Give the permissions of a job: its own, else its workflow's, else None (the repository's default)."""
    own = parse(job["permissions"]) if "permissions" in job else None
    if "permissions" in job:
        return own if own is not None else {}
    if "permissions" in document:
        return parse(document["permissions"]) or {}
    return None


def exceeding(wanted: Mapping[str, str] | None, granted: Mapping[str, str] | None) -> list[str]:
    """List what a called workflow asks for beyond what its caller grants, such as `contents: write`; GitHub starts no such run."""
    if wanted is None or granted is None:
        return []
    return [f"{key}: {level}" for key, level in wanted.items() if _RANK.get(level, 0) > _RANK.get(granted.get(key, "none"), 0)]


def limited(wanted: Mapping[str, str] | None, granted: Mapping[str, str] | None) -> dict[str, str] | None:
    """Give what a job of a called workflow may: what it asks for; where it asks for nothing, what its caller grants."""
    if wanted is not None:
        return dict(wanted)
    return None if granted is None else dict(granted)
