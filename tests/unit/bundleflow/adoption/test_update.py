"""`bundleflow update`: pins in any repository; a template's changes merged with the project's own; conflicts; what must be explained."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from bundles import SHA, git, grown, tree

from bundleflow.adapters.cli_lock import LOCK_FILE, CliLock
from bundleflow.adapters.cli_release import load_table
from bundleflow.adoption import update as updates
from bundleflow.adoption.pins import moved, objections
from bundleflow.adoption.update import Outcome, apply_update, plan_update, uncommitted
from bundleflow.cli import main
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.templates_callers import KIT_ROOT
from bundleflow.templates_project import render_again

NEWER = "f" * 40
PINNED = load_table().pinned


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit with its templates and workflows, in two commits: the second changes README, a removed and a new file."""
    folder = tmp_path_factory.mktemp("kit")
    for name in ("templates/iris", "templates/callers", ".github/workflows"):
        shutil.copytree(KIT_ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(KIT_ROOT / "copier.yml", folder)
    (folder / "templates" / "iris" / "GONE.md").write_text("gone later\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "old")
    readme = folder / "templates" / "iris" / "README.md.jinja"
    readme.write_text(readme.read_text() + "\nA line of the newer template.\n")
    (folder / "templates" / "iris" / "GONE.md").unlink()
    (folder / "templates" / "iris" / "NEW.md").write_text("new\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "new")
    return folder


def commits(kit: Path) -> tuple[str, str]:
    new, old = git(kit, "rev-parse", "HEAD", "HEAD~1").split()
    return old, new


@pytest.fixture(scope="module")
def made(kit: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project made from the old template."""
    folder = tmp_path_factory.mktemp("made") / "flowers"
    old, _ = commits(kit)
    work = tmp_path_factory.mktemp("old")
    subprocess.run(["git", "clone", "-q", str(kit), str(work / "kit")], check=True, timeout=60)
    git(work / "kit", "checkout", "-q", old)
    render_again(work / "kit", "iris", folder, sha=old, answers={"project_name": "flowers", "an-old-question": "x"})
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "made")
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "flowers"))


def test_a_template_project_gets_pins_changes_and_new_files_and_keeps_its_own(kit: Path, project: Path) -> None:
    old, new = commits(kit)
    readme = project / "README.md"
    readme.write_text("Our words.\n" + readme.read_text())
    git(project, "commit", "-qam", "ours")
    update = plan_update(project, new, kit)
    assert update.template == "iris"
    assert update.before == old
    outcomes = {each.path: each.outcome for each in update.files}
    assert (outcomes["README.md"], outcomes["NEW.md"], outcomes["GONE.md"]) == (Outcome.CHANGED, Outcome.NEW, Outcome.DELETED)
    assert uncommitted(project, update) == []
    apply_update(project, update)
    files = tree(project)
    assert files["README.md"].startswith("Our words.\n")
    assert files["README.md"].endswith("A line of the newer template.\n")
    assert files["NEW.md"] == "new\n"
    assert "GONE.md" not in files
    assert not [name for name, text in files.items() if old in text]
    assert f"_commit: {new}\n" in files[".bundleflow-answers.yml"]
    assert plan_update(project, new, kit).files == ()
    assert set(git(project, "diff", "--name-only").split()) == {name for name, each in outcomes.items() if each is not Outcome.NEW}


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("1.9.0", "Databricks CLI 1.9.0; this kit is tried with"),
        ("1.8.0", "was not tested with this kit"),
        ("", "is no JSON object"),
        (PINNED, ""),
    ],
)
def test_the_locked_cli_is_compared_with_the_kits(version: str, says: str, kit: Path, project: Path) -> None:
    _, new = commits(kit)
    (project / LOCK_FILE).write_text(CliLock(version, {"linux_amd64": "a" * 64}).text() if version else "[]")
    notes = [note for note in plan_update(project, new, kit).notes if LOCK_FILE in note]
    assert [says in note for note in notes] == ([True] if says else [])


def test_conflicts_are_marked_and_named(kit: Path, project: Path) -> None:
    readme, gone = project / "README.md", project / "GONE.md"
    readme.write_text(readme.read_text() + "\nOur last line.\n")
    gone.write_text("we still need it\n")
    (project / "NEW.md").write_text("another file of ours\n")
    (project / "pyproject.toml").unlink()
    git(project, "add", "-A")
    git(project, "commit", "-qm", "ours")
    update = plan_update(project, commits(kit)[1], kit)
    found = {each.path: (each.outcome, each.why) for each in update.files}
    assert found["README.md"] == (Outcome.CONFLICT, "both sides changed the same lines")
    assert found["GONE.md"][0] is Outcome.KEPT
    assert found["NEW.md"][0] is Outcome.CONFLICT
    assert "pyproject.toml" not in found  # the template did not change it, and the project has deleted it
    apply_update(project, update)
    text = readme.read_text()
    assert "<<<<<<< yours" in text
    assert "Our last line." in text
    assert "A line of the newer template." in text
    assert gone.read_text() == "we still need it\n"
    assert (project / "NEW.md").read_text() == "another file of ours\n"


def test_files_with_changes_that_git_does_not_hold_stop_it(kit: Path, project: Path) -> None:
    (project / "README.md").write_text("not committed\n")
    (project / "notes.txt").write_text("of no concern\n")
    assert uncommitted(project, plan_update(project, commits(kit)[1], kit)) == ["README.md"]


def test_a_commit_that_the_kit_does_not_hold_and_an_older_kit_are_refused(kit: Path, project: Path) -> None:
    old, new = commits(kit)
    apply_update(project, plan_update(project, new, kit))
    with pytest.raises(BundleflowError, match="is older than the one that the repository uses"):
        plan_update(project, old, kit)
    answers = project / ".bundleflow-answers.yml"
    answers.write_text(answers.read_text().replace(new, "no-commit-of-it"))
    with pytest.raises(BundleflowError, match="does not hold the commit no-commit-of"):
        plan_update(project, new, kit)


def test_a_pin_that_the_kits_checkout_does_not_know_is_never_moved_back(kit: Path, project: Path) -> None:
    old, new = commits(kit)
    caller = project / ".github" / "workflows" / "lint.yml"
    caller.write_text(caller.read_text().replace(old, "e" * 40))
    before = tree(project)
    with pytest.raises(BundleflowError, match="commit eeeeeeeeeeee, which is not in this kit's history") as refused:
        plan_update(project, new, kit)
    assert f"Bring the kit's checkout up to date first: git -C {kit} pull" in refused.value.fix
    assert tree(project) == before


@pytest.mark.parametrize("linked", [".github/workflows/lint.yml", ".github/workflows", "README.md"])
def test_nothing_is_written_through_a_link(linked: str, kit: Path, project: Path, tmp_path: Path) -> None:
    outside, place = tmp_path / "outside", project / linked
    place.rename(outside)
    place.symlink_to(outside)
    before = tree(tmp_path)
    update = plan_update(project, commits(kit)[1], kit)
    with pytest.raises(BundleflowError, match="link") as refused:
        apply_update(project, update)
    assert linked in refused.value.cause
    assert tree(tmp_path) == before


def test_an_adopted_repository(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = commits(kit)
    monkeypatch.setattr(updates, "plan_update", lambda root, sha: plan_update(root, sha, kit))
    monkeypatch.setenv("BUNDLEFLOW_KIT_SHA", old)
    folder = grown(tmp_path / "orders")
    assert main(["adopt", str(folder), "--yes"]) == ExitCode.OK
    assert main(["update", str(folder), "--yes"]) == ExitCode.OK
    assert "Everything is up to date." in capsys.readouterr().err
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "adopted")
    before = tree(folder)
    monkeypatch.setenv("BUNDLEFLOW_KIT_SHA", new)
    assert main(["update", str(folder), "--dry-run", "--json"]) == ExitCode.OK
    data = json.loads(capsys.readouterr().out)
    assert {each["outcome"] for each in data["files"]} == {"changed"}
    assert tree(folder) == before
    assert main(["update", str(folder), "--yes"]) == ExitCode.OK
    assert tree(folder) == {name: text.replace(old, new) for name, text in before.items()}
    assert main(["update", str(folder), "--yes"]) == ExitCode.OK
    shown = capsys.readouterr().err
    assert "git -C" in shown
    assert " restore -- " in shown


def test_a_conflict_is_an_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = grown(tmp_path / "orders")
    conflict = updates.FileUpdate("x.md", Outcome.CONFLICT, None, None, "why")
    monkeypatch.setattr(updates, "plan_update", lambda *_: updates.Update((conflict,), ()))
    assert main(["update", str(folder), "--dry-run"]) == ExitCode.FAILED


def test_a_repository_that_does_not_use_the_kit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["update", str(grown(tmp_path / "orders"))]) == ExitCode.USAGE
    assert "Nothing in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"uses: bundleflow/bundleflow/.github/workflows/lint.yml@{SHA} # v0.0.9", f"lint.yml@{NEWER} # v1.2.3"),
        (f"uses: 'bundleflow/bundleflow/actions/x@{SHA}'", f"actions/x@{NEWER}'"),
        (f"uses: bundleflow/bundleflow/actions/x@{SHA} # 0.0.9\n", f"actions/x@{NEWER} # v1.2.3\n"),
        (f"uses: bundleflow/bundleflow/actions/x@{SHA} # 2 of them, very old\n", f"actions/x@{NEWER} # 2 of them, very old\n"),
        (f"uses: bundleflow/bundleflow-extras/foo@{SHA} # v3\n", f"bundleflow-extras/foo@{SHA} # v3\n"),
        (f"uses: bundleflow/bundleflow@{SHA}\r\n", f"bundleflow@{NEWER}\r\n"),
        (f"_commit: {SHA}", f"_commit: {NEWER}"),
        (f"https://raw.githubusercontent.com/bundleflow/bundleflow/{SHA}/x.json", f"{NEWER}/x.json"),
        ("uses: bundleflow/bundleflow/actions/x@v1", "actions/x@v1"),
        (f"uses: actions/checkout@{SHA} # v7.0.1", f"checkout@{SHA} # v7.0.1"),
        (f"# {SHA} stands here by chance", SHA),
    ],
)
def test_pins(old: str, new: str) -> None:
    assert new in moved(old, NEWER, "1.2.3")


CALLER = f"""\
on: {{push: {{branches: [dev]}}}}
jobs:
  cd-dev:
    permissions: {{contents: read, deployments: write, id-token: write}}
    uses: bundleflow/bundleflow/.github/workflows/cd-dev.yml@{SHA} # v0.1.0
    with: {{stage: dev, environment: dev}}
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("environment: dev}", "environment: dev, cluster: x}", "input `cluster` is gone"),
        (", environment: dev}", "}", "input `environment` is needed now"),
        (", id-token: write", "", "must grant `id-token: write`"),
        ("cd-dev.yml@", "cd-develop.yml@", "has no .github/workflows/cd-develop.yml any more"),
        ("    with:", "    secrets: {old-token: x}\n    with:", "secret `old-token` is gone"),
    ],
)
def test_what_a_caller_must_change_is_told_from_the_workflow_itself(old: str, new: str, says: str) -> None:
    assert list(objections("cd-dev.yml", CALLER)) == []
    (found,) = objections("cd-dev.yml", CALLER.replace(old, new))
    assert says in found


def test_a_deprecated_input_is_explained_in_the_workflows_own_words(kit: Path, tmp_path: Path) -> None:
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    text = (kit / ".github" / "workflows" / "cd-dev.yml").read_text()
    (folder / "cd-dev.yml").write_text(text.replace("description: Stage of", "description: Deprecated, use `stages`. Stage of"))
    (found,) = objections("cd-dev.yml", CALLER, tmp_path)
    assert "input `stage`: Deprecated, use `stages`." in found
