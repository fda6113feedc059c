"""What a promotion needs of the local workspace: deployment jobs, files of runs, endpoints that switch without losing a request."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from databricks.sdk.service.jobs import JobParameterDefinition
from jobs_support import Jobs, results
from local_workspace import LocalWorkspace
from models_support import CATALOG, ROWS, SCHEMA, judge, mlflow_on, register

from bundleflow_models.errors import ModelsError
from bundleflow_models.promotion import (
    Approval,
    Pace,
    Promotion,
    PromotionRequest,
    RollbackRequest,
    Workspace,
    open_workspace,
    promote,
    rollback,
    write_approval,
)
from bundleflow_models.promotion.copying import copy_version
from bundleflow_models.promotion.endpoint import traffic
from bundleflow_models.promotion.lock import lock_path
from bundleflow_models.promotion.probe import PROBE_FILE

MODEL, JUDGED = f"{CATALOG}.{SCHEMA}.classifier", f"{CATALOG}.{SCHEMA}.deployed"
ENDPOINT = "classifier-main"
PACE = Pace(poll_s=0.05, update_limit_s=60.0)
PARAMETERS = [JobParameterDefinition(name="model_name", default=""), JobParameterDefinition(name="model_version", default="")]
CHECK = "version = dbutils.widgets.get('model_version')\nname = dbutils.widgets.get('model_name')\n"
ASK = (
    "import mlflow\nmlflow.set_registry_uri('databricks-uc')\n"
    "tags = mlflow.MlflowClient().get_model_version(name, version).tags\n"
    "assert tags.get(dbutils.widgets.get('task'), '') == 'Approved', 'nobody approved'\n"
)


@pytest.fixture(scope="module")
def client(workspace: LocalWorkspace) -> Iterator[Any]:
    with mlflow_on(workspace) as client:
        workspace.client().schemas.create(SCHEMA, CATALOG)
        yield client


@pytest.fixture(scope="module")
def place(workspace: LocalWorkspace, client: Any) -> Workspace:
    """Three versions that answer 1, 2 and 3; the first is champion."""
    assert [register(MODEL, answer) for answer in (1, 2, 3)] == [1, 2, 3]
    client.set_registered_model_alias(MODEL, "champion", "1")
    return open_workspace(workspace.client())


def go(place: Workspace, number: int, digest: str) -> Promotion:
    request = PromotionRequest(MODEL, number, Approval("reviewer", "github", digest), ENDPOINT, "a test", PACE)
    return promote(place, request, tell=lambda _: None)


def serving(place: Workspace) -> dict[str, int]:
    state = place.endpoints.get(ENDPOINT)
    assert state is not None
    return traffic(state.config)


def test_files_of_a_run_are_read_by_signed_addresses(workspace: LocalWorkspace, place: Workspace, client: Any) -> None:
    run = client.create_run(client.get_experiment_by_name("/Shared/promotion").experiment_id).info.run_id
    client.log_text(run, "a note", "folder/note.txt")
    assert place.registry.artifact(run, "folder/note.txt") == b"a note"
    assert place.registry.artifact(run, "folder/other.txt") is None
    assert place.registry.artifact("0" * 32, "folder/note.txt") is None
    status, answer = workspace.call("POST", "/api/2.0/mlflow/artifacts/credentials-for-read", {"run_id": run, "path": ["../../x"]})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    status, answer = workspace.call("POST", "/api/2.0/mlflow/artifacts/credentials-for-read", {"run_id": run, "path": ["folder/note.txt"]})
    with urllib.request.urlopen(answer["credential_infos"][0]["signed_uri"], timeout=10) as response:  # needs no token
        assert response.read() == b"a note"
    assert not any("run-artifacts/" in str(line) for line in workspace.log())


def test_models_tags_and_aliases(place: Workspace) -> None:
    registry = place.registry
    registry.set_alias(MODEL, "spare", 2)
    registry.set_model_tag(MODEL, "team", "iris")
    registry.set_version_tag(MODEL, 2, "note", "good")
    model = registry.model(MODEL)
    assert (model.champion, model.aliases["spare"], model.tags["team"]) == (1, 2, "iris")
    assert registry.version(MODEL, 2).tags["note"] == "good"
    registry.delete_version_tag(MODEL, 2, "note")
    registry.delete_version_tag(MODEL, 2, "note")
    registry.delete_alias(MODEL, "spare")
    registry.delete_alias(MODEL, "spare")
    assert "spare" not in registry.model(MODEL).aliases
    for ask in (
        lambda: registry.model(f"{MODEL}x"),
        lambda: registry.version(MODEL, 99),
        lambda: registry.set_alias(MODEL, "champion", 99),
    ):
        with pytest.raises(ModelsError) as caught:
            ask()
        assert caught.value.code == "model-missing"


def test_a_lock_file_is_made_once(place: Workspace) -> None:
    path = lock_path("main.other.model")
    assert place.files.create(path, b"one")
    assert not place.files.create(path, b"two")
    assert place.files.read(path) == b"one"
    place.files.replace(path, b"three")
    assert place.files.read(path) == b"three"
    place.files.delete(path)
    place.files.delete(path)
    assert place.files.read(path) is None


@dataclass
class Asking:
    """Asks an endpoint all the while, as its users do."""

    place: Workspace
    answers: list[Any] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        while not self.stop.is_set():
            try:
                self.answers.append(self.place.endpoints.ask(ENDPOINT, ROWS)["predictions"][0])
            except ModelsError as error:
                self.answers.append(error.cause)
            time.sleep(0.01)


def test_a_model_is_promoted_and_rolled_back(workspace: LocalWorkspace, place: Workspace, client: Any) -> None:
    first = judge(client, MODEL, 1, 1, champion=None)
    done = go(place, 1, first)
    assert (done.champion, serving(place)) == (1, {"classifier-1": 100})
    asking = Asking(place)
    thread = threading.Thread(target=asking)
    thread.start()
    try:
        second = judge(client, MODEL, 2, 2, champion=1)
        assert go(place, 2, second).previous == 1
        assert serving(place) == {"classifier-2": 100}
        fault = {"path": "/api/2.0/fs/files/Models/*/classifier/3/MLmodel", "status": 404, "times": 0}
        assert workspace.call("POST", "/_local/faults", [fault])[0] == 200
        third = judge(client, MODEL, 3, 3, champion=2)
        with pytest.raises(ModelsError, match="UPDATE_FAILED") as caught:
            go(place, 3, third)
        assert caught.value.code == "endpoint-failed"
        assert place.registry.model(MODEL).aliases == {"champion": 2, "previous-champion": 1}
        assert serving(place) == {"classifier-2": 100}
        rollback(place, RollbackRequest(MODEL, ENDPOINT, "a test", pace=PACE), tell=lambda _: None)
    finally:
        workspace.call("DELETE", "/_local/faults")
        asking.stop.set()
        thread.join(timeout=30)
    assert place.registry.model(MODEL).aliases == {"champion": 1}
    assert serving(place) == {"classifier-1": 100}
    assert set(asking.answers) == {1, 2}
    assert place.files.read(lock_path(MODEL)) is None


def test_a_candidate_that_answers_otherwise_is_taken_back(place: Workspace, client: Any) -> None:
    digest = judge(client, MODEL, 3, 3, champion=1)
    run = place.registry.version(MODEL, 3).tags["bundleflow_verdict_run"]
    client.log_text(run, '{"request": {"dataframe_split": {"columns": ["x"], "data": [[1.0]]}}, "predictions": [7]}', PROBE_FILE)
    with pytest.raises(ModelsError, match="1 of 1 rows differently"):
        go(place, 3, digest)
    assert serving(place) == {"classifier-1": 100}
    assert place.registry.model(MODEL).champion == 1


def test_an_update_to_a_version_that_does_not_exist_leaves_what_serves(place: Workspace) -> None:
    state = place.endpoints.get(ENDPOINT)
    assert state is not None
    entity = {"name": "classifier-99", "entity_name": MODEL, "entity_version": "99"}
    place.endpoints.update(ENDPOINT, {"served_entities": [entity]})
    after = place.endpoints.get(ENDPOINT)
    assert after is not None
    assert (after.ready, after.update, traffic(after.config)) == (True, "UPDATE_FAILED", {"classifier-1": 100})


def test_a_copy_in_another_model_is_judged_and_approved_anew(place: Workspace, client: Any) -> None:
    copied_to = f"{CATALOG}.{SCHEMA}.production"
    client.create_registered_model(copied_to)
    digest = judge(client, MODEL, 2, 2, champion=None)
    approval = Approval("reviewer", "github", digest)
    place.registry.set_version_tag(MODEL, 2, "note", "good")
    place.registry.set_version_tag(MODEL, 2, "Approval_Legal", "Approved")
    write_approval(place.registry, place.registry.version(MODEL, 2), approval, "approval_check")
    number = copy_version(place.registry, MODEL, 2, copied_to)
    copy = place.registry.version(copied_to, number)
    assert dict(copy.tags) == {"note": "good", "bundleflow_copied_from": f"{MODEL} version 2"}
    assert place.registry.model(copied_to).aliases == {"challenger": number}
    with pytest.raises(ModelsError) as caught:
        promote(place, PromotionRequest(copied_to, number, approval, by="a test"), tell=lambda _: None)
    assert caught.value.code == "no-verdict"
    own = judge(client, copied_to, number, 2, champion=None)
    with pytest.raises(ModelsError) as caught:  # the approval was of the other model's verdict
        promote(place, PromotionRequest(copied_to, number, approval, by="a test"), tell=lambda _: None)
    assert caught.value.code == "not-approved"
    again = PromotionRequest(copied_to, number, Approval("reviewer", "github", own), by="a test")
    assert promote(place, again, tell=lambda _: None).champion == number
    with pytest.raises(ModelsError) as caught:
        copy_version(place.registry, MODEL, 99, copied_to)
    assert caught.value.code == "model-missing"


def test_a_new_version_starts_the_deployment_job_which_waits_for_approval(jobs: Jobs, place: Workspace, client: Any) -> None:
    assert register(JUDGED, 1) == 1
    client.update_registered_model(JUDGED, description="Classifies flowers.")
    assert client.get_registered_model(JUDGED).deployment_job_state == "NOT_SET_UP"
    job = jobs.create(
        jobs.notebook("evaluation", CHECK),
        jobs.notebook("approval_check", CHECK + ASK, "evaluation", parameters={"task": "{{task.name}}"}),
        jobs.notebook("deployment", CHECK, "approval_check"),
        parameters=PARAMETERS,
        max_concurrent_runs=1,
    )
    place.registry.connect(place.registry.model(JUDGED), str(job))
    model = place.registry.model(JUDGED)
    assert (model.deployment_job, model.deployment_job_state, model.description) == (str(job), "CONNECTED", "Classifies flowers.")
    assert register(JUDGED, 2) == 2
    version = place.registry.version(JUDGED, 2)
    run = jobs.end(version.deployment_run)
    assert results(run) == {"evaluation": "SUCCESS", "approval_check": "FAILED", "deployment": "UPSTREAM_FAILED"}
    parameters = {each.name: each.value for each in run.job_parameters or []}
    assert parameters == {"model_name": JUDGED, "model_version": "2"}
    version = place.registry.version(JUDGED, 2)
    assert (version.deployment_state, version.deployment_task) == ("APPROVAL", "approval_check")
    assert client.get_model_version(JUDGED, "2").deployment_job_state.run_state == "APPROVAL"
    place.registry.set_version_tag(JUDGED, 2, "approval_check", "Approved")
    jobs.client.jobs.repair_run(version.deployment_run, rerun_all_failed_tasks=True)
    run = jobs.end(version.deployment_run)
    assert {task.task_key: task.attempt_number for task in run.tasks or []}["evaluation"] == 0
    assert place.registry.version(JUDGED, 2).deployment_state == "SUCCEEDED"
    place.registry.connect(place.registry.model(JUDGED), "")
    assert register(JUDGED, 3) == 3
    assert place.registry.version(JUDGED, 3).deployment_run == 0


def test_a_job_that_is_not_there_or_lost_its_parameters(jobs: Jobs, place: Workspace) -> None:
    with pytest.raises(ModelsError, match="Job 12 does not exist"):
        place.registry.connect(place.registry.model(JUDGED), "12")
    job = jobs.create(jobs.notebook("evaluation", CHECK))
    place.registry.connect(place.registry.model(JUDGED), str(job))
    assert place.registry.model(JUDGED).deployment_job_state == "REQUIRED_PARAMETERS_CHANGED"
    jobs.client.jobs.delete(job)
    assert place.registry.model(JUDGED).deployment_job_state == "NOT_FOUND"
