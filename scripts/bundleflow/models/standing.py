"""Where a model stands: champion, candidate, deployment job, endpoint and lock, as one row of data."""

from __future__ import annotations

from typing import Any

from bundleflow.models.candidates import Candidate
from bundleflow.models.place import PlacedModel
from bundleflow_models.promotion import Workspace
from bundleflow_models.promotion.endpoint import entities, traffic
from bundleflow_models.promotion.lock import read_lock
from bundleflow_models.promotion.records import PREVIOUS
from bundleflow_models.verdict.record import TAG_MODEL_CHAMPION


def standing(workspace: Workspace, placed: PlacedModel, candidate: Candidate) -> dict[str, Any]:
    """Where a model stands now.

    Args:
        workspace: The workspace.
        placed: The model.
        candidate: Its candidate.

    Returns:
        The candidate's fields, and `previous_champion`, `moved_by_hand`, `promoter`, `deployment_job` (id, state), `endpoint` (name, state,
        traffic in percent by version; None where none is switched), `lock` (holder, since, seen; None when it is free).
    """
    model = workspace.registry.model(placed.name)
    lock = read_lock(workspace.files, placed.name)
    set_by_kit = model.tags.get(TAG_MODEL_CHAMPION, "")
    return {
        **candidate.as_dict(),
        "previous_champion": model.aliases.get(PREVIOUS),
        "moved_by_hand": bool(set_by_kit) and set_by_kit != str(model.champion or "none"),
        "promoter": placed.model.promoter,
        "deployment_job": {"id": model.deployment_job, "state": model.deployment_job_state},
        "endpoint": _endpoint(workspace, placed.endpoint) if placed.endpoint else None,
        "lock": {"holder": lock.holder, "since": lock.since.isoformat(), "seen": lock.seen.isoformat()} if lock else None,
    }


def _endpoint(workspace: Workspace, name: str) -> dict[str, Any]:
    state = workspace.endpoints.get(name)
    if state is None:
        return {"name": name, "state": "not there yet", "traffic": {}}
    versions = {each["name"]: f"version {each['entity_version']}" for each in entities(state.config)}
    shares = {versions.get(entity, entity): share for entity, share in traffic(state.config).items()}
    return {"name": name, "state": f"{'READY' if state.ready else 'NOT_READY'} {state.update}", "traffic": shares}
