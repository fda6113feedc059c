"""The stories of a model in production: better, worse and lucky versions, a reviewer's no, a rival, a broken endpoint, the way back.

Each but the first begins with the first champion, a single small tree that is just good enough. What is trained differs in size and seed
of the forest alone, on the same frozen rows.
"""

from __future__ import annotations

from rehearsal.scenarios.champions import Answered, ChampionStays, Judged, Promoted, RolledBack
from rehearsal.scenarios.model import (
    Dispatch,
    Expectation,
    Fault,
    Gate,
    GateAsked,
    GateNotAsked,
    InTerminal,
    Rejected,
    Scene,
    StartJob,
    Stopped,
    Story,
    WorkflowEnds,
)

_STAGE, _FILE, _WHO = "prod", "promote-model.yml", "release-manager"
_ASK = Dispatch(_FILE, branch="release")
_APPROVED = Gate(_STAGE, who=_WHO, comment="verdict read")

_REFUSED = Scene(
    "Its promotion is asked for all the same",
    "refused; nobody is asked, the champion stays",
    _ASK,
    (Stopped(_FILE, "candidates", "verdict-refused"), GateNotAsked(_STAGE), ChampionStays(_STAGE)),
    stopped=True,
)


def _trained(title: str, expected: str, *expectations: Expectation, trees: int, depth: int, seed: int) -> Scene:
    """Somebody trains with other settings; the new version starts the deployment job, which judges it."""
    settings = (("trees", str(trees)), ("max_depth", str(depth)), ("seed", str(seed)))
    return Scene(title, expected, StartJob(_STAGE, "model_training", settings), expectations)


def _better(title: str = "A forest of forty trees is trained", *, seed: int = 7) -> Scene:
    return _trained(title, "the verdict passes it, it waits for approval", Judged(_STAGE, "passed"), trees=40, depth=4, seed=seed)


def _story(name: str, title: str, *scenes: Scene, after: str = "first-champion") -> Story:
    """A story that begins with the champion of another one."""
    return Story(name=name, title=title, deployed=("staging", _STAGE), models_of=_STAGE, after=after, scenes=scenes)


FIRST_CHAMPION = Story(
    name="first-champion",
    title="A model's first version: floors and naive baseline are all that it is compared with; approved, it is champion and serves",
    deployed=("staging", _STAGE),
    models_of=_STAGE,
    without_versions=True,
    scenes=(
        Scene(
            "The model is connected to its deployment job",
            "each new version starts the job; a deployment does this by itself",
            InTerminal(("model", "connect", "--stage", _STAGE), _STAGE),
        ),
        Scene("The feature table is made", "and the hold-out frozen", StartJob(_STAGE, "preprocessing")),
        _trained(
            "A small tree is trained",
            "just above the floor, and there is no champion to be compared with",
            Judged(_STAGE, "passed"),
            trees=1,
            depth=2,
            seed=11,
        ),
        Scene(
            "Its promotion is asked for, and approved on GitHub",
            "the run of the deployment job goes on; the endpoint is made",
            _ASK,
            (WorkflowEnds(_FILE), GateAsked(_STAGE, models=True), Promoted(_STAGE, by=_WHO, first=True)),
            gate=_APPROVED,
        ),
    ),
)

MODEL_WORSE = _story(
    "model-worse",
    "A worse version is refused, before anybody is asked",
    _trained(
        "A tree that asks one question is trained",
        "the verdict refuses it",
        Judged(_STAGE, "refused", ("worse",)),
        trees=1,
        depth=1,
        seed=1,
    ),
    _REFUSED,
)

MODEL_NOISE = _story(
    "model-noise",
    "A retrain that is better by luck, by one flower, is refused: the interval does not rule out that it is worse",
    _trained(
        "The same small tree is trained with another seed",
        "better on the hold-out by 1.5 points, and refused by the interval",
        Judged(_STAGE, "refused", ("maybe-inferior",), by_luck=True),
        trees=1,
        depth=2,
        seed=33,
    ),
    _REFUSED,
)

APPROVAL_DENIED = _story(
    "approval-denied",
    "A reviewer sees the verdict and says no: nothing is promoted",
    _better(),
    Scene(
        "Its promotion is asked for, and rejected",
        "the promoting job never begins, the champion stays",
        _ASK,
        (Rejected(_FILE, "promote"), GateAsked(_STAGE, models=True), ChampionStays(_STAGE)),
        gate=Gate(_STAGE, "rejected", who=_WHO, comment="not before the holidays"),
        stopped=True,
    ),
    Scene("Staging is deployed again", "the evidence for a release", Dispatch("cd-staging.yml")),
    Scene(
        "Production is deployed again; the plan is approved, the model is not",
        "what is deployed stays deployed, the champion stays, and the workflow says who said no",
        Dispatch("cd-prod.yml", branch="release"),
        (Rejected("cd-prod.yml", "promote"), Stopped("cd-prod.yml", "refused", "not-approved"), ChampionStays(_STAGE)),
        gate=Gate(_STAGE, who=_WHO, of_models="rejected", comment="the plan, not the model"),
        stopped=True,
    ),
)

ENDPOINT_FAILS = _story(
    "endpoint-fails",
    "The endpoint cannot load the new version: routes and aliases are as they were, and every request is answered all the while",
    _better(),
    Scene(
        "It is approved, and its files cannot be read by the endpoint",
        "everything goes back to what it was; the old version answers all the while",
        _ASK,
        (Stopped(_FILE, "promote", "endpoint-failed"), ChampionStays(_STAGE), Answered(_STAGE)),
        gate=_APPROVED,
        asking=_STAGE,
        fault=Fault("/api/2.0/fs/files/Models/*/MLmodel", 404, "The file does not exist."),
        stopped=True,
    ),
)

TWO_PROMOTIONS = _story(
    "two-promotions",
    "Two versions, both better, are approved at once: one wins, the other was compared with a champion that is none any more",
    _better("One forest is trained", seed=8),
    _better("Another one is trained", seed=9),
    Scene(
        "The other's promotion waits at its gate; somebody approves the one in the workspace; then the gate opens",
        "the one is champion, the other is refused",
        _ASK,
        (Stopped(_FILE, "promote", "champion-changed"), Promoted(_STAGE, where="workspace")),
        gate=Gate(_STAGE, who=_WHO, rival=True, comment="verdict read"),
        stopped=True,
    ),
)

MODEL_BETTER = _story(
    "model-better",
    "A better version: judged, shown, approved, a tenth of the traffic, then all of it; every request is answered all the while",
    _better(),
    Scene(
        "Its promotion is asked for, and approved",
        "champion, and the endpoint serves it; the one before is kept",
        _ASK,
        (WorkflowEnds(_FILE), GateAsked(_STAGE, models=True), Promoted(_STAGE, by=_WHO), Answered(_STAGE)),
        gate=_APPROVED,
        asking=_STAGE,
    ),
)

MODEL_ROLLBACK = _story(
    "model-rollback",
    "The way back in one command: the previous champion is champion and serves again",
    Scene(
        "Somebody on call types the command",
        "alias and endpoint go back, every request is answered all the while",
        InTerminal(("model", "rollback", "{model}", "--stage", _STAGE), _STAGE),
        (RolledBack(_STAGE), Answered(_STAGE)),
        asking=_STAGE,
    ),
    after=MODEL_BETTER.name,
)

PROMOTIONS = (
    FIRST_CHAMPION, MODEL_WORSE, MODEL_NOISE, APPROVAL_DENIED, ENDPOINT_FAILS, TWO_PROMOTIONS, MODEL_BETTER, MODEL_ROLLBACK,
)  # fmt: skip
"""In an order in which each finds its champion where it needs it, but for one that is rolled back between the stories."""
