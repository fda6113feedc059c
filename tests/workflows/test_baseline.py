"""Defects of today's pipelines, as small workflows: each must be found by the rules that are there for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import rules, rules_of_access  # noqa: F401 - fill the register
from .files import parse
from .registry import RULES

FOLDER = Path(__file__).parent / "baseline"
DEFECTS = [
    ("bootstrap", "writes to a wrong path", "run-is-one-command"),
    ("bootstrap", "pastes an input into the shell", "no-expression-in-run"),
    ("bootstrap", "uses a token with wide rights", "secrets-by-name"),
    ("bootstrap", "leaves a token in .git", "credentials-not-persisted"),
    ("bootstrap", "no permissions", "permissions-empty-at-the-top"),
    ("bootstrap", "no permissions of its job", "permissions-of-each-job-with-reasons"),
    ("bootstrap", "may hang for hours", "timeouts"),
    ("pull-request", "staging and production secrets for a whole pull-request workflow", "values-at-step-level-only"),
    ("pull-request", "production within a pull request's reach", "secrets-by-name"),
    ("pull-request", "a group shared with deployments, which it cancels", "groups-that-cannot-clash"),
    ("pull-request", "a comment for every push by a third-party action", "third-party-actions-few-and-pinned"),
    ("run-tests", "python-version without quotes", "versions-are-text"),
    ("run-tests", "a test deployment that is never destroyed", "integration-is-destroyed"),
    ("run-tests", "one target for all pull requests", "deploying-jobs-take-turns"),
    ("lint", "a linter piped from the internet", "run-is-one-command"),
    ("lint", "a required check that can hang", "required-checks-never-hang"),
    ("cd-prod", "no gate before production", "environment-of-each-login"),
    ("cd-prod", "no turns", "deploying-jobs-take-turns"),
    ("cd-prod", "a long-lived token instead of OIDC", "oidc-first"),
]


@pytest.mark.parametrize(("name", "defect", "rule"), DEFECTS, ids=[f"{row[0]}: {row[1]}" for row in DEFECTS])
def test_defect_is_found(name: str, defect: str, rule: str) -> None:
    path = FOLDER / f"{name}.yml"
    file = parse(f".github/workflows/{path.name}", path.read_text())
    assert list(RULES[rule](file)), defect


def test_each_baseline_file_is_used() -> None:
    assert {path.stem for path in FOLDER.glob("*.yml")} == {row[0] for row in DEFECTS}
