"""What a check gives: findings, each with its fix; or why the check was not made."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bundleflow.templates_callers import KIT_REPOSITORY


class Severity(StrEnum):
    """How much a finding matters."""

    ERROR = "error"
    """Something fails, hangs or is open to everybody; the exit code is 1."""
    WARNING = "warning"
    """It works, and will hurt one day."""
    NOTE = "note"
    """Nothing is wrong; worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Args:
        severity: How much it matters.
        what: One sentence that names the file, key, environment, branch or object.
        why: What comes of it.
        fix: The exact command, key or click path; empty for a note that asks for nothing.
    """

    severity: Severity
    what: str
    why: str = ""
    fix: str = ""


def error(what: str, why: str, fix: str) -> Finding:
    """A finding that makes the exit code 1."""
    return Finding(Severity.ERROR, what, why, fix)


def warning(what: str, why: str, fix: str) -> Finding:
    """A finding that does not."""
    return Finding(Severity.WARNING, what, why, fix)


def note(what: str, why: str = "", fix: str = "") -> Finding:
    """Something worth knowing."""
    return Finding(Severity.NOTE, what, why, fix)


def docs_url(page: str) -> str:
    """Address of a page of the kit's documentation, which a project of its own has no copy of.

    Args:
        page: Path below `docs`, such as `oidc.md`.
    """
    return f"https://github.com/{KIT_REPOSITORY}/blob/main/docs/{page}"


class NotMadeError(Exception):
    """The check, or the rest of it, cannot be made: something that it needs is not to be had."""


class NotNeededError(Exception):
    """There is nothing here that the check is about."""
