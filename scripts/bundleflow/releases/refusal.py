"""The refusal of a deployment that nobody approved as it must be."""

from __future__ import annotations

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason


def refused(cause: str, fix: str, details: str = "") -> BundleflowError:
    """The error of a gate that does not open: `not-approved`."""
    return BundleflowError(cause, fix=fix, reason=FailureReason.NOT_APPROVED, exit_code=ExitCode.FAILED, details=details)
