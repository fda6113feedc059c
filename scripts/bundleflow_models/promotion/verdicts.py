"""Reads the verdict of a version and checks that it is whole, that it passed, and that it still holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion.interfaces import Registry
from bundleflow_models.promotion.records import ModelState, Verdict, VersionState

VERDICT_FILE = "bundleflow/verdict.json"
PROBE_FILE = "bundleflow/probe.json"
DECISION_TAG = "bundleflow_verdict"
DIGEST_TAG = "bundleflow_verdict_sha256"
COMPARED_TAG = "bundleflow_verdict_champion"
RUN_TAG = "bundleflow_verdict_run"
SINCE_TAG = "bundleflow_champion_since"
NOBODY = "none"


def read_verdict(registry: Registry, version: VersionState) -> Verdict:
    """The verdict of a version, found whole: the tags, the artifact and its digest say the same.

    Args:
        registry: The registry.
        version: The version.

    Raises:
        ModelsError: `no-verdict`: there is none, or what the tags say is not what the artifact says.
    """
    label = f"version {version.number} of {version.model}"
    decision, digest, run_id = (version.tags.get(key, "") for key in (DECISION_TAG, DIGEST_TAG, RUN_TAG))
    if not (decision and digest and run_id):
        raise _none(f"There is no verdict on {label}.")
    content = registry.artifact(run_id, VERDICT_FILE)
    if content is None:
        raise _none(f"The verdict on {label} is gone: the MLflow run {run_id} has no file {VERDICT_FILE}.")
    try:
        data = json.loads(content)
        found = hashlib.sha256(canonical(data)).hexdigest()
        verdict = _verdict(data, found, run_id)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _none(f"The verdict on {label} cannot be read: {error}.") from error
    if found != digest:
        raise _none(f"The verdict on {label} was changed: its file has the digest {found[:12]}, its tag says {digest[:12]}.")
    compared = str(verdict.champion) if verdict.champion is not None else NOBODY
    said = (verdict.model.lower(), verdict.version, verdict.decision, compared)
    if said != (version.model.lower(), version.number, decision, version.tags.get(COMPARED_TAG, "")):
        raise _none(f"The verdict of the MLflow run {run_id} is not the one that the tags of {label} tell of.")
    return verdict


def check_passed(verdict: Verdict) -> None:
    """Check that a verdict is for the version.

    Raises:
        ModelsError: `verdict-refused`, or `no-verdict` when it decided nothing.
    """
    label = f"version {verdict.version} of {verdict.model}"
    if verdict.decision == "refused":
        raise ModelsError(
            "verdict-refused", f"The verdict on {label} is `refused`.", fix="See its report for the reasons. The champion stays."
        )
    if verdict.decision != "passed":
        raise _none(f"The verdict on {label} is `{verdict.decision}`: nothing was decided.")


def check_compared(verdict: Verdict, model: ModelState) -> None:
    """Check that the champion is still the one that a verdict compared with, and has been since before it.

    Raises:
        ModelsError: `champion-changed`.
    """
    then = f"with version {verdict.champion}" if verdict.champion is not None else "with no champion"
    now = f"version {model.champion} is champion" if model.champion is not None else "no version is champion"
    since = model.tags.get(SINCE_TAG, "")
    if verdict.champion != model.champion:
        why = f"it compared {then}, and now {now}"
    elif model.champion is not None and verdict.made_at and since > verdict.made_at:
        why = f"it was made at {verdict.made_at}, and the champion was changed at {since}"
    else:
        return
    raise ModelsError(
        "champion-changed",
        f"The verdict on version {verdict.version} of {verdict.model} does not hold any more: {why}.",
        fix="Judge the version again (`bundleflow model verdict`), then have it approved again.",
    )


def canonical(data: Mapping[str, Any]) -> bytes:
    """The bytes of a verdict that its digest is made of."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _verdict(data: Mapping[str, Any], digest: str, run_id: str) -> Verdict:
    champion = data.get("champion")
    return Verdict(
        model=str(data["model"]),
        version=int(data["version"]),
        decision=str(data["decision"]),
        digest=digest,
        champion=int(champion) if champion not in (None, NOBODY) else None,
        run_id=run_id,
        made_at=str(data.get("made_at") or ""),
    )


def _none(cause: str) -> ModelsError:
    return ModelsError("no-verdict", cause, fix="Judge the version (`bundleflow model verdict`); only a passed verdict promotes.")
