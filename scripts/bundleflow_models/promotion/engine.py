"""Promotes and rolls back: checks under the lock, moves the aliases, switches the endpoint; on any failure everything is as before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.approvals import write_approval_tags
from bundleflow_models.promotion.endpoint import serves
from bundleflow_models.promotion.interfaces import Registry
from bundleflow_models.promotion.lock import Lock, Tell
from bundleflow_models.promotion.probe import read_probe
from bundleflow_models.promotion.records import (
    CHAMPION,
    PREVIOUS,
    Approval,
    ModelState,
    Pace,
    Promotion,
    PromotionRequest,
    VersionState,
)
from bundleflow_models.promotion.snapshot import (
    AT_TAG,
    BY_TAG,
    REPLACED_TAG,
    ROLLED_BACK_BY_TAG,
    ROLLED_BACK_TAG,
    VERDICT_TAG,
    Snapshot,
    word,
)
from bundleflow_models.promotion.verdicts import SINCE_TAG, check_compared, check_gate, check_passed, read_verdict
from bundleflow_models.promotion.work import Work, Workspace, check_still, move
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.record import NO_CHAMPION, TAG_MODEL_CHAMPION, TAG_RUN, Verdict

NOBODY = "none"


@dataclass(frozen=True)
class RollbackRequest:
    """What is to be rolled back.

    Args:
        model: Full name of the registered model.
        endpoint: Its serving endpoint; None: none.
        by: Who rolls back.
        force_lock: Take the lock also from a holder that still gives signs of life.
        pace: How the endpoint is switched.
    """

    model: str
    endpoint: str | None = None
    by: str = ""
    force_lock: bool = False
    pace: Pace = Pace()  # noqa: RUF009 (frozen, shared on purpose)


def promote(workspace: Workspace, request: PromotionRequest, *, tell: Tell = print) -> Promotion:
    """Make a version champion, and let its endpoint serve it.

    Args:
        workspace: Where.
        request: What, and who agreed.
        tell: Takes a line for people.

    Returns:
        What was done; `changed` is false when the version was champion and served already.

    Raises:
        ModelsError: `no-verdict`, `verdict-refused`, `not-approved`, `champion-changed`, `model-missing`, `locked` (nothing was changed),
            or `endpoint-failed`, `champion-changed` (aliases and endpoint are as they were).
    """
    work = _work(workspace, request.model, request.by, request.pace, tell)
    with work.holding():
        registry = work.registry
        model = registry.model(request.model)
        version = ready_version(registry, request.model, request.version)
        verdict = approved_verdict(registry, model, version, request.approval, request.gate)
        work.notes.extend(_moved_by_hand(model))
        switch = work.switch(model.name, request.endpoint)
        state = switch.now() if switch else None
        result = Promotion(
            model.name, version.number, model.champion, verdict.sha256, request.approval, request.endpoint or "", _at(workspace)
        )
        if model.champion == version.number and (switch is None or (state is not None and serves(state, version.number))):
            notes = (*work.notes, f"Version {version.number} is champion already; nothing was changed.")
            return replace(result, previous=model.aliases.get(PREVIOUS), notes=notes, changed=False)
        with work.undoing(Snapshot.of(model, version.number, request.endpoint, state, version)):
            move(registry, model, version.number, tell, champion=CHAMPION, previous=PREVIOUS)
            if switch:
                switch.to(version.number, read_probe(registry, verdict.run), before=state)
            check_still(registry, model.name, version.number)
            work.lock.keep()
            _record(registry, model, version, result, request.by)
    return replace(result, notes=tuple(work.notes))


def rollback(workspace: Workspace, request: RollbackRequest, *, tell: Tell = print) -> Promotion:
    """Make the previous champion champion again and let the endpoint serve it; or undo what a promotion that was cut off has left.

    Args:
        workspace: Where.
        request: What.
        tell: Takes a line for people.

    Returns:
        What was done.

    Raises:
        ModelsError: `model-missing`: there is no previous champion; `locked`; `endpoint-failed` (everything is as it was).
    """
    work = _work(workspace, request.model, request.by, request.pace, tell)
    with work.holding(by_force=request.force_lock) as repaired:
        registry = work.registry
        model = registry.model(request.model)
        result = Promotion(model.name, model.champion, None, endpoint=request.endpoint or "", at=_at(workspace))
        if repaired:
            return replace(result, notes=tuple(work.notes))
        target = _previous(registry, model)
        switch = work.switch(model.name, request.endpoint)
        state = switch.now() if switch else None
        probe = read_probe(registry, target.tags.get(TAG_RUN, ""))
        if target.number == model.champion:
            with work.undoing(Snapshot.of(model, target.number, request.endpoint, state)):
                if switch:
                    switch.to(target.number, probe, before=state, at_once=True)
            work.notes.append(
                f"The alias champion was moved back to version {target.number} by hand before: aliases and tags were left as they are"
                + (", only the endpoint was switched." if switch else ".")
            )
            tell(work.notes[-1])
            return replace(result, previous=model.champion, notes=tuple(work.notes), changed=switch is not None)
        left = [] if model.champion is None else [registry.version(model.name, model.champion)]
        with work.undoing(Snapshot.of(model, target.number, request.endpoint, state, *left)):
            _move_back(registry, model, target)
            if switch:
                switch.to(target.number, probe, before=state, at_once=True)
            check_still(registry, model.name, target.number)
            work.lock.keep()
            _record_champion(registry, model.name, target.number, result.at)
            for version in left:
                registry.set_version_tag(model.name, version.number, ROLLED_BACK_TAG, result.at)
                registry.set_version_tag(model.name, version.number, ROLLED_BACK_BY_TAG, request.by or NOBODY)
    tell(f"{model.name}: champion is {word(target.number)} again (before: {word(model.champion)})")
    return replace(result, champion=target.number, previous=model.champion, notes=tuple(work.notes))


def ready_version(registry: Registry, name: str, number: int) -> VersionState:
    """A version whose files are there.

    Raises:
        ModelsError: `model-missing`.
    """
    version = registry.version(name, number)
    if version.status != "READY":
        raise ModelsError(
            "model-missing",
            f"Version {number} of {name} is {version.status}: its files are not there.",
            fix="Wait until it is READY, or register the model again.",
        )
    return version


def approved_verdict(registry: Registry, model: ModelState, version: VersionState, approval: Approval, gate: Gate | None = None) -> Verdict:
    """The verdict of a version, found to have passed by the gate in force, to hold still, and to be the one that was approved.

    Args:
        registry: The registry.
        model: The model as it stands now.
        version: The version.
        approval: Who agreed, to which verdict.
        gate: The gate file in force; None: not known here.

    Raises:
        ModelsError: `no-verdict`, `verdict-refused`, `verdict-undecided`, `champion-changed`, `not-approved`.
    """
    verdict = read_verdict(registry, version)
    check_passed(verdict)
    if version.number != model.champion:
        if gate is not None:
            check_gate(verdict, gate)
        check_compared(verdict, model)
    if approval.verdict != verdict.sha256:
        raise ModelsError(
            "not-approved",
            f"The approval of version {version.number} of {model.name} was given for another verdict ({approval.verdict[:12] or 'none'}; "
            f"now {verdict.sha256[:12]}).",
            fix="Start the promotion anew: it shows the verdict that holds, and asks for approval of it.",
        )
    return verdict


def _work(workspace: Workspace, model: str, by: str, pace: Pace, tell: Tell) -> Work:
    return Work(workspace, Lock(workspace.files, model, by or "somebody", tell=tell, clock=workspace.clock), pace, tell)


def _at(workspace: Workspace) -> str:
    return workspace.clock().isoformat(timespec="seconds")


def _moved_by_hand(model: ModelState) -> Iterator[str]:
    last = model.tags.get(TAG_MODEL_CHAMPION, "")
    now = str(model.champion) if model.champion is not None else NO_CHAMPION
    if last and last != now:
        yield f"The alias champion was moved by hand since the last promotion: that made version {last} champion, and now it is {now}."


def _record(registry: Registry, model: ModelState, version: VersionState, done: Promotion, by: str) -> None:
    """Who, when, which verdict, which approval: on the version, for those who look there."""
    assert done.approval is not None
    write_approval_tags(registry, version, done.approval)
    values = {AT_TAG: done.at, BY_TAG: by or NOBODY, VERDICT_TAG: done.verdict}
    if model.champion not in (None, version.number):
        values[REPLACED_TAG] = str(model.champion)
    for key, value in values.items():
        registry.set_version_tag(model.name, version.number, key, value)
    # What an earlier promotion of the same version came to does not hold any more.
    stale = {ROLLED_BACK_TAG, ROLLED_BACK_BY_TAG} | ({REPLACED_TAG} if model.champion is None else set())
    for key in sorted(stale & version.tags.keys()):
        registry.delete_version_tag(model.name, version.number, key)
    _record_champion(registry, model.name, version.number, done.at)


def _record_champion(registry: Registry, name: str, number: int, at: str) -> None:
    registry.set_model_tag(name, TAG_MODEL_CHAMPION, str(number))
    registry.set_model_tag(name, SINCE_TAG, at)


def _previous(registry: Registry, model: ModelState) -> VersionState:
    number = model.aliases.get(PREVIOUS)
    if number is None:
        raise ModelsError(
            "model-missing",
            f"{model.name} has no alias `{PREVIOUS}`: its champion was the first, or that version was deleted (its aliases go with it).",
            fix="Choose a version, judge it (`bundleflow model verdict`) and promote it.",
        )
    return ready_version(registry, model.name, number)


def _move_back(registry: Registry, model: ModelState, target: VersionState) -> None:
    """The champion that the target replaced, if it is still there, is the next one to go back to; never the one rolled back from."""
    registry.set_alias(model.name, CHAMPION, target.number)
    before = target.tags.get(REPLACED_TAG, "")
    try:
        registry.set_alias(model.name, PREVIOUS, registry.version(model.name, int(before)).number)
    except (ModelsError, ValueError):
        registry.delete_alias(model.name, PREVIOUS)
