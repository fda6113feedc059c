"""Tells a failure everywhere it has to be told: terminal, annotation, output `failure-reason`, job summary."""

from __future__ import annotations

import os

from bundleflow.adapters.runner import Runner
from bundleflow.records.errors import BundleflowError, LoginError
from bundleflow.report.errors import error_markdown, report_error


def report_failure(error: BundleflowError) -> None:
    """Report an error that ends a command."""
    if isinstance(error, LoginError):
        from bundleflow.adapters.login_claims import explain_login

        error = explain_login(error, os.environ)
    runner = Runner.here()
    with runner.no_commands():
        report_error(error)
    title = f"bundleflow: {error.reason}"
    runner.annotate("error", f"{error.cause}\n{error.fix}".strip(), title=title)
    runner.output("failure-reason", str(error.reason))
    runner.summary(error_markdown(error))
