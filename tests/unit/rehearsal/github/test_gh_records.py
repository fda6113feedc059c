"""Runs, deployments, checks, artifacts, issues, and the file that keeps it all between two servers."""

from __future__ import annotations

import json
import stat
import zipfile

import pytest

from rehearsal.github import access, artifacts, checks, deployments, store
from rehearsal.github.errors import GitHubError
from rehearsal.github.model_actions import ReferencedWorkflow, Step, Token
from rehearsal.github.world import GitHub


def test_a_run_follows_its_jobs(project) -> None:
    referenced = [ReferencedWorkflow("bundleflow/bundleflow/.github/workflows/cd-staging.yml@refs/heads/main", "a" * 40)]
    run = project.github.create_run(project.last("push"), name="CD", path=".github/workflows/cd.yml", referenced_workflows=referenced)
    first, second = project.job(run=run), project.github.add_job(run.id, "cd / propose")
    assert (run.status, run.run_number, run.display_title) == ("queued", 1, "first")
    project.github.hold_job(first.id)
    assert run.status == "pending"
    project.github.start_job(first.id)
    assert run.status == "in_progress"
    project.github.finish_job(first.id, "failure", [Step("Deploy", 1, conclusion="failure")])
    with pytest.raises(GitHubError, match="cd / propose is not"):
        project.github.finish_run(run.id)
    project.github.finish_job(second.id, "skipped")
    assert project.github.finish_run(run.id).conclusion == "failure"
    assert project.last("workflow_run").action == "completed"
    assert project.run().run_number == 2


@pytest.mark.parametrize(
    ("of_jobs", "conclusion"),
    [
        (["success", "skipped"], "success"),
        (["skipped", "skipped"], "skipped"),
        (["success", "cancelled", "failure"], "cancelled"),
        (["success", "timed_out"], "failure"),
    ],
)
def test_the_conclusion_of_a_run(project, of_jobs: list[str], conclusion: str) -> None:
    run = project.run()
    for each in of_jobs:
        project.github.finish_job(project.job(run=run).id, each)
    assert project.github.finish_run(run.id).conclusion == conclusion


def test_only_a_run_that_is_over_is_rerun_and_only_one_that_is_not_is_cancelled(project) -> None:
    seen: list[str] = []
    project.github.on_run_request(lambda request: seen.append(request.kind))
    run = project.run()
    project.github.cancel_run(run.id, "developer")
    project.github.finish_run(run.id, "cancelled")
    with pytest.raises(GitHubError) as refused:
        project.github.cancel_run(run.id, "developer")
    assert refused.value.status == 409
    assert project.github.rerun(run.id).run_attempt == 2
    with pytest.raises(GitHubError, match="already running"):
        project.github.rerun(run.id)
    assert seen == ["cancel"]


def _file(project, **fields):
    token = access.person("developer")
    return deployments.create(project.github.state, project.name, token, {"ref": "main", "auto_merge": False, **fields})


def _status(project, made, state: str, **fields) -> None:
    deployments.add_status(project.github.state, project.name, made.id, access.person("developer"), {"state": state, **fields})


def test_older_deployments_retire_but_not_in_production(project) -> None:
    for environment, expected in (("staging", "inactive"), ("production", "success")):
        old, new = (_file(project, environment=environment, required_contexts=[]) for _ in range(2))
        _status(project, old, "success")
        _status(project, new, "success")
        assert old.statuses[-1].state == expected
    old, new = (_file(project, environment="kept", required_contexts=[]) for _ in range(2))
    _status(project, old, "success")
    _status(project, new, "success", auto_inactive=False)
    assert old.statuses[-1].state == "success"


def test_a_deployment_asks_for_green_checks_unless_told(project) -> None:
    job = project.job()
    with pytest.raises(GitHubError, match="Commit status checks failed") as refused:
        _file(project)
    assert refused.value.status == 409
    assert _file(project, required_contexts=[]).sha == project.github.run(job.run_id).sha
    project.github.finish_job(job.id, "success")
    assert _file(project).task == "deploy"


def test_auto_merge_brings_in_the_default_branch_and_files_nothing(project) -> None:
    project.commit("topic", {"b.txt": "b"})
    project.commit("main", {"c.txt": "c"})
    before = len(project.github.state.deployments)
    assert _file(project, ref="topic", auto_merge=True) == "Auto-merged main into topic on deployment."
    assert (project.show("topic:c.txt"), len(project.github.state.deployments)) == ("c", before)
    project.commit("main", {"a.txt": "ours"})
    project.commit("topic", {"a.txt": "theirs"})
    with pytest.raises(GitHubError, match="Conflict merging main into topic") as refused:
        _file(project, ref="topic", auto_merge=True)
    assert refused.value.status == 409


@pytest.mark.parametrize("fields", [{"ref": "nope"}, {"ref": ""}, {"description": "x" * 141}])
def test_deployments_that_are_refused(project, fields: dict[str, object]) -> None:
    with pytest.raises(GitHubError) as refused:
        _file(project, required_contexts=[], **fields)
    assert refused.value.status == 422


def _app(project) -> Token:
    return project.github.state.token(project.github.app_token("checker", project.name, {"checks": "write"}))


def test_check_runs_are_apps_own(project) -> None:
    state, sha = project.github.state, project.last("push").sha
    fields = {"name": "plan", "head_sha": sha}
    with pytest.raises(GitHubError, match="GitHub App"):
        checks.create(state, project.repository, access.person("developer"), fields)
    token = _app(project)
    check = checks.create(state, project.repository, token, fields)
    checks.update(state, project.repository, token, check.id, {"conclusion": "neutral"})
    assert (check.status, check.conclusion, check.completed_at is not None) == ("completed", "neutral", True)
    other = state.token(project.github.app_token("other", project.name, {"checks": "write"}))
    with pytest.raises(GitHubError, match="created it"):
        checks.update(state, project.repository, other, check.id, {"conclusion": "success"})


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ({"summary": "x" * 65_536}, "65535 characters"),
        ({"annotations": [{}] * 51}, "No more than 50 items"),
        ({"annotations": [{"path": "a"}]}, "start_line"),
    ],
)
def test_check_runs_have_limits(project, output: dict[str, object], text: str) -> None:
    fields = {"name": "plan", "head_sha": project.last("push").sha, "output": output}
    with pytest.raises(GitHubError) as refused:
        checks.create(project.github.state, project.repository, _app(project), fields)
    assert text in str(refused.value)


def test_the_combined_status(project) -> None:
    state, sha, token = project.github.state, project.last("push").sha, access.person("developer")
    assert checks.combined(checks.statuses_of(state, project.repository, sha))[0] == "pending", "also when there is none"
    for word, combined in (("failure", "failure"), ("success", "success")):
        checks.set_status(state, project.repository, token, sha, {"state": word, "context": "ci"})
        assert checks.combined(checks.statuses_of(state, project.repository, sha))[0] == combined


def test_artifacts(project, tmp_path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "deep" / "plan.json").write_text("{}")
    run = project.run()
    made = project.github.store_artifact(run.id, "plan", tmp_path / "out")
    assert zipfile.ZipFile(project.github.artifact_path(run.id, "plan")).namelist() == ["deep/plan.json"]
    with pytest.raises(GitHubError, match="already exists") as refused:
        project.github.store_artifact(run.id, "plan", tmp_path / "out")
    assert refused.value.status == 409
    for name in ("../up", "a:b", ""):
        with pytest.raises(GitHubError, match="not valid"):
            project.github.store_artifact(run.id, name, tmp_path / "out")
    with pytest.raises(GitHubError, match="not a zip file"):
        artifacts.store_zip(project.github.state, run.id, "bad", b"text")
    project.github.clock.advance(91 * 86_400)
    assert artifacts.get(project.github.state, made.id).expired


def test_everything_but_tokens_and_events_is_kept(project, tmp_path) -> None:
    project.commit("topic", {"b.txt": "b"})
    project.github.open_pull(project.name, "developer", "topic", "main", "T")
    project.github.review_pull(project.name, 1, "reviewer", "APPROVE")
    project.github.set_environment(project.name, "production", reviewers=["reviewer"], branches=["main"], wait_timer=5)
    project.github.add_rule(project.name, "pull_request", ["release"])
    job = project.job("production", project.run(project.last("push")))
    project.github.request_deployment(job.id)
    token = project.github.user_token("developer")
    written = store.save(project.github.state)
    assert token not in written.read_text()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    again = GitHub(project.github.state.data)
    store.load(again.state)
    for name in store.KEPT:
        assert getattr(again.state, name) == getattr(project.github.state, name), name
    assert again.state.new_id() > job.id
    assert again.merge_pull(project.name, 1, "developer")


def test_a_state_of_another_version_is_named(project) -> None:
    path = store.save(project.github.state)
    path.write_text(json.dumps({"users": {"x": {"login": "x"}}}))
    with pytest.raises(GitHubError, match=r"state\.json is not a state of this version"):
        store.load(project.github.state)


@pytest.mark.parametrize("name", ["iris", "a/b/c", "a/..", "a b/c", "a/", "-/$(x)"])
def test_names_that_repositories_cannot_have(project, name: str) -> None:
    with pytest.raises(GitHubError) as refused:
        project.github.create_repository(name, admin="developer")
    assert refused.value.status == 422
