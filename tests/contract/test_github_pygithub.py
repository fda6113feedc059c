"""PyGithub, the client that the kit uses, works against the imitated GitHub, with and without the enterprise prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from github import Auth, Github, GithubException
from github_support import REPOSITORY, Scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("github"))
    made.push("topic", {"b.txt": "two\n"}, "second")
    yield made
    made.close()


def _repository(scene: Scene, token: str, prefix: str = "") -> Any:
    client = Github(auth=Auth.Token(token), base_url=scene.server.url + prefix, seconds_between_requests=0, seconds_between_writes=0)
    return client.get_repo(REPOSITORY)


@pytest.fixture(params=["", "/api/v3"], ids=["plain", "prefix"])
def repository(scene: Scene, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return _repository(scene, scene.github.user_token("developer"), request.param)


def test_pull_requests(repository: Any) -> None:
    for old in repository.get_pulls():
        old.edit(state="closed")
    pull = repository.create_pull(base="main", head="topic", title="T", body="B")
    assert (pull.mergeable, pull.mergeable_state, pull.commits, pull.changed_files) == (True, "clean", 1, 1)
    assert [file.filename for file in pull.get_files()] == ["b.txt"]
    assert [commit.sha for commit in pull.get_commits()] == [pull.head.sha]
    assert [each.number for each in repository.get_pulls(state="open", head="team:topic", base="main")] == [pull.number]
    assert [each.number for each in repository.get_commit(pull.head.sha).get_pulls()][-1] == pull.number
    pull.edit(title="T2")
    assert repository.get_pull(pull.number).title == "T2"
    with pytest.raises(GithubException) as refused:
        repository.create_pull(base="main", head="topic", title="again")
    assert refused.value.status == 422
    assert "already exists" in str(refused.value.data)


def test_the_sticky_comment(repository: Any) -> None:
    issue = repository.create_issue("place for a comment")
    comment = issue.create_comment("<!-- marker --> one")
    found = next(each for each in issue.get_comments() if each.body.startswith("<!-- marker -->"))
    found.edit("<!-- marker --> two")
    assert [each.body for each in issue.get_comments()] == ["<!-- marker --> two"]
    assert (comment.user.login, comment.user.type) == ("developer", "User")
    found.delete()
    assert list(issue.get_comments()) == []


def test_issues_and_labels(repository: Any) -> None:
    issue = repository.create_issue("drift", labels=["drift"])
    assert [each.number for each in repository.get_issues(labels=["drift"], state="open")] == [issue.number]
    issue.edit(state="closed", state_reason="completed")
    assert list(repository.get_issues(labels=["drift"], state="open")) == []


def test_deployments(repository: Any) -> None:
    made = repository.create_deployment("main", auto_merge=False, required_contexts=[], environment="prod", payload={"digest": "x"})
    made.create_status("success", description="done", auto_inactive=False)
    again = repository.get_deployments(environment="prod")[0]
    assert (again.id, again.payload) == (made.id, {"digest": "x"})
    assert [status.state for status in again.get_statuses()] == ["success"]


def test_runs_jobs_and_dispatches(scene: Scene, repository: Any) -> None:
    run = scene.run()
    job = scene.job(run)
    scene.github.start_job(job.id)
    scene.github.finish_job(job.id, "success")
    scene.github.finish_run(run.id)
    workflow = repository.get_workflow("cd.yml")
    found = next(each for each in workflow.get_runs(branch="main", event="push", status="success") if each.id == run.id)
    assert [(each.name, each.conclusion) for each in found.jobs()] == [("cd / deploy", "success")]
    assert workflow.create_dispatch("main", {"who": "me"})
    assert scene.github.events[-1].payload["inputs"] == {"who": "me"}
    assert not workflow.create_dispatch("main", {"who": "me", "more": "x"}), "an input that the workflow does not declare"


def test_files_branches_and_environments(scene: Scene, repository: Any) -> None:
    scene.github.set_environment(REPOSITORY, "production", reviewers=["reviewer"], branches=["main"])
    assert repository.get_contents("a.txt").decoded_content == b"one\n"
    assert repository.get_branch("main").protected is False
    assert repository.compare("main", "topic").ahead_by == 1
    rules = repository.get_environment("production").protection_rules
    assert [rule.type for rule in rules] == ["required_reviewers", "branch_policy"]
    assert repository.get_collaborator_permission("guest") == "read"


def test_a_jobs_token_is_refused_in_a_way_that_the_client_understands(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    token = scene.github.job_credentials(scene.job(scene.run()).id, {"contents": "read"}).github_token
    with pytest.raises(GithubException) as refused:
        _repository(scene, token).create_issue("x")
    assert (refused.value.status, refused.value.data["message"]) == (403, "Resource not accessible by integration")
    with pytest.raises(GithubException) as unknown:
        list(_repository(scene, token).get_hooks())
    assert (unknown.value.status, "is not imitated" in unknown.value.data["message"]) == (404, True)


def test_the_client_waits_out_a_secondary_limit(scene: Scene, repository: Any) -> None:
    scene.github.trouble("GET", "/repos/.*/branches/main", 403, headers={"Retry-After": "1"})
    assert repository.get_branch("main").name == "main"
