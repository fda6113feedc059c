"""Judges the jobs that a run's log does not mention: rightly skipped, or missing (act leaves some out silently)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from rehearsal.actions.model import JobSpec, RenderedRun

_RUNS_ANYWAY = re.compile(r"\b(?:always|failure|cancelled)\s*\(")
MISSING = "missing"


@dataclass(frozen=True)
class Verdict:
    """How a job that never started ended, and why."""

    conclusion: str
    reason: str


def unstarted(
    rendered: RenderedRun, started: Mapping[str, str], skipped: Mapping[str, str], unsupported: list[str], *, cancelled: bool
) -> dict[str, Verdict]:
    """Judge every job of a run that the log does not mention.

    Args:
        rendered: The run.
        started: Path of each job that started → its conclusion (`failure` where one of several failed).
        skipped: Name in the copy of jobs and calling jobs → the condition that did not hold.
        unsupported: Names in the copy of jobs that act left out for their runner.
        cancelled: The run was stopped from outside.

    Returns:
        Path → verdict: `skipped`, `cancelled`, or `missing` (it should have run).
    """
    verdicts: dict[str, Verdict] = {}
    for spec in rendered.jobs:
        if spec.path not in started:
            known = {**started, **{path: verdict.conclusion for path, verdict in verdicts.items()}}
            verdicts[spec.path] = _judge(spec, known, skipped, unsupported, cancelled=cancelled)
    return verdicts


def _judge(spec: JobSpec, known: Mapping[str, str], skipped: Mapping[str, str], unsupported: list[str], *, cancelled: bool) -> Verdict:
    parts = spec.path.split("/")
    for depth in range(1, len(parts) + 1):
        condition = skipped.get("~".join(parts[:depth]))
        if condition is not None and condition != "success()":
            return Verdict("skipped", f"`if: {condition}` did not hold")
    if spec.log_name in unsupported:
        return Verdict(MISSING, f"no runner for {', '.join(spec.labels)}")
    if cancelled:
        return Verdict("cancelled", "the run was cancelled")
    unmet = [need for need in spec.needs if _result_of(need, known) != "success"]
    if unmet and not _RUNS_ANYWAY.search(spec.condition):
        return Verdict("skipped", f"needs {', '.join(unmet)}")
    if spec.has_matrix:
        return Verdict(MISSING, "its matrix is empty: GitHub fails such a run")
    return Verdict(MISSING, "act did not start it")


def _result_of(need: str, known: Mapping[str, str]) -> str:
    """Give the result of a needed job, or of a needed call: the worst of its jobs."""
    results = [result for path, result in known.items() if path == need or path.startswith(f"{need}/")]
    if not results:
        return MISSING
    bad = [result for result in results if result not in {"success", "skipped"}]
    if bad:
        return bad[0]
    return "success" if "success" in results else "skipped"
