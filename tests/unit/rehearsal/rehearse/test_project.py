"""Taking a project: hosts go, others are named, mistakes in flow file and bundle are found before anything starts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from bundleflow.records.errors import BundleflowError, ExitCode
from rehearsal.rehearse import bundle, hosts, project

FLOW = "version: 1\nstages:\n  dev: {target: dev, environment: dev}\n  prod: {target: prod, environment: production, requires: dev}\n"
BUNDLE = """
bundle: {name: mine}
include: [resources/*.yml]
variables:
  catalog: {default: main}
  schema: {default: "s_${bundle.target}"}
targets:
  dev:
    workspace: {host: https://adb-1.azuredatabricks.net, profile: DEV, root_path: /x}
  prod:
    variables: {catalog: "prod_${bundle.name}"}
"""
RESOURCES = """
resources:
  jobs: {train: {name: train}}
  schemas: {main: {catalog_name: "${var.catalog}", name: "${var.schema}"}}
  volumes: {v: {catalog_name: shared, schema_name: x, name: v}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "bundleflow.yml": FLOW,
        "databricks.yml": BUNDLE,
        "resources/a.yml": RESOURCES,
        ".github/workflows/cd.yml": "on: push\njobs: {}\n",
    }.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "mine"


def test_hosts_and_profiles_are_taken_out_and_listed(folder: Path):
    taken = project.take(folder, "mine", "")
    assert yaml.safe_load((folder / "databricks.yml").read_text())["targets"]["dev"]["workspace"] == {"root_path": "/x"}
    assert [change.where for change in taken.changes] == ["targets.dev.workspace.host", "targets.dev.workspace.profile"]


def test_a_bundle_without_hosts_is_left_as_it_is(folder: Path):
    text = "# kept\nbundle: {name: mine}\ntargets: {dev: {}, prod: {}}\n"
    (folder / "databricks.yml").write_text(text)
    assert project.take(folder, "mine", "").changes == []
    assert (folder / "databricks.yml").read_text() == text


def test_the_catalogs_of_each_target_are_read(folder: Path):
    facts = bundle.read(folder)
    assert facts.name == "mine"
    assert facts.jobs == ("train",)
    assert facts.catalogs == {"dev": ("main", "shared"), "prod": ("prod_mine", "shared")}


def test_a_catalog_that_the_bundle_makes_need_not_exist(folder: Path):
    (folder / "resources" / "a.yml").write_text("resources: {catalogs: {c: {name: main}}}\n")
    assert bundle.read(folder).catalogs["dev"] == ()


@pytest.mark.parametrize(
    ("place", "host"),
    [
        ("artifacts: {w: {build: 'pip install --index-url https://packages.example.org/simple x'}}", "packages.example.org"),
        ("resources: {jobs: {j: {git_source: {git_url: 'https://user@git.example.org/x'}}}}", "git.example.org"),
        ("variables: {h: {default: dbc-1.cloud.databricks.com}}", "dbc-1.cloud.databricks.com"),
        ("variables: {h: {default: 'jdbc:postgresql://db.example.org:5432/x'}}", "db.example.org"),
    ],
)
def test_another_host_is_named_and_nothing_starts(folder: Path, place: str, host: str):
    (folder / "databricks.yml").write_text(f"bundle: {{name: mine}}\ntargets: {{dev: {{}}, prod: {{}}}}\n{place}\n")
    with pytest.raises(BundleflowError, match="outside this machine") as caught:
        project.take(folder, "mine", "")
    assert host in caught.value.cause
    assert "databricks.yml" in caught.value.cause
    assert caught.value.exit_code == ExitCode.USAGE


def test_texts_for_people_and_loopback_are_no_hosts(folder: Path):
    text = "resources: {jobs: {j: {description: 'see https://docs.example.org', url: 'http://127.0.0.1:1'}}}\n# https://in.a.comment\n"
    (folder / "resources" / "a.yml").write_text(text)
    hosts.replace(folder)
    assert hosts.foreign(folder) == []


def test_a_typo_in_the_flow_file_names_the_key_and_the_right_one(folder: Path):
    (folder / "bundleflow.yml").write_text(FLOW.replace("target: prod", "taget: prod"))
    with pytest.raises(BundleflowError, match="taget") as caught:
        project.take(folder, "mine", "")
    assert "target" in caught.value.fix
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_target_that_the_bundle_does_not_have(folder: Path):
    (folder / "bundleflow.yml").write_text(FLOW.replace("target: prod", "target: prodd"))
    with pytest.raises(BundleflowError, match=r"stages\.prod\.target is `prodd`") as caught:
        project.take(folder, "mine", "")
    assert "`prod`" in caught.value.fix
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_project_without_workflows(folder: Path):
    (folder / ".github" / "workflows" / "cd.yml").unlink()
    with pytest.raises(BundleflowError, match="no workflows"):
        project.take(folder, "mine", "")


@pytest.mark.parametrize("make", [False, True])
def test_a_folder_that_is_no_project(tmp_path: Path, make: bool):
    folder = tmp_path / "nothing"
    if make:
        folder.mkdir()
    with pytest.raises(BundleflowError, match=r"no databricks\.yml" if make else "no project folder") as caught:
        project.check_folder(folder)
    assert caught.value.exit_code == ExitCode.USAGE


def test_no_space_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(project, "NEEDED_BYTES", 2**62)
    with pytest.raises(BundleflowError, match="no space left") as caught:
        project.check_space(tmp_path)
    assert caught.value.exit_code == ExitCode.TROUBLE


def test_the_copy_holds_what_git_would_have(folder: Path, tmp_path: Path):
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True, timeout=30)
    (folder / ".gitignore").write_text("secret.txt\n")
    (folder / "secret.txt").write_text("x")
    (folder / "link").symlink_to("databricks.yml")
    project.copy_folder(folder, tmp_path / "copy")
    names = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if not path.is_dir()}
    assert names == {".gitignore", ".github/workflows/cd.yml", "bundleflow.yml", "databricks.yml", "link", "resources/a.yml"}


def test_a_folder_outside_git_is_copied_without_what_git_would_ignore(folder: Path, tmp_path: Path):
    (folder / ".venv").mkdir()
    (folder / ".venv" / "x").write_text("x")
    project.copy_folder(folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "databricks.yml").is_file()
    assert not (tmp_path / "copy" / ".venv").exists()


def test_models_are_approved_in_an_environment_of_their_own(folder: Path):
    flow = folder / "bundleflow.yml"
    told = "{target: prod, environment: production, promote: [m], model-environment: production-model}"
    flow.write_text(f"version: 1\nstages: {{prod: {told}}}\nmodels: {{m: {{gate: gate.yml}}}}\n")
    (folder / "databricks.yml").write_text("bundle: {name: mine}\ntargets: {prod: {}}\n")
    assert project.take(folder, "mine", "").environments() == {"production": "write", "production-model": "write"}


def test_names_for_the_imitated_github(folder: Path):
    (folder / "databricks.yml").write_text("bundle: {name: 'my project!'}\ntargets: {dev: {}, prod: {}}\n")
    workflow = "jobs: {a: {uses: bundleflow/bundleflow/.github/workflows/x.yml@abc}, b: {uses: other/bundleflow@v1}}\n"
    (folder / ".github" / "workflows" / "cd.yml").write_text(workflow)
    taken = project.take(folder, "mine", "")
    assert taken.repository == "team/my-project-"
    assert taken.environments() == {"dev": "write", "production": "write"}
    assert taken.kit_refs() == ["abc"]


def test_several_bundles_are_taken_together(folder: Path, tmp_path: Path):
    for name in ("a", "b c"):
        (folder / "bundles" / name).mkdir(parents=True)
        text = BUNDLE.replace("name: mine", f"name: {name}").replace("include: [resources/*.yml]\n", "")
        (folder / "bundles" / name / "databricks.yml").write_text(text.replace("  prod:", f"  only-{name[0]}: {{}}\n  prod:"))
    (folder / "databricks.yml").unlink()
    with pytest.raises(BundleflowError, match=r"no folder with a databricks\.yml"):
        project.check_folder(folder)
    (folder / "bundleflow.yml").write_text(FLOW.replace("version: 1\n", 'version: 1\nbundles: ["bundles/*"]\n'))
    project.check_folder(folder)
    taken = project.take(folder, "mine", "")
    assert (taken.bundle.count, taken.bundle.targets, taken.name) == (2, ("dev", "prod"), "mine")
    assert taken.bundle.catalogs["prod"] == ("prod_a", "prod_b c")
    assert {change.file for change in taken.changes} == {"bundles/a/databricks.yml", "bundles/b c/databricks.yml"}
