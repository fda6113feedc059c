"""A rehearsal and a job run as the reports get them, with hostile text where text is untrusted."""

from __future__ import annotations

from typing import Any

from bundleflow.records.run import Compute, RunRecord, TaskRecord
from rehearsal.rehearse.result import (
    Annotation,
    Check,
    Difference,
    JobRecord,
    JobRun,
    Rehearsal,
    Scenario,
    StandIn,
    Step,
    StepRecord,
    WorkflowRunRecord,
    WorkspaceCall,
)

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202egnp.exe"
SUMMARY = """### Plan of staging

> [!WARNING]
> Changed in the workspace, behind the bundle's back: 1 of the resources below.

**2 to create, 1 to change**

| resource | action |
| --- | --- |
| `jobs.model_training` | change |
| `schemas.main` | create |

<details><summary>output of <code>promote</code></summary>

```json
{"champion": 2, "previous_champion": 1}
```

</details>

[run 900](http://127.0.0.1:4711/#job/7/run/900) · [gone](http://127.0.0.1:4711/elsewhere) · [kept](https://example.com/)

```mermaid
flowchart LR
  a --> b
```
"""
NASTY = f"{SUMMARY}\n{HOSTILE}\n\n[x](javascript:alert(3)) <a href='javascript:alert(4)' onclick='x'>y</a>\n\n</details></section></main>"


def workflow_run(number: int, name: str, started: float, *, conclusion: Any = "success", jobs: Any = (), **more: Any) -> WorkflowRunRecord:
    ends = [job.started + job.duration_s for job in jobs]
    fields = {"event": "push", "ref": "main", "sha": f"{number:040x}", "actor": "developer", **more}
    path = f".github/workflows/{name}.yml"
    length = max(ends, default=started) - started
    return WorkflowRunRecord(number, name, path, conclusion=conclusion, started=started, duration_s=length, jobs=list(jobs), **fields)


def job(name: str, started: float, duration: float, conclusion: Any = "success", **more: Any) -> JobRecord:
    steps = [
        StepRecord("Check out the commit", "success", 0.1),
        StepRecord("Set up the kit", "success", 0.4),
        StepRecord("Deploy and run", conclusion, max(0.0, duration - 0.5)),
    ]
    calls = [
        WorkspaceCall("GET", "/api/2.0/preview/scim/v2/Me", 200, 4.1, "iris-staging"),
        WorkspaceCall("POST", "/api/2.2/jobs/create", 200, 8.7, "iris-staging"),
        WorkspaceCall(
            "POST", "/api/2.0/workspace-files/import-file/Workspace%2FDeployments%2Firis%2Ffiles%2Fa.py", 200, 3.0, "iris-staging"
        ),
    ]
    fields = {"steps": steps, "workspace_calls": calls, "permissions": {"contents": "read", "id-token": "write"}, **more}
    return JobRecord(name, conclusion, started=started, duration_s=duration, **fields)


def rehearsal(*, ok: bool = True) -> Rehearsal:
    """A short story: a change reaches production, a failing test is stopped; with `ok=False` one step goes wrong."""
    checks = [
        Check("exactly one comment on the pull request", ok=True, found="1 comment"),
        Check("its deployment is gone", ok, "destroyed" if ok else "still there"),
    ]
    runs = [
        workflow_run(1, "cd-dev", 0.6, jobs=[job("deploy", 0.6, 4.2, environment="dev", log_tail="deployed\n" * 3)], ref="dev"),
        workflow_run(2, "lint", 5.6, jobs=[job("lint", 5.6, 1.9)], event="pull_request", ref="refs/pull/1/merge"),
        workflow_run(
            3,
            "bundle-ci",
            5.6,
            jobs=[job("bundle-ci", 5.6, 3.2, environment="test", summary_markdown=NASTY)],
            event="pull_request",
            ref=HOSTILE,
        ),
        workflow_run(
            4,
            "run-tests",
            5.7,
            jobs=[job("unit", 5.7, 3.9), job("integration", 5.7, 6.1, environment="test")],
            event="pull_request",
            ref="refs/pull/1/merge",
        ),
        workflow_run(
            5,
            "cd-staging",
            12.4,
            jobs=[job("deploy", 12.4, 7.1, environment="staging", summary_markdown=SUMMARY), job("propose", 19.6, 0.9)],
        ),
        workflow_run(
            6,
            "cd-prod",
            21.0,
            jobs=[
                job("plan", 21.0, 2.2, environment="production-plan"),
                job("deploy", 23.3, 7.4, environment="production", waited_s=1.2, approved_by="release-manager", summary_markdown=SUMMARY),
            ],
            ref="release",
            actor="reviewer",
        ),
        workflow_run(
            7,
            "run-tests",
            33.0,
            conclusion="failure",
            jobs=[
                job(
                    "unit",
                    33.0,
                    3.3,
                    "failure",
                    annotations=[Annotation("error", "assert 3.5 == 4.5", "test_derived_features", "tests/unit/test_features.py", 19)],
                    log_tail="E   assert 3.5 == 4.5\n1 failed, 23 passed\n",
                ),
                job("integration", 33.0, 0.0, "skipped", steps=[], workspace_calls=[]),
            ],
            event="pull_request",
            ref="refs/pull/2/merge",
        ),
    ]
    story = [
        Step("Push to dev", "The development target is deployed.", "done", ok=True, started=0.5, duration_s=4.4, workflow_runs=[1]),
        Step(
            "Pull request to main",
            "Linted, planned, unit-tested, run on a deployment of its own.",
            "done" if ok else "its deployment is still there",
            ok,
            started=5.5,
            duration_s=6.6,
            workflow_runs=[2, 3, 4],
            checks=checks,
        ),
        Step("Merge to main", "Staging is deployed and run; a release is proposed.", "done", ok=True, duration_s=8.5, workflow_runs=[5]),
        Step(
            "Merge to release",
            "Evidence checked, plan shown, approved, deployed as approved.",
            "done",
            ok=True,
            duration_s=10.0,
            workflow_runs=[6],
            notes=["Production's champion (version 1) says: flower 0 setosa (1.00), flower 50 versicolor (0.97)"],
        ),
    ]
    stop = Step(
        "Pull request with a failing test", "Stopped by the unit tests.", "stopped as expected", ok=True, stopped=True, duration_s=3.6
    )
    stop.workflow_runs = [7]
    tasks: list[dict[str, Any]] = [
        {"task_key": "prepare_features", "result": "SUCCESS", "started": 14.0, "duration_s": 1.1, "depends_on": [], "error": ""},
        {"task_key": "train", "result": "SUCCESS", "started": 15.2, "duration_s": 1.4, "depends_on": ["prepare_features"], "error": ""},
        {"task_key": "promote", "result": "SUCCESS", "started": 16.7, "duration_s": 0.6, "depends_on": ["train"], "error": ""},
        {"task_key": "tell", "result": "UPSTREAM_FAILED", "started": 0.0, "duration_s": 0.0, "depends_on": ["promote"], "error": ""},
    ]
    touched: dict[str, tuple[list[str], list[str]]] = {
        "prepare_features": ([], ["staging.iris.features", HOSTILE]),
        "train": (["staging.iris.features"], ["models:/staging.iris.classifier/2"]),
    }
    for task in tasks:
        task["reads"], task["writes"] = touched.get(str(task["task_key"]), ([], []))
    return Rehearsal(
        title="Iris, from a branch to production",
        project="iris",
        started="2026-11-21T09:00:00Z",
        ok=ok,
        duration_s=37.0,
        scenarios=[
            Scenario("promotion", "A change reaches production", ok, story, 0.5, 31.0),
            Scenario("failing-test", "A failing test is stopped", ok=True, steps=[stop], started=32.0, duration_s=4.0),
        ],
        workflow_runs=runs,
        job_runs=[JobRun(900, "iris model training (staging)", "run", "iris-staging", "SUCCESS", 14.0, 3.4, tasks)],
        differences=[
            Difference(".github/workflows/cd-prod.yml", "jobs.deploy.environment", "taken out", "act does not know environments"),
            Difference(".github/workflows/cd-prod.yml", "jobs.plan.steps.1.uses", "$/actions/setup → bundleflow/…", "act refuses `$/`"),
            Difference("actions/setup/action.yml", "runs.steps.0", HOSTILE, "example"),
        ],
        stand_ins=[StandIn("GitHub's runners", "act, without containers", "GitHub's own schemas"), StandIn("Databricks", "a server")],
        imitated=["That a gate waits for a reviewer.", "That a token cannot do more than its permissions."],
        timings={"workflows": 28.0, "Databricks jobs": 14.2, "start of the stand-ins": 2.1, "git": 0.4},
        measures={"first_promotion_s": 29.4, "workspace_requests": 1240.0},
        next_commands=["bundleflow new iris my-project", "bundleflow rehearse --scenario all"],
    )


def job_run() -> RunRecord:
    """A job run of which one task failed and its follower was not run."""
    tasks = (
        TaskRecord(
            "prepare", 11, "notebook", "TERMINATED", "SUCCESS", "", 1_000_000, 1_004_000, setup_ms=1500, compute=Compute("serverless")
        ),
        TaskRecord(
            "left", 12, "notebook", "TERMINATED", "SUCCESS", "", 1_004_000, 1_006_000, depends_on=("prepare",), output='{"rows": 150}'
        ),
        TaskRecord(
            HOSTILE,
            13,
            "python_wheel",
            "TERMINATED",
            "FAILED",
            "Task failed",
            1_004_000,
            1_009_000,
            attempt=1,
            depends_on=("prepare",),
            error=f"ValueError: {HOSTILE}",
            trace="Traceback (most recent call last):\n  ...",
            url="javascript:alert(1)",
        ),
        TaskRecord("publish", 14, "notebook", "TERMINATED", "UPSTREAM_FAILED", "", 0, 0, depends_on=("left", HOSTILE)),
    )
    return RunRecord(
        10, 7, "iris model training", "model_training", "https://example.com/run/10", "TERMINATED", "FAILED", "1 task failed", "ONE_TIME",
        "iris-staging", 1_000_000, 1_009_000, 0, (("catalog", "staging"),), tasks,
    )  # fmt: skip
