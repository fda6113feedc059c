"""Deals stories to stages, one stage for each project, and puts what was played on several into one result."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from rehearsal.rehearse.result import Rehearsal
from rehearsal.rehearse.stage import Wishes
from rehearsal.scenarios.model import Story

_COUNTS = ("workflow_runs", "jobs", "cli_calls", "workspace_requests")
"""Measures that add up; the others are of the first promotion."""


def deal(stories: Iterable[Story], wishes: Wishes, template: str | None) -> list[tuple[Wishes, list[Story]]]:
    """Deal stories to stages.

    Args:
        stories: What is to be played.
        wishes: What the user asked for; the template in it does not count.
        template: The template that the user named, or None.

    Returns:
        Each stage's wishes and its stories, in the order in which they were asked for. One stage where the user named a project: a folder,
        or a template. Else one for each template that the stories are told of.
    """
    dealt: dict[str, list[Story]] = {}
    for story in stories:
        dealt.setdefault("" if wishes.directory else template or story.template, []).append(story)
    kept: dict[str, Path | None] = {name: wishes.keep / name if wishes.keep and len(dealt) > 1 else wishes.keep for name in dealt}
    return [
        (replace(wishes, template=name or wishes.template, keep=kept[name], number=number), group)
        for number, (name, group) in enumerate(dealt.items())
    ]


def join(results: Sequence[tuple[float, Rehearsal]]) -> Rehearsal:
    """Put the results of several stages into one.

    Args:
        results: The moment (of `time.monotonic`) at which each stage was begun, and what was played on it; at least one.

    Returns:
        The first, to which the others have been added; all times count from the first stage's begin.
    """
    (first, joined), *others = results
    for begun, other in others:
        _shift(other, begun - first)
        joined.title += f", {other.title.removeprefix('Rehearsal of ')}"
        joined.project += f", {other.project}"
        joined.ok = joined.ok and other.ok
        joined.scenarios += other.scenarios
        joined.workflow_runs += other.workflow_runs
        joined.job_runs += other.job_runs
        joined.differences += [item for item in other.differences if item not in joined.differences]
        joined.stand_ins += [item for item in other.stand_ins if item not in joined.stand_ins]
        joined.outside_connections += other.outside_connections
        for label, seconds in other.timings.items():
            joined.timings[label] = joined.timings.get(label, 0.0) + seconds
        for name in _COUNTS:
            joined.measures[name] += other.measures[name]
        if not joined.promotion:
            joined.promotion = other.promotion
            joined.measures |= {name: value for name, value in other.measures.items() if name not in _COUNTS}
    return joined


def _shift(result: Rehearsal, seconds: float) -> None:
    for scenario in result.scenarios:
        scenario.started += seconds
        for step in scenario.steps:
            step.started += seconds
    for run in result.workflow_runs:
        run.started += seconds
        for job in run.jobs:
            job.started += seconds
    for job_run in result.job_runs:
        job_run.started += seconds
        for task in job_run.tasks:
            task["started"] += seconds
