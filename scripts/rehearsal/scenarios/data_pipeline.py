"""The stories of template data-pipeline: from dev to production with the report mailed, bad rows, and a machine without Java."""

from __future__ import annotations

from rehearsal.scenarios.changes import PLAIN
from rehearsal.scenarios.green import PUSH_TO_DEV
from rehearsal.scenarios.model import (
    Change,
    Deployed,
    Edit,
    Expectation,
    Gate,
    GateAsked,
    JobsRan,
    MergePull,
    NotDeployed,
    OneComment,
    OpenPull,
    OwnDeploymentGone,
    Push,
    ReleaseProposed,
    Says,
    Scene,
    Stopped,
    Story,
    WorkflowEnds,
)
from rehearsal.scenarios.outcomes import Mailed, Queried, RunEnds, TasksEnd

TEMPLATE, JOB, OWNER = "data-pipeline", "DataPipelineJob", "platform-owner"
ROWS, BAD = 2121, 6
"""Rows of the template's orders.csv, and how many of them are bad."""

ADDED = 60
"""Rows that the story `bad-rows` adds, all of them bad."""

_NOTEBOOKS = (
    "ingest_orders", "ingest_products", "aggregate_sales", "train_forecast", "evaluate_forecast", "write_report", "send_report",
)  # fmt: skip
_ALL_SUCCEED = tuple((task, "SUCCESS") for task in _NOTEBOOKS)
_SMALLER_LEAVES = Change(
    message="Let the forecast grow smaller leaves",
    edits=(Edit("notebooks/train_forecast.py", 'widgets.get("trees")))', 'widgets.get("trees")), min_leaf=6)'),),
    otherwise=(),
)
_SPOILED = Change(
    message="A feed that forgets the quantity",
    edits=(Edit("sample_data/orders.csv", "", "".join(f"O-{9100 + n},2026-08-30T10:00:00Z,C-001,P01,,8.90\n" for n in range(ADDED))),),
    otherwise=(),
)


_LOADED = """
    SELECT rows_in, rows_good, rows_quarantined, (SELECT count(*) FROM {schema}.orders_quarantine q WHERE q.load_id = l.load_id)
    FROM {schema}.orders_loads l ORDER BY checked_at DESC LIMIT 1
"""
"""What became of the rows of the newest orders.csv: rows in, good, said to be set aside, really set aside."""

_SUMMED = "SELECT count(*), (SELECT sum(orders) FROM {schema}.daily_sales) FROM {schema}.orders"


_TOUCHED = (
    "/Volumes/{stage}/data_pipeline/landing/orders.csv", "{stage}.data_pipeline.orders", "{stage}.data_pipeline.daily_sales",
    "/Volumes/{stage}/data_pipeline/reports/",
)  # fmt: skip
"""What the report of a run must name as read or written."""


def _counted(stage: str, good: int, bad: int) -> Queried:
    rows = ((str(good + bad), str(good), str(bad), str(bad)),)
    return Queried(stage, "no row is lost: rows in, good, set aside, in quarantine", _LOADED, rows)


def _ran_to_the_mailbox(stage: str) -> tuple[Expectation, ...]:
    """What holds after the pipeline ran in a stage: every task, the tables, the mail."""
    good = str(ROWS - BAD)
    return (
        Deployed(stage),
        JobsRan(stage),
        TasksEnd(stage, JOB, _ALL_SUCCEED),
        RunEnds(stage, JOB, "SUCCESS", says=("tables read and written", *(name.format(stage=stage) for name in _TOUCHED))),
        _counted(stage, ROWS - BAD, BAD),
        Queried(stage, "orders in the table, and in the sums of daily_sales", _SUMMED, ((good, good),)),
        Mailed(
            "sales@example.com",
            f"Sales report of {stage}",
            ".html",
            ("<h1>Sales of", "Made from sample data", f"O-900{BAD - 1}", "orders.csv", " €"),
        ),
    )


DATA_PIPELINE = Story(
    name="data-pipeline",
    title="The data pipeline from dev to production: files in, tables counted, the report in a mailbox",
    template=TEMPLATE,
    scenes=(
        PUSH_TO_DEV,
        Scene(
            "Smaller leaves, as a pull request",
            "the pipeline and its integration test run, in a deployment of their own",
            OpenPull("feature/smaller-leaves", "main", _SMALLER_LEAVES, "Let the forecast grow smaller leaves"),
            (
                WorkflowEnds("bundle-ci.yml"),
                WorkflowEnds("run-tests.yml"),
                OneComment(),
                OwnDeploymentGone("test"),
                Says("run-tests.yml", "integration", f'"orders": {{"in": {ROWS}, "good": {ROWS - BAD}, "set aside": {BAD}}}'),
                NotDeployed("staging"),
            ),
            needs_stages=("test",),
            needs_job=JOB,
        ),
        Scene(
            "Merge to main",
            "deployed to staging, the pipeline runs, its report is mailed",
            MergePull("main"),
            (WorkflowEnds("cd-staging.yml"), *_ran_to_the_mailbox("staging"), ReleaseProposed("release"), NotDeployed("prod")),
            needs_stages=("staging",),
            needs_job=JOB,
        ),
        Scene(
            "Merge to release, approved",
            "in production as approved, the report of production is mailed",
            MergePull("release", who="release-manager"),
            (WorkflowEnds("cd-prod.yml"), GateAsked("prod"), *_ran_to_the_mailbox("prod")),
            gate=Gate("prod"),
            needs_stages=("staging", "prod"),
            needs_job=JOB,
        ),
    ),
)

BAD_ROWS = Story(
    name="bad-rows",
    title="A file with too many bad rows stops the pipeline; each bad row is set aside, none is lost, somebody is told",
    template=TEMPLATE,
    scenes=(
        Scene(
            "A file with 60 orders without a quantity reaches staging",
            "set aside and counted; nothing is published or mailed, the alert is",
            Push("main", change=_SPOILED, who=OWNER),
            (
                Stopped("cd-staging.yml", "deploy", "run-failed"),
                TasksEnd(
                    "staging",
                    JOB,
                    (("ingest_orders", "FAILED"), ("ingest_products", "SUCCESS"), *((key, "UPSTREAM_FAILED") for key in _NOTEBOOKS[2:])),
                ),
                _counted("staging", ROWS - BAD, BAD + ADDED),
                Mailed("data-team@example.com", JOB),
            ),
            stopped=True,
            needs_stages=("staging",),
            needs_job=JOB,
        ),
    ),
)

NO_JVM = Story(
    name="no-jvm",
    title="On a machine without Java the JAR task is left out before the deployment, and said so; the rest stands",
    template=TEMPLATE,
    without_java=True,
    scenes=(
        Scene(
            "A change reaches main",
            "deployed to staging without the JAR task; the other seven run",
            Push("main", change=PLAIN, who=OWNER),
            (
                WorkflowEnds("cd-staging.yml"),
                *_ran_to_the_mailbox("staging"),
                TasksEnd("staging", JOB, _ALL_SUCCEED, without=("customer_value",)),
            ),
            needs_stages=("staging",),
            needs_job=JOB,
        ),
    ),
)

STORIES = (DATA_PIPELINE, BAD_ROWS, NO_JVM)
