"""A check as an object, and how the checks are made: one after the other, with what each gave and why one could not be made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from bundleflow.doctor.finding import Finding, NotMadeError, NotNeededError, Severity, docs_url
from bundleflow.doctor.situation import Need, Situation
from bundleflow.records.errors import BundleflowError, ExitCode

PAGE = "doctor/README.md"
NOT_LET_IN = 401
"""GitHub's answer to a token that is not valid."""


class Area(StrEnum):
    """What a check looks at."""

    PROJECT = "project"
    GITHUB = "GitHub"
    IDENTITY = "identity"
    WORKSPACE = "workspace"


class Status(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    FOUND = "found"
    NOT_MADE = "not-made"
    NOT_NEEDED = "not-needed"


@dataclass(frozen=True)
class Check:
    """One check.

    Args:
        id: Its name, also that of its section in docs/doctor/README.md.
        title: What holds when it finds nothing.
        area: What it looks at.
        needs: What it cannot be made without.
        look: Gives the findings; raises `NotMadeError` or `NotNeededError`, or the error of what it asked.
    """

    id: str
    title: str
    area: Area
    needs: tuple[Need, ...]
    look: Callable[[Situation], Iterator[Finding]]

    @property
    def url(self) -> str:
        """Its section of the documentation."""
        return f"{docs_url(PAGE)}#{self.id}"


@dataclass(frozen=True)
class Result:
    """What a check gave.

    Args:
        check: The check.
        findings: What it found, notes included.
        not_made: Why it, or the rest of it, was not made; empty when it was.
        not_needed: Why there was nothing to look at; empty when there was.
    """

    check: Check
    findings: tuple[Finding, ...] = ()
    not_made: str = ""
    not_needed: str = ""

    @property
    def status(self) -> Status:
        """What became of it: what was found counts before what was not made."""
        if any(each.severity is not Severity.NOTE for each in self.findings):
            return Status.FOUND
        if self.not_made:
            return Status.NOT_MADE
        return Status.NOT_NEEDED if self.not_needed else Status.PASSED


def examine(checks: Iterable[Check], situation: Situation) -> Iterator[Result]:
    """Make checks; each result comes as soon as it is there.

    Args:
        checks: The checks, in the order in which they are made.
        situation: What there is to look at.
    """
    for check in checks:
        found: list[Finding] = []
        not_made = not_needed = ""
        try:
            for need in check.needs:
                situation.require(need)
            for each in check.look(situation):
                found += [each]  # one by one: what was found before a refusal stays
        except NotMadeError as missing:
            not_made = str(missing)
        except NotNeededError as nothing:
            not_needed = str(nothing)
        except BundleflowError as refusal:
            # Whoever was asked refused or could not be reached: then nobody knows, and nothing passes.
            not_made = f"{refusal.cause} {refusal.fix}".strip()
            if refusal.exit_code is ExitCode.TROUBLE or getattr(refusal, "status", 0) == NOT_LET_IN:
                situation.unreachable.update(dict.fromkeys({Need.GITHUB, Need.WORKSPACE}.intersection(check.needs), not_made))
        yield Result(check, tuple(found), not_made, not_needed)
