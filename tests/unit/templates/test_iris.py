"""The Iris template, rendered: complete, linted, its own tests green, its callers pinned and asking for no more than they need."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rendered import SECONDS, check_notebooks, own_files, own_tests, pins, read, tool

from bundleflow import __version__
from bundleflow.records.flow import load_flow
from bundleflow.releases.models_wheel import VARIABLE
from bundleflow.templates_callers import KIT_ROOT
from bundleflow.templates_project import new_project
from bundleflow_models.verdict import load_gate
from rehearsal.scenarios import changes

TEMPLATE = KIT_ROOT / "templates" / "iris"
SHAPES = {
    "dev, main, release": {},
    "dev, prod, and a longer name": {
        "project_name": "flowers-of-the-northern-meadows",
        "workspace_folder": "/Teams/flowers",
        "flow": "dev-prod",
        "azure_pipelines": "true",
    },
}
OF_A_SHAPE = {"cd-staging.yml", "azure-pipelines.yml", "set-up.yml"}
"""Files that not every project has."""
CALLERS = {
    "lint": ("pull_request", [], {"contents": "read"}),
    "bundle-ci": ("pull_request", ["test"], {"contents": "read", "id-token": "write", "pull-requests": "write"}),
    "run-tests": ("pull_request", ["test"], {"contents": "read", "id-token": "write"}),
    "cleanup": ("pull_request", ["test"], {"actions": "read", "contents": "read", "id-token": "write"}),
    "cd-dev": ("push", ["dev"], {"contents": "read", "deployments": "write", "id-token": "write"}),
    "cd-staging": ("push", ["staging"], {"contents": "read", "deployments": "write", "id-token": "write", "pull-requests": "write"}),
    "cd-prod": (
        "push",
        ["prod"],
        {"actions": "read", "contents": "read", "deployments": "write", "id-token": "write", "pull-requests": "read"},
    ),
    "promote-model": (
        "workflow_dispatch",
        ["prod"],
        {"actions": "read", "contents": "read", "deployments": "write", "id-token": "write", "pull-requests": "read"},
    ),
}


JUDGED = """
import importlib, sys
from pathlib import Path
root, package = Path(sys.argv[1]), sys.argv[2]
sys.path.insert(0, str(root / "src"))
data, features, training = (importlib.import_module(f"{package}.{name}") for name in ("data", "features", "training"))
from bundleflow_models import verdict
from bundleflow_models.verdict.frozen_rows import holdout_sha256
gate = verdict.load_gate(root / "gates" / "iris.yml")
table, holdout = features.prepare(data.load()), features.hold_out(data.load())
rows = features.training_rows(table, holdout)

def answers(rows, trees=40):
    model = training.fit(rows, training.Settings(trees=trees))
    asked = holdout[list(features.FEATURES)]
    return verdict.Predictions(model.predict(asked), model.predict_proba(asked), tuple(model.classes_))

def judge(challenger, rows):
    found = verdict.judge(gate, holdout, challenger, answers(rows), rows, pinned=holdout_sha256(gate, holdout))
    print(found.result, *found.codes)

judge(answers(rows, trees=60), rows)
judge(answers(rows[rows["species"] != "virginica"].reset_index(drop=True)), rows)
judge(answers(table), table)
"""


@pytest.fixture(scope="module", params=SHAPES.values(), ids=SHAPES)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "iris"
    new_project("iris", folder, answers=request.param, ask=False)
    return folder


def two_stages(project: Path) -> bool:
    """Whether staging comes before production."""
    return bool(read(project / ".bundleflow-answers.yml")["flow"] == "dev-main-release")


def callers(project: Path) -> dict[str, tuple[str, list[str], dict[str, str]]]:
    """Event, stage and permissions of each caller."""
    return {name: found for name, found in CALLERS.items() if name != "cd-staging" or two_stages(project)}


def workflows(project: Path) -> dict[str, Any]:
    return {path.stem: read(path) for path in sorted((project / ".github" / "workflows").iterdir())}


def test_everything_is_rendered(project: Path) -> None:
    files, wanted = own_files(project), own_files(TEMPLATE)
    there = {path.name for path in files} & OF_A_SHAPE
    assert there == ({"cd-staging.yml"} if two_stages(project) else {"azure-pipelines.yml", "set-up.yml"})
    assert len(files) == len(wanted) - len(OF_A_SHAPE) + len(there)
    for path in files:
        assert path.suffix != ".jinja"
        assert not re.search(r"<%|%>", path.read_text(encoding="utf-8")), path
        assert "<%" not in str(path)


def test_what_is_not_the_templates_own_stays_untouched(project: Path) -> None:
    assert '"{{task.name}}"' in (project / "resources" / "model_deployment.job.yml").read_text(encoding="utf-8")
    assert "${var.suffix}" in (project / "databricks.yml").read_text(encoding="utf-8")


def test_every_yaml_file_parses(project: Path) -> None:
    found = [path for pattern in ("*.yml", "*.yaml") for path in project.rglob(pattern)]
    assert len(found) >= 14
    for path in found:
        assert isinstance(read(path), dict), path


def test_callers_are_pinned_to_this_kits_commit_and_small(project: Path) -> None:
    sha = read(project / ".bundleflow-answers.yml")["_commit"]
    # Not compared with HEAD: somebody may commit while the tests run.
    subprocess.run(["git", "-C", str(KIT_ROOT), "merge-base", "--is-ancestor", sha, "HEAD"], check=True, timeout=SECONDS)
    for name, workflow in workflows(project).items():
        path = project / ".github" / "workflows" / f"{name}.yml"
        (job,) = workflow["jobs"].values()
        assert job["uses"] == f"bundleflow/bundleflow/.github/workflows/{name}.yml@{sha}"
        assert re.search(rf"@[0-9a-f]{{40}} # v{re.escape(__version__)}$", path.read_text(encoding="utf-8"), re.MULTILINE)
        # What a person may choose when starting it by hand takes a few lines more.
        assert len(path.read_text(encoding="utf-8").splitlines()) <= (35 if "inputs:" in path.read_text(encoding="utf-8") else 26)


def test_callers_start_on_their_event_and_by_hand_with_least_permissions(project: Path) -> None:
    found = workflows(project)
    assert set(found) == set(callers(project))
    for name, (event, _, permissions) in callers(project).items():
        workflow = found[name]
        triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
        assert set(triggers) == {event, "workflow_dispatch", *(["schedule"] if name == "cleanup" else [])}
        assert workflow["permissions"] == {}
        (job,) = workflow["jobs"].values()
        assert job["permissions"] == permissions
        assert "secrets" not in job


def test_callers_grant_what_the_called_workflow_asks_for(project: Path) -> None:
    rank = {"none": 0, "read": 1, "write": 2}
    for name, workflow in workflows(project).items():
        (job,) = workflow["jobs"].values()
        called = read(KIT_ROOT / ".github" / "workflows" / f"{name}.yml")
        for inner in called["jobs"].values():
            for scope, level in inner.get("permissions", {}).items():
                assert rank[job["permissions"].get(scope, "none")] >= rank[level], (name, scope)
        inputs = called[True]["workflow_call"].get("inputs", {})
        assert set(job.get("with", {})) <= set(inputs)
        assert {key for key, value in inputs.items() if value.get("required")} <= set(job.get("with", {}))


def test_flow_file_is_valid_and_agrees_with_bundle_and_callers(project: Path) -> None:
    flow = load_flow(project / "bundleflow.yml")
    bundle = read(project / "databricks.yml")
    jobs = {key for path in (project / "resources").iterdir() for key in read(path)["resources"].get("jobs", {})}
    assert {stage.target for stage in flow.stages.values()} == set(bundle["targets"])
    assert {job for stage in flow.stages.values() for job in stage.run} <= jobs
    prod = workflows(project)["cd-prod"][True]["push"]["branches"]
    assert prod == (["release"] if two_stages(project) else ["main"])
    assert (project / str(flow.unit_tests.requirements)).is_file()
    assert (project / flow.unit_tests.path).is_dir()
    for name, workflow in workflows(project).items():
        (job,) = workflow["jobs"].values()
        given = job.get("with", {})
        assert [given["stage"]] == CALLERS[name][1] if given else CALLERS[name][1] == []
        if given:
            stage = flow.stage(given["stage"])
            assert given.get("environment") == (None if name == "promote-model" else stage.environment)
            assert given.get("model-environment") == (stage.model_environment if name in ("cd-prod", "promote-model") else None)
            # Staging previews the plan of the stage that is released from it.
            released = next((each for each in flow.stages.values() if each.requires == stage.name), stage)
            assert given.get("plan-environment") == (released if name.startswith("cd-staging") else stage).plan_environment


def test_bundle_has_no_host_and_depends_on_nobody(project: Path) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in [project / "databricks.yml", *(project / "resources").iterdir()])
    assert not re.search(r"^\s*(host|profile):", text, re.MULTILINE)
    assert "current_user" not in text
    roots = [target["workspace"]["root_path"] for target in read(project / "databricks.yml")["targets"].values()]
    assert len(set(roots)) == (4 if two_stages(project) else 3)
    assert roots[1].endswith("${var.suffix}")


def test_every_name_of_the_test_target_has_the_suffix(project: Path) -> None:
    resources: dict[str, dict[str, Any]] = {}
    for path in (project / "resources").iterdir():
        for kind, named in read(path)["resources"].items():
            resources.setdefault(kind, {}).update(named)
    for kind in ("jobs", "schemas", "experiments"):
        for key, resource in resources[kind].items():
            assert "${var.suffix}" in resource["name"], (kind, key)
    assert resources["registered_models"]["classifier"]["schema_name"] == "${resources.schemas.main.name}"


def job_of(project: Path, name: str) -> dict[str, Any]:
    job = read(project / "resources" / f"{name}.job.yml")["resources"]["jobs"][name]
    assert isinstance(job, dict)
    return job


def test_the_deployment_job_is_one_to_the_workspace_and_to_the_flow_file(project: Path) -> None:
    job, (model,) = job_of(project, "model_deployment"), load_flow(project / "bundleflow.yml").models.values()
    assert (model.promoter, model.deployment_job) == ("workspace", "model_deployment")
    assert [parameter["name"] for parameter in job["parameters"]] == ["model_name", "model_version"]
    assert job["max_concurrent_runs"] == 1
    tasks = {task["task_key"]: task for task in job["tasks"]}
    (approval,) = [key for key in tasks if key.casefold().startswith("approval")]
    assert list(tasks) == ["evaluation", approval, "deployment"]
    # A retry would ask for the approval again and again.
    assert all(task["max_retries"] == 0 for task in tasks.values())
    given = tasks["deployment"]["notebook_task"]["base_parameters"]
    assert given["approval_task"] == approval
    # A pull request's own deployment has a suffix; the flow file speaks of the others.
    assert given["endpoint"] == f"{model.endpoint}${{var.suffix}}"
    assert given["endpoint"] == job_of(project, "realtime_inference")["tasks"][0]["notebook_task"]["base_parameters"]["endpoint"]


def test_models_are_promoted_where_people_are_asked_in_production_only(project: Path) -> None:
    stages = load_flow(project / "bundleflow.yml").stages
    assert {name for name, stage in stages.items() if stage.promote} == ({"staging", "prod"} if two_stages(project) else {"dev", "prod"})
    assert {name for name, stage in stages.items() if stage.model_environment} == {"prod"}


def test_every_job_is_serverless_and_has_the_wheel_that_the_kit_lays_beside_the_bundle(project: Path) -> None:
    variables = read(project / "databricks.yml")["variables"]
    assert f"${{workspace.root_path}}/.bundleflow/${{var.{VARIABLE}}}" in variables["python_packages"]["default"]
    assert variables[VARIABLE]["default"] == f"bundleflow_models-{__version__}-py3-none-any.whl"
    for path in (project / "resources").glob("*.job.yml"):
        (job,) = read(path)["resources"]["jobs"].values()
        (environment,) = job["environments"]
        assert environment["spec"]["dependencies"] == "${var.python_packages}"
        assert {task["environment_key"] for task in job["tasks"]} == {environment["environment_key"]}
        assert "cluster" not in path.read_text(encoding="utf-8")


def test_the_gate_asks_for_the_table_that_is_frozen(project: Path) -> None:
    flow = load_flow(project / "bundleflow.yml")
    gate = load_gate(project / flow.models["classifier"].gate)
    assert gate.table("prod.iris.classifier") == "prod.iris.holdout"
    assert (gate.holdout.key, gate.holdout.label) == (("flower_id",), "species")
    assert (gate.checks.pinned, gate.checks.leakage, gate.checks.max_duplicates) == ("required", "required", 0)
    assert 0 < gate.policy.eps <= 0.05
    assert gate.floors["accuracy"] >= 0.8


def test_a_real_hold_out_is_judged_by_the_gate(project: Path) -> None:
    """The functions of the project with the kit's own verdict: an equal model is let through, a worse one and a leaking one are not."""
    done = tool(sys.executable, "-c", JUDGED, str(project), next((project / "src").iterdir()).name, folder=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0] == "passed"
    assert "below-floor" in done.stdout.splitlines()[1]
    assert "leakage" in done.stdout.splitlines()[2]


def test_notebooks_are_thin_and_know_no_place_of_their_own(project: Path) -> None:
    check_notebooks(project, below=60)


def test_packages_agree_with_the_tests_and_with_the_rehearsal(project: Path) -> None:
    rehearsal = pins((KIT_ROOT / "scripts" / "requirements" / "dev.txt").read_text(encoding="utf-8"))
    locked = pins((project / "tests" / "requirements.txt").read_text(encoding="utf-8"))
    asked = pins((project / "tests" / "requirements.in").read_text(encoding="utf-8"))
    packages = pins("\n".join(read(project / "databricks.yml")["variables"]["python_packages"]["default"]))
    assert asked <= locked
    assert {pin for pin in locked if pin[0] != "colorama"} <= rehearsal
    assert packages <= rehearsal
    assert {pin for pin in packages if pin[0] != "mlflow"} <= asked
    assert (project / "tests" / "requirements.txt").read_text(encoding="utf-8").count("--hash=sha256:") > len(locked)


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["zizmor", "--pedantic", "--offline", "--no-progress", "."],
        ["check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_linters_find_nothing(project: Path, command: list[str]) -> None:
    done = tool(*command, folder=project)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_pass_actionlint_and_githubs_schema(project: Path) -> None:
    files = sorted(str(path) for path in (project / ".github" / "workflows").iterdir())
    for command in (["actionlint", *files], ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files]):
        done = tool(*command, folder=project)
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_own_unit_tests_pass(project: Path) -> None:
    done = own_tests(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "27 passed" in done.stdout


@pytest.mark.parametrize("change", [changes.NEW_FEATURE, changes.LARGER_FOREST, changes.BROKEN_FEATURE], ids=lambda change: change.message)
def test_the_changes_of_the_default_story_fit(tmp_path: Path, change: changes.Change) -> None:
    folder = new_project("iris", tmp_path / "iris", answers={}, ask=False).folder
    for edit in change.edits:
        path = folder / edit.path
        text = path.read_text(encoding="utf-8")
        assert not edit.find or text.count(edit.find) == 1, f"{edit.path} does not have exactly one {edit.find!r}"
        path.write_text(text.replace(edit.find, edit.replace, 1) if edit.find else text + edit.replace, encoding="utf-8")
    done = own_tests(folder)
    assert done.returncode == (1 if change is changes.BROKEN_FEATURE else 0), done.stdout + done.stderr
    assert tool("ruff", "check", ".", folder=folder).returncode == 0
