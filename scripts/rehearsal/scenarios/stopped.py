"""The stories of what must not get through, each stopped at one place for one reason; and of what must not be lost."""

from __future__ import annotations

from rehearsal.scenarios.changes import (
    BROKEN_FEATURE,
    FAILING_SMOKE,
    HOME_FOLDER,
    LONGER_LIMIT,
    NEW_FEATURE,
    NO_MODEL,
    NO_SMOKE,
    PLAIN,
    time_limit,
)
from rehearsal.scenarios.model import (
    Change,
    Deployed,
    Dispatch,
    Gate,
    GateAsked,
    GateNotAsked,
    JobEnds,
    MergePull,
    MergeRefused,
    NoComment,
    OneAfterTheOther,
    OpenForkPull,
    OpenPull,
    Push,
    ReadOnly,
    Rejected,
    ReleaseProposed,
    Says,
    Scene,
    Stopped,
    Story,
    Superseded,
    TryToMerge,
    Untouched,
    UseIdentityOf,
    WaitsAtGate,
    WorkflowEnds,
)

_OWNER = "platform-owner"
_STAGING_GREEN = (WorkflowEnds("cd-staging.yml"), Deployed("staging"), ReleaseProposed("release"))
_PROD = ("staging", "prod")


def _to_staging(change: Change, title: str = "A change reaches main") -> Scene:
    """Give the scene that brings a change to staging, past the pull request: stories about production begin there."""
    push = Push("main", change=change, who=_OWNER)
    return Scene(title, "deployed to staging, release proposed", push, _STAGING_GREEN, needs_stages=("staging",))


SET_UP = Story(
    name="set-up",
    title="Staging and production as they are before the stories below begin",
    quick=True,
    scenes=(
        _to_staging(PLAIN, "Deploy to staging"),
        Scene(
            "Deploy to production",
            "approved and deployed",
            MergePull("release", who="release-manager"),
            (WorkflowEnds("cd-prod.yml"), GateAsked("prod"), Deployed("prod")),
            gate=Gate("prod"),
            needs_stages=("prod",),
        ),
    ),
)
"""Played once, before the first story that asks for deployed stages."""

FAILING_TEST = Story(
    name="failing-test",
    title="A change that breaks a unit test is not merged",
    quick=True,
    scenes=(
        Scene(
            "A pull request whose unit test fails",
            "run-tests is red, the rest is checked all the same",
            OpenPull("feature/failing-test", "main", BROKEN_FEATURE, "Simplify the area of the petal"),
            (Stopped("run-tests.yml", "unit", "tests-failed"), JobEnds("run-tests.yml", "integration", "success")),
            stopped=True,
        ),
        Scene("Try to merge it", "refused by GitHub", TryToMerge("main"), (MergeRefused("main"),), stopped=True),
    ),
)

FORK = Story(
    name="fork",
    title="A pull request from a fork is checked without any right and without any secret",
    quick=True,
    scenes=(
        Scene(
            "A pull request from a fork",
            "lint, unit tests and the bundle's files decide; what needs a login is left out, and said to be; nothing is written",
            OpenForkPull("feature/from-outside", "main", NEW_FEATURE, "Add the area of the sepal as a feature"),
            (
                WorkflowEnds("lint.yml"),
                WorkflowEnds("run-tests.yml"),
                WorkflowEnds("bundle-ci.yml"),
                Says("bundle-ci.yml", "bundle-ci", "left out"),
                Says("bundle-ci.yml", "bundle-ci", "needs a maintainer"),
                Says("run-tests.yml", "integration", "left out"),
                Says("run-tests.yml", "integration", "needs a maintainer"),
                ReadOnly(),
                NoComment(),
            ),
        ),
        Scene(
            "Its author tries to merge it",
            "refused by GitHub: green checks give nobody a right",
            TryToMerge("main", who="contributor", stays_open=True),
            (MergeRefused("main"),),
            stopped=True,
        ),
        Scene(
            "A maintainer merges it",
            "planned and deployed to staging, as any other change",
            MergePull("main"),
            _STAGING_GREEN,
            needs_stages=("staging",),
        ),
    ),
)

DESTRUCTIVE_PLAN = Story(
    name="destructive-plan",
    title="A change that would delete the registered model is denied by policy",
    deployed=_PROD,
    quick=True,
    scenes=(
        Scene(
            "A pull request that removes the model",
            "denied, because the plan deletes a protected resource",
            OpenPull("feature/no-model", "main", NO_MODEL, "Register the model by hand"),
            (Stopped("bundle-ci.yml", "bundle-ci", "policy-denied"), Untouched("staging"), Untouched("prod")),
            stopped=True,
        ),
        Scene("Try to merge it", "refused by GitHub", TryToMerge("main"), (MergeRefused("main"),), stopped=True),
    ),
)

NOT_APPROVED = Story(
    name="not-approved",
    title="A reviewer says no, and production stays as it is",
    deployed=_PROD,
    quick=True,
    scenes=(
        _to_staging(time_limit(40)),
        Scene(
            "Merge to release; the reviewer rejects",
            "planned, asked, not deployed",
            MergePull("release", who="release-manager"),
            (GateAsked("prod"), Rejected("cd-prod.yml", "deploy"), Stopped("cd-prod.yml", "refused", "not-approved"), Untouched("prod")),
            gate=Gate("prod", answer="rejected", comment="not before the holidays"),
            stopped=True,
        ),
    ),
)

NO_EVIDENCE = Story(
    name="no-evidence",
    title="A hotfix pushed straight to release never was in staging, so it is not planned",
    deployed=_PROD,
    quick=True,
    scenes=(
        Scene(
            "A hotfix is pushed to release",
            "stopped before any login: no green staging with the same content",
            Push("release", "release", time_limit(41), who=_OWNER),
            (Stopped("cd-prod.yml", "plan", "no-evidence"), GateNotAsked("prod"), Untouched("prod")),
            stopped=True,
        ),
    ),
)

DRIFT_AFTER_APPROVAL = Story(
    name="drift-after-approval",
    title="Production changes while the gate waits, so what was approved is not what would be applied",
    deployed=_PROD,
    quick=True,
    scenes=(
        _to_staging(LONGER_LIMIT),
        Scene(
            "Merge to release; somebody changes a job in production; approved",
            "the new plan differs from the approved one: nothing is deployed",
            MergePull("release", who="release-manager"),
            (GateAsked("prod"), Stopped("cd-prod.yml", "deploy", "plan-changed"), Untouched("prod")),
            gate=Gate("prod", drift="model_training"),
            stopped=True,
        ),
    ),
)

PLAN_DEPENDS_ON_IDENTITY = Story(
    name="plan-depends-on-identity",
    title="A target whose path holds the deployer's name cannot be approved by another's plan",
    deployed=_PROD,
    quick=True,
    scenes=(
        _to_staging(HOME_FOLDER),
        Scene(
            "Merge to release",
            "refused: planner and deployer could never agree",
            MergePull("release", who="release-manager"),
            (Stopped("cd-prod.yml", "plan", "plan-depends-on-identity"), GateNotAsked("prod"), Untouched("prod")),
            stopped=True,
        ),
    ),
)

WRONG_IDENTITY = Story(
    name="wrong-identity",
    title="An environment with another environment's client id does not get in",
    quick=True,
    scenes=(
        Scene(
            "Push to main with production's client id in environment staging",
            "the workspace trusts that identity in environment production only",
            UseIdentityOf("staging", "production", Push("main", change=PLAIN, who=_OWNER)),
            (Stopped("cd-staging.yml", "deploy", "auth-failed"), Untouched("staging")),
            needs_stages=("staging", "prod"),
            stopped=True,
        ),
    ),
)

TWO_DEPLOYS = Story(
    name="two-deploys-at-once",
    title="Two changes reach main within a second: one after the other, none lost",
    deployed=("staging",),
    quick=True,
    scenes=(
        _to_staging(time_limit(42), "The first change reaches main"),
        Scene(
            "The second, at the same time",
            "it waits for the first, then is deployed; one release is proposed",
            Push("main", change=LONGER_LIMIT, who=_OWNER),
            (*_STAGING_GREEN, OneAfterTheOther("cd-staging.yml", "deploy", 2)),
            needs_stages=("staging",),
            meanwhile=True,
        ),
    ),
)

SUPERSEDED_RELEASE = Story(
    name="superseded-release",
    title="A newer release takes the place of one that still waits for its reviewer",
    deployed=_PROD,
    quick=True,
    scenes=(
        _to_staging(time_limit(43), "A first change reaches main"),
        Scene(
            "It is released; nobody answers the gate",
            "planned, waiting for a reviewer",
            MergePull("release", who="release-manager"),
            (WaitsAtGate("cd-prod.yml", "prod"), Untouched("prod")),
            gate=Gate("prod", answer="left"),
        ),
        _to_staging(LONGER_LIMIT, "A second change reaches main"),
        Scene(
            "It is released too, and approved",
            "the older one is cancelled, the newer one deployed",
            MergePull("release", who="release-manager"),
            (Superseded("cd-prod.yml", "deploy"), GateAsked("prod"), WorkflowEnds("cd-prod.yml"), Deployed("prod")),
            gate=Gate("prod"),
        ),
    ),
)

SMOKE_FAILS = Story(
    name="smoke-fails",
    title="A deployment whose smoke check fails holds further releases until somebody says go",
    deployed=_PROD,
    quick=True,
    scenes=(
        _to_staging(FAILING_SMOKE),
        Scene(
            "Merge to release, approved; the endpoint does not answer",
            "deployed, found broken, the way back is told; nothing is done on its own",
            MergePull("release", who="release-manager"),
            (GateAsked("prod"), Stopped("cd-prod.yml", "deploy", "smoke-failed"), Says("cd-prod.yml", "deploy", "to go back to")),
            gate=Gate("prod"),
            stopped=True,
        ),
        _to_staging(NO_SMOKE, "A correction reaches main"),
        Scene(
            "Merge the correction to release",
            "held: nobody said go since the last one failed",
            MergePull("release", who="release-manager"),
            (Stopped("cd-prod.yml", "plan", "held"), GateNotAsked("prod"), Untouched("prod")),
            stopped=True,
        ),
        Scene(
            "The release manager says go",
            "planned, approved and deployed; the hold is over",
            Dispatch("cd-prod.yml", (("resume", "true"),), branch="release"),
            (GateAsked("prod"), WorkflowEnds("cd-prod.yml"), Deployed("prod")),
            gate=Gate("prod"),
        ),
    ),
)

STOPPED = (
    FAILING_TEST,
    FORK,
    NO_EVIDENCE,
    WRONG_IDENTITY,
    NOT_APPROVED,
    DRIFT_AFTER_APPROVAL,
    PLAN_DEPENDS_ON_IDENTITY,
    DESTRUCTIVE_PLAN,
    TWO_DEPLOYS,
    SUPERSEDED_RELEASE,
    SMOKE_FAILS,
)
