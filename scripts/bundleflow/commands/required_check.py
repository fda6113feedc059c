"""`bundleflow required-check`: one check for all jobs of a workflow, which a branch rule can require by a fixed name.

Needs nothing but the standard library, so that the job that runs it has nothing to install and cannot be late.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from typing import Any

from bundleflow.adapters.runner import Runner
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.report.markdown import code, visible

PASSED = ("success", "skipped")
"""Results of a job that count as passed: `skipped` is what a job comes to that had nothing to do.

Source: "Contexts", `needs.<job_id>.result`, in GitHub's reference of workflow contexts: success, failure, cancelled or skipped."""

EXAMPLES = """example:
  BUNDLEFLOW_NEEDS='{"lint": {"result": "success"}, "plan": {"result": "skipped"}}' bundleflow required-check"""


@dataclass(frozen=True)
class NeededJob:
    """A job that the check waits for.

    Args:
        name: Its key in the workflow.
        result: `success`, `failure`, `cancelled` or `skipped`.
    """

    name: str
    result: str

    @property
    def passed(self) -> bool:
        """Whether it lets the check pass."""
        return self.result in PASSED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Pass when every needed job succeeded or was skipped."""
    jobs = read_needs(os.environ.get("BUNDLEFLOW_NEEDS", ""))
    stopped = [job for job in jobs if not job.passed]
    runner = Runner.here()
    rows = "\n".join(f"| {'✅' if job.passed else '❌'} | {code(job.name)} | {code(job.result)} |" for job in jobs)
    runner.summary(
        f"### {'❌ Not all jobs passed' if stopped else '✅ All jobs passed'}\n\n| | job | result |\n| --- | --- | --- |\n{rows}"
    )
    if args.json:
        print(json.dumps({"passed": not stopped, "jobs": {job.name: job.result for job in jobs}}, indent=1))
    else:
        for job in jobs:
            print(f"{'passed' if job.passed else 'FAILED':<7} {line_of(job.name)}: {line_of(job.result)}")
    if stopped:
        raise BundleflowError(
            f"Not passed: {', '.join(f'`{job.name}` ({job.result})' for job in stopped)}.",
            fix="Look at these jobs of the same run; this check only sums them up.",
            reason=FailureReason.NEEDED_JOB_FAILED,
        )
    return ExitCode.OK


def line_of(text: str) -> str:
    """Text on one line of a log, where it is no command to the runner."""
    return " ".join(visible(text).split())


def read_needs(text: str) -> list[NeededJob]:
    """The jobs from `${{ toJSON(needs) }}`.

    Raises:
        BundleflowError: Wrong use: not that JSON, or no job at all, which would be a check that cannot fail.
    """
    try:
        needs: Any = json.loads(text or "{}")
        jobs = [NeededJob(str(name), str(job["result"])) for name, job in needs.items()]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _misused("BUNDLEFLOW_NEEDS is not what `${{ toJSON(needs) }}` gives.") from error
    if not jobs:
        raise _misused("The check needs no job, so it would always pass.")
    return jobs


def _misused(cause: str) -> BundleflowError:
    return BundleflowError(
        cause,
        fix="Give the job `needs:` with every other job, `if: ${{ always() }}`, and the action `needs: ${{ toJSON(needs) }}`.",
        exit_code=ExitCode.USAGE,
    )
