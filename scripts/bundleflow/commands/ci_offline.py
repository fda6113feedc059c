"""The pull request's check without an identity: what can be said of the bundle without any workspace, in the summary only."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bundleflow.adapters.databricks_cli import cli_program
from bundleflow.adapters.outside_pull import Outside
from bundleflow.commands.context import JobContext, print_json, tell
from bundleflow.commands.left_out import tell_left_out
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.finding import Finding
from bundleflow.releases.bundle_yaml import bundle_schema, known_fields
from bundleflow.releases.offline import NO_SCHEMA, check_offline
from bundleflow.report.markdown import code, escape, table

LEFT_OUT = "The plans of all targets, policy, validation by the workspace and the comment"
SHOWN = 200


def check_without_identity(job: JobContext, outside: Outside, *, as_json: bool) -> int:
    """Check the bundle by its files, say what was left out, and judge by what was seen.

    Args:
        job: The stage.
        outside: Why there is no identity.
        as_json: Whether the findings are printed as JSON.

    Raises:
        BundleflowError: `validation-failed` with the first finding; all of them are annotated.
    """
    root = Path.cwd()
    schema = bundle_schema(cli_program(job.env))
    result = check_offline(root / job.folder, root, schema or known_fields(), job.flow, job.accepted)
    findings = sorted(set(result.findings))
    for each in findings:
        job.runner.annotate("error", each.message, title=f"bundle: {each.rule}", file=each.file, line=each.line, column=each.column)
        tell(f"{each.place}: {each.message}")
    for line in _expired(job):
        job.runner.annotate("warning", line, title="bundleflow: accepted warnings")
    job.runner.summary(_text(job, findings, result.files, "" if schema else NO_SCHEMA))
    tell_left_out(job.runner, outside, LEFT_OUT)
    if as_json:
        print_json({"left-out": outside, "findings": [{"place": each.place, "rule": each.rule, "text": each.message} for each in findings]})
    if findings:
        first = findings[0]
        more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
        raise BundleflowError(
            f"{first.place}: {first.message}{more}",
            fix="Correct each place that is annotated; `bundleflow lint` shows the same findings on your own machine.",
            reason=FailureReason.VALIDATION_FAILED,
        )
    return 0


def _expired(job: JobContext) -> list[str]:
    day = datetime.now(UTC).date()
    return [
        f"{job.accepted.path}:{each.line} expired on {each.expires}: take it out, or give it a later day."
        for each in job.accepted.entries
        if not each.holds(day)
    ]


def _text(job: JobContext, findings: list[Finding], files: int, note: str) -> str:
    head = f"## bundleflow: checked without a workspace{f', {code(job.bundle)}' if job.bundle != '.' else ''}"
    verdict = f"❌ Findings: {len(findings)}" if findings else "✅ No findings"
    seen = f"{verdict} in the flow file and {files} file{'s' if files != 1 else ''} of the bundle: YAML, fields, references, names."
    rows = [[code(each.place, SHOWN), escape(each.message, 500), code(each.rule)] for each in findings[:50]]
    lines = "\n".join(table(["where", "what", "rule"], rows)) if rows else ""
    return "\n\n".join(part for part in (head, seen, lines, note) if part)
