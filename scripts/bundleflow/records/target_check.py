"""What the pull request's check found for one target of the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bundleflow.records.accepted import Remark
from bundleflow.records.errors import BundleflowError
from bundleflow.records.plan import Plan
from bundleflow.records.policy import PolicyVerdict


@dataclass
class TargetCheck:
    """One target: its plan where there is one, and everything that is wrong with it.

    Args:
        target: Name of the target.
        stages: Stages of the flow file that deploy it.
        plan: The plan; None when the CLI could not make one.
        configuration: The bundle as `summary -o json` or `validate -o json` gives it; empty when it could not be had.
        verdict: What policy says of the plan.
        remarks: What the CLI warned of, and schedules that would run in a test deployment.
        errors: Why the check fails, most important first.
    """

    target: str
    stages: tuple[str, ...]
    plan: Plan | None = None
    configuration: Mapping[str, Any] = field(default_factory=dict)
    verdict: PolicyVerdict = field(default_factory=PolicyVerdict)
    remarks: tuple[Remark, ...] = ()
    errors: list[BundleflowError] = field(default_factory=list)

    @property
    def state(self) -> str:
        """What came of it, in a line."""
        return self.errors[0].cause if self.errors else str(self.plan and self.plan.summary)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong and nothing would change."""
        return self.plan is not None and self.plan.summary.empty and not self.errors and not self.verdict.findings
