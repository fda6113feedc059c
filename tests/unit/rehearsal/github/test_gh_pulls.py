"""Pull requests: real commits, real conflicts, what a push changes, and how each way of merging ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.github.errors import GitHubError
from rehearsal.github.gitstore import GitStore


def _open(project, branch="topic", base="main", actor="developer", title="T"):
    return project.github.open_pull(project.name, actor, branch, base, title, "body")


def test_opening_one_makes_the_test_merge_that_workflows_run_on(project) -> None:
    head = project.commit("topic", {"b.txt": "b"})
    pull = _open(project)
    event = project.last("pull_request", "opened")
    assert (event.ref, event.sha) == (f"refs/pull/{pull.number}/merge", pull.merge_commit_sha)
    assert GitStore(project.repository.path).commit(event.sha).parents == [pull.base_sha, head]
    assert project.show(f"refs/pull/{pull.number}/merge:b.txt") == "b"
    assert event.payload["pull_request"]["head"]["sha"] == head


@pytest.mark.parametrize(
    ("head", "base", "text"),
    [
        ("nope", "main", "head"),
        ("topic", "nope", "base"),
        ("main", "main", "No commits between main and main"),
        ("stranger:topic", "main", "head"),
    ],
)
def test_what_cannot_be_opened(project, head: str, base: str, text: str) -> None:
    project.commit("topic", {"b.txt": "b"})
    with pytest.raises(GitHubError, match=text) as refused:
        _open(project, head, base)
    assert refused.value.status == 422


def test_there_is_one_open_pull_request_for_a_head_and_base(project) -> None:
    project.commit("topic", {"b.txt": "b"})
    first = _open(project)
    with pytest.raises(GitHubError, match="A pull request already exists for team:topic"):
        _open(project)
    project.github.close_pull(project.name, first.number, "developer")
    assert _open(project).number == first.number + 1


def test_a_push_synchronises_it(project) -> None:
    before = project.commit("topic", {"b.txt": "b"})
    pull = _open(project)
    after = project.commit("topic", {"b.txt": "c"})
    event = project.last("pull_request")
    assert (event.action, event.payload["before"], event.payload["after"]) == ("synchronize", before, after)
    assert (pull.head_sha, pull.commits) == (after, [before, after])


def test_a_push_to_the_base_makes_a_new_test_merge_and_no_event(project) -> None:
    project.commit("topic", {"b.txt": "b"})
    pull = _open(project)
    old, count = pull.merge_commit_sha, len([e for e in project.github.events if e.name == "pull_request"])
    project.commit("main", {"c.txt": "c"})
    assert pull.merge_commit_sha != old
    assert project.show(f"refs/pull/{pull.number}/merge:c.txt") == "c"
    assert len([e for e in project.github.events if e.name == "pull_request"]) == count


def test_a_conflict_has_no_merge_commit_starts_nothing_and_cannot_be_merged(project) -> None:
    project.commit("topic", {"a.txt": "theirs\n"})
    pull = _open(project)
    project.commit("main", {"a.txt": "ours\n"})
    assert (pull.mergeable, pull.merge_commit_sha) == (False, None)
    events = len(project.github.events)
    project.commit("topic", {"a.txt": "theirs again\n"})
    assert [e.name for e in project.github.events[events:]] == ["push"]
    with pytest.raises(GitHubError, match="not mergeable") as refused:
        project.github.merge_pull(project.name, pull.number, "developer")
    assert refused.value.status == 405


def test_a_merge_keeps_the_tree_of_staging_and_changes_the_commit(project) -> None:
    head = project.commit("topic", {"b.txt": "b"})
    pull = _open(project)
    sha = project.github.merge_pull(project.name, pull.number, "reviewer")
    made = GitStore(project.repository.path).commit("refs/heads/main")
    assert (made.sha, made.parents[1], made.author.name, made.committer.name) == (sha, head, "reviewer", "GitHub")
    assert made.message == "Merge pull request #1 from team/topic\n\nT"
    push, closed = project.github.events[-2:]
    assert (push.name, push.ref, push.sha, push.actor) == ("push", "refs/heads/main", sha, "reviewer")
    assert (closed.name, closed.action, closed.ref) == ("pull_request", "closed", "refs/heads/main")
    assert closed.payload["pull_request"]["merged"] is True


def test_a_merge_into_an_ancestor_has_the_very_tree(project) -> None:
    project.git("push", "--quiet", str(project.repository.path), "HEAD:refs/heads/release")
    project.github.refs_changed(project.name, "developer")
    head = project.commit("main", {"b.txt": "b"})
    sha = project.github.merge_pull(project.name, _open(project, "main", "release").number, "developer")
    store = GitStore(project.repository.path)
    assert sha != head
    assert store.commit(sha).tree == store.commit(head).tree


def test_squash_and_rebase(project) -> None:
    store = GitStore(project.repository.path)
    project.commit("one", {"b.txt": "1"}, "one")
    project.commit("one", {"b.txt": "2"}, "two")
    project.commit("other", {"c.txt": "1"}, "three")
    project.commit("other", {"c.txt": "2"}, "four")
    squashed = store.commit(project.github.merge_pull(project.name, _open(project, "one").number, "developer", "squash"))
    assert (len(squashed.parents), squashed.message.splitlines()[0]) == (1, "T (#1)")
    assert "* one" in squashed.message
    rebased = project.github.merge_pull(project.name, _open(project, "other").number, "developer", "rebase")
    assert [each.message for each in store.log(rebased, limit=3)] == ["four", "three", squashed.message]
    assert all(len(each.parents) == 1 for each in store.log(rebased, limit=3))


def test_a_push_that_brings_the_commits_marks_it_merged(project) -> None:
    head = project.commit("topic", {"b.txt": "b"})
    pull = _open(project)
    project.git("push", "--quiet", str(project.repository.path), f"{head}:refs/heads/main")
    project.github.refs_changed(project.name, "release-manager")
    assert (pull.merged_by, project.repository.issues[pull.number].state) == ("release-manager", "closed")


def test_deleting_the_branch_closes_it(project) -> None:
    project.commit("topic", {"b.txt": "b"})
    pull = _open(project)
    project.git("push", "--quiet", str(project.repository.path), ":refs/heads/topic")
    events = project.github.refs_changed(project.name, "developer")
    assert [(e.name, e.action) for e in events] == [("delete", ""), ("push", ""), ("pull_request", "closed")]
    assert (project.repository.issues[pull.number].state, pull.merged_at) == ("closed", None)


def test_readers_may_not_merge_and_nobody_reviews_their_own(project) -> None:
    project.commit("topic", {"b.txt": "b"})
    pull = _open(project)
    with pytest.raises(GitHubError, match="push access") as refused:
        project.github.merge_pull(project.name, pull.number, "guest")
    assert refused.value.status == 403
    with pytest.raises(GitHubError, match="your own pull request"):
        project.github.review_pull(project.name, pull.number, "developer", "APPROVE")


def test_a_pull_request_from_a_fork(project) -> None:
    fork = project.github.fork(project.name, "guest")
    head = project.commit("patch", {"b.txt": "b"}, to=fork.full_name, actor="guest")
    pull = project.github.open_pull(project.name, "guest", "guest:patch", "main", "From outside")
    event = project.last("pull_request", "opened")
    assert (pull.head_repository, pull.head_sha) == ("guest/iris", head)
    assert event.repository == project.name
    assert event.waits_for_approval, "nobody new runs anything without a person's approval"
    run = project.run(event)
    assert (run.status, run.conclusion, run.pull_requests) == ("completed", "action_required", [])
    project.github.approve_run(run.id, "reviewer")
    job = project.job(run=run)
    project.github.set_secret(project.name, "KEY", "canary")
    credentials = project.github.job_credentials(job.id, {"contents": "write", "id-token": "write"})
    assert (credentials.permissions, credentials.secrets, credentials.oidc_url) == ({"contents": "read"}, {}, "")
    project.commit("patch", {"b.txt": "c"}, to=fork.full_name, actor="guest")
    assert project.last("pull_request").action == "synchronize"
    project.github.merge_pull(project.name, pull.number, "developer")
    assert project.show("main:b.txt") == "c"
    project.commit("second", {"d.txt": "d"}, to=fork.full_name, actor="guest")
    project.github.open_pull(project.name, "guest", "guest:second", "main", "Known by now")
    assert not project.last("pull_request", "opened").waits_for_approval


def test_the_work_survives_names_that_shells_would_not(project, tmp_path: Path) -> None:
    branch = "-rf$(touch${IFS}x);`y`'\"ü"
    project.commit(branch, {"b.txt": "b"})
    pull = _open(project, branch, title="$(touch x)\n## h")
    sha = project.github.merge_pull(project.name, pull.number, "developer")
    assert branch in GitStore(project.repository.path).commit(sha).message
    assert not list(tmp_path.rglob("x"))
