"""What MLflow knows of a version: champion, pinned hold-out, training rows; and where a verdict is written down."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict.record import (
    ARTIFACT_FOLDER,
    NO_CHAMPION,
    TAG_CHAMPION,
    TAG_HOLDOUT,
    TAG_MODEL_CHAMPION,
    TAG_RESULT,
    TAG_RUN,
    TAG_SHA256,
    VERDICT_FILE,
    Verdict,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from bundleflow_models.verdict.frozen_rows import RowHashes

CHAMPION = "champion"
PREVIOUS_CHAMPION = "previous-champion"
PINNED = "bundleflow_training_holdout_sha256"
"""Tag of a training run, and of the versions made by it: digest of the hold-out that the training left out."""
COPIED_FROM = "bundleflow_copied_from"
"""Tag of a version that was copied from another model (`bundleflow model copy`)."""
TRAINING_ROWS_FILE = "training_rows.npz"
_GONE = frozenset(("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"))


@dataclass(frozen=True)
class KnownVersion:
    """A version and what it stands beside.

    Args:
        model: Full name of the registered model.
        version: Its number.
        run: Id of the training run; empty when it has none.
        champion: Number of the champion; None when there is none.
        pinned: Digest of the hold-out that the training recorded; None when it recorded none.
        copied_from: Model and version that this one is a copy of, in words; empty when it is none.
    """

    model: str
    version: str
    run: str
    champion: str | None
    pinned: str | None
    copied_from: str = ""


def use_unity_catalog() -> None:
    """Look for models in Unity Catalog when MLflow tracks on Databricks: before MLflow 3 that was not its own choice."""
    import mlflow

    if mlflow.get_tracking_uri().startswith("databricks") and not mlflow.get_registry_uri().startswith("databricks-uc"):
        mlflow.set_registry_uri("databricks-uc")


def known_version(client: MlflowClient, model: str, version: str, alias: str = CHAMPION) -> KnownVersion:
    """Look a version up.

    Args:
        client: MLflow's client.
        model: Full name of the registered model.
        version: The version's number.
        alias: The champion's alias.

    Raises:
        ModelsError: `no-such-version` (misused), `champion-deleted` (refused), `workspace-unreachable` (undecided).
    """
    with asking(f"read version {version} of {model}"):
        found = _unless_gone(lambda: client.get_model_version(model, version))
        registered = _unless_gone(lambda: client.get_registered_model(model))
        if found is None or registered is None:
            raise ModelsError(
                "no-such-version",
                f"There is no version {version} of {model}.",
                fix="Check the model's full name and the version's number.",
                outcome=Outcome.MISUSED,
            )
        aliases = {name: str(number) for name, number in dict(registered.aliases).items()}
        champion = aliases.get(alias)
        lost = _lost_champion(registered, aliases) if champion is None else None
        if champion is not None and champion != version and _unless_gone(lambda: client.get_model_version(model, champion)) is None:
            lost = champion
        if lost is not None:
            raise ModelsError(
                "champion-deleted",
                f"{model} had a champion ({lost}), and now the alias `{alias}` leads nowhere (version deleted, or alias removed).",
                fix="Set the alias to the version to compare with (`bundleflow model rollback`). To start anew, delete the aliases "
                f"`{alias}` and `{PREVIOUS_CHAMPION}` and the model's tag `{TAG_MODEL_CHAMPION}`.",
            )
        run = str(found.run_id or "")
        return KnownVersion(model, version, run, champion, _pinned(client, found, run), str((found.tags or {}).get(COPIED_FROM, "")))


def _lost_champion(registered: Any, aliases: dict[str, str]) -> str | None:
    """A champion that must have been there: deleting a version takes its aliases along without a word."""
    if PREVIOUS_CHAMPION in aliases:
        return str(registered.tags.get(TAG_MODEL_CHAMPION) or f"after version {aliases[PREVIOUS_CHAMPION]}")
    found = registered.tags.get(TAG_MODEL_CHAMPION)
    return None if found is None else str(found)


def _pinned(client: MlflowClient, version: Any, run: str) -> str | None:
    tags = dict(version.tags or {})
    if PINNED in tags:
        return str(tags[PINNED])
    found = _unless_gone(lambda: client.get_run(run)) if run else None
    if found is None:
        return None
    value = found.data.tags.get(PINNED) or found.data.params.get(PINNED)
    return None if value is None else str(value)


def recorded_training_rows(client: MlflowClient, run: str) -> RowHashes | None:
    """The hashes of the training rows that the training run recorded; None when it recorded none.

    Raises:
        ModelsError: `workspace-unreachable`, undecided; `leakage-unknown`: the file is damaged.
    """
    from bundleflow_models.verdict.frozen_rows import RowHashes

    if not run:
        return None
    with asking(f"read what training run {run} recorded"), tempfile.TemporaryDirectory() as folder:
        listed = _unless_gone(lambda: client.list_artifacts(run, ARTIFACT_FOLDER)) or []
        path = f"{ARTIFACT_FOLDER}/{TRAINING_ROWS_FILE}"
        if path not in [each.path for each in listed]:
            return None
        content = Path(client.download_artifacts(run, path, folder)).read_bytes()
    try:
        return RowHashes.from_bytes(content)
    except ValueError as error:
        raise ModelsError(
            "leakage-unknown", f"Run {run} recorded training rows that cannot be read: {error}", fix="Train again."
        ) from error


def write_down(client: MlflowClient, verdict: Verdict) -> None:
    """Tag the version with what the verdict says; the artifact is there before.

    Raises:
        ModelsError: `verdict-not-recorded`, undecided.
    """
    tags = {
        TAG_SHA256: verdict.sha256,
        TAG_CHAMPION: verdict.champion or NO_CHAMPION,
        TAG_RUN: verdict.run,
        TAG_HOLDOUT: verdict.holdout_sha256,
        TAG_RESULT: str(verdict.result),  # last: who sees the result finds the rest
    }
    with asking(f"tag version {verdict.version} of {verdict.model}", "verdict-not-recorded"):
        for key, value in tags.items():
            client.set_model_version_tag(verdict.model, verdict.version, key, value or NO_CHAMPION)


def verdict_artifact(client: MlflowClient, run: str) -> Verdict:
    """The verdict that a run holds.

    Raises:
        ModelsError: `verdict-unreadable`, undecided.
    """
    with asking(f"read the verdict of run {run}", "verdict-unreadable"), tempfile.TemporaryDirectory() as folder:
        text = Path(client.download_artifacts(run, f"{ARTIFACT_FOLDER}/{VERDICT_FILE}", folder)).read_text(encoding="utf-8")
    try:
        return Verdict.from_json(text)
    except ValueError as error:
        fix = "Ask for a new verdict: `bundleflow model verdict`."
        raise ModelsError(
            "verdict-unreadable", f"Run {run} holds no readable verdict: {error}", fix=fix, outcome=Outcome.UNDECIDED
        ) from error


@contextlib.contextmanager
def asking(what: str, code: str = "workspace-unreachable") -> Iterator[None]:
    """Turn what MLflow's client raises into an error of ours that leaves the question undecided."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise ModelsError(
            code,
            f"MLflow could not {what}: {error}",
            fix="Check MLFLOW_TRACKING_URI, DATABRICKS_HOST, the login and the rights on model and experiment, and try again.",
            outcome=Outcome.UNDECIDED,
        ) from error


def _unless_gone(ask: Any) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return ask()
    except MlflowException as error:
        if error.error_code in _GONE:
            return None
        raise
