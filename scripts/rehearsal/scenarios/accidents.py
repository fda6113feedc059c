"""The stories of what breaks half way: nothing that was begun is left for good."""

from __future__ import annotations

from rehearsal.scenarios.changes import PLAIN
from rehearsal.scenarios.model import (
    ClosePull,
    Dispatch,
    JobEnds,
    MadeByHandLeftAlone,
    MakeByHand,
    OpenPull,
    OwnDeploymentLeft,
    OwnDeploymentReaped,
    Says,
    Scene,
    Schedule,
    Story,
    Untouched,
    WorkflowEnds,
)

FORGOTTEN_DEPLOYMENT = Story(
    name="forgotten-deployment",
    title="A runner that is lost between deploy and destroy leaves a deployment, which the scheduled clean-up removes, and nothing else",
    deployed=("staging",),
    scenes=(
        Scene(
            "A pull request whose integration test loses its runner",
            "its own deployment is left, because nothing could clean up",
            OpenPull("feature/power-cut", "main", PLAIN, "Say a word in the notes"),
            (JobEnds("run-tests.yml", "integration", "failure"), OwnDeploymentLeft("test")),
            lost="run-tests.yml",
            stopped=True,
            needs_stages=("test",),
        ),
        Scene(
            "It is closed while GitHub Actions is down",
            "nothing starts, the deployment is still there",
            ClosePull("main", unnoticed=True),
            (OwnDeploymentLeft("test"),),
        ),
        Scene("Somebody makes a folder of such a name by hand", "nothing starts", MakeByHand("test", "by-hand"), (MadeByHandLeftAlone(),)),
        Scene(
            "The clean-up is started by hand",
            "it lists what would go and why, and removes nothing",
            Dispatch("cleanup.yml"),
            (
                WorkflowEnds("cleanup.yml"),
                Says("cleanup.yml", "cleanup", "would go"),
                Says("cleanup.yml", "cleanup", "this was a dry run"),
                OwnDeploymentLeft("test"),
            ),
        ),
        Scene(
            "Its schedule strikes",
            "the forgotten deployment is removed; what it did not make stays, and so does staging",
            Schedule("cleanup.yml"),
            (
                WorkflowEnds("cleanup.yml"),
                Says("cleanup.yml", "cleanup", "not made by this kit"),
                OwnDeploymentReaped("test"),
                MadeByHandLeftAlone(),
                Untouched("staging"),
            ),
        ),
    ),
)

ACCIDENTS = (FORGOTTEN_DEPLOYMENT,)
