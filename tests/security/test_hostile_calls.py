"""Hostile text through everything that is called: programs get it as one argument or variable, git as a name, GitHub as a text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_cli import FakeCli
from github_world import REPOSITORY, World
from hostile import MARK, TEXTS, obeyed, references, rendered
from project import Project

from bundleflow.adapters import git
from bundleflow.adapters.databricks_cli import DatabricksCli
from bundleflow.records.errors import BundleflowError
from bundleflow.releases.release_pull_request import Deployed, propose_release

ARGUMENTS = {name: text for name, text in TEXTS.items() if "\0" not in text and name != "surrogate"}
"""What an operating system takes as an argument at all."""
BRANCHES = {
    "quotes": f'it\'s-"{MARK}"',
    "shell": f"$(touch${{IFS}}{MARK})`{MARK}`;{MARK}&|",
    "command": f"##{MARK}-set-output",
    "html": f"<script>{MARK}</script>",
    "markdown": f"x](javascript{MARK})|`_#1@team",
    "direction": f"a\u202e{MARK}",
    "percent": f"100%0A{MARK}%25",
    "long": MARK + "/x" * 90,
}
"""What git takes as the name of a branch."""


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_cli_gets_target_and_variables_as_they_are(name: str, empty: Path) -> None:
    text = ARGUMENTS[name]
    program = FakeCli(empty.parent)
    DatabricksCli(
        empty, target=text, variables={"suffix": text}, env={"DATABRICKS_CLI_PATH": str(program.path), "PATH": "/usr/bin"}, echo=False
    ).validate()
    (call,) = program.calls
    assert call["argv"] == ["bundle", "validate", "-o", "json", "-t", text]
    assert call["suffix"] == text
    assert list(empty.iterdir()) == []


@pytest.mark.parametrize("name", ARGUMENTS)
def test_git_takes_no_option_and_no_path_for_a_commit(name: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.work)
    before = sorted(world.work.rglob("*"))
    for ask in (git.tree_of, git.commit_of, git.fetch_commit, lambda text: git.changed_files(text, "HEAD")):
        with pytest.raises(BundleflowError):
            ask(ARGUMENTS[name])
    assert [path for path in sorted(world.work.rglob("*")) if path not in before and path.name != "FETCH_HEAD"] == []


FILES = [name for name in ARGUMENTS if name not in ("long", "path")]


@pytest.mark.parametrize("name", FILES)
def test_git_gives_file_names_as_they_are(name: str, world: World) -> None:
    file = ARGUMENTS[name].replace("/", "-")[:200]
    (world.work / file).write_text("x")
    world.git("add", "--all")
    world.git("-c", "user.name=developer", "-c", "user.email=developer@example.com", "commit", "-q", "-m", "a file")
    assert git.changed_files("HEAD~1", "HEAD", world.work) == (file,)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_release_pull_request_shows_commit_messages_as_text(name: str, world: World) -> None:
    text = ARGUMENTS[name]
    world.git("-c", "user.name=developer", "-c", "user.email=developer@example.com", "commit", "--allow-empty", "-q", "-m", f"x {text}")
    world.push("main")
    deployed = Deployed(text[:100], text[:40], "", text[:64], text[:500])
    number = propose_release(world.api(), head="main", base="release", deployed=deployed).number
    body = world.github.repository(REPOSITORY).issues[number].body or ""
    page = rendered(body)
    assert {kind for kind, _ in page.kinds} <= {"p", "code", "strong", "h4", "ul", "li", "a", "blockquote"}
    assert page.links == []
    assert len(page.comments) == 1, "the kit's own marker"
    assert references(body) == []
    assert "\u202e" not in body


@pytest.mark.parametrize("name", BRANCHES)
def test_the_release_pull_request_takes_such_a_branch(name: str, world: World) -> None:
    branch = BRANCHES[name]
    world.git("checkout", "-q", "-b", branch)
    world.commit("more")
    world.push(branch)
    made = propose_release(world.api(), head=branch, base="release", deployed=Deployed("staging", "", ""))
    assert made.action == "opened"
    assert propose_release(world.api(), head=branch, base="release", deployed=Deployed("staging", "", "")).number == made.number
    page = rendered(world.github.repository(REPOSITORY).issues[made.number].body or "")
    assert {kind for kind, _ in page.kinds} <= {"p", "code", "strong", "h4", "ul", "li", "blockquote"}


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "surrogate"])
def test_what_the_cli_says_is_obeyed_nowhere(
    name: str, project: Project, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole command in a job: the CLI prints the text, the plan names a job so, and the bundle asks for it as a value."""
    text = TEXTS[name]
    entry = {"action": "update", "changes": {"name": {"action": "update", "old": text, "new": f"new {text}", "remote": text}}}
    project.cli.plan({f"resources.jobs.{text}": entry})
    project.cli.answer("validate", {"workspace": project.cli.workspace}, stderr=f"Warning: {text}\n{text}\n  in {text}:1:1\n\n")
    project.job("dev", "dev", project.world.start_run("cd-dev.yml"))
    code = project.call("deploy-stage", "--json")
    told = capfd.readouterr()
    allowed = {"group", "endgroup", "stop-commands", "error", "warning", "notice", "add-mask"}
    assert set(obeyed(told.err)) <= allowed
    assert obeyed(told.out) == []
    assert set(project.outputs) <= {"digest", "failure-reason", "policy-verdict"}
    assert (code == 0) == ("failure-reason" not in project.outputs)
    assert not any(path.name == MARK for path in project.folder.rglob("*"))
    if told.out:
        json.loads(told.out)
    page = rendered(project.summary)
    assert not {"script", "img"} & {kind for kind, _ in page.kinds}
    assert page.comments == []


def test_a_job_that_obeys_would_be_seen() -> None:
    """The reader of logs that these tests trust does find commands."""
    assert obeyed("x\n  ::add-mask::y\nz ##[set-env name=a]b\n::stop-commands::t\n::error::no\n::t::\n::error::yes") == [
        "add-mask",
        "set-env",
        "stop-commands",
        "error",
    ]


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_command_with_such_options_is_refused_in_words(name: str, tmp_path: Path) -> None:
    if name == "long":
        pytest.skip("an argument of 100 kB is more than a line of a log")
    done = subprocess.run(
        [sys.executable, "-m", "bundleflow", "comment", f"--key={ARGUMENTS[name]}", "--pull-request=1"],
        cwd=tmp_path,
        input="text",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "GITHUB_ACTIONS": "true"},
    )
    assert done.returncode in (1, 2, 3)
    assert "Traceback" not in done.stderr
    assert set(obeyed(done.stderr)) <= {"stop-commands", "error"}
    assert list(tmp_path.iterdir()) == []
