"""The default story: from a branch to production, a second change, and one that a unit test stops."""

from __future__ import annotations

from rehearsal.scenarios.champions import Judged, Promoted
from rehearsal.scenarios.changes import BROKEN_FEATURE, LARGER_FOREST, NEW_FEATURE, PLAIN
from rehearsal.scenarios.model import (
    Champion,
    Deployed,
    Expectation,
    Gate,
    GateAsked,
    JobEnds,
    JobsRan,
    MergePull,
    MergeRefused,
    NotDeployed,
    OneComment,
    OpenPull,
    Output,
    OwnDeploymentGone,
    Push,
    ReadOutput,
    Recorded,
    ReleaseProposed,
    Scene,
    SmokePassed,
    Story,
    TryToMerge,
    Updated,
    WorkflowEnds,
)

_CHECKED: tuple[Expectation, ...] = (
    WorkflowEnds("lint.yml"),
    WorkflowEnds("bundle-ci.yml"),
    WorkflowEnds("run-tests.yml"),
    OneComment(),
    OwnDeploymentGone("test"),
)
_IN_STAGING: tuple[Expectation, ...] = (
    WorkflowEnds("cd-staging.yml"),
    Deployed("staging"),
    JobsRan("staging"),
    Recorded("staging"),
    ReleaseProposed("release"),
    Judged("staging", "passed"),
)
_IN_PRODUCTION: tuple[Expectation, ...] = (
    WorkflowEnds("cd-prod.yml"),
    GateAsked("prod"),
    Deployed("prod"),
    JobsRan("prod"),
    Recorded("prod"),
    Judged("prod", "passed"),
    GateAsked("prod", models=True),
)
_MANAGER = "release-manager"
_PREDICTS = ("rows", "model_version", "first")
_ANSWERS = ("endpoint", "served_by", "answers")

PUSH_TO_DEV = Scene(
    "Push to dev",
    "deployed to the development target",
    Push("dev"),
    (WorkflowEnds("cd-dev.yml"), Deployed("dev")),
    needs_stages=("dev",),
)
"""How the story of every template that has a development stage begins."""

GREEN = Story(
    name="green",
    title="From a branch to production, twice, and a change that is stopped",
    scenes=(
        PUSH_TO_DEV,
        Scene(
            "A change, as a pull request to main",
            "checked, planned, tested on a deployment of its own",
            OpenPull("feature/sepal-area", "main", NEW_FEATURE, "Add the area of the sepal as a feature"),
            (*_CHECKED, NotDeployed("staging"), NotDeployed("prod")),
            promotion=True,
        ),
        Scene(
            "Merge to main",
            "deployed to staging, run, the challenger judged and promoted, release proposed",
            MergePull("main"),
            (*_IN_STAGING, Champion("staging"), Promoted("staging", where="none", first=True), NotDeployed("prod")),
            promotion=True,
            needs_stages=("staging",),
        ),
        Scene(
            "Merge to release, approved",
            "in production as approved, jobs run; the model judged, approved by a person of its own, champion",
            MergePull("release", who=_MANAGER),
            (*_IN_PRODUCTION, NotDeployed("prod", before_gate=True), Champion("prod"), Promoted("prod", by=_MANAGER, first=True)),
            gate=Gate("prod"),
            needs_stages=("staging", "prod"),
            promotion=True,
            promotion_ends=True,
        ),
        Scene(
            "Push to release, approved",
            "in production as approved; no stage comes before it",
            Push("release", "main", PLAIN, who=_MANAGER),
            (*_IN_PRODUCTION, NotDeployed("prod", before_gate=True)),
            gate=Gate("prod"),
            needs_stages=("prod",),
            without_stage="staging",
            production_from="release",
        ),
        Scene(
            "Merge to main, approved",
            "in production as approved; no stage comes before it",
            MergePull("main"),
            (*_IN_PRODUCTION, NotDeployed("prod", before_gate=True), Champion("prod"), Promoted("prod", by=_MANAGER, first=True)),
            gate=Gate("prod"),
            needs_stages=("prod",),
            without_stage="staging",
            production_from="main",
            promotion=True,
            promotion_ends=True,
        ),
        Scene(
            "Ask production's model",
            "predictions by the champion",
            ReadOutput("prod", "batch_inference"),
            (Output(_PREDICTS),),
            needs_stages=("prod",),
            needs_job="batch_inference",
        ),
        Scene(
            "Ask production's endpoint",
            "it answers, by the champion",
            ReadOutput("prod", "realtime_inference"),
            (Output(_ANSWERS),),
            needs_stages=("prod",),
            needs_job="realtime_inference",
        ),
        Scene(
            "A second change, as a pull request",
            "checked and tested again",
            OpenPull("feature/larger-forest", "main", LARGER_FOREST, "Train a larger forest"),
            _CHECKED,
        ),
        Scene(
            "Merge the second change to main",
            "staging updated in place, the challenger compared with the champion",
            MergePull("main"),
            (*_IN_STAGING, Updated("staging"), Champion("staging", newer=True), Promoted("staging", where="none")),
            needs_stages=("staging",),
        ),
        Scene(
            "Release the second change, approved",
            "production updated in place, a new champion",
            MergePull("release", who=_MANAGER),
            (
                *_IN_PRODUCTION,
                Updated("prod"),
                Champion("prod", newer=True),
                Promoted("prod", by=_MANAGER),
                SmokePassed("prod"),
            ),
            gate=Gate("prod"),
            needs_stages=("staging", "prod"),
        ),
        Scene(
            "Meanwhile, a change that breaks a unit test",
            "stopped before it is merged",
            OpenPull("feature/broken", "main", BROKEN_FEATURE, "Simplify the area of the petal"),
            (WorkflowEnds("run-tests.yml", "failure"), JobEnds("run-tests.yml", "unit", "failure"), OwnDeploymentGone("test")),
            stopped=True,
            needs_file="run-tests.yml",
            meanwhile=True,
        ),
        Scene(
            "Try to merge it all the same",
            "refused by GitHub",
            TryToMerge("main"),
            (MergeRefused("main"),),
            stopped=True,
            needs_file="run-tests.yml",
        ),
    ),
)
