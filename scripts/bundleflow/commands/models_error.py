"""Errors of the package for the workspace as errors of the kit, with a reason from the closed list."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow_models.errors import ModelsError, Outcome

_REASONS = {
    Outcome.REFUSED: FailureReason.VERDICT_REFUSED,
    Outcome.MISUSED: FailureReason.WRONG_USE,
    Outcome.UNDECIDED: FailureReason.VERDICT_UNDECIDED,
}


@contextmanager
def models_errors() -> Iterator[None]:
    """Raise errors of `bundleflow_models` as the kit's own.

    A code that is a failure reason becomes that reason; any other follows from what the error says about the question, and is told in
    the details.
    """
    try:
        yield
    except ModelsError as error:
        known = error.code in set(FailureReason)
        raise BundleflowError(
            error.cause,
            fix=error.fix,
            reason=FailureReason(error.code) if known else _REASONS[error.outcome],
            exit_code=ExitCode(error.outcome.exit_code),
            details="" if known else error.code,
        ) from error
