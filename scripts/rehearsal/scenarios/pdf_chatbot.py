"""The story of template pdf-chatbot: one document in a pull request's own deployment, all of them in staging and production."""

from __future__ import annotations

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
    Recorded,
    ReleaseProposed,
    Says,
    Scene,
    SmokePassed,
    Stopped,
    Story,
    WorkflowEnds,
)
from rehearsal.scenarios.outcomes import Queried, RunEnds, TasksEnd

TEMPLATE, JOB, OWNER = "pdf-chatbot", "PDFChatbotJob", "platform-owner"
TASKS = ("01-PDF-Advance-Data-Preprocessing", "02-Advanced-Chatbot-Chain", "03-Offline-Evaluation", "04-Deploy-Model-As-Endpoint")
DOCUMENTS, PAGES, TICKETS_PAGES, JUDGING = 4, 36, 9, 24
"""PDFs of the template's samples, their pages, those of tickets.pdf, and the questions of each answerable kind that judge."""

SOURCE = '"sources": [{"document": "tickets.pdf", "page": 1,'
"""How the sources begin that the endpoint names for the job's first question, by the fact that it asks for."""

_LONGER_CHUNKS = Change(
    message="Embed longer parts of a page",
    edits=(Edit("resources/chatbot.job.yml", 'chunk_words: "40"', 'chunk_words: "60"'),),
    otherwise=(),
)

_TWO_WORDS = Change(
    message="Embed two words at a time",
    edits=(
        Edit(
            f"notebooks/{TASKS[0]}.py",
            'int(dbutils.widgets.get("chunk_words")), int(dbutils.widgets.get("chunk_overlap"))',
            "2, 1",
        ),
    ),
    otherwise=(),
)

_COUNTED = """
    SELECT (SELECT count(*) FROM {schema}.documents), (SELECT count(*) FROM {schema}.pages),
           (SELECT count(*) FROM {schema}.chunks c JOIN {schema}.embeddings e ON c.chunk_id = e.chunk_id)
           - (SELECT count(*) FROM {schema}.chunks)
"""
"""Documents, pages, and chunks without an embedding of their own (0, or the tables do not fit)."""

_MEASURED = """
    SELECT kind, metric, n, value >= 0.9 FROM {schema}.evaluations
    WHERE ranking = 'chatbot' AND (kind = 'lexical' AND metric = 'hit_at_3' OR kind = 'unanswerable' AND metric = 'abstained')
      AND model_version = (SELECT max(model_version) FROM {schema}.evaluations)
    ORDER BY kind
"""

_VERSIONS = "SELECT count(DISTINCT model_version) FROM {schema}.evaluations"
_TOUCHED = ("tables read and written", "/documents/safety.pdf", ".chunks", ".embeddings", ".questions", ".evaluations")
"""What the report of a run must name as read or written."""


def _answers(stage: str, workflow: str) -> tuple[Expectation, ...]:
    """What holds after the job ran in a stage: every task, the tables, the measures, and the endpoint's answer."""
    return (
        Deployed(stage),
        JobsRan(stage),
        TasksEnd(stage, JOB, tuple((task, "SUCCESS") for task in TASKS)),
        RunEnds(stage, JOB, "SUCCESS", says=_TOUCHED),
        Queried(stage, "documents, pages, chunks without embedding", _COUNTED, ((str(DOCUMENTS), str(PAGES), "0"),)),
        Queried(
            stage,
            "pages found and abstentions on the frozen questions",
            _MEASURED,
            (("lexical", "hit_at_3", str(JUDGING), "true"), ("unanswerable", "abstained", str(JUDGING // 2), "true")),
        ),
        Says(workflow, "deploy", SOURCE),
        SmokePassed(stage),
        Recorded(stage),
    )


PDF_CHATBOT = Story(
    name="pdf-chatbot",
    title="The PDF chatbot from dev to production, its endpoint names document and page; a version that ranks worse than TF-IDF is refused",
    template=TEMPLATE,
    scenes=(
        PUSH_TO_DEV,
        Scene(
            "Longer chunks, as a pull request",
            "all four tasks and the integration test run on one document, in a deployment of its own",
            OpenPull("feature/longer-chunks", "main", _LONGER_CHUNKS, "Embed longer parts of a page"),
            (
                WorkflowEnds("bundle-ci.yml"),
                WorkflowEnds("run-tests.yml"),
                OneComment(),
                OwnDeploymentGone("test"),
                Says("run-tests.yml", "integration", f'"checked": {{"documents": 1, "pages": {TICKETS_PAGES}'),
                NotDeployed("staging"),
            ),
            needs_stages=("test",),
            needs_job=JOB,
        ),
        Scene(
            "Merge to main",
            "in staging, all documents read, answers measured, the endpoint asked",
            MergePull("main"),
            (WorkflowEnds("cd-staging.yml"), *_answers("staging", "cd-staging.yml"), ReleaseProposed("release"), NotDeployed("prod")),
            needs_stages=("staging",),
            needs_job=JOB,
        ),
        Scene(
            "Merge to release, approved",
            "in production as approved, measured and asked there",
            MergePull("release", who="release-manager"),
            (WorkflowEnds("cd-prod.yml"), GateAsked("prod"), *_answers("prod", "cd-prod.yml")),
            gate=Gate("prod"),
            needs_stages=("staging", "prod"),
            needs_job=JOB,
        ),
        Scene(
            "Chunks of two words reach staging",
            "measured, found worse than TF-IDF, refused; champion and endpoint are left alone",
            Push("main", change=_TWO_WORDS, who=OWNER),
            (
                Stopped("cd-staging.yml", "deploy", "run-failed"),
                TasksEnd("staging", JOB, (*((task, "SUCCESS") for task in TASKS[:2]), (TASKS[2], "FAILED"), (TASKS[3], "UPSTREAM_FAILED"))),
                Queried("staging", "the measures of both versions are kept", _VERSIONS, (("2",),)),
            ),
            stopped=True,
            needs_stages=("staging",),
            needs_job=JOB,
        ),
    ),
)
