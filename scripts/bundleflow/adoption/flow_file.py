"""Writes the proposed `bundleflow.yml`, with a comment that explains each guess."""

from __future__ import annotations

from collections.abc import Iterator

from bundleflow.adoption.proposal import Proposal, ProposedStage
from bundleflow.templates_callers import KIT_REPOSITORY, scalar

SCHEMA = "https://raw.githubusercontent.com/{repository}/{sha}/scripts/bundleflow/records/flow.schema.json"
WARNINGS_FILE = "accepted-warnings.yml"
WIDTH = 130
JOBS_SHOWN = 8


def flow_file(proposal: Proposal, sha: str) -> str:
    """The text of `bundleflow.yml`.

    Args:
        proposal: What is proposed.
        sha: The kit's commit, 40 hexadecimal digits; the file's schema is named by it.
    """
    return "\n".join(_lines(proposal, sha)) + "\n"


def _lines(proposal: Proposal, sha: str) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={SCHEMA.format(repository=KIT_REPOSITORY, sha=sha)}"
    yield "# How a change gets to production: each stage is a target of databricks.yml and a GitHub environment with its own identity."
    yield "# `bundleflow adopt` read it from the bundle. Each comment says why; change what it guessed wrong."
    yield "version: 1"
    if proposal.bundles != (".",):
        yield ""
        yield "bundles:"
        yield from (f"  - {scalar(folder)}" for folder in proposal.bundles)
    yield ""
    yield "stages:"
    for number, stage in enumerate(proposal.stages):
        if number:
            yield ""
        first = next((each for each in proposal.stages if each.runs), None)
        yield from _stage(stage, proposal, offer=stage is first)
    if proposal.warnings:
        yield ""
        yield f"warnings: {WARNINGS_FILE}"
    if proposal.survey.tests:
        yield ""
        yield "tests:"
        yield "  unit:"
        yield f"    path: {scalar(proposal.survey.tests.path)}"
        yield f"    requirements: {scalar(proposal.survey.tests.requirements)}"


def warnings_file(proposal: Proposal) -> str:
    """The text of the file of accepted warnings: what the CLI already says of the bundle as it is.

    Args:
        proposal: What is proposed; its `warnings` are not empty.
    """
    lines = [
        "# Warnings about the bundle that were there when bundleflow was adopted. A new one fails the pull request.",
        "version: 1",
        "warnings:",
    ]
    for target, text in proposal.warnings:
        lines += [f"  - target: {scalar(target)}", f"    text: {scalar(text)}", "    reason: The target was deployed there before."]
    return "\n".join(lines) + "\n"


def _stage(stage: ProposedStage, proposal: Proposal, *, offer: bool) -> Iterator[str]:
    yield from wrapped(stage.why, "  # ")
    yield f"  {stage.name}:"
    yield f"    target: {scalar(stage.target)}"
    if stage.plan_environment:
        yield f"    plan-environment: {stage.plan_environment}"
    yield f"    environment: {stage.environment}"
    if stage.per_pull_request:
        yield "    per-pull-request: true"
    if stage.requires:
        yield f"    requires: {stage.requires}"
    if stage.one_identity:
        yield "    approval:"
        yield f"      one-identity: {scalar(stage.one_identity)}"
    if stage.runs and proposal.run:
        yield f"    run: [{', '.join(scalar(job) for job in proposal.run)}]"
    elif offer and proposal.jobs:
        yield from _runnable(proposal.jobs)
    if stage.then_propose:
        yield f"    then-propose: {stage.then_propose}"


def _runnable(jobs: tuple[str, ...]) -> Iterator[str]:
    """The jobs that could be run, as a comment: running something by itself is for a person to decide."""
    shown = [scalar(job) for job in jobs[:JOBS_SHOWN] if job.isprintable() and "${{" not in job]
    if shown:
        more = f" ... ({len(jobs)} jobs)" if len(jobs) > len(shown) else ""
        yield f"    # run: [{', '.join(shown)}]{more}  # none runs by itself; name those that show that a deployment works, here and below"


def wrapped(text: str, lead: str, width: int = WIDTH) -> Iterator[str]:
    """A text as comment lines; what people named stays text, without line breaks and hidden characters."""
    line = lead
    for word in "".join(char if char.isprintable() else " " for char in text).split():
        if len(line) > len(lead) and len(line) + len(word) > width:
            yield line.rstrip()
            line = lead
        line += f"{word} "
    yield line.rstrip()
