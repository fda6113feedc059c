"""The kinds of values that fields of request bodies take, so that a wrong one is refused by name and not found out by an accident."""

from __future__ import annotations

from typing import Any

from rehearsal.github.errors import GitHubError

_TEXTS = [
    "base",
    "base_tree",
    "body",
    "branch",
    "color",
    "comment",
    "commit_id",
    "commit_message",
    "commit_title",
    "completed_at",
    "conclusion",
    "content",
    "context",
    "default_workflow_permissions",
    "description",
    "details_url",
    "encoding",
    "environment",
    "environment_url",
    "event",
    "event_type",
    "expected_head_sha",
    "external_id",
    "head",
    "head_sha",
    "log_url",
    "merge_method",
    "message",
    "name",
    "object",
    "previous_tag_name",
    "ref",
    "sha",
    "started_at",
    "state",
    "state_reason",
    "status",
    "tag",
    "tag_name",
    "target_commitish",
    "target_url",
    "task",
    "title",
    "type",
    "value",
]
_FLAGS = [
    "auto_inactive",
    "auto_merge",
    "can_approve_pull_request_reviews",
    "draft",
    "enable_debug_logging",
    "force",
    "generate_release_notes",
    "maintainer_can_modify",
    "prerelease",
    "prevent_self_review",
    "private",
    "production_environment",
    "return_run_details",
    "transient_environment",
    "use_default",
    "use_immutable_subject",
]
_OBJECTS = ("author", "client_payload", "committer", "deployment_branch_policy", "inputs", "output", "tagger")
_LISTS: dict[str, tuple[type, ...]] = {
    "assignees": (str,),
    "environment_ids": (int,),
    "include_claim_keys": (str,),
    "labels": (str, dict),
    "parents": (str,),
    "required_contexts": (str,),
    "reviewers": (str, dict),
    "team_reviewers": (str,),
}

KINDS: dict[str, type] = {
    **dict.fromkeys(_TEXTS, str),
    **dict.fromkeys(_FLAGS, bool),
    **dict.fromkeys(_OBJECTS, dict),
    **dict.fromkeys(_LISTS, list),
    "wait_timer": int,
}
"""What kind of value a field takes (null is taken for "not given"); `tree` and `payload` differ by endpoint and are left to it."""

_WORDS = {str: "a string", bool: "a boolean", dict: "an object", list: "an array", int: "an integer"}


def check_types(body: dict[str, Any]) -> None:
    """Refuse values of a wrong kind.

    Raises:
        GitHubError: 422, with the name of the field, in GitHub's words.
    """
    for name, value in body.items():
        kind = KINDS.get(name)
        if kind is None or value is None:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise GitHubError(422, f"Invalid request.\n\nFor 'properties/{name}', {value!r:.100} is not {_WORDS[kind]}.")
        if isinstance(value, list) and not all(isinstance(each, _LISTS[name]) for each in value):
            raise GitHubError(422, f"Invalid request.\n\nFor 'properties/{name}', an item of {value!r:.100} is of the wrong kind.")
