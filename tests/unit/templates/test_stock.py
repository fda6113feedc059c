"""The stock template, rendered: complete, linted, its own tests green, valid in every target; its gate refuses what has no signal."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from rendered import LINTERS, check_notebooks, check_packages, own_files, own_tests, pins, read, tool

from bundleflow.records.flow import load_flow
from bundleflow.report.markdown_verdict import verdict_markdown
from bundleflow.templates_callers import KIT_ROOT
from bundleflow.templates_project import new_project
from bundleflow_models.verdict import Predictions, Verdict, judge, load_gate
from bundleflow_models.verdict.frozen_rows import holdout_rows, holdout_sha256
from rehearsal.scenarios import stock as story
from rehearsal.scenarios.model import Push

TEMPLATE = KIT_ROOT / "templates" / "stock"
SHAPES = {"stock": {}, "from git, another name": {"project_name": "shares-of-the-north", "code_from": "git"}}
END, HOLDOUT_FROM = date(2025, 6, 30), date(2023, 1, 2)
GIT_SOURCE = Path("resources", "git_source.yml")


def rendered(tmp_path_factory: pytest.TempPathFactory, shape: str) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "stock"
    new_project("stock", folder, answers=SHAPES[shape], ask=False)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rendered(tmp_path_factory, "stock")


@pytest.fixture(scope="module")
def from_git(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rendered(tmp_path_factory, "from git, another name")


@pytest.fixture(params=["plain", "from_git"])
def project(request: pytest.FixtureRequest) -> Path:
    return Path(request.getfixturevalue(request.param))


def job(project: Path) -> dict[str, Any]:
    return dict(read(project / "resources" / "stock_training.job.yml")["resources"]["jobs"][story.JOB])


def test_everything_is_rendered(plain: Path, from_git: Path) -> None:
    assert len(own_files(from_git)) == len(own_files(TEMPLATE))
    # Names of folders hang on the project's name.
    assert {path.name for path in own_files(from_git)} - {path.name for path in own_files(plain)} == {GIT_SOURCE.name}
    for path in (*own_files(plain), *own_files(from_git)):
        assert path.suffix != ".jinja"
        assert not re.search(r"<%|%>", str(path) + path.read_text(encoding="utf-8")), path


def test_one_job_ingests_preprocesses_trains_and_evaluates(project: Path) -> None:
    tasks = job(project)["tasks"]
    assert [task["task_key"] for task in tasks] == list(story.TASKS)
    assert [[each["task_key"] for each in task.get("depends_on", [])] for task in tasks] == [[], ["ingest"], ["preprocess"], ["train"]]
    for task in tasks:
        assert (project / "resources" / task["notebook_task"]["notebook_path"]).resolve().is_file()
    asked = {parameter["name"] for parameter in job(project)["parameters"]}
    assert {"source", "start_date", "end_date", "holdout_from", "experiment"} <= asked


def test_promotion_is_a_stage_of_its_own_behind_an_environment(project: Path) -> None:
    flow = load_flow(project / "bundleflow.yml")
    assert {stage.target for stage in flow.stages.values()} == set(read(project / "databricks.yml")["targets"])
    prod, model = flow.stages["prod"], flow.models["direction"]
    assert (prod.run, prod.promote, prod.model_environment) == ((story.JOB,), ("direction",), "production-model")
    assert prod.model_environment not in {stage.environment for stage in flow.stages.values()}
    assert (model.promoter, model.endpoint, model.deployment_job) == ("github", None, None)
    workflow = read(project / ".github" / "workflows" / "cd-prod.yml")
    assert workflow[True]["push"]["branches"] == ["release"]  # YAML 1.1 reads the key `on` as true
    assert workflow["jobs"]["cd-prod"]["with"]["model-environment"] == prod.model_environment
    notebooks = "".join(path.read_text(encoding="utf-8") for path in (project / "notebooks").iterdir())
    assert not re.search(r"champion\"|set_registered_model_alias|promotion", notebooks), "nothing in the job moves the champion's alias"


def test_the_experiment_is_made_by_the_bundle(project: Path) -> None:
    made = read(project / "resources" / "experiment.yml")["resources"]["experiments"]
    assert set(made) == {"training"}
    (given,) = [each["default"] for each in job(project)["parameters"] if each["name"] == "experiment"]
    assert given == "${resources.experiments.training.name}"
    code = [path for folder in ("notebooks", "src", "resources") for path in own_files(project / folder)]
    assert not [path for path in code if "experiment_id" in path.read_text(encoding="utf-8")]


def test_shared_targets_run_the_deployed_commit_where_that_was_chosen(plain: Path, from_git: Path) -> None:
    assert not (plain / GIT_SOURCE).exists()
    targets = read(from_git / GIT_SOURCE)["targets"]
    assert set(targets) == {"dev", "prod"}, "the merge commit of a pull request is on no branch to be cloned"
    for target in targets.values():
        changed = target["resources"]["jobs"][story.JOB]
        assert changed["git_source"]["git_commit"] == "${bundle.git.commit}"
        assert "git_branch" not in changed["git_source"], "a branch moves after the approval"
        assert [task["task_key"] for task in changed["tasks"]] == list(story.TASKS)
        for task in changed["tasks"]:
            assert task["notebook_task"]["source"] == "GIT"
            assert (from_git / f"{task['notebook_task']['notebook_path']}.py").is_file()


def test_every_name_of_the_test_target_has_the_suffix(project: Path) -> None:
    found: dict[str, dict[str, Any]] = {}
    for path in (project / "resources").iterdir():
        found |= read(path).get("resources", {})
    for kind, field in {"jobs": "name", "schemas": "name", "experiments": "name"}.items():
        for key, resource in found[kind].items():
            assert "${var.suffix}" in resource[field], (kind, key)
    assert {model["schema_name"] for model in found["registered_models"].values()} == {"${resources.schemas.main.name}"}


def test_notebooks_are_thin_and_know_no_place_of_their_own(project: Path) -> None:
    check_notebooks(project, below=60)


def test_packages_agree_with_the_tests_and_with_the_rehearsal(project: Path) -> None:
    (environment,) = job(project)["environments"]
    wheel, *dependencies = environment["spec"]["dependencies"]
    packages = pins("\n".join(dependencies))
    assert wheel == "${workspace.root_path}/.bundleflow/${var.bundleflow_models_wheel}"
    assert len(packages) == len(dependencies)
    check_packages(project, packages)


@LINTERS
def test_linters_find_nothing(from_git: Path, command: list[str]) -> None:
    done = tool(*command, folder=from_git)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_own_unit_tests_pass(from_git: Path) -> None:
    done = own_tests(from_git)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "41 passed" in done.stdout


@pytest.fixture(scope="module")
def committed(from_git: Path) -> Path:
    who = ["-c", "user.name=developer", "-c", "user.email=developer@example.com"]
    for command in (
        ["init", "-q", "-b", "main"],
        ["add", "-A"],
        [*who, "commit", "-qm", "first"],
        ["remote", "add", "origin", str(from_git)],
    ):
        subprocess.run(["git", *command], cwd=from_git, check=True, timeout=60)
    return from_git


@pytest.mark.parametrize("target", ["dev", "test", "prod"])
@pytest.mark.parametrize("shape", ["plain", "committed"])
def test_the_bundle_is_valid_without_a_warning(request: pytest.FixtureRequest, workspace: str, shape: str, target: str) -> None:
    folder: Path = request.getfixturevalue(shape)
    command = [sys.executable, "-m", "bundleflow", "local", "databricks", "bundle", "validate", "--strict", "-t", target]
    done = tool(*command, folder=folder, DATABRICKS_HOST=workspace, DATABRICKS_TOKEN="any")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Validation OK!" in done.stdout


@pytest.fixture(scope="module")
def package(plain: Path) -> Iterator[dict[str, Any]]:
    """The project's own modules, by name."""
    sys.path.insert(0, str(plain / "src"))
    try:
        yield {name: importlib.import_module(f"stock.{name}") for name in ("features", "series", "training")}
    finally:
        sys.path.remove(str(plain / "src"))
        for name in [name for name in sys.modules if name.partition(".")[0] == "stock"]:
            del sys.modules[name]


def judged(plain: Path, package: dict[str, Any], series: str, seed: int) -> Verdict:
    """What the job does, without a workspace: features, training, the verdict on a first version."""
    gate = load_gate(plain / "gates" / "stock.yml")
    table = package["features"].prepare(getattr(package["series"], series)(END, seed), HOLDOUT_FROM)
    model = package["training"].fit(table, package["training"].Settings(trees=30))
    asked = table[table["split"] == "holdout"][list(package["features"].FEATURES)]
    answers = Predictions(model.predict(asked), model.predict_proba(asked), tuple(model.classes_))
    return judge(gate, table, answers, None, table, pinned=holdout_sha256(gate, holdout_rows(gate, table)))


@pytest.mark.parametrize("seed", range(5))
def test_the_gate_refuses_the_control_series(plain: Path, package: dict[str, Any], seed: int) -> None:
    found = judged(plain, package, "random_walk", seed)
    assert found.result == "refused"
    assert "not-above-baseline" in found.codes
    assert not {"holdout-not-pinned", "leakage", "leakage-unknown"} & set(found.codes), "the reason is the missing skill"


@pytest.mark.parametrize("seed", [7, 8])
def test_the_gate_lets_the_planted_signal_pass_and_shows_why(plain: Path, package: dict[str, Any], seed: int) -> None:
    found = judged(plain, package, "synthetic", seed)
    assert (found.result, found.codes) == ("passed", ())
    assert found.holdout_rows == 650, "by so many days the floor was chosen: no guessing reaches it"
    assert {each.against for each in found.intervals} == {"the best constant answer", "the previous answer"}
    shown = verdict_markdown(found, limit=60_000)
    assert "✅ Passed" in shown
    assert all(text in shown for text in ("accuracy", "floor", "the previous answer", "Confusion", "By slice"))


def test_the_changes_of_the_story_fit(plain: Path) -> None:
    changes = [scene.action.change for scene in story.STOCK.scenes if isinstance(scene.action, Push) and scene.action.change]
    assert len(changes) == len(story.STOCK.scenes)
    (edit,) = changes[1].edits
    assert (plain / edit.path).read_text(encoding="utf-8").count(edit.find) == 1
    assert edit.replace.strip().removeprefix("default: ") in (plain / "src" / "stock" / "sources.py").read_text(encoding="utf-8")
