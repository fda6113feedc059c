"""What the flow file asks of a stage beyond its gate: who may approve, and the smoke checks after the deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class ApprovalRule:
    """How a stage is approved.

    Args:
        independent: Whether who approves may neither have written nor merged what is released.
        weaker_gate: In words, why the rules of the branch take the place of required reviewers; empty: they do not.
        one_identity: In words, why the plan is made by the identity that deploys; empty: by one of its own.
    """

    independent: bool = False
    weaker_gate: str = ""
    one_identity: str = ""


@dataclass(frozen=True)
class Expectation:
    """What the answer of a check must be. With none given, an answer is enough.

    Args:
        equals: The text, or the number, that it must be.
        contains: Text that must stand in it.
        at_least: Smallest number.
        at_most: Largest number.
    """

    equals: str | float | None = None
    contains: str = ""
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class SmokeCheck:
    """One check after a deployment.

    Args:
        kind: `job` (a job's run succeeds), `endpoint` (a serving endpoint answers) or `sql` (a query on a warehouse answers).
        subject: Key of the job, name of the endpoint, or the statement.
        task: Task of the job whose output is looked at; empty: the last one that has any.
        request: Body sent to the endpoint.
        warehouse: Id of the SQL warehouse.
        expect: What the answer must be.
    """

    kind: Literal["job", "endpoint", "sql"]
    subject: str
    task: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    warehouse: str = ""
    expect: Expectation = field(default_factory=Expectation)

    def __str__(self) -> str:
        shown = self.subject if len(self.subject) <= 80 else self.subject[:79] + "…"
        return f"{self.kind} {shown}"


def approval_rule(data: Mapping[str, Any]) -> ApprovalRule:
    """Read the key `approval` of a stage, as the flow file's schema allows it."""
    return ApprovalRule(bool(data.get("independent", False)), str(data.get("weaker-gate", "")), str(data.get("one-identity", "")))


def smoke_check(data: Mapping[str, Any]) -> SmokeCheck:
    """Read one entry of the key `smoke` of a stage, as the flow file's schema allows it."""
    kind: Literal["job", "endpoint", "sql"] = "job" if "job" in data else "endpoint" if "endpoint" in data else "sql"
    expect = data.get("expect", {})
    return SmokeCheck(
        kind=kind,
        subject=data[kind],
        task=data.get("task", ""),
        request=data.get("request", {}),
        warehouse=data.get("warehouse", ""),
        expect=Expectation(expect.get("equals"), expect.get("contains", ""), expect.get("at-least"), expect.get("at-most")),
    )
