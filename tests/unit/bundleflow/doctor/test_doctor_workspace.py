"""Checks of identity and workspace against the local workspace and the imitated GitHub: where each fires, and where it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.iam import AccessControlRequest, PermissionLevel
from databricks.sdk.service.workspace import ImportFormat
from doctor_bench import BUNDLE, FLOW, fires, look, project, quiet, situation
from github_world import REPOSITORY, World

from bundleflow.adapters.cli_lock import LOCK_FILE, CliLock
from bundleflow.doctor.check import Status, examine
from bundleflow.doctor.finding import Severity
from bundleflow.doctor.registry import CHECKS
from bundleflow.doctor.situation import Situation
from bundleflow_models.promotion.lock import FOLDER

OWNER, DEPLOYER, PLANNER = "owner@example.com", "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ROOT = "/Workspace/Deployments/small/staging"
CATALOG = """\
resources:
  jobs: {tidy: {name: tidy}}
  schemas: {features: {catalog_name: "%s", name: features}}
  volumes: {raw: {catalog_name: "%s", schema_name: given, name: raw}}
  registered_models: {made: {catalog_name: "%s", schema_name: features, name: made}}
"""


@dataclass
class Space:
    """A workspace with an owner of everything, a deployer and a planner."""

    url: str
    monkeypatch: pytest.MonkeyPatch | None = None

    def client(self, token: str = "owner") -> WorkspaceClient:
        return WorkspaceClient(config=Config(host=self.url, token=token, auth_type="pat", retry_timeout_seconds=10))

    def write(self, path: str, data: object) -> None:
        client = self.client()
        client.workspace.mkdirs(path.rpartition("/")[0])
        client.workspace.upload(path, json.dumps(data).encode(), format=ImportFormat.AUTO, overwrite=True)

    def remove(self, path: str) -> None:
        self.client().workspace.delete(path, recursive=True)

    def as_(self, token: str, folder: Path, environment: str = "", **env: str) -> Situation:
        given = {"DATABRICKS_HOST": self.url, "DATABRICKS_TOKEN": token, "DATABRICKS_CONFIG_FILE": os.devnull}
        assert self.monkeypatch is not None
        for name, value in given.items():  # the SDK reads the token from the process's own environment
            self.monkeypatch.setenv(name, value)
        return situation(folder, stage="staging", environment=environment, **(given | env))


@pytest.fixture
def space(served: Space, monkeypatch: pytest.MonkeyPatch) -> Space:
    served.monkeypatch = monkeypatch
    return served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    folder = tmp_path_factory.mktemp("workspace")
    people = [
        {"user_name": OWNER, "token": "owner"},
        {"application_id": DEPLOYER, "token": "deployer"},
        {"application_id": PLANNER, "token": "planner", "access": "read"},
    ]
    identities = folder / "identities.json"
    identities.write_text(json.dumps({"identities": people, "catalogs": []}))
    argv = [sys.executable, "-m", "bundleflow", "local", "workspace", "--identities", str(identities), "--data", str(folder / "data")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            made = Space(process.stdout.readline().strip())
            made.client().workspace.mkdirs(ROOT)
            yield made
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


def test_login(space: Space, folder: Path) -> None:
    (found,) = quiet("login", space.as_("deployer", folder))
    assert DEPLOYER in found.what
    assert "auth-failed" in fires("login", space.as_("nobody's", folder)).why
    stored = space.as_("deployer", folder, GITHUB_ACTIONS="true")
    assert "stored secret" in fires("login", stored, Severity.WARNING).what


def test_a_workspace_that_cannot_be_reached_is_not_passed(folder: Path) -> None:
    assert look("login", situation(folder)).not_made == "no login for a workspace: DATABRICKS_HOST is not set"
    for check in ("root-folder", "grants", "deploy-lock"):
        assert look(check, situation(folder, DATABRICKS_HOST="https://a.example.com", offline=True)).status is Status.NOT_MADE


def test_a_workspace_that_does_not_answer_is_asked_once(folder: Path) -> None:
    here = situation(folder, stage="staging", DATABRICKS_HOST="http://127.0.0.1:9", DATABRICKS_TOKEN="t")
    results = list(examine([each for each in CHECKS if each.id in ("login", "root-folder", "grants", "engine")], here))
    assert {each.status for each in results} == {Status.NOT_MADE}
    (reason,) = {each.not_made for each in results}
    assert reason.startswith("the workspace http://127.0.0.1:9 cannot be reached: ")


def test_without_a_stage_nobody_knows_whose_workspace_it_is(space: Space, folder: Path) -> None:
    here = replace(space.as_("deployer", folder), stage_name="")
    assert "`--stage` one of test, staging, prod" in look("deploy-lock", here).not_made
    assert look("deploy-lock", space.as_("nobody's", folder)).not_made == "the login failed (see login)"


def test_root_folder(space: Space, folder: Path) -> None:
    found = fires("root-folder", space.as_("deployer", folder), Severity.WARNING)
    assert f"No permission of `{DEPLOYER}` on {ROOT} is listed" in found.what
    assert "databricks permissions update directories" in found.fix
    (folder / "databricks.yml").write_text(BUNDLE.replace(ROOT, f"{ROOT}-new"))
    found = fires("root-folder", space.as_("deployer", folder))
    assert f"databricks workspace mkdirs {ROOT}-new" in found.fix
    (folder / "databricks.yml").write_text(BUNDLE)
    client = space.client()
    number = str(client.workspace.get_status(ROOT).object_id)
    given = [
        AccessControlRequest(service_principal_name=DEPLOYER, permission_level=PermissionLevel.CAN_MANAGE),
        AccessControlRequest(service_principal_name=PLANNER, permission_level=PermissionLevel.CAN_READ),
    ]
    client.permissions.set("directories", number, access_control_list=given)
    try:
        quiet("root-folder", space.as_("deployer", folder))
        assert "CAN_READ" in fires("root-folder", space.as_("planner", folder)).what
        planned = FLOW.replace("environment: staging,", "environment: staging, plan-environment: staging-plan,")
        (folder / "bundleflow.yml").write_text(planned)
        quiet("root-folder", space.as_("planner", folder, "staging-plan"))
    finally:
        client.permissions.set("directories", number, access_control_list=[])


def test_deployed_objects(space: Space, folder: Path) -> None:
    assert look("deployed-objects", space.as_("deployer", folder)).status is Status.NOT_NEEDED
    client = space.client()
    job = str(client.jobs.create(name="tidy").job_id)
    state = {"state_version": 2, "cli_version": "1.13.0", "state": {"resources.jobs.tidy": {"__id__": job}}}
    space.write(f"{ROOT}/state/resources.json", state)
    try:
        found = fires("deployed-objects", space.as_("deployer", folder))
        assert f"databricks permissions update jobs {job}" in found.fix
        may = [AccessControlRequest(service_principal_name=DEPLOYER, permission_level=PermissionLevel.CAN_MANAGE)]
        client.permissions.update("jobs", job, access_control_list=may)
        quiet("deployed-objects", space.as_("deployer", folder))
        client.jobs.delete(int(job))
        assert "cannot see it" in fires("deployed-objects", space.as_("deployer", folder)).what
    finally:
        space.remove(f"{ROOT}/state")


def test_grants(space: Space, folder: Path) -> None:
    assert look("grants", space.as_("deployer", folder)).status is Status.NOT_NEEDED
    (folder / "databricks.yml").write_text(BUNDLE.partition("resources:")[0] + CATALOG.replace("%s", "shop"))
    assert "`shop` does not exist" in fires("grants", space.as_("deployer", folder)).what
    client = space.client()
    client.catalogs.create("shop")
    client.schemas.create("given", "shop")
    found = look("grants", space.as_("deployer", folder)).findings
    assert f"Its owner runs:\nGRANT USE CATALOG, CREATE SCHEMA ON CATALOG `shop` TO `{DEPLOYER}`;" in [each.fix for each in found]
    assert f"Its owner runs:\nGRANT USE SCHEMA, CREATE VOLUME ON SCHEMA `shop`.`given` TO `{DEPLOYER}`;" in [each.fix for each in found]
    _grant(client, "catalog", "shop", Privilege.USE_CATALOG, Privilege.CREATE_SCHEMA)
    assert "on schema `shop.given`" in fires("grants", space.as_("deployer", folder)).what
    _grant(client, "schema", "shop.given", Privilege.USE_SCHEMA, Privilege.CREATE_VOLUME)
    quiet("grants", space.as_("deployer", folder))
    quiet("grants", space.as_("owner", folder))
    client.grants.update("catalog", "shop", changes=[PermissionsChange(principal=DEPLOYER, remove=[Privilege.CREATE_SCHEMA])])
    assert "has no CREATE SCHEMA on catalog `shop`" in fires("grants", space.as_("deployer", folder)).what
    client.schemas.create("features", "shop")
    quiet("grants", space.as_("deployer", folder))


def _grant(client: WorkspaceClient, kind: str, name: str, *privileges: Privilege) -> None:
    client.grants.update(kind, name, changes=[PermissionsChange(principal=DEPLOYER, add=list(privileges))])


def test_a_pipeline_and_what_cannot_be_asked(space: Space, folder: Path) -> None:
    client = space.client()
    client.catalogs.create("lake")
    client.schemas.create("gold", "lake")
    resources = "resources:\n  pipelines: {load: {catalog: lake, schema: gold}}\n  sql_warehouses: {small: {name: small}}\n"
    (folder / "databricks.yml").write_text(BUNDLE.partition("resources:")[0] + "run_as: {user_name: x@example.com}\n" + resources)
    assert "USE CATALOG on catalog `lake`" in fires("grants", space.as_("deployer", folder)).what
    _grant(client, "catalog", "lake", Privilege.ALL_PRIVILEGES)
    notes = quiet("grants", space.as_("deployer", folder))
    assert ["`sql_warehouses`" in notes[0].what, "`run_as`" in notes[1].what] == [True, True]


def test_a_name_that_only_the_deployment_knows_is_told(space: Space, folder: Path) -> None:
    bundle = BUNDLE.partition("resources:")[0] + CATALOG.replace("%s", "${resources.catalogs.shop.name}")
    (folder / "databricks.yml").write_text(bundle)
    found = quiet("grants", space.as_("deployer", folder))
    assert "`schemas.features`" in found[0].what


def test_engine(space: Space, folder: Path) -> None:
    quiet("engine", space.as_("deployer", folder))
    try:
        space.write(f"{ROOT}/state/resources.json", {"state_version": 2, "cli_version": "1.13.0", "state": {}})
        quiet("engine", space.as_("deployer", folder))
        space.write(f"{ROOT}/state/resources.json", {"state_version": 2, "cli_version": "1.20.0", "state": {}})
        assert "1.20.0" in fires("engine", space.as_("deployer", folder)).what
        space.write(f"{ROOT}/state/resources.json", {"state_version": 2, "cli_version": "1.13.0", "state": {}})
        (folder / LOCK_FILE).write_text(CliLock("1.12.0", {"linux_amd64": "0" * 64}).text())
        without_cli = space.as_("deployer", folder, PATH=str(folder))
        assert "written by Databricks CLI 1.13.0; workflows use 1.12.0" in fires("engine", without_cli).what
        (folder / LOCK_FILE).write_text("{")
        assert "see cli-version" in look("engine", without_cli).not_made
        (folder / LOCK_FILE).unlink()
        space.remove(f"{ROOT}/state/resources.json")
        space.write(f"{ROOT}/state/terraform.tfstate", {})
        assert "bundle deployment migrate -t staging" in fires("engine", space.as_("deployer", folder)).fix
    finally:
        space.remove(f"{ROOT}/state")


def test_deploy_lock(space: Space, folder: Path) -> None:
    quiet("deploy-lock", space.as_("deployer", folder))
    lock = {"ID": "x", "IsForced": False, "User": "developer@example.com"}
    try:
        young = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
        space.write(f"{ROOT}/state/deploy.lock", lock | {"AcquisitionTime": young})
        (found,) = quiet("deploy-lock", space.as_("deployer", folder))
        assert "under way" in found.why
        space.write(f"{ROOT}/state/deploy.lock", lock | {"AcquisitionTime": "2026-01-01T00:00:00.123456789Z"})
        found = fires("deploy-lock", space.as_("deployer", folder))
        assert "developer@example.com" in found.what
        assert "gh workflow run cd-staging.yml --ref main -f force-lock=true" in found.fix
        assert "bundleflow deploy --force-lock --target staging" in found.fix
    finally:
        space.remove(f"{ROOT}/state")


def test_promotion_lock(space: Space, folder: Path) -> None:
    assert look("promotion-lock", space.as_("deployer", folder)).status is Status.NOT_NEEDED
    (folder / "bundleflow.yml").write_text(FLOW + "models: {made: {gate: gates/g.yml}}\n")
    quiet("promotion-lock", space.as_("deployer", folder))
    now, old = datetime.now(UTC).isoformat(), "2026-01-01T00:00:00+00:00"
    lock = {"token": "t", "holder": "developer", "since": old, "seen": old, "journal": {"champion": 1}}
    path = f"{FOLDER}/main.shop.made.json"
    try:
        space.write(path, lock)
        assert "`main.shop.made`" in fires("promotion-lock", space.as_("deployer", folder)).what
        space.write(path, lock | {"seen": now})
        assert "under way" in quiet("promotion-lock", space.as_("deployer", folder))[0].why
        space.write(path, lock | {"journal": {}})
        assert quiet("promotion-lock", space.as_("deployer", folder))[0].severity is Severity.NOTE
        space.write(path, {"no": "lock"})
        assert "cannot be read" in fires("promotion-lock", space.as_("deployer", folder)).what
    finally:
        space.remove(FOLDER)


def test_subject(space: Space, folder: Path, tmp_path: Path) -> None:
    world = World(tmp_path)
    try:
        here = _job(world, folder, "staging")
        notes = quiet("subject", here("staging"))
        assert "subject repo:team/iris:environment:staging" in notes[0].what
        assert "repo:team@" in notes[1].fix
        assert "`staging`, and it was called with `production`" in fires("subject", here("production")).what
        assert "names no GitHub environment" in fires("subject", _job(world, folder, "")("staging")).what
        assert "`other`" in fires("subject", _job(world, folder, "other")(""), Severity.WARNING).what
        oidc = world.github.repository(REPOSITORY).oidc
        oidc.use_default, oidc.include_claim_keys = False, ["repo", "actor"]
        assert "neither" in fires("subject", here("staging"), Severity.WARNING).what
    finally:
        world.stop()
    assert "id-token: write" in fires("subject", situation(folder, GITHUB_ACTIONS="true")).fix
    assert look("subject", situation(folder)).status is Status.NOT_MADE


def _job(world: World, folder: Path, environment: str) -> Callable[[str], Situation]:
    """A job of the imitated GitHub that may log in by OIDC; gives what can be looked at, by the environment that it was called with."""
    run = world.start_run("doctor.yml")
    job = world.github.add_job(run.id, "doctor", environment=environment)
    world.github.start_job(job.id)
    credentials = world.github.job_credentials(job.id, {"id-token": "write", "actions": "read", "contents": "read"})
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_TOKEN": credentials.github_token,
        "GITHUB_API_URL": world.server.url,
        "ACTIONS_ID_TOKEN_REQUEST_URL": credentials.oidc_url,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": credentials.oidc_token,
        "DATABRICKS_TOKEN_AUDIENCE": "account",
    }
    return lambda called: situation(folder, environment=called, **env)
