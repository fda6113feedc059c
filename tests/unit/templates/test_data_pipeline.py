"""The data pipeline's template, rendered: complete, linted, its own tests green, valid in every target, and what was asked of the job."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from rendered import LINTERS, check_notebooks, check_packages, own_files, own_tests, pins, read, tool

from bundleflow.records.flow import load_flow
from bundleflow.templates_project import KIT_ROOT, new_project
from rehearsal.scenarios import data_pipeline
from rehearsal.scenarios.model import OpenPull, Push

TEMPLATE = KIT_ROOT / "templates" / "data-pipeline"
JAR = "lib/customer-value.jar"
SHAPES = {"data-pipeline": {}, "another name": {"project_name": "sales-of-the-north", "workspace_folder": "/Teams/sales"}}
TASKS = {
    "ingest_orders": [],
    "ingest_products": [],
    "customer_value": ["ingest_orders", "ingest_products"],
    "aggregate_sales": ["ingest_orders", "ingest_products"],
    "train_forecast": ["aggregate_sales"],
    "evaluate_forecast": ["train_forecast"],
    "write_report": ["evaluate_forecast", "customer_value"],
    "send_report": ["write_report"],
}


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "data-pipeline"
    new_project("data-pipeline", folder, answers=request.param, ask=False)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "data-pipeline"
    new_project("data-pipeline", folder, answers={}, ask=False)
    return folder


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("renamed") / "data-pipeline"
    new_project("data-pipeline", folder, answers=SHAPES["another name"], ask=False)
    return folder


def resources(project: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in (project / "resources").iterdir():
        for kind, named in read(path)["resources"].items():
            found.setdefault(kind, {}).update(named)
    return found


def job(project: Path) -> dict[str, Any]:
    return dict(resources(project)["jobs"]["DataPipelineJob"])


def test_everything_is_rendered(project: Path) -> None:
    files = own_files(project)
    assert len(files) == len(own_files(TEMPLATE))
    for path in files:
        assert path.suffix != ".jinja"
        assert "<%" not in str(path)
        if path.name != Path(JAR).name:
            assert not re.search(r"<%|%>", path.read_text(encoding="utf-8")), path


def test_eight_tasks_in_their_order(project: Path) -> None:
    tasks = job(project)["tasks"]
    assert {task["task_key"]: [each["task_key"] for each in task.get("depends_on", [])] for task in tasks} == TASKS
    kinds = {task["task_key"]: next(key for key in task if key.endswith("_task")) for task in tasks}
    assert kinds.pop("customer_value") == "spark_jar_task"
    assert set(kinds.values()) == {"notebook_task"}
    for task in tasks:
        path = task.get("notebook_task", {}).get("notebook_path")
        assert path is None or (project / "resources" / path).resolve().is_file()


def test_every_night_at_two_in_production_only(project: Path) -> None:
    schedule = job(project)["schedule"]
    assert (schedule["quartz_cron_expression"], schedule["timezone_id"]) == ("0 0 2 * * ?", "Europe/Brussels")
    bundle = read(project / "databricks.yml")
    assert schedule["pause_status"] == "${var.schedule}"
    assert bundle["variables"]["schedule"]["default"] == "PAUSED"
    unpaused = [name for name, target in bundle["targets"].items() if target["variables"].get("schedule") == "UNPAUSED"]
    assert unpaused == ["prod"]
    assert set(bundle["targets"]) == {"dev", "test", "staging", "prod"}


def test_alerts_on_failure_and_on_duration(project: Path) -> None:
    settings = job(project)
    assert {"on_failure", "on_duration_warning_threshold_exceeded"} <= set(settings["email_notifications"])
    (rule,) = settings["health"]["rules"]
    assert (rule["metric"], rule["op"]) == ("RUN_DURATION_SECONDS", "GREATER_THAN")
    assert 0 < rule["value"] < settings["timeout_seconds"]


def test_cluster_ends_by_itself_and_has_current_libraries(project: Path) -> None:
    cluster = resources(project)["clusters"]["pipeline"]
    assert (cluster["node_type_id"], cluster["num_workers"]) == ("Standard_DS3_v2", 4)
    assert 0 < cluster["autotermination_minutes"] <= 60
    assert cluster["spark_version"].endswith("scala2.13")
    maven = {library["maven"]["coordinates"] for task in job(project)["tasks"] for library in task["libraries"] if "maven" in library}
    declared = read(project / "databricks.yml")["variables"]["libraries"]["default"]
    assert maven == {library["maven"]["coordinates"] for library in declared if "maven" in library}
    pom = (project / "java" / "pom.xml").read_text(encoding="utf-8")
    for coordinates in maven:
        group, artifact, version = coordinates.split(":")
        assert f"<groupId>{group}</groupId>\n      <artifactId>{artifact}</artifactId>" in pom
        assert f"<{artifact}.version>{version}</{artifact}.version>" in pom


def test_deployments_build_nothing_and_the_jar_has_its_checksum(project: Path) -> None:
    assert "artifacts" not in read(project / "databricks.yml")
    (jar,) = [library["jar"] for task in job(project)["tasks"] for library in task["libraries"] if "jar" in library]
    assert (project / "resources" / jar).resolve() == (project / JAR).resolve()
    recorded = dict(line.split("  ")[::-1] for line in (project / "lib" / "SHA256SUMS").read_text(encoding="utf-8").splitlines())
    assert recorded[JAR] == hashlib.sha256((project / JAR).read_bytes()).hexdigest()


def test_the_check_of_the_jar_sees_another_jar(plain: Path, tmp_path: Path) -> None:
    """Maven is imitated: it gives the JAR that is committed."""
    programs = tmp_path / "bin"
    programs.mkdir()
    maven = programs / "mvn"
    maven.write_text(f"#!/bin/sh\nmkdir -p java/target && cp {tmp_path}/built.jar java/target/customer-value.jar\n", encoding="utf-8")
    maven.chmod(0o755)
    environment = {"PATH": f"{programs}{os.pathsep}{os.defpath}"}
    for content, code, says in ((plain.joinpath(JAR).read_bytes(), 0, "is what java/ gives"), (b"another", 1, "is not what java/ gives")):
        (tmp_path / "built.jar").write_bytes(content)
        done = tool(sys.executable, "java/build.py", "--check", folder=plain, **environment)
        assert done.returncode == code, done.stderr
        assert says in done.stdout + done.stderr
    done = tool(sys.executable, "java/build.py", folder=plain, PATH=str(tmp_path))
    assert "there is no `mvn` on PATH" in done.stderr


def test_the_check_of_the_jar_builds_only_what_changed(tmp_path: Path) -> None:
    """There is no Maven here: what would build says so."""
    folder = tmp_path / "data-pipeline"
    new_project("data-pipeline", folder, answers={}, ask=False)
    path = tmp_path / "bin"
    path.mkdir()
    (path / "git").symlink_to(str(shutil.which("git")))

    def git(*words: str) -> str:
        who = ["-c", "user.name=developer", "-c", "user.email=developer@example.com"]
        return tool("git", *who, *words, folder=folder).stdout.strip()

    def check(base: str) -> subprocess.CompletedProcess[str]:
        return tool(sys.executable, "java/build.py", "--check", "--since", base, folder=folder, PATH=str(path))

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    base = git("rev-parse", "HEAD")
    assert "the checksums hold" in check(base).stdout
    assert "there is no `mvn` on PATH" in check("").stderr
    assert "git cannot compare with" in check("0" * 40).stderr
    (folder / JAR).write_bytes(b"another")
    git("commit", "-qam", "another")
    assert "there is no `mvn` on PATH" in check(base).stderr


def test_sample_files_are_what_their_script_makes(plain: Path) -> None:
    before = {path.name: path.read_bytes() for path in (plain / "sample_data").glob("*.*")}
    assert tool(sys.executable, "sample_data/make.py", folder=plain).returncode == 0
    assert {path.name: path.read_bytes() for path in (plain / "sample_data").glob("*.*")} == before
    assert len(before["orders.csv"].splitlines()) == data_pipeline.ROWS + 1


def test_the_picture_shows_the_jobs_tasks(project: Path) -> None:
    picture = (project / "docs" / "pipeline.svg").read_text(encoding="utf-8")
    assert all(task in picture for task in TASKS)
    assert "docs/pipeline.svg" in (project / "README.md").read_text(encoding="utf-8")


def test_flow_file_agrees_with_the_bundle(project: Path) -> None:
    flow = load_flow(project / "bundleflow.yml")
    assert {stage.target for stage in flow.stages.values()} == set(read(project / "databricks.yml")["targets"])
    assert {name: stage.run for name, stage in flow.stages.items()} == {
        "dev": (),
        "test": ("DataPipelineJob", "integration_test"),
        "staging": ("DataPipelineJob",),
        "prod": ("DataPipelineJob",),
    }
    targets = read(project / "databricks.yml")["targets"]
    assert [name for name, target in targets.items() if target.get("resources")] == ["test"], "the integration test is nowhere else"
    assert "${var.suffix}" in targets["test"]["resources"]["jobs"]["integration_test"]["name"]


def test_every_name_of_the_test_target_has_the_suffix(project: Path) -> None:
    named = {"jobs": "name", "schemas": "name", "experiments": "name", "clusters": "cluster_name", "secret_scopes": "name"}
    found = resources(project)
    for kind, field in named.items():
        for key, resource in found[kind].items():
            assert "${var.suffix}" in resource[field], (kind, key)
    assert {volume["schema_name"] for volume in found["volumes"].values()} == {"${resources.schemas.main.name}"}
    assert set(found) == {*named, "volumes"}


def test_notebooks_are_thin_and_know_no_place_of_their_own(project: Path) -> None:
    check_notebooks(project, below=60)


def test_packages_agree_with_the_tests_and_with_the_rehearsal(project: Path) -> None:
    libraries = read(project / "databricks.yml")["variables"]["libraries"]["default"]
    packages = pins("\n".join(library["pypi"]["package"] for library in libraries if "pypi" in library))
    check_packages(project, packages)


@LINTERS
def test_linters_find_nothing(renamed: Path, command: list[str]) -> None:
    done = tool(*command, folder=renamed)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_own_unit_tests_pass(renamed: Path) -> None:
    done = own_tests(renamed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "70 passed" in done.stdout


SEND = """
import json, smtplib, sys
from pathlib import Path
from data_pipeline import mail
page = Path("report.html")
page.write_text("<h1>Sales</h1>")
for people in (["good@example.com", "gone@example.com"], ["gone@example.com"]):
    message = mail.compose("a@example.com", people, "Sales", "", page)
    try:
        print(json.dumps(mail.send(mail.Server("127.0.0.1", int(sys.argv[1]), "none"), message)))
    except smtplib.SMTPRecipientsRefused as error:
        print(sorted(error.recipients))
"""


class Post:
    """A mail server that does not know `gone@...`."""

    def __init__(self) -> None:
        self.delivered: list[list[str]] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address.startswith("gone@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.delivered.append(list(envelope.rcpt_tos))
        return "250 OK"


async def test_one_refused_address_is_told_and_the_others_get_one_mail(plain: Path, tmp_path: Path) -> None:
    """A second attempt, which a failed task makes, would deliver to them again; nobody at all is a failure."""
    (tmp_path / "send.py").write_text(SEND, encoding="utf-8")
    post = Post()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(post), "127.0.0.1", 0)
    async with server:
        port = str(server.sockets[0].getsockname()[1])
        done = await asyncio.to_thread(
            tool, sys.executable, str(tmp_path / "send.py"), port, folder=tmp_path, PYTHONPATH=str(plain / "src")
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ['{"gone@example.com": "550 no such mailbox"}', "['gone@example.com']"]
    assert post.delivered == [["good@example.com"]]


@pytest.mark.parametrize("target", ["dev", "test", "staging", "prod"])
def test_the_bundle_is_valid_without_a_warning(plain: Path, workspace: str, target: str) -> None:
    command = [sys.executable, "-m", "bundleflow", "local", "databricks", "bundle", "validate", "--strict", "-t", target]
    done = tool(*command, folder=plain, DATABRICKS_HOST=workspace, DATABRICKS_TOKEN="any")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation OK!" in done.stdout


def test_the_picture_is_what_the_kit_draws_of_the_job(plain: Path, workspace: str, tmp_path: Path) -> None:
    cli = tmp_path / "databricks"
    cli.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bundleflow local databricks "$@"\n', encoding="utf-8")
    cli.chmod(0o755)
    picture = tmp_path / "pipeline.svg"
    command = ["bundleflow", "run", "report", "--job", "DataPipelineJob", "--target", "prod", "--output", str(picture)]
    path = f"{tmp_path}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = tool(*command, folder=plain, DATABRICKS_HOST=workspace, DATABRICKS_TOKEN="any", PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    made, kept = picture.read_text(encoding="utf-8"), (plain / "docs" / "pipeline.svg").read_text(encoding="utf-8")
    assert made == kept, "make docs/pipeline.svg anew, as the template's README says"


def test_the_change_of_the_story_fits(plain: Path) -> None:
    (scene,) = data_pipeline.BAD_ROWS.scenes
    assert isinstance(scene.action, Push)
    assert scene.action.change
    (edit,) = scene.action.change.edits
    orders = (plain / edit.path).read_text(encoding="utf-8")
    assert len(edit.replace.splitlines()) == data_pipeline.ADDED
    assert orders.endswith("\n")
    assert not set(orders.splitlines()) & set(edit.replace.splitlines())


def test_the_pull_request_of_the_story_fits(plain: Path) -> None:
    (change,) = [scene.action.change for scene in data_pipeline.DATA_PIPELINE.scenes if isinstance(scene.action, OpenPull)]
    (edit,) = change.edits
    assert (plain / edit.path).read_text(encoding="utf-8").count(edit.find) == 1
