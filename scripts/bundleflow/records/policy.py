"""Policy on plans: what may not be lost, what may be lost all the same, and the verdict on one plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

DEFAULT_PROTECTED = ("registered_models", "model_serving_endpoints", "experiments", "schemas", "volumes", "catalogs", "pipelines")

Outcome = Literal["denied", "allowed", "note"]
Rule = Literal["protect", "allow", "max-deletes", "active-runs"]


@dataclass(frozen=True)
class Allowance:
    """A protected resource that may be lost all the same.

    Args:
        resource: Type and key, such as `schemas.features`.
        action: `delete` or `recreate`.
        reason: Why, for those who review the flow file.
        expires: Last day (UTC) on which it holds.
    """

    resource: str
    action: str
    reason: str
    expires: date


@dataclass(frozen=True)
class Policy:
    """What a plan may not do.

    Args:
        protect: Resource types that are never deleted or re-created unasked.
        allow: Exceptions, resource by resource.
        max_deletes: How many resources one deployment may lose, without those of `allow`; None: no limit.
        fail_on_active_runs: Whether a running job may not even be changed.
    """

    protect: tuple[str, ...] = DEFAULT_PROTECTED
    allow: tuple[Allowance, ...] = ()
    max_deletes: int | None = None
    fail_on_active_runs: bool = False


@dataclass(frozen=True)
class ActiveJob:
    """A job that is running while its deployment is planned: its key under `resources: jobs:`, its id, its active runs."""

    key: str
    job_id: int
    run_ids: tuple[int, ...]


@dataclass(frozen=True)
class PolicyFinding:
    """One thing that policy says about a plan.

    Args:
        outcome: `denied` stops the deployment, `allowed` was let through by an entry, `note` changes nothing.
        rule: The rule that speaks.
        resource: What it is about, such as `schemas.features`; empty for the whole plan.
        action: What the plan would do to it.
        text: One sentence.
    """

    outcome: Outcome
    rule: Rule
    resource: str
    action: str
    text: str


@dataclass(frozen=True)
class PolicyVerdict:
    """What policy says about a plan; findings that deny come first."""

    findings: tuple[PolicyFinding, ...] = ()

    @property
    def denied(self) -> tuple[PolicyFinding, ...]:
        """What stops the deployment."""
        return tuple(each for each in self.findings if each.outcome == "denied")

    def data(self) -> dict[str, Any]:
        """The verdict as plain values."""
        return {"verdict": "denied" if self.denied else "passed", "findings": [asdict(each) for each in self.findings]}
