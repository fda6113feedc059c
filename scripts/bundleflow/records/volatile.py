"""The closed list of fields that differ by nature: no part of an approval, and nothing that a reader of a plan needs to see."""

from __future__ import annotations

from collections.abc import Mapping

from bundleflow.records.plan import FieldChange, PlanEntry

VOLATILE_PATHS: Mapping[str, frozenset[str]] = {
    "*": frozenset(
        {
            "created_at",
            "created_by",
            "created_time",
            "creation_time",
            "creation_timestamp",
            "creator_user_name",
            "etag",
            "last_modified_time",
            "last_updated_timestamp",
            "updated_at",
            "updated_by",
        }
    ),
    "jobs": frozenset({"deployment.metadata_file_path", "job_id", "settings_id"}),
    "pipelines": frozenset({"deployment.metadata_file_path", "pipeline_id"}),
}
"""Paths by resource type (`*`: all): who and when, ids, and the deployment's own bookkeeping.

A field that is not in the list is part of the digest.
"""


def is_volatile(entry: PlanEntry, path: str) -> bool:
    """Whether a path of a resource is on the closed list."""
    return path in VOLATILE_PATHS["*"] or path in VOLATILE_PATHS.get(entry.resource_type, frozenset())


def shown_changes(entry: PlanEntry) -> tuple[FieldChange, ...]:
    """The changes of a resource that people are shown."""
    return tuple(change for change in entry.effective_changes if not is_volatile(entry, change.path))
