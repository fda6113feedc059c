"""`bundleflow new`: nothing overwritten, nothing asked with --defaults, every wrong use told with its fix."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import copier
import pytest
import yaml

from bundleflow import __version__
from bundleflow.cli import main
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.templates_callers import KIT_ROOT
from bundleflow.templates_project import kit_commit, new_project


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_command_makes_a_project_and_says_what_is_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, before = tmp_path / "My Flowers!", kit_commit(KIT_ROOT)
    assert main(["new", "iris", str(folder), "--defaults"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert f"Made {folder}" in shown
    assert "bundleflow rehearse ." in shown
    assert f"cd '{folder}'" in shown
    answers = yaml.safe_load((folder / ".bundleflow-answers.yml").read_text(encoding="utf-8"))
    assert answers.pop("_commit") in {before, kit_commit(KIT_ROOT)}  # somebody may commit meanwhile
    assert answers == {
        "_src_path": "https://github.com/bundleflow/bundleflow.git",
        "azure_pipelines": False,
        "flow": "dev-main-release",
        "project_name": "my-flowers",
        "template": "iris",
        "workspace_folder": "/Deployments",
    }
    assert (folder / "src" / "my_flowers" / "__init__.py").is_file()


def test_answers_are_taken(tmp_path: Path) -> None:
    made = new_project("iris", tmp_path / "x", answers={"project_name": "roses", "workspace_folder": "/Teams"}, ask=False)
    bundle = yaml.safe_load((made.folder / "databricks.yml").read_text(encoding="utf-8"))
    assert bundle["bundle"]["name"] == "roses"
    assert bundle["variables"]["folder"]["default"] == "/Teams/roses"


def test_a_repository_that_is_empty_but_for_git_is_filled(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "repository")], check=True, timeout=20)
    before = files(tmp_path / "repository")
    made = new_project("iris", tmp_path / "repository", answers={}, ask=False)
    assert before <= files(made.folder)
    assert made.files == len([each for each in files(made.folder) if not each.startswith(".git" + os.sep)])


def test_the_same_answers_make_the_same_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bundleflow.templates_project.kit_commit", lambda root: "0" * 40)
    one, two = (new_project("iris", tmp_path / name / "iris", answers={}, ask=False).folder for name in ("one", "two"))
    assert files(one) == files(two)
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in files(one))


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(BundleflowError, match=r"has files in it already: mine\.txt"):
        new_project("iris", tmp_path, answers={}, ask=False)
    assert files(tmp_path) == {"mine.txt"}
    with pytest.raises(BundleflowError, match="is a file"):
        new_project("iris", tmp_path / "mine.txt", answers={}, ask=False)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["iri", "DIR", "--defaults"], "Did you mean `iris`?"),
        (["tulips", "DIR", "--defaults"], "Templates: `iris`"),
        (["iris", "DIR", "--defaults", "--data", "project_nme=x"], "Did you mean `project_name`?"),
        (["iris", "DIR", "--defaults", "--data", "kit_sha=x"], "answers no question"),
        (["iris", "DIR", "--defaults", "--data", "template=x"], "answers no question"),
        (["iris", "DIR", "--defaults", "--data", "project_name"], "has no `=`"),
        (["iris", "DIR", "--defaults", "--data", "project_name=No Good"], "lower case letters, digits and single hyphens"),
        (["iris", "DIR", "--defaults", "--data", "project_name=sklearn"], "one that the project itself needs"),
        (["iris", "DIR", "--defaults", "--data", "workspace_folder=/Workspace/x"], "without the leading /Workspace"),
        (["iris", "DIR", "--defaults", "--data", "workspace_folder=/a: b"], "Give an absolute path"),
        (["iris", "DIR"], "There is no terminal to ask on"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "made"
    assert main(["new", *(str(folder) if each == "DIR" else each for each in arguments)]) == ExitCode.USAGE
    assert says in capsys.readouterr().err
    assert not folder.exists()


def test_a_kit_outside_git_cannot_be_pinned(tmp_path: Path) -> None:
    with pytest.raises(BundleflowError, match="could not be pinned"):
        kit_commit(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, timeout=20)
    with pytest.raises(BundleflowError, match="could not be pinned"):  # no commit yet
        kit_commit(tmp_path)


def test_a_folder_inside_another_repository_is_not_taken_for_the_kit() -> None:
    with pytest.raises(BundleflowError, match="could not be pinned"):
        kit_commit(KIT_ROOT / "scripts")


def test_without_copier_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "copier", None)
    with pytest.raises(BundleflowError, match="needs copier") as caught:
        new_project("iris", tmp_path / "x", answers={}, ask=False)
    assert "scripts/setup" in caught.value.fix


def test_fast_enough(tmp_path: Path) -> None:
    begin = time.perf_counter()
    command = [sys.executable, "-m", "bundleflow", "new", "iris", str(tmp_path / "x"), "--defaults"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    assert time.perf_counter() - begin < 10  # 1.8 s alone; the limit leaves room for a busy machine


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, timeout=60)


def test_copier_alone_brings_a_project_up_to_date(tmp_path: Path) -> None:
    kit = tmp_path / "kit"
    shutil.copytree(KIT_ROOT / "templates", kit / "templates", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(KIT_ROOT / "copier.yml", kit / "copier.yml")
    git(kit, "init", "-q")
    git(kit, "add", "-A")
    git(kit, "commit", "-qm", "one")
    git(kit, "tag", "v0.1.0")
    project = new_project("iris", tmp_path / "roses", answers={}, ask=False, kit_root=kit).folder
    answers = project / ".bundleflow-answers.yml"
    answers.write_text(
        answers.read_text(encoding="utf-8").replace("https://github.com/bundleflow/bundleflow.git", str(kit)), encoding="utf-8"
    )
    (project / "README.md").write_text("my own", encoding="utf-8")
    git(project, "init", "-q")
    git(project, "add", "-A")
    git(project, "commit", "-qm", "mine")
    (kit / "templates" / "iris" / "resources" / "experiment.yml").write_text("resources: {}\n", encoding="utf-8")
    git(kit, "commit", "-qam", "two")
    git(kit, "tag", "v0.2.0")

    copier.run_update(str(project), answers_file=".bundleflow-answers.yml", defaults=True, overwrite=True, quiet=True)

    assert (project / "resources" / "experiment.yml").read_text(encoding="utf-8") == "resources: {}\n"
    assert (project / "README.md").read_text(encoding="utf-8") == "my own"
    assert f"@{kit_commit(kit)} # v{__version__}" in (project / ".github" / "workflows" / "lint.yml").read_text(encoding="utf-8")
