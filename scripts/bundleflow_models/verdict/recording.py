"""Writes to MLflow: what a training run saw, and a verdict with its picture."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict.frozen_rows import holdout_rows, holdout_sha256, row_hashes, training_rows
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.holdout_checks import check_columns, check_leakage
from bundleflow_models.verdict.picture import verdict_svg
from bundleflow_models.verdict.record import ARTIFACT_FOLDER, PROBE_FILE, TAG_RESULT, VERDICT_ARTIFACT, Verdict
from bundleflow_models.verdict.registry import PINNED, TRAINING_ROWS_FILE, asking, write_down

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient


def record(client: MlflowClient, gate: Gate, holdout: pd.DataFrame, training: pd.DataFrame, run_id: str | None) -> str:
    """Record what a training run left out and what it saw (see `record_training`)."""
    rows = holdout_rows(gate, holdout)
    check_columns(gate, rows)
    seen = row_hashes(gate, training_rows(gate, training))
    for check in check_leakage(gate, rows, row_hashes(gate, rows), seen):
        if check.state == "failed":
            raise ModelsError(check.code, check.text, fix=check.fix)
    digest = holdout_sha256(gate, rows)
    run = run_id or _active_run()
    if run is None:
        raise ModelsError(
            "no-active-run",
            "There is no active MLflow run to record the training in.",
            fix="Call it inside `with mlflow.start_run():`, or give `run_id`.",
            outcome=Outcome.MISUSED,
        )
    with asking(f"record the training rows in run {run}"), tempfile.TemporaryDirectory() as folder:
        path = Path(folder, TRAINING_ROWS_FILE)
        path.write_bytes(seen.to_bytes())
        client.log_artifact(run, str(path), ARTIFACT_FOLDER)
        client.set_tag(run, PINNED, digest)
    return digest


def write_verdict(client: MlflowClient, verdict: Verdict, probe: Mapping[str, Any]) -> Verdict:
    """Write a verdict into a run, then tag the version.

    Args:
        client: MLflow's client.
        verdict: The verdict.
        probe: Rows to ask an endpoint with (see `probe_rows`); empty for none.

    Returns:
        The verdict with the run's id.

    Raises:
        ModelsError: `verdict-not-recorded`, undecided.
    """
    import mlflow

    with asking("write the verdict down", "verdict-not-recorded"):
        active = mlflow.active_run()
        if active is not None:
            written = _into(client, replace(verdict, run=active.info.run_id), probe)
        else:
            with mlflow.start_run(experiment_id=_experiment(client, verdict), run_name=f"verdict on version {verdict.version}") as run:
                written = _into(client, replace(verdict, run=run.info.run_id), probe)
    write_down(client, written)
    return written


def _into(client: MlflowClient, verdict: Verdict, probe: Mapping[str, Any]) -> Verdict:
    run = verdict.run
    client.log_text(run, verdict.canonical_json(), VERDICT_ARTIFACT)
    client.log_text(run, verdict_svg(verdict), f"{ARTIFACT_FOLDER}/verdict.svg")
    if probe:
        client.log_text(run, json.dumps(probe), PROBE_FILE)
    for name, value in _numbers(verdict).items():
        client.log_metric(run, name, value)
    client.set_tag(run, TAG_RESULT, str(verdict.result))
    return verdict


def _numbers(verdict: Verdict) -> dict[str, float]:
    found: dict[str, Any] = {}
    for line in verdict.metrics:
        found[f"challenger_{line.name}"], found[f"champion_{line.name}"] = line.challenger, line.champion
    for each in verdict.intervals:
        if each.against == "champion":
            found |= {"difference": each.difference, "difference_low": each.low, "difference_high": each.high}
    return {name: value for name, value in found.items() if value is not None}


def _active_run() -> str | None:
    import mlflow

    active = mlflow.active_run()
    return None if active is None else str(active.info.run_id)


def _experiment(client: MlflowClient, verdict: Verdict) -> str | None:
    """The experiment of the training run; None (MLflow's own choice) when that is not to be had here, as for a copied version."""
    from mlflow.exceptions import MlflowException

    if not verdict.training_run:
        return None
    try:
        return str(client.get_run(verdict.training_run).info.experiment_id)
    except MlflowException:
        return None
