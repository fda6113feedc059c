"""What GitHub answers, as far as the kit reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PullRequest:
    """An open pull request, as far as the kit reads it."""

    number: int
    url: str
    title: str
    body: str
    head_sha: str
    author: str


@dataclass(frozen=True)
class Comment:
    """A comment of an issue or pull request."""

    id: int
    body: str
    author: str
    author_is_bot: bool
    url: str


@dataclass(frozen=True)
class Comparison:
    """What a branch has that another has not: commits as (sha, first line of the message), oldest first."""

    ahead_by: int
    commits: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class WorkflowRun:
    """A workflow run; `workflows` are the called workflows as `owner/repo/path@ref`, `tree` is the head commit's root tree."""

    id: int
    url: str
    event: str
    branch: str
    sha: str
    tree: str
    attempt: int
    conclusion: str
    workflows: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """A job of a workflow run; one of a called workflow is named `caller / callee`."""

    name: str
    conclusion: str
    completed_at: str
    url: str


@dataclass(frozen=True)
class Gate:
    """The protection of an environment: who may approve (logins and team names) and whether branches are limited."""

    environment: str
    reviewers: tuple[str, ...]
    prevent_self_review: bool
    branches_limited: bool


@dataclass(frozen=True)
class Review:
    """One answer at a gate."""

    environments: tuple[str, ...]
    state: str
    user: str
    user_is_bot: bool
    comment: str


@dataclass(frozen=True)
class Deployment:
    """A deployment that GitHub knows of; `state` is that of its newest status."""

    id: int
    sha: str
    environment: str
    created_at: str
    state: str
    log_url: str
    payload: Mapping[str, Any]


@dataclass(frozen=True)
class Artifact:
    """An artifact of a workflow run; `created_at` is ISO 8601 as GitHub writes it."""

    name: str
    created_at: str
