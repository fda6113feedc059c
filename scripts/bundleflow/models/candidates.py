"""Finds what could be promoted: the challenger of a model, its verdict, and whether that still holds."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from bundleflow.models.place import PlacedModel
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.approvals import approval_of
from bundleflow_models.promotion.interfaces import Registry
from bundleflow_models.promotion.records import CHALLENGER, VersionState
from bundleflow_models.promotion.snapshot import ROLLED_BACK_TAG
from bundleflow_models.promotion.verdicts import check_compared, check_gate, check_passed, read_verdict
from bundleflow_models.verdict.gate import Gate, load_gate
from bundleflow_models.verdict.record import Verdict

READY = "ready"
CHAMPION = "champion"
NONE = "none"
KEPT_BACK = (
    FailureReason.NO_VERDICT,
    FailureReason.VERDICT_REFUSED,
    FailureReason.VERDICT_UNDECIDED,
    FailureReason.CHAMPION_CHANGED,
)
"""Why a version is no candidate, as far as its verdict goes."""
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Candidate:
    """A version that could become champion.

    Args:
        key: Key of the model in the flow file.
        name: Full name of the registered model.
        version: The version; 0 when there is none.
        state: `ready`, `champion` (it is champion already), `none` (there is no challenger), or the failure reason that keeps it back.
        why: The reason in words; empty when it is ready.
        verdict: Digest of its verdict; empty without one.
        champion: Version that is champion now; None for none.
        run: Deployment job's run for it; 0 for none.
    """

    key: str
    name: str
    version: int = 0
    state: str = NONE
    why: str = ""
    verdict: str = ""
    champion: int | None = None
    run: int = 0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """From what `as_dict` gave.

        Raises:
            TypeError: It is something else.
        """
        return cls(**data)

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Found:
    """A candidate with its verdict, for those who decide about it; None where there is none, or none that can be read."""

    candidate: Candidate
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Patience:
    """How long a deployment job's run is waited for, and seconds between two looks."""

    limit_s: float = 3600.0
    poll_s: float = 5.0


def find_candidate(registry: Registry, placed: PlacedModel, *, version: int = 0, patience: Patience = Patience(), tell: Tell) -> Found:
    """The candidate of a model.

    Args:
        registry: The registry.
        placed: The model.
        version: The version; 0: the one with the alias `challenger`.
        patience: How long to wait for the evaluation by the model's deployment job.
        tell: Takes a line for people.

    Raises:
        ModelsError: The workspace did not answer, or there is no such model or version; `gate-invalid`.
        BundleflowError: `run-timeout`: the deployment job's run goes on.
    """
    gate = gate_of(placed)
    model = registry.model(placed.name)
    number = version or model.aliases.get(CHALLENGER, 0)
    if not number:
        why = f"{placed.name} has no version with the alias `{CHALLENGER}`."
        return Found(Candidate(placed.key, placed.name, why=why, champion=model.champion))
    state = registry.version(placed.name, number)
    if placed.by_workspace:
        state = _evaluated(registry, state, patience, tell)
        model = registry.model(placed.name)
    found = Candidate(placed.key, placed.name, number, champion=model.champion, run=state.deployment_run)
    verdict: Verdict | None = None
    try:
        verdict = read_verdict(registry, state)
        found = replace(found, verdict=verdict.sha256)
        if number == model.champion:
            return Found(replace(found, state=CHAMPION, why=f"Version {number} is champion already{_approved(state)}."), verdict)
        check_passed(verdict)
        check_gate(verdict, gate)
        check_compared(verdict, model)
    except ModelsError as error:
        if error.code not in KEPT_BACK:
            raise
        if error.code == FailureReason.CHAMPION_CHANGED and ROLLED_BACK_TAG in state.tags and not version:
            # Nobody asks for it again by leaving the alias where it is: a stage that is deployed next must not fail for it.
            return Found(replace(found, why=f"Version {number} was rolled back. {error.cause}"), verdict)
        return Found(replace(found, state=error.code, why=error.cause), verdict)
    return Found(replace(found, state=READY), verdict)


def gate_of(placed: PlacedModel) -> Gate:
    """The gate file that the flow file names for a model, read where the project is checked out.

    Raises:
        ModelsError: `gate-invalid`.
    """
    return load_gate(Path(placed.model.gate))


def _approved(version: VersionState) -> str:
    approval = approval_of(version)
    if not approval.verdict:
        return ""
    if approval.by:
        return f", approved by {approval.by} on {approval.where}"
    return "; nobody had to approve it" if approval.where == "none" else ", approved in the workspace"


def write_candidates(candidates: Sequence[Candidate]) -> str:
    """Those that are ready, as one line of JSON for the next job; empty when there is none."""
    ready = [each.as_dict() for each in candidates if each.state == READY]
    return json.dumps(ready, sort_keys=True) if ready else ""


def read_candidates(text: str) -> tuple[Candidate, ...]:
    """What `write_candidates` wrote.

    Raises:
        BundleflowError: Wrong use: it is something else.
    """
    try:
        return tuple(Candidate.from_dict(each) for each in json.loads(text))
    except (ValueError, TypeError) as error:
        raise BundleflowError(
            f"What the job before found to be promoted cannot be read: {error}.",
            fix="Pass its output `candidates` on unchanged.",
            exit_code=ExitCode.USAGE,
        ) from error


def stays_away(candidate: Candidate) -> bool:
    """Whether a stage may end well without promoting this: nothing new, or a version that the gate refused."""
    return candidate.state in (CHAMPION, NONE, FailureReason.VERDICT_REFUSED)


def refusal(candidate: Candidate) -> BundleflowError:
    """Why a candidate that somebody asked for by name is not promoted."""
    if candidate.state in set(FailureReason):
        return BundleflowError(candidate.why, fix="See docs/models.md.", reason=FailureReason(candidate.state))
    return BundleflowError(
        candidate.why,
        fix="Register a version and give it the alias `challenger`, or name one with `--version`.",
        reason=FailureReason.MODEL_MISSING,
    )


def _evaluated(registry: Registry, version: VersionState, patience: Patience, tell: Tell) -> VersionState:
    """The version once its deployment job's run stands still: at its approval, or at its end."""
    deadline = time.monotonic() + patience.limit_s
    told = ""
    while version.deployment_state in ("RUNNING", "PENDING"):
        where = f"{version.model} version {version.number}: deployment job {version.deployment_state} {version.deployment_task}".strip()
        if where != told:
            tell(where)
        told = where
        if time.monotonic() + patience.poll_s > deadline:
            raise BundleflowError(
                f"The deployment job's run {version.deployment_run} for version {version.number} of {version.model} has not come to its "
                f"approval in {patience.limit_s:.0f} s.",
                fix=f"It goes on: follow it with `bundleflow run watch {version.deployment_run}`, then promote.",
                reason=FailureReason.RUN_TIMEOUT,
            )
        time.sleep(patience.poll_s)
        version = registry.version(version.model, version.number)
    return version
