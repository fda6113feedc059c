"""The things that a repository is made of, as data classes: people, repositories, pull requests, issues, environments."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
"""A JSON object."""

ROLES = ("none", "read", "triage", "write", "maintain", "admin")
"""Roles in a repository, from the least to the most."""


@dataclass
class User:
    """Somebody who acts: a person, an organisation or an app's bot (`type` User, Organization or Bot)."""

    id: int
    login: str
    type: str = "User"
    name: str = ""
    email: str = ""


@dataclass
class Environment:
    """An environment with its gate: who must agree, how long to wait, from which branches, and its variables and secrets."""

    id: int
    name: str
    created_at: str
    reviewers: list[str] = field(default_factory=list)
    """Logins; one of them is enough."""
    prevent_self_review: bool = False
    wait_timer: int = 0
    """Minutes."""
    branches: list[str] | None = None
    """Shell-like patterns of branches that may deploy; None = any branch."""
    tags: list[str] = field(default_factory=list)
    """Patterns of tags that may deploy (only with `branches`)."""
    protected_branches: bool = False
    """True: only branches that some rule protects (instead of `branches`)."""
    can_admins_bypass: bool = True
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    policy_ids: dict[str, int] = field(default_factory=dict)


@dataclass
class Rule:
    """One active rule for branches (`branches` are shell-like patterns), by GitHub's `type` and `parameters`."""

    type: str
    branches: list[str]
    parameters: Json = field(default_factory=dict)
    ruleset_id: int = 1


@dataclass
class OidcSettings:
    """The form of the OIDC subject: GitHub's `actions/oidc/customization/sub` of a repository."""

    use_default: bool = True
    include_claim_keys: list[str] = field(default_factory=list)
    use_immutable_subject: bool = False
    """True: `repo:owner@ID/name@ID:...` instead of `repo:owner/name:...`."""


@dataclass
class Label:
    """A label of a repository."""

    id: int
    name: str
    color: str = "ededed"
    description: str = ""


@dataclass
class Comment:
    """A comment of an issue or pull request."""

    id: int
    issue: int
    body: str
    user: str
    created_at: str
    updated_at: str
    app: str = ""
    """Slug of the app whose token wrote it."""


@dataclass
class Issue:
    """An issue, or the issue side of a pull request (same number)."""

    id: int
    number: int
    title: str
    body: str | None
    user: str
    created_at: str
    updated_at: str
    state: str = "open"
    state_reason: str | None = None
    closed_at: str | None = None
    closed_by: str | None = None
    labels: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    is_pull: bool = False


@dataclass
class Review:
    """A review of a pull request (`state` APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED)."""

    id: int
    user: str
    state: str
    body: str
    commit_id: str
    submitted_at: str


@dataclass
class PullRequest:
    """A pull request; title, body, labels and state are those of the issue with the same number."""

    id: int
    number: int
    head_repository: str
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    user: str
    created_at: str
    draft: bool = False
    maintainer_can_modify: bool = False
    merged_at: str | None = None
    merged_by: str | None = None
    merge_commit_sha: str | None = None
    """While open: the test merge; once merged: the commit on the base branch; None when it cannot be merged."""
    mergeable: bool | None = None
    reviews: list[Review] = field(default_factory=list)
    requested_reviewers: list[str] = field(default_factory=list)
    last_pusher: str = ""
    commits: list[str] = field(default_factory=list)
    """The commits it brings, oldest first; kept when it is merged."""


@dataclass
class Release:
    """A release; `published_at` is None while it is a draft."""

    id: int
    tag_name: str
    target_commitish: str
    name: str
    body: str
    author: str
    created_at: str
    draft: bool = False
    prerelease: bool = False
    published_at: str | None = None
    immutable: bool = False


@dataclass
class Repository:
    """A repository: settings and all that hangs on it; the commits are in the bare git repository at `path`."""

    id: int
    full_name: str
    path: Path
    created_at: str
    private: bool = True
    default_branch: str = "main"
    description: str = ""
    fork_of: str = ""
    roles: dict[str, str] = field(default_factory=dict)
    """Login to role (see `ROLES`); who is not named sees a public repository only."""
    can_approve_pull_request_reviews: bool = True
    """GitHub's setting "Allow GitHub Actions to create and approve pull requests"."""
    default_workflow_permissions: str = "read"
    allow_merge_commit: bool = True
    allow_squash_merge: bool = True
    allow_rebase_merge: bool = True
    oidc: OidcSettings = field(default_factory=OidcSettings)
    variables: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    labels: dict[str, Label] = field(default_factory=dict)
    issues: dict[int, Issue] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    pulls: dict[int, PullRequest] = field(default_factory=dict)
    releases: dict[int, Release] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    """References as last seen (`refs/heads/x` to SHA), to find what a push changed."""
    pushed_at: str = ""

    @property
    def owner(self) -> str:
        """The owner's login."""
        return self.full_name.split("/")[0]

    @property
    def name(self) -> str:
        """The name without its owner."""
        return self.full_name.split("/")[1]
