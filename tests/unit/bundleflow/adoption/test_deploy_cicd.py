"""`bundleflow deploy-cicd` against the imitated GitHub: by an App's token, by a patch, run again, and what it must not do."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from bundles import BARE, ISOLATED, SHA
from github_world import REPOSITORY, World

from bundleflow.adapters.github import ACTIONS_BOT
from bundleflow.adoption.pull_request import BRANCH, MARKER
from bundleflow.cli import main
from bundleflow.records.errors import ExitCode
from rehearsal.github.access import PERMISSION_KEYS
from rehearsal.github.gitstore import GitStore

NEEDED = {"contents": "write", "pull_requests": "write", "workflows": "write"}
HOSTILE = """\
bundle: {name: "$(touch hacked) `id` <img src=x>"}
targets:
  "dev` $(id)": {}
  prod: {workspace: {root_path: "/Workspace/Deployments/x"}}
"""


class Job:
    """A job of the repository to be adopted, on a checkout of `main`."""

    def __init__(self, world: World, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.folder, self.monkeypatch = world, folder, monkeypatch
        monkeypatch.chdir(world.work)
        repository = world.github.repository(REPOSITORY)
        token = world.api(dict.fromkeys(PERMISSION_KEYS, "write")).token
        event = folder / "event.json"
        event.write_text(json.dumps({"repository": {"default_branch": "main"}}))
        given = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_REPOSITORY_ID": str(repository.id),
            "GITHUB_REPOSITORY_OWNER_ID": "4711",
            "GITHUB_TOKEN": token,
            "GITHUB_API_URL": world.server.url,
            "GITHUB_SERVER_URL": world.server.url,
            "GITHUB_RUN_ID": "99",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "BUNDLEFLOW_PATCH_DIR": str(folder / "patch"),
        }
        for name, value in given.items():
            monkeypatch.setenv(name, value)

    def with_app(self, permissions: dict[str, str] | None = None, *, installed: bool = True) -> str:
        """Give the job a GitHub App; returns the app's private key."""
        app, key = self.world.github.register_app("adopter", NEEDED if permissions is None else permissions)
        if installed:
            self.world.github.install_app(app, REPOSITORY)
        self.monkeypatch.setenv("BUNDLEFLOW_APP_ID", str(app.id))
        self.monkeypatch.setenv("BUNDLEFLOW_APP_PRIVATE_KEY", key)
        return key

    def commit(self, files: dict[str, str]) -> None:
        """Commit files on `main` and push them."""
        for name, text in files.items():
            path = self.world.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.world.git("add", "-A")
        self.world.git("commit", "-q", "-m", "files")
        self.world.push("main")

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text()

    def pulls(self) -> list[tuple[int, str, str]]:
        """Number, author and text of the open pull requests."""
        repository = self.world.github.repository(REPOSITORY)
        return [
            (number, pull.user, repository.issues[number].body or "")
            for number, pull in repository.pulls.items()
            if repository.issues[number].state == "open"
        ]

    def branch_files(self) -> dict[str, str]:
        """The files that the kit's branch has and `main` has not, with their texts."""
        store = GitStore(self.world.github.repository(REPOSITORY).path)
        head, base = store.resolve(f"refs/heads/{BRANCH}"), store.resolve("refs/heads/main")
        assert head is not None
        assert base is not None
        return {each.filename: store.blob(each.blob).decode() for each in store.changes(base, head)}


@pytest.fixture
def job(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    made = Job(world, tmp_path, monkeypatch)
    made.commit({"databricks.yml": ISOLATED})
    return made


def test_an_app_opens_the_pull_request_with_callers_and_checklist(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    key = job.with_app()
    assert main(["deploy-cicd"]) == ExitCode.OK
    ((number, author, body),) = job.pulls()
    assert author == "adopter[bot]"
    assert body.startswith(MARKER)
    assert f"`repo:{REPOSITORY}:environment:production`" in body
    identity = job.world.github.repository(REPOSITORY).id
    assert f"`repo:team@4711/iris@{identity}:environment:production`" in body
    assert "GitHub says that this repository uses the form *names only*." in body
    files = job.branch_files()
    assert {"bundleflow.yml", ".github/workflows/cd-prod.yml", ".github/workflows/lint.yml"} <= set(files)
    assert f"cd-prod.yml@{SHA} # v" in files[".github/workflows/cd-prod.yml"]
    shown = capsys.readouterr()
    first = job.summary.splitlines()[2]
    assert first == "The pull request is opened by the GitHub App adopter[bot]."
    output = (job.folder / "output").read_text()
    assert f"\n{number}\n" in output
    assert "PRIVATE KEY" in key
    tokens = [line for line in (shown.out + shown.err).splitlines() if "ghs_" in line]
    assert tokens
    assert all(line.startswith("::add-mask::") for line in tokens)
    assert "PRIVATE KEY" not in shown.out + shown.err + job.summary + body


def test_run_again_it_updates_the_same_pull_request(job: Job) -> None:
    job.with_app()
    assert main(["deploy-cicd"]) == ExitCode.OK
    ((number, _, body),) = job.pulls()
    repository = job.world.github.repository(REPOSITORY)
    head = job.world.github.repository(REPOSITORY).refs[f"refs/heads/{BRANCH}"]
    assert main(["deploy-cicd"]) == ExitCode.OK
    assert repository.refs[f"refs/heads/{BRANCH}"] == head
    # A person's own words and title stay; a newer main gets a newer commit.
    repository.issues[number].body = f"Read this first.\n\n{body}"
    repository.issues[number].title = "Our title"
    job.commit({"other.txt": "newer", ".github/workflows/lint.yml": "name: mine\n"})
    assert main(["deploy-cicd"]) == ExitCode.OK
    ((again, _, text),) = job.pulls()
    assert (again, repository.issues[number].title) == (number, "Our title")
    assert text.startswith("Read this first.\n\n" + MARKER)
    assert text.count(MARKER) == 1
    assert ".github/workflows/lint.yml` says something else and is left as it is" in text
    files = job.branch_files()
    assert ".github/workflows/lint.yml" not in files
    assert "bundleflow.yml" in files
    assert repository.refs[f"refs/heads/{BRANCH}"] != head


def test_commits_of_others_on_the_branch_are_not_lost(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.with_app()
    assert main(["deploy-cicd"]) == ExitCode.OK
    job.world.git("fetch", "-q", str(job.world.github.repository(REPOSITORY).path), BRANCH)
    job.world.git("checkout", "-q", "FETCH_HEAD")
    job.world.commit("by hand", **{"mine.txt": "x"})
    job.world.push(f"HEAD:{BRANCH}")
    job.world.git("checkout", "-q", "main")
    job.commit({"other.txt": "newer"})
    assert main(["deploy-cicd"]) == ExitCode.FAILED
    assert "holds commits of developer" in capsys.readouterr().err
    assert "mine.txt" in job.branch_files()


def test_files_that_are_on_the_base_branch_are_not_written_over(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """As when the workflow is started on another branch, whose checkout has not the files of `main`."""
    job.with_app()
    job.world.git("checkout", "-q", "-b", "other")
    job.world.git("checkout", "-q", "main")
    job.commit({".github/workflows/lint.yml": "name: ours\n", "bundleflow.yml": "version: 1\n"})
    job.world.git("checkout", "-q", "other")
    assert main(["deploy-cicd", "--base", "main"]) == ExitCode.FAILED
    said = capsys.readouterr().err
    assert "bundleflow.yml, .github/workflows/lint.yml are on `main`" in said
    assert "Check out `main` in the job" in said
    assert job.pulls() == []
    assert f"refs/heads/{BRANCH}" not in job.world.github.repository(REPOSITORY).refs


def test_without_a_token_for_workflows_a_patch_is_made(job: Job, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy-cicd"]) == ExitCode.OK
    assert "GitHub lets no GITHUB_TOKEN change .github/workflows" in capsys.readouterr().err.splitlines()[0]
    assert job.pulls() == []
    assert "gh run download 99 --repo team/iris" in job.summary
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(job.world.github.repository(REPOSITORY).path), str(clone)], check=True, timeout=60)
    patch = tmp_path / "patch" / "adopt.patch"
    subprocess.run(["git", "apply", "--index", str(patch)], cwd=clone, check=True, timeout=60)
    assert main(["adopt", str(clone), "--dry-run", "--json"]) == ExitCode.OK
    assert {each["state"] for each in json.loads(capsys.readouterr().out)["files"]} == {"same"}
    assert (tmp_path / "patch" / "pull-request.md").read_text().startswith(MARKER)


def test_github_token_could_not_have_done_it(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    job.monkeypatch.setenv("BUNDLEFLOW_ADOPT_TOKEN", job.world.api(dict.fromkeys(PERMISSION_KEYS, "write")).token)
    assert main(["deploy-cicd"]) == ExitCode.FAILED
    assert "403" in capsys.readouterr().err
    assert job.pulls() == []


def test_a_given_token_of_a_person(job: Job) -> None:
    job.monkeypatch.setenv("BUNDLEFLOW_ADOPT_TOKEN", job.world.github.user_token("developer"))
    assert main(["deploy-cicd"]) == ExitCode.OK
    assert [author for _, author, _ in job.pulls()] == ["developer"]
    assert ACTIONS_BOT != "developer"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("not installed", "is not installed on team/iris"),
        ("less", "may not do what is needed"),
        ("key", "private key of the GitHub App cannot be used"),
        ("half", "`app-private-key` is missing"),
        ("other key", "does not take the login"),
    ],
)
def test_what_is_wrong_with_the_app_is_said(job: Job, capsys: pytest.CaptureFixture[str], change: str, says: str) -> None:
    job.with_app({"contents": "write"} if change == "less" else None, installed=change != "not installed")
    if change == "key":
        job.monkeypatch.setenv("BUNDLEFLOW_APP_PRIVATE_KEY", "no key")
    if change == "half":
        job.monkeypatch.setenv("BUNDLEFLOW_APP_PRIVATE_KEY", "")
    if change == "other key":
        job.monkeypatch.setenv("BUNDLEFLOW_APP_PRIVATE_KEY", job.world.github.register_app("other", NEEDED)[1])
    assert main(["deploy-cicd"]) != ExitCode.OK
    assert says in capsys.readouterr().err
    assert job.pulls() == []


def test_hostile_names_stay_text(job: Job) -> None:
    job.with_app()
    job.commit({"databricks.yml": HOSTILE})
    assert main(["deploy-cicd"]) == ExitCode.OK
    ((_, _, body),) = job.pulls()
    assert "<img" not in body
    assert "``dev` $(id)``" in body
    assert not (job.world.work / "hacked").exists()
    assert '"dev` $(id)"' in job.branch_files()["bundleflow.yml"]


def test_a_second_project_in_an_adopted_repository(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    """What is there stays; what the second bundle would need is shown in the pull request, or said where there is nothing new."""
    job.with_app()
    assert main(["adopt", ".", "--yes"]) == ExitCode.OK
    job.commit({"second one/databricks.yml": ISOLATED, "third/databricks.yml": BARE})
    assert main(["deploy-cicd", "--json"]) == ExitCode.OK
    out = capsys.readouterr()
    assert json.loads(out.out)["mode"] == "nothing"
    assert "These say something else, and are left as they are: bundleflow.yml" in out.err
    assert job.pulls() == []
