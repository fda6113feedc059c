"""Secrets that were planted: no workflow has one that is not its own, and none is in anything that is written, kept or shown."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
import urllib.parse
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from canary import Watcher, contents, forms, leaks

from bundleflow.report.html import rehearsal_page
from rehearsal.github import store
from rehearsal.rehearse import collect
from rehearsal.rehearse.player import Player
from rehearsal.rehearse.setting_up import Director
from rehearsal.rehearse.stage import Stage, Wishes
from rehearsal.scenarios.changes import PLAIN
from rehearsal.scenarios.model import Deployed, Gate, GateAsked, JobEnds, MergePull, OpenPull, Push, Scene, Story, WorkflowEnds

TAIL = 400
"""Lines of a job's log that the result holds; what is said before stands in the whole log only."""

OWN_WORKFLOW = f"""\
# A workflow of the team's own: one job leaks a secret in a way that nobody masks, one has a secret of its environment.
name: own
on: {{pull_request: {{branches: [main]}}, push: {{branches: [main]}}}}
permissions: {{}}
jobs:
  notify:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions: {{}}
    steps:
      - env: {{PASSWORD: "${{{{ secrets.CHAT_PASSWORD }}}}"}}
        run: |
          echo "it is $PASSWORD"
          printf %s "$PASSWORD" | rev
          seq {TAIL + 100}
          sleep 1
  report:
    if: github.event_name == 'push'
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    environment: {{name: staging, deployment: false}}
    permissions: {{}}
    steps:
      - env: {{TOKEN: "${{{{ secrets.DATABRICKS_TOKEN }}}}"}}
        run: |
          echo "it is $TOKEN"
          sleep 1
"""

STORY = Story(
    name="canaries",
    title="A change on its way to production, by logins with secrets",
    quick=True,
    scenes=(
        Scene(
            "A pull request",
            "checked by the test identity",
            OpenPull("feature/x", "main", PLAIN, "A change"),
            (WorkflowEnds("bundle-ci.yml"), WorkflowEnds("run-tests.yml"), JobEnds("own.yml", "notify", "success")),
        ),
        Scene(
            "A push to main",
            "in staging, by an OAuth secret",
            Push("main", change=PLAIN, who="platform-owner"),
            (WorkflowEnds("cd-staging.yml"), Deployed("staging"), JobEnds("own.yml", "report", "success")),
        ),
        Scene(
            "Its release",
            "in production, by an access token",
            MergePull("release", who="release-manager"),
            (WorkflowEnds("cd-prod.yml"), GateAsked("prod"), Deployed("prod")),
            gate=Gate("prod"),
        ),
    ),
)


@dataclass(frozen=True)
class Walked:
    """A rehearsal with planted secrets that has come to its end."""

    result: dict[str, Any]
    canaries: dict[str, str]
    watcher: Watcher
    places: list[tuple[str, bytes]]


def project(folder: Path) -> Path:
    """The template, whose callers hand secrets on, with a workflow of its own."""
    subprocess.run([sys.executable, "-m", "bundleflow", "new", "iris", str(folder), "--defaults"], check=True, timeout=120)
    workflows = folder / ".github" / "workflows"
    for name, handed in (
        ("cd-staging", {"databricks-client-secret": "${{ secrets.STAGING_CLIENT_SECRET }}"}),
        ("cd-prod", {"databricks-token": "${{ secrets.PRODUCTION_TOKEN }}"}),
    ):
        document = yaml.safe_load((workflows / f"{name}.yml").read_text(encoding="utf-8"))
        document["on"] = document.pop(True)  # YAML 1.1 reads the bare word as a truth value
        document["jobs"][name]["secrets"] = handed
        if name == "cd-staging":
            # The one secret that a caller hands on is staging's; a preview would log in as production's planner with it.
            del document["jobs"][name]["with"]["plan-environment"]
        (workflows / f"{name}.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    (workflows / "lint.yml").unlink()  # has no login; it would only take its time
    (workflows / "own.yml").write_text(OWN_WORKFLOW, encoding="utf-8")
    return folder


def plant(stage: Stage) -> dict[str, str]:
    """Set the secrets on GitHub; gives all of them, and those that only the workspace knows."""
    name, given = stage.project.repository, stage.logins
    canaries = {"CHAT_PASSWORD": base64.b64encode(b"a password of no environment").decode()}
    canaries |= {"STAGING_CLIENT_SECRET": given["staging"].client_secret, "PRODUCTION_TOKEN": given["production"].token}
    for secret, value in canaries.items():
        stage.github.set_secret(name, secret, value)
    for environment in given:
        for secret in ("DATABRICKS_CLIENT_SECRET", "DATABRICKS_TOKEN"):
            value = (
                f"{environment}/{secret}+{Stage.__name__}{base64.b64encode(environment.encode()).decode()}={stage.client_ids[environment]}"
            )
            canaries[f"{environment}:{secret}"] = value
            stage.github.set_secret(name, secret, value, environment)
    canaries |= {f"{environment}:{key}": value for environment, login in given.items() for key, value in vars(login).items()}
    return canaries


def said(stage: Stage) -> bytes:
    """Everything that GitHub has been told: comments, pull requests, checks, deployments, runs. Its secrets are what was planted."""
    with stage.github.state.locked():
        kept = {name: store.encode(getattr(stage.github.state, name)) for name in store.KEPT}
    for repository in kept["repositories"].values():
        repository["secrets"] = {}
        for environment in repository["environments"].values():
            environment["secrets"] = {}
    return json.dumps(kept, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Walked:
    folder = tmp_path_factory.mktemp("canaries")
    told: list[str] = []
    stage = Stage(Wishes(project(folder / "team"), keep=folder / "kept"), told.append)
    try:
        canaries = plant(stage)
        watcher = Watcher(stage.guard.mark, canaries)
        watcher.start()
        player = Player(stage, told.append)
        played = Director(stage, player, [STORY], told.append).play(STORY, lambda step: told.append(repr(step)))
        watcher.stop()
        result = collect.rehearsal(stage, player, played, datetime.now(UTC))
        github = said(stage)
    finally:
        stage.close()
    places = [
        *((name, content) for name, content in contents(folder / "kept") if name != "identities.json"),
        ("GitHub", github),
        ("result", json.dumps(result.as_dict(), ensure_ascii=False).encode()),
        ("report", rehearsal_page(result).encode()),
        ("progress", "\n".join(told).encode()),
    ]
    return Walked(result.as_dict(), canaries, watcher, places)


pytestmark = [pytest.mark.rehearsal, pytest.mark.timeout(600)]


def test_the_story_went_as_told(walked: Walked):
    wrong = [(step["title"], check) for step in walked.result["scenarios"][0]["steps"] for check in step["checks"] if not check["ok"]]
    assert wrong == []


def test_each_workflow_had_its_own_secrets_and_no_other(walked: Walked):
    """Seen in the environments of the running processes. Above all: nothing of production outside its own workflow."""
    assert walked.watcher.seen == {
        ("CHAT_PASSWORD", "pull_request", "own"),
        ("staging:DATABRICKS_TOKEN", "push", "own"),
        ("STAGING_CLIENT_SECRET", "push", "cd-staging"),
        ("staging:client_secret", "push", "cd-staging"),
        ("PRODUCTION_TOKEN", "push", "cd-prod"),
        ("production:token", "push", "cd-prod"),
    }
    assert walked.watcher.told == set()


def test_only_the_leak_that_was_built_in_is_found(walked: Walked):
    """Whole logs, comments, artifacts, summaries, caches, the bundle's files, report: in no form but where a step turned a secret round."""
    names = {name.split("/")[0] for name, _ in walked.places}
    assert {"actions", "cache", "github", "workspace", "GitHub", "result", "report", "progress"} <= names
    logs = [name for name, _ in walked.places if name.startswith("actions/logs/")]
    assert len(logs) == sum(bool(job["steps"]) for run in walked.result["workflow_runs"] for job in run["jobs"])
    (leak,) = leaks(walked.places, walked.canaries)
    assert leak[1:] == ("CHAT_PASSWORD", "backwards")
    assert leak[0].startswith("actions/logs/")
    assert leak[0].endswith("-notify.log")
    assert b"it is ***\n" in dict(walked.places)[leak[0]]


def test_what_comments_and_artifacts_say_is_among_what_is_looked_at(walked: Walked):
    places = dict(walked.places)
    assert b"bundle-ci" in places["GitHub"]
    assert any(name.startswith("github/artifacts/") and "!" in name for name in places)
    assert any(name.startswith("workspace/data/workspace/") for name in places)


VALUE = 'qu/ote+d "value" of=ΩΩ many-characters'
WRITTEN = {
    "as it is": VALUE.encode(),
    "in JSON": json.dumps({"key": VALUE}).encode(),
    "in a URL": f"http://h/?q={urllib.parse.quote(VALUE, safe='')}".encode(),
    "in a form": urllib.parse.urlencode({"client_secret": VALUE}).encode(),
    "backwards": VALUE.encode()[::-1],
    "in hexadecimal": VALUE.encode().hex().encode(),
    "in capitals": VALUE.encode().upper(),
}
LOGINS = {f"in base 64 after {user!r}": base64.b64encode(f"{user}:{VALUE}\n".encode()) for user in ("", "a", "ab", "abc")}


@pytest.mark.parametrize("written", [*WRITTEN, *LOGINS])
def test_a_planted_leak_is_found_in_whatever_form_and_file(tmp_path: Path, written: str):
    text = {**WRITTEN, **LOGINS}[written]
    (tmp_path / "harmless").write_bytes(b"nothing to see here")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_bytes(b"before " + text + b" after")
    with zipfile.ZipFile(tmp_path / "artifact.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.txt", text)
    found = leaks(contents(tmp_path), {"canary": VALUE})
    assert {place for place, _, _ in found} == {"artifact.zip!inner.txt", "deep/log"}
    assert {form.partition(",")[0] for _, _, form in found} & {*forms(VALUE), "in base 64", "in base 64 for URLs"}


def test_a_secret_in_an_environment_or_on_a_command_line_is_seen():
    watcher = Watcher("CANARY_TEST=1", {"one": "a-value-of-one", "two": "a-value-of-two", "three": "a-value-of-three"})
    watcher.start()
    script = "import sys; print('up', flush=True); sys.stdin.read()"
    environment = {"CANARY_TEST": "1", "SECRET": "a-value-of-one", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_WORKFLOW": "ci"}
    argv = [sys.executable, "-c", script, "--password=a-value-of-two"]
    with subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "up\n"
        waited = threading.Event()
        for _ in range(600):
            if watcher.seen and watcher.told:
                break
            waited.wait(0.05)
        process.stdin.close()
    watcher.stop()
    assert watcher.seen == {("one", "pull_request", "ci")}
    assert watcher.told == {"two"}
