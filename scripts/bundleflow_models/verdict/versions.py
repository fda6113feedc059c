"""Judges a registered version: finds champion, hold-out and training rows, loads both models, writes the verdict down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bundleflow_models.errors import ModelsError, Outcome
from bundleflow_models.verdict.gate import Gate
from bundleflow_models.verdict.judging import judge, without_numbers
from bundleflow_models.verdict.record import NO_CHAMPION, UNKNOWN_CHAMPION, Check, Result, Verdict

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

    from bundleflow_models.verdict.frozen_rows import RowHashes
    from bundleflow_models.verdict.registry import KnownVersion


def evaluate_version(
    gate: Gate,
    model_name: str,
    version: int | str,
    holdout: pd.DataFrame | str | None = None,
    training: pd.DataFrame | str | None = None,
    *,
    champion_alias: str = "champion",
    write: bool = True,
) -> Verdict:
    """Judge a registered version against the champion, and write the verdict down.

    The verdict goes to the active MLflow run, else to a new one in the experiment that the version was trained in: artifacts
    `bundleflow/verdict.json` and `bundleflow/verdict.svg`, metrics, and with a passed verdict `bundleflow/probe.json` (a few rows of inputs
    with the version's answers, to ask an endpoint with); then the tags `VERDICT_TAGS` are set on the version.

    Args:
        gate: What it must show.
        model_name: Full name of the registered model (catalog.schema.model).
        version: The challenger's version.
        holdout: The table with the hold-out, or the name of a file or table; None: the gate's own table.
        training: The same for the training rows; None: the gate's own table, else what the training run recorded.
        champion_alias: Alias of the champion.
        write: Whether the verdict is written down. That a version is the champion already never is: the verdict that it passed by stays.

    Returns:
        The verdict: passed, refused or undecided. Undecided is what could not be reached, read or loaded.

    Raises:
        ModelsError: Wrong use only (outcome `misused`): no such version, a gate that does not fit the model's name, no MLflow here.
    """
    client = connect()
    name, number = str(model_name), str(version)
    known: KnownVersion | None = None
    probe: Mapping[str, Any] = {}
    try:
        from bundleflow_models.verdict.registry import known_version

        known = known_version(client, name, number, champion_alias)
        verdict, probe = _judged(gate, client, known, holdout, training)
    except ModelsError as error:
        if error.outcome is Outcome.MISUSED:
            raise
        undecided = error.outcome is Outcome.UNDECIDED
        champion = UNKNOWN_CHAMPION if known is None else known.champion or NO_CHAMPION
        verdict = without_numbers(
            gate, error.code, error.cause, error.fix, undecided=undecided, model=name, version=number, champion=champion
        )
    verdict = replace(verdict, model=name, version=number, training_run=known.run if known else "")
    stands = known is not None and known.champion == known.version
    return _written(client, verdict, probe) if write and not stands else verdict


def record_training(gate: Gate, holdout: pd.DataFrame, training: pd.DataFrame, *, run_id: str | None = None) -> str:
    """Record in a training run which hold-out it left out, and hashes of the rows that it learned from.

    Call it where the model is trained, while its MLflow run is active. Nothing of the rows themselves is stored.

    Args:
        gate: The gate that will judge the model; its `holdout` and `training` say which rows of the tables are meant.
        holdout: The table with the hold-out.
        training: The table with the training rows; may be the same one, when the gate tells the rows apart by `rows`.
        run_id: The run; None: the active one.

    Returns:
        Digest of the hold-out.

    Raises:
        ModelsError: `holdout-invalid`; `leakage` when hold-out rows are among the training rows (nothing is recorded then);
            `workspace-unreachable`.
    """
    from bundleflow_models.verdict.recording import record

    return record(connect(), gate, holdout, training, run_id)


def connect() -> MlflowClient:
    """MLflow's client, with Unity Catalog as registry where MLflow tracks on Databricks.

    Raises:
        ModelsError: `mlflow-missing` (misused): it is not installed here.
    """
    try:
        import mlflow

        from bundleflow_models.verdict.registry import use_unity_catalog
    except ImportError as error:
        raise ModelsError(
            "mlflow-missing",
            f"A verdict needs mlflow, numpy, pandas and scikit-learn, and here is no `{error.name}`.",
            fix="Run it as a task in the workspace, or install bundleflow with its extra `models` (`pip install 'bundleflow[models]'`).",
            outcome=Outcome.MISUSED,
        ) from error
    use_unity_catalog()
    return mlflow.MlflowClient()


def _judged(
    gate: Gate, client: MlflowClient, known: KnownVersion, holdout: pd.DataFrame | str | None, training: pd.DataFrame | str | None
) -> tuple[Verdict, Mapping[str, Any]]:
    from bundleflow_models.verdict.frozen_rows import holdout_rows
    from bundleflow_models.verdict.loaded_models import load_candidate
    from bundleflow_models.verdict.probe import probe_rows

    if known.champion == known.version:
        cause = f"Version {known.version} of {known.model} is the champion already."
        fix = "Name the version that is to take its place."
        raise ModelsError("challenger-is-champion", cause, fix=fix)
    rows, source = _holdout(gate, known.model, holdout)
    learned = _training(gate, client, known, training)
    challenger = load_candidate(gate, known.model, known.version)
    champion = None if known.champion is None else load_candidate(gate, known.model, known.champion)
    verdict = judge(gate, rows, challenger, champion, learned, pinned=known.pinned, source=source, copied_from=known.copied_from)
    return verdict, probe_rows(challenger, holdout_rows(gate, rows)) if verdict.result is Result.PASSED else {}


def _holdout(gate: Gate, model: str, given: pd.DataFrame | str | None) -> tuple[pd.DataFrame, str]:
    from bundleflow_models.verdict.tables import is_file, read_rows

    if given is not None and not isinstance(given, str):
        return given, "given by the caller"
    name = given or gate.table(model)
    if name is None:
        cause = "The gate file names no table for the hold-out, and none was given."
        fix = "Add `holdout: table:` to the gate file, or give the rows (`--holdout`)."
        raise ModelsError("holdout-unreadable", cause, fix=fix, outcome=Outcome.UNDECIDED)
    return read_rows(name, gate.holdout.rows), f"{'file' if is_file(name) else 'table'} {name}"


def _training(gate: Gate, client: MlflowClient, known: KnownVersion, given: pd.DataFrame | str | None) -> pd.DataFrame | RowHashes | None:
    from bundleflow_models.verdict.registry import recorded_training_rows
    from bundleflow_models.verdict.tables import read_rows

    if gate.checks.leakage == "off":
        return None
    if given is not None and not isinstance(given, str):
        return given
    # What the run recorded is what it saw; a table may have changed since.
    recorded = None if given else recorded_training_rows(client, known.run)
    name = given or gate.training_table(known.model)
    return recorded if recorded is not None or name is None else read_rows(name, gate.training.rows)


def _written(client: MlflowClient, verdict: Verdict, probe: Mapping[str, Any]) -> Verdict:
    """The verdict with its run; one that could not be written down has decided nothing."""
    from bundleflow_models.verdict.recording import write_verdict

    try:
        return write_verdict(client, verdict, probe)
    except ModelsError as error:
        check = Check(error.code, "undecided", error.cause, error.fix)
        result = Result.REFUSED if verdict.result is Result.REFUSED else Result.UNDECIDED
        return replace(verdict, result=result, checks=(*verdict.checks, check))
