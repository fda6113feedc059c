"""The kit's one kind of error, with a closed list of failure reasons and four exit codes."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What a command's exit code says."""

    OK = 0
    FAILED = 1
    """Refused or failed for a reason that lies in the project."""
    USAGE = 2
    """Wrong use or wrong configuration."""
    TROUBLE = 3
    """Trouble outside the project: network, port, disk, or something that could not be decided."""


class FailureReason(StrEnum):
    """Why a command failed: the closed list that workflows give out as `failure-reason`."""

    VALIDATION_FAILED = "validation-failed"
    POLICY_DENIED = "policy-denied"
    PLAN_CHANGED = "plan-changed"
    PLAN_DEPENDS_ON_IDENTITY = "plan-depends-on-identity"
    FLOW_INVALID = "flow-invalid"
    FLOW_MISMATCH = "flow-mismatch"
    NOT_ISOLATED = "not-isolated"
    SUPERSEDED = "superseded"
    HELD = "held"
    NOT_APPROVED = "not-approved"
    NO_EVIDENCE = "no-evidence"
    LOCKED = "locked"
    DEPLOY_FAILED = "deploy-failed"
    CLEANUP_FAILED = "cleanup-failed"
    RUN_FAILED = "run-failed"
    RUN_TIMEOUT = "run-timeout"
    RUN_CANCELED = "run-canceled"
    TESTS_FAILED = "tests-failed"
    LINT_FAILED = "lint-failed"
    DOCTOR_FAILED = "doctor-failed"
    SMOKE_FAILED = "smoke-failed"
    GATE_INVALID = "gate-invalid"
    NO_VERDICT = "no-verdict"
    VERDICT_REFUSED = "verdict-refused"
    VERDICT_UNDECIDED = "verdict-undecided"
    CHAMPION_CHANGED = "champion-changed"
    ENDPOINT_FAILED = "endpoint-failed"
    MODEL_MISSING = "model-missing"
    NEEDED_JOB_FAILED = "needed-job-failed"
    AUTH_FAILED = "auth-failed"
    CLI_UNVERIFIED = "cli-unverified"
    CLI_FAILED = "cli-failed"
    GITHUB_FAILED = "github-failed"
    WRONG_USE = "wrong-use"
    OUTSIDE_TROUBLE = "outside-trouble"


class BundleflowError(Exception):
    """Something a user can act on: what happened, where, and what to do.

    Args:
        cause: One sentence that says what is wrong, naming the key, input or file at fault.
        fix: What the reader can do about it.
        reason: The machine-readable reason, from the closed list.
        exit_code: The exit code that the command ends with.
        details: Longer text shown below, such as a tool's own output.
    """

    def __init__(
        self,
        cause: str,
        *,
        fix: str = "",
        reason: FailureReason = FailureReason.WRONG_USE,
        exit_code: ExitCode = ExitCode.FAILED,
        details: str = "",
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.fix = fix
        self.reason = reason
        self.exit_code = exit_code
        self.details = details


class LoginError(BundleflowError):
    """The workspace did not let this job in at all (not: it lacks a right). Who reports it can add what the job presented."""
