"""Verdicts on registered versions, with MLflow itself on SQLite: run against more than one version of MLflow (scripts/test-mlflow)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow")

from mlflow.models import infer_signature  # noqa: E402
from mlflow.pyfunc import scoring_server  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

from bundleflow_models.errors import ModelsError, Outcome  # noqa: E402
from bundleflow_models.promotion.copying import FROM_TAG, copy_version  # noqa: E402
from bundleflow_models.promotion.endpoint import differing  # noqa: E402
from bundleflow_models.verdict import VERDICT_ARTIFACT, Result, Verdict, evaluate_version, load_gate, record_training  # noqa: E402
from bundleflow_models.verdict.frozen_rows import holdout_rows  # noqa: E402
from bundleflow_models.verdict.record import PROBE_FILE, TAG_CHAMPION, TAG_HOLDOUT, TAG_MODEL_CHAMPION, TAG_RESULT, TAG_RUN, TAG_SHA256  # noqa: E402
from bundleflow_models.verdict.registry import COPIED_FROM, PINNED, verdict_artifact  # noqa: E402

NAME = "dev.iris.classifier"
GENERATOR = np.random.default_rng(4)
N = 400
TABLE = pd.DataFrame(
    {
        "id": range(N),
        "x": GENERATOR.normal(size=N),
        "z": GENERATOR.normal(size=N),
        "split": ["train"] * (N // 2) + ["holdout"] * (N // 2),
    }
)
TABLE["y"] = np.where(TABLE["x"] + TABLE["z"] + GENERATOR.normal(size=N) * 0.3 > 0, "up", "down")
GATE = {
    "version": 1,
    "problem": "classification",
    "holdout": {"label": "y", "key": ["id"], "rows": {"split": "holdout"}},
    "training": {"rows": {"split": "train"}},
    "primary": "accuracy",
    "metrics": ["log_loss"],
    "policy": {"resamples": 300},
}


@dataclass(frozen=True)
class Registry:
    """A registry of its own with versions of one model."""

    client: Any
    folder: Path

    def register(self, *features: str, recorded: bool = True, table: pd.DataFrame = TABLE, name: str = NAME) -> str:
        """Train on some features, record what was seen, register; the version's number."""
        rows = table[table["split"] == "train"]
        model = LogisticRegression().fit(rows[list(features)], rows["y"])
        with mlflow.start_run() as run:
            if recorded:
                record_training(load_gate(GATE), table, table)
            logged = mlflow.sklearn.log_model(
                model,
                "model",
                signature=infer_signature(rows[list(features)], model.predict(rows[list(features)])),
                pip_requirements=[],
                serialization_format="cloudpickle",
            )
        found = mlflow.register_model(logged.model_uri, name)
        assert found.run_id in (run.info.run_id, None)
        return str(found.version)

    def champion(self, version: str) -> None:
        self.client.set_registered_model_alias(NAME, "champion", version)

    def tags(self, version: str) -> dict[str, str]:
        return dict(self.client.get_model_version(NAME, version).tags)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that MLflow has set up: 2 s, paid once."""
    path = tmp_path_factory.mktemp("mlflow") / "empty.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def registry(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty, tmp_path / "mlflow.db")
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = mlflow.MlflowClient()
    mlflow.set_experiment(experiment_id=client.create_experiment("training", artifact_location=(tmp_path / "artifacts").as_uri()))
    yield Registry(client, tmp_path)
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def test_the_first_champion_then_better_worse_and_equal_ones(registry: Registry) -> None:
    gate = load_gate(GATE)
    weak = registry.register("x")
    first = evaluate_version(gate, NAME, weak, TABLE)
    assert first.result is Result.PASSED, first.checks
    assert first.champion == "none"
    registry.champion(weak)

    strong = registry.register("x", "z")
    refused = evaluate_version(gate, NAME, strong, TABLE)
    assert refused.codes == ("schema-changed",), "it asks for an input that the champion does not take"
    open_gate = load_gate({**GATE, "checks": {"schema": "any"}})
    passed = evaluate_version(open_gate, NAME, int(strong), TABLE)
    assert passed.result is Result.PASSED, passed.checks
    assert (passed.champion, passed.model, passed.version) == (weak, NAME, strong)
    assert {line.name: line.challenger is not None for line in passed.metrics} == {"accuracy": True, "log_loss": True}

    tags = registry.tags(strong)
    assert (tags[TAG_RESULT], tags[TAG_CHAMPION], tags[TAG_HOLDOUT]) == ("passed", weak, passed.holdout_sha256)
    assert tags[TAG_RUN] == passed.run
    kept = verdict_artifact(registry.client, passed.run)
    assert kept.sha256 == tags[TAG_SHA256] == passed.sha256
    assert kept == passed
    trained = registry.client.get_run(passed.training_run)
    assert registry.client.get_run(passed.run).info.experiment_id == trained.info.experiment_id
    assert {each.path for each in registry.client.list_artifacts(passed.run, "bundleflow")} == {
        VERDICT_ARTIFACT,
        PROBE_FILE,
        "bundleflow/verdict.svg",
    }
    assert registry.client.get_run(passed.run).data.metrics["difference_low"] > 0

    registry.champion(strong)
    again = registry.register("x")
    worse = evaluate_version(gate, NAME, again, TABLE)
    assert (worse.result, worse.codes) == (Result.REFUSED, ("worse",))
    assert registry.tags(again)[TAG_RESULT] == "refused"


def test_what_the_registry_says_before_anything_is_scored(registry: Registry) -> None:
    gate = load_gate(GATE)
    first, second = registry.register("x"), registry.register("x")
    passed = evaluate_version(gate, NAME, first, TABLE)
    registry.champion(first)
    again = evaluate_version(gate, NAME, first, TABLE)
    assert (again.codes, again.champion, again.run) == (("challenger-is-champion",), first, "")
    assert registry.tags(first)[TAG_SHA256] == passed.sha256, "the verdict that the champion passed by stays"
    assert verdict_artifact(registry.client, passed.run) == passed
    with pytest.raises(ModelsError, match="no version 99") as caught:
        evaluate_version(gate, NAME, 99, TABLE)
    assert (caught.value.code, caught.value.outcome) == ("no-such-version", Outcome.MISUSED)
    registry.client.set_registered_model_tag(NAME, TAG_MODEL_CHAMPION, first)
    registry.client.delete_model_version(NAME, first)  # its alias goes with it, without a word
    deleted = evaluate_version(gate, NAME, second, TABLE)
    assert (deleted.result, deleted.codes, deleted.champion) == (Result.REFUSED, ("champion-deleted",), "unknown")
    registry.client.delete_registered_model_tag(NAME, TAG_MODEL_CHAMPION)
    registry.client.delete_registered_model_alias(NAME, "champion")  # MLflow 2 leaves it, pointing at nothing
    assert evaluate_version(gate, NAME, second, TABLE).result is Result.PASSED, "started anew, on purpose"
    registry.client.set_registered_model_alias(NAME, "previous-champion", second)
    assert evaluate_version(gate, NAME, second, TABLE).codes == ("champion-deleted",)


def test_the_hold_out_is_pinned_and_training_rows_are_known_by_their_hashes(registry: Registry) -> None:
    gate = load_gate(GATE)
    version = registry.register("x")
    assert evaluate_version(gate, NAME, version, TABLE.assign(z=0.0)).codes == ("holdout-changed",)
    assert evaluate_version(gate, NAME, version, TABLE.astype({"id": "float64"}).sample(frac=1, random_state=1)).result is Result.PASSED
    moved = TABLE.assign(split=["train"] * 150 + ["holdout"] * (N - 150))
    assert set(evaluate_version(gate, NAME, version, moved).codes) == {"holdout-changed", "leakage"}
    answer = TABLE.assign(y=np.where(TABLE["y"] == "up", 1, 0))
    asks = registry.register("x", "y", table=answer)
    assert evaluate_version(load_gate({**GATE, "checks": {"pinned": "off"}}), NAME, asks, answer).codes == ("leakage",)
    silent = registry.register("x", recorded=False)
    assert set(evaluate_version(gate, NAME, silent, TABLE).codes) == {"holdout-not-pinned", "leakage-unknown"}
    registry.client.set_model_version_tag(NAME, silent, PINNED, "0" * 64)
    assert set(evaluate_version(gate, NAME, silent, TABLE, training=TABLE).codes) == {"holdout-changed"}


class Plain:
    """What copying needs of a registry, by MLflow's client."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.delete_version_tag, self.set_version_tag = client.delete_model_version_tag, client.set_model_version_tag
        self.set_alias = client.set_registered_model_alias

    def version(self, name: str, number: int) -> Any:
        return self.client.get_model_version(name, str(number))


def test_a_copy_is_judged_on_the_hold_out_of_its_own_catalog(registry: Registry) -> None:
    """Staging and production hold out different rows: what training saw is known by the hashes that it recorded."""
    other, gate = "prod.iris.classifier", load_gate(GATE)
    here = TABLE.assign(id=TABLE["id"] + 1000, x=TABLE["x"] + 0.01)
    seen = pd.concat([here, TABLE.head(3).assign(split="holdout")])

    def judged(number: str, table: pd.DataFrame, **checks: str) -> Verdict:
        copied = copy_version(Plain(registry.client), NAME, int(number), other)  # type: ignore[arg-type]
        return evaluate_version(load_gate({**GATE, "checks": checks}), other, copied, table)

    recorded, silent = registry.register("x"), registry.register("x", recorded=False)
    assert evaluate_version(gate, NAME, recorded, here).codes == ("holdout-changed",), "no copy, and another hold-out"
    passed = judged(recorded, here)
    assert passed.result is Result.PASSED, passed.checks
    assert any(f"Trained elsewhere ({NAME} version {recorded})" in check.text for check in passed.checks)
    assert judged(recorded, seen).codes == ("leakage",), "rows of this hold-out were seen in the other catalog"
    assert judged(recorded, TABLE).result is Result.PASSED, "the same hold-out"
    assert judged(recorded, here, leakage="off").codes == ("holdout-not-pinned",), "nothing was searched"
    unknown = judged(silent, here)
    assert set(unknown.codes) == {"holdout-not-pinned", "leakage-unknown"}
    assert "{pinned: if-recorded, leakage: if-recorded}" in unknown.failed[0].fix
    assert judged(silent, here, pinned="if-recorded", leakage="if-recorded").result is Result.PASSED
    assert COPIED_FROM == FROM_TAG


def test_files_give_the_same_digest_as_the_table(registry: Registry) -> None:
    gate = load_gate(GATE)
    version = registry.register("x")
    TABLE.to_csv(registry.folder / "rows.csv", index=False)
    digests = {evaluate_version(gate, NAME, version, TABLE, write=False).holdout_sha256}
    for name in ("rows.csv", "rows.parquet"):
        if name.endswith("parquet"):
            pytest.importorskip("pyarrow")
            TABLE.to_parquet(registry.folder / name)
        verdict = evaluate_version(gate, NAME, version, str(registry.folder / name), str(registry.folder / name))
        assert verdict.result is Result.PASSED, verdict.checks
        digests.add(verdict.holdout_sha256)
    assert len(digests) == 1


def test_what_cannot_be_reached_read_or_loaded_is_undecided(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = load_gate(GATE)
    version = registry.register("x")
    for place in (None, "nowhere.csv", "dev.iris.rows"):
        unread = evaluate_version(gate, NAME, version, place)
        assert (unread.result, unread.codes, unread.champion) == (Result.UNDECIDED, ("holdout-unreadable",), "none")
        assert registry.tags(version)[TAG_RESULT] == "undecided"
    for path in registry.folder.rglob("MLmodel"):
        path.unlink()
    lost = evaluate_version(gate, NAME, version, TABLE)
    assert (lost.result, lost.codes) == (Result.UNDECIDED, ("model-not-loadable",))

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    mlflow.set_tracking_uri("http://127.0.0.1:9")
    mlflow.set_registry_uri("http://127.0.0.1:9")
    silent = evaluate_version(gate, NAME, version, TABLE)
    assert (silent.result, silent.run) == (Result.UNDECIDED, "")
    assert set(silent.codes) == {"workspace-unreachable", "verdict-not-recorded"}


def test_a_passed_verdict_that_cannot_be_written_down_has_decided_nothing(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    version = registry.register("x")

    def refuse(*_: Any, **__: Any) -> None:
        raise mlflow.exceptions.MlflowException("no right to tag", error_code=403)

    monkeypatch.setattr(mlflow.MlflowClient, "set_model_version_tag", refuse)
    verdict = evaluate_version(load_gate(GATE), NAME, version, TABLE)
    assert (verdict.result, verdict.codes) == (Result.UNDECIDED, ("verdict-not-recorded",))
    assert evaluate_version(load_gate(GATE), NAME, version, TABLE, write=False).result is Result.PASSED


class Strange(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model that fails, or answers with a table."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        if (model_input["x"] > 100).any():
            raise RuntimeError("no such x")
        return pd.DataFrame({"prediction": ["up"] * len(model_input), "score": 0.5})


def test_a_model_of_ones_own(registry: Registry) -> None:
    with mlflow.start_run() as run:
        record_training(load_gate(GATE), TABLE, TABLE)
        mlflow.pyfunc.log_model("model", python_model=Strange(), pip_requirements=[])
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", NAME).version
    gate = load_gate({**GATE, "metrics": []})
    answered = evaluate_version(gate, NAME, version, TABLE)
    assert answered.codes == ("not-above-baseline",)
    assert evaluate_version(load_gate(GATE), NAME, version, TABLE).codes == ("missing-metric", "not-above-baseline")
    off = load_gate({**GATE, "checks": {"pinned": "off", "leakage": "off"}})
    failed = evaluate_version(off, NAME, version, TABLE.assign(x=1000.0))
    assert (failed.result, failed.codes) == (Result.REFUSED, ("prediction-failed",))
    assert "no such x" in failed.checks[-1].text


def test_types_of_spark_and_of_files_are_given_as_the_signature_asks(registry: Registry) -> None:
    narrow = TABLE.astype({"x": "float32", "z": "float32"})
    version = registry.register("x", "z", table=narrow)
    off = load_gate({**GATE, "checks": {"pinned": "off", "leakage": "off"}})
    for table in (narrow, TABLE, TABLE.astype({"x": "int64"})):
        assert evaluate_version(off, NAME, version, table, write=False).codes == ()


def test_the_verdict_goes_to_the_active_run(registry: Registry) -> None:
    version = registry.register("x")
    with mlflow.start_run() as run:
        verdict = evaluate_version(load_gate(GATE), NAME, version, TABLE)
        assert mlflow.active_run().info.run_id == run.info.run_id
    assert verdict.run == run.info.run_id
    assert Verdict.from_json(verdict.canonical_json()) == verdict


def test_a_passed_verdict_keeps_rows_to_ask_an_endpoint_with(registry: Registry) -> None:
    gate = load_gate(GATE)
    passed = evaluate_version(gate, NAME, registry.register("x", "z"), TABLE)
    kept = json.loads(mlflow.artifacts.load_text(f"runs:/{passed.run}/{PROBE_FILE}"))
    first = holdout_rows(gate, TABLE).head(5)
    assert kept["request"]["dataframe_split"]["columns"] == ["x", "z"], "inputs alone: no label, no key"
    assert np.allclose(kept["request"]["dataframe_split"]["data"], first[["x", "z"]])
    assert kept["predictions"] == list(mlflow.pyfunc.load_model(f"models:/{NAME}/{passed.version}").predict(first[["x", "z"]]))
    refused = evaluate_version(load_gate(GATE | {"floors": {"accuracy": {"min": 0.99}}}), NAME, passed.version, TABLE)
    assert refused.result is Result.REFUSED
    assert PROBE_FILE not in {each.path for each in registry.client.list_artifacts(refused.run, "bundleflow")}


class Shaped(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """A model of two inputs that answers in one of the usual shapes."""

    def __init__(self, shape: str) -> None:
        self.shape = shape

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        up = (model_input["x"] + model_input["z"]).to_numpy() > 0
        first, second = np.where(up, "up", "down"), np.where(up, "down", "up")
        if self.shape == "series":
            return pd.Series(first, name="prediction")
        if self.shape == "table":
            return pd.DataFrame({"prediction": first})
        if self.shape == "tables":
            return pd.DataFrame({"prediction": first, "sure": [0.5, None] * (len(first) // 2) + [0.5] * (len(first) % 2)})
        return first[:, None] if self.shape == "column" else np.stack([first, second], axis=1)


@pytest.mark.parametrize("shape", ["table", "series", "column", "ranking", "tables"])
def test_the_rows_to_ask_with_have_the_answers_that_a_server_gives(registry: Registry, shape: str) -> None:
    with mlflow.start_run() as run:
        signature = infer_signature(TABLE[["x", "z"]])
        mlflow.pyfunc.log_model("model", python_model=Shaped(shape), signature=signature, pip_requirements=[])
    version = mlflow.register_model(f"runs:/{run.info.run_id}/model", NAME).version
    more = {"metrics": [], "checks": {"pinned": "off", "leakage": "off"}}
    if shape == "ranking":
        more |= {"problem": "retrieval", "primary": "hit_at_1", "holdout": {**GATE["holdout"], "label": "relevant"}}  # type: ignore[dict-item]
    verdict = evaluate_version(load_gate({**GATE, **more}), NAME, version, TABLE.assign(relevant=[[each] for each in TABLE["y"]]))
    assert verdict.result is Result.PASSED, verdict.checks
    kept = json.loads(mlflow.artifacts.load_text(f"runs:/{verdict.run}/{PROBE_FILE}"))
    model = mlflow.pyfunc.load_model(f"models:/{NAME}/{version}")
    served = scoring_server.invocations(json.dumps(kept["request"]), "application/json", model, model.metadata.get_input_schema())
    assert served.status == 200
    answers = json.loads(served.response)["predictions"]
    if shape == "tables":
        assert "predictions" not in kept, "a missing number is equal to nothing"
    else:
        assert differing(answers, kept["predictions"]) == 0
        assert differing(answers[::-1], kept["predictions"]) != 0


def test_training_that_sees_the_hold_out_is_told_at_once(registry: Registry) -> None:
    everything = load_gate({**GATE, "training": {}})
    with mlflow.start_run() as run, pytest.raises(ModelsError, match="200 of 200 hold-out rows") as caught:
        record_training(everything, TABLE, TABLE)
    assert caught.value.code == "leakage"
    assert PINNED not in registry.client.get_run(run.info.run_id).data.tags
    with pytest.raises(ModelsError, match="no active MLflow run") as misused:
        record_training(load_gate(GATE), TABLE, TABLE)
    assert misused.value.outcome is Outcome.MISUSED
    assert record_training(load_gate(GATE), TABLE, TABLE, run_id=run.info.run_id)


def test_a_damaged_file_of_hashes_is_not_taken_for_none(registry: Registry) -> None:
    version = registry.register("x")
    for path in registry.folder.rglob("training_rows.npz"):
        path.write_bytes(b"damaged")
    assert evaluate_version(load_gate(GATE), NAME, version, TABLE).codes == ("leakage-unknown",)
