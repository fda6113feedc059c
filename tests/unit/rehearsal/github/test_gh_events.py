"""What starts workflows, and what does not: GitHub's rules about GITHUB_TOKEN, dispatches and deliveries."""

from __future__ import annotations

import pytest

from rehearsal.github import issues, pulls
from rehearsal.github.errors import GitHubError
from rehearsal.github.model_actions import RunRequest

WORKFLOW = """\
on:
  workflow_dispatch:
    inputs:
      stage: {required: true, type: choice, options: [dev, prod]}
      note: {type: string}
"""


def _token(project, permissions=None):
    everything = {"contents": "write", "pull-requests": "write", "issues": "write", "actions": "write", "deployments": "write"}
    job = project.job()
    return project.github.state.token(project.github.job_credentials(job.id, permissions or everything).github_token)


def test_pushes_say_what_changed(project) -> None:
    first = project.last("push")
    assert (first.ref, first.payload["created"], first.payload["before"]) == ("refs/heads/main", True, "0" * 40)
    project.commit("main", {"b.txt": "1"}, "second")
    third = project.commit("main", {"b.txt": "2"}, "third")
    event = project.last("push")
    assert (event.sha, event.payload["after"], event.payload["forced"]) == (third, third, False)
    assert [commit["message"] for commit in event.payload["commits"]] == ["third"]
    assert (event.payload["sender"]["login"], event.payload["repository"]["full_name"]) == ("developer", project.name)


def test_a_forced_push_and_a_tag(project) -> None:
    project.commit("main", {"b.txt": "1"}, "second")
    project.git("push", "--quiet", "--force", str(project.repository.path), "HEAD~1:refs/heads/main", "HEAD:refs/tags/v1")
    events = project.github.refs_changed(project.name, "developer")
    assert [(e.name, e.ref) for e in events] == [("push", "refs/heads/main"), ("create", "refs/tags/v1"), ("push", "refs/tags/v1")]
    assert events[0].payload["forced"] is True
    assert project.github.refs_changed(project.name, "developer") == [], "once is enough"


def test_a_push_to_a_branch_other_than_the_default_comes_first(tmp_path) -> None:
    from rehearsal.github.world import GitHub

    github = GitHub(tmp_path)
    repository = github.create_repository("team/new", admin="developer")
    from rehearsal.github.gitstore import EMPTY_TREE, GitStore, Person

    store = GitStore(repository.path)
    store.write_tree([], None)
    who = Person("developer", "developer@example.com")
    store.set_ref("refs/heads/dev", store.commit_tree(EMPTY_TREE, [], "first", who, who))
    events = github.refs_changed("team/new", "developer")
    assert [e.name for e in events] == ["create", "push"]
    run = github.create_run(events[-1], name="CD", path=".github/workflows/cd-dev.yml")
    assert run.head_branch == "dev", "a run can be filed although `main` is not there yet"


def test_github_token_starts_nothing_but_dispatches(project) -> None:
    token = _token(project)
    state = project.github.state
    before = len(project.github.events)
    project.commit("topic", {".github/workflows/x.yml": WORKFLOW})
    project.git("push", "--quiet", str(project.repository.path), "HEAD:refs/heads/by-job")
    project.github.refs_changed(project.name, "developer", token=token.value)
    issues.create(state, project.name, token, {"title": "drift"})
    caused = [e for e in project.github.events[before:] if e.actor == "github-actions[bot]"]
    assert {e.name for e in caused} >= {"create", "push", "issues"}
    assert not any(e.starts_workflows for e in caused)
    from rehearsal.github import events

    assert events.dispatch(state, project.name, token, "go", {}).starts_workflows
    assert events.dispatch_workflow(state, project.name, token, "x.yml", "topic", {"stage": "dev"}).starts_workflows


def test_a_pull_request_made_with_github_token_waits_for_a_person(project) -> None:
    project.commit("topic", {"b.txt": "b"})
    token = _token(project)
    pull = pulls.create(project.github.state, project.name, token, pulls.NewPull("topic", "main", "Release"))
    event = project.last("pull_request", "opened")
    assert (event.actor, event.starts_workflows, event.waits_for_approval) == ("github-actions[bot]", True, True)
    seen: list[RunRequest] = []
    project.github.on_run_request(seen.append)
    run = project.run(event)
    assert (run.status, run.conclusion) == ("completed", "action_required")
    with pytest.raises(GitHubError, match="begin its next attempt"):
        project.job(run=run)
    with pytest.raises(GitHubError) as refused:
        project.github.approve_run(run.id, "guest")
    assert refused.value.status == 403
    project.github.approve_run(run.id, "reviewer")
    assert seen == [RunRequest("approve", project.name, run.id, "reviewer")]
    assert (run.status, run.conclusion, run.run_attempt) == ("queued", None, 1)
    project.commit("topic", {"b.txt": "c"})
    again = project.last("pull_request", "synchronize")
    assert (again.actor, again.waits_for_approval) == ("developer", False), "a person's push to it is like any other"
    assert pull.user == "github-actions[bot]"


def test_actions_may_be_kept_from_opening_pull_requests(project) -> None:
    project.commit("topic", {"b.txt": "b"})
    project.repository.can_approve_pull_request_reviews = False
    with pytest.raises(GitHubError, match="GitHub Actions is not permitted to create or approve pull requests") as refused:
        pulls.create(project.github.state, project.name, _token(project), pulls.NewPull("topic", "main", "Release"))
    assert refused.value.status == 403


def test_an_apps_pull_request_starts_workflows_at_once(project) -> None:
    project.commit("topic", {"b.txt": "b"})
    value = project.github.app_token("release-app", project.name, {"pull-requests": "write"})
    pulls.create(project.github.state, project.name, project.github.state.token(value), pulls.NewPull("topic", "main", "Release"))
    event = project.last("pull_request", "opened")
    assert (event.actor, event.starts_workflows, event.waits_for_approval) == ("release-app[bot]", True, False)


@pytest.mark.parametrize(
    ("workflow", "ref", "inputs", "text"),
    [
        ("x.yml", "nope", {"stage": "dev"}, "No ref found for: nope"),
        ("nope.yml", "topic", {}, "does not exist"),
        ("push.yml", "topic", {}, "does not have 'workflow_dispatch' trigger"),
        ("x.yml", "topic", {}, "Required input 'stage' not provided"),
        ("x.yml", "topic", {"stage": "dev", "more": "1"}, "Unexpected inputs provided"),
        ("x.yml", "topic", {"stage": "moon"}, "not in the list of allowed values"),
        ("x.yml", "topic", {str(n): "" for n in range(26)}, "at most 25"),
    ],
)
def test_dispatches_that_github_refuses(project, workflow: str, ref: str, inputs: dict[str, str], text: str) -> None:
    project.commit("topic", {".github/workflows/x.yml": WORKFLOW, ".github/workflows/push.yml": "on: [push]\n"})
    with pytest.raises(GitHubError, match=text) as refused:
        project.github.dispatch_workflow(project.name, "developer", workflow, ref, inputs)
    assert refused.value.status == 422


def test_a_dispatch_runs_on_the_branch_that_was_chosen(project) -> None:
    head = project.commit("topic", {".github/workflows/x.yml": WORKFLOW})
    event = project.github.dispatch_workflow(project.name, "reviewer", "x.yml", "topic", {"stage": "prod"})
    assert (event.ref, event.sha, event.actor) == ("refs/heads/topic", head, "reviewer")
    assert event.payload["inputs"] == {"stage": "prod"}
    assert project.github.schedule(project.name, "0 6 * * *").payload["schedule"] == "0 6 * * *"
    assert project.github.dispatch(project.name, "developer", "go", {"a": 1}).action == "go"


def test_subscribers_are_told_after_the_lock_is_free_and_also_when_the_call_fails(project) -> None:
    import threading

    seen: list[tuple[str, bool]] = []

    def look(event) -> None:
        free: list[bool] = []
        other = threading.Thread(target=lambda: free.append(bool(project.github.repository(project.name))), daemon=True)
        other.start()
        other.join(5)
        seen.append((event.name, free == [True]))

    project.github.subscribe(look)
    project.commit("topic", {"b.txt": "b"})
    assert seen == [("create", True), ("push", True)]
    seen.clear()

    def fails_half_way() -> None:
        with project.github.state.locked():
            project.github.schedule(project.name, "* * * * *")
            assert seen == [], "not while the lock is held"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails_half_way()
    assert seen == [("schedule", True)]
