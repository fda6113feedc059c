"""Rendering a plan grows with its size and no faster: a thousand resources cost about ten times a hundred."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from bundleflow.records.plan import Action, FieldChange, Plan, PlanEntry
from bundleflow.releases.digest import canonical_plan, digest, hide_secrets
from bundleflow.releases.read_plan import read_plan
from bundleflow.report.markdown import COMMENT_LIMIT
from bundleflow.report.markdown_plan import PlanSection, plan_markdown
from bundleflow.report.terminal import plan_text

SUMMARY_LIMIT = 900_000
CHANGES = {f"tasks[task_key='t{i}'].timeout_seconds": {"action": "update", "old": i, "new": i + 1, "remote": i} for i in range(8)}


def raw(count: int) -> dict[str, object]:
    return {
        "plan_version": 2,
        "cli_version": "1.13.0",
        "plan": {f"resources.jobs.job_{n:05}": {"action": "update", "changes": CHANGES} for n in range(count)},
    }


def plan(count: int) -> Plan:
    changes = tuple(FieldChange(path, Action.UPDATE, old=1, new=2, remote=1) for path in CHANGES)
    return Plan(2, "1.13.0", tuple(PlanEntry(f"resources.jobs.job_{n:05}", Action.UPDATE, changes) for n in range(count)))


WORK: dict[str, Callable[[int], object]] = {
    "read": lambda count: read_plan(raw(count)),
    "comment": lambda count: plan_markdown(PlanSection("prod", plan(count)), hide=hide_secrets, limit=COMMENT_LIMIT),
    "summary": lambda count: plan_markdown(PlanSection("prod", plan(count)), hide=hide_secrets, limit=SUMMARY_LIMIT),
    "terminal": lambda count: plan_text(plan(count), "prod", hide=hide_secrets, colour=False),
    "digest": lambda count: digest(canonical_plan(plan(count), target="prod", tree="t")),
}


def seconds(work: Callable[[int], object], count: int) -> float:
    """The best of five: what else the machine does only ever adds."""
    times = []
    for _ in range(5):
        started = time.process_time()
        work(count)
        times.append(time.process_time() - started)
    return min(times)


@pytest.mark.parametrize("name", WORK)
def test_ten_times_the_resources_cost_about_ten_times(name: str, record_property: Callable[[str, object], None]) -> None:
    small, large = seconds(WORK[name], 200), seconds(WORK[name], 2000)
    record_property("seconds for 2,000 resources", round(large, 3))
    print(f"{name}: 200 resources {small * 1000:.1f} ms, 2,000 resources {large * 1000:.1f} ms")
    assert large < 30 * small
