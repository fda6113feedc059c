"""The story of template stock: a series with a signal goes from training past the gate to champion, the control without any is refused."""

from __future__ import annotations

from rehearsal.scenarios.champions import ChampionStays, Judged, Promoted
from rehearsal.scenarios.changes import PLAIN
from rehearsal.scenarios.model import (
    Change,
    Deployed,
    Edit,
    Expectation,
    Gate,
    GateAsked,
    JobEnds,
    JobsRan,
    NotDeployed,
    Push,
    Recorded,
    Says,
    Scene,
    Story,
    WorkflowEnds,
)
from rehearsal.scenarios.outcomes import TasksEnd

TEMPLATE, JOB, REVIEWER = "stock", "stock_training", "release-manager"
TASKS = ("ingest", "preprocess", "train", "evaluate")
REFUSED = ("below-floor", "not-above-baseline", "not-above-baseline", "not-superior")
"""Why the control's model is refused: below the floor, no better than either naive answer, no better than the champion."""

_NO_SIGNAL = Change(
    message="Train on the control series, which has no signal",
    edits=(Edit("databricks.yml", "default: synthetic\n", "default: random-walk\n"),),
    otherwise=(),
)
_TRAINED: tuple[Expectation, ...] = (
    WorkflowEnds("cd-prod.yml"),
    GateAsked("prod"),
    Deployed("prod"),
    JobsRan("prod"),
    TasksEnd("prod", JOB, tuple((task, "SUCCESS") for task in TASKS)),
)

STOCK = Story(
    name="stock",
    title="Stock: trained, its verdict read, made champion behind a gate of its own; the control without a signal is refused",
    template=TEMPLATE,
    scenes=(
        Scene(
            "Push to release, approved",
            "deployed as approved, trained; the verdict is shown, approved, the version is champion",
            Push("release", "main", PLAIN, who=REVIEWER),
            (
                *_TRAINED,
                NotDeployed("prod", before_gate=True),
                Recorded("prod"),
                Judged("prod", "passed"),
                Says("cd-prod.yml", "deploy", "Verdict: ✅ Passed"),
                GateAsked("prod", models=True),
                Promoted("prod", by=REVIEWER, first=True),
            ),
            gate=Gate("prod", comment="plan and verdict read"),
            needs_stages=("prod",),
            needs_job=JOB,
        ),
        Scene(
            "The control series without a signal is pushed",
            "deployed and trained; the version is refused, nobody is asked, the champion stays",
            Push("release", "release", _NO_SIGNAL, who=REVIEWER),
            (
                *_TRAINED,
                Judged("prod", "refused", REFUSED),
                Says("cd-prod.yml", "deploy", "Verdict: ❌ Refused"),
                JobEnds("cd-prod.yml", "promote", "skipped"),
                ChampionStays("prod"),
            ),
            gate=Gate("prod"),
            needs_stages=("prod",),
            needs_job=JOB,
        ),
    ),
)
