"""Branch rules: what keeps a pull request from being merged, and a reference from being changed by the API."""

from __future__ import annotations

import pytest

from rehearsal.github import rules
from rehearsal.github.errors import GitHubError


def _pull(project, rule: str, parameters: dict[str, object] | None = None, files: dict[str, str] | None = None):
    project.github.add_rule(project.name, rule, ["main"], parameters)
    project.commit("topic", files or {"b.txt": "b"})
    return project.github.open_pull(project.name, "developer", "topic", "main", "T")


def _refusal(project, pull, method: str = "merge") -> str:
    with pytest.raises(GitHubError) as refused:
        project.github.merge_pull(project.name, pull.number, "developer", method)
    assert refused.value.status == 405
    return refused.value.message


def _state(project, pull) -> str:
    return rules.mergeable_state(project.github.state, project.repository, pull)


def test_a_review_is_needed_and_only_writers_count(project) -> None:
    pull = _pull(project, "pull_request", {"required_approving_review_count": 1})
    assert "At least 1 approving review is required" in _refusal(project, pull)
    project.github.review_pull(project.name, pull.number, "guest", "APPROVE")
    assert _state(project, pull) == "blocked"
    project.github.review_pull(project.name, pull.number, "reviewer", "REQUEST_CHANGES")
    assert "Changes have been requested" in _refusal(project, pull)
    project.github.review_pull(project.name, pull.number, "reviewer", "COMMENT", "hm")
    project.github.review_pull(project.name, pull.number, "reviewer", "APPROVE")
    assert _state(project, pull) == "clean"
    assert project.github.merge_pull(project.name, pull.number, "developer")


def test_stale_reviews_are_dismissed_by_a_push(project) -> None:
    pull = _pull(project, "pull_request", {"required_approving_review_count": 1, "dismiss_stale_reviews_on_push": True})
    project.github.review_pull(project.name, pull.number, "reviewer", "APPROVE")
    project.commit("topic", {"b.txt": "c"})
    assert [review.state for review in pull.reviews] == ["DISMISSED"]
    assert _state(project, pull) == "blocked"


def test_the_last_pusher_does_not_count(project) -> None:
    pull = _pull(project, "pull_request", {"required_approving_review_count": 1, "require_last_push_approval": True})
    project.commit("topic", {"b.txt": "c"}, actor="reviewer")
    project.github.review_pull(project.name, pull.number, "reviewer", "APPROVE")
    assert "someone other than the last pusher" in _refusal(project, pull)
    project.github.review_pull(project.name, pull.number, "release-manager", "APPROVE")
    assert project.github.merge_pull(project.name, pull.number, "developer")


def test_code_owners(project) -> None:
    project.commit("main", {".github/CODEOWNERS": "*.sql @guest\n/jobs/ @release-manager @reviewer\n"})
    pull = _pull(project, "pull_request", {"require_code_owner_review": True}, {"jobs/x.py": "x", "readme.md": "x"})
    assert "code owner review from release-manager, reviewer" in _refusal(project, pull)
    project.github.review_pull(project.name, pull.number, "reviewer", "APPROVE")
    assert project.github.merge_pull(project.name, pull.number, "developer")


def test_required_checks_come_from_jobs_on_the_head_commit(project) -> None:
    pull = _pull(project, "required_status_checks", {"required_status_checks": [{"context": "ci / lint"}]})
    assert '"ci / lint" is expected' in _refusal(project, pull)
    run = project.run(project.last("pull_request", "opened"))
    job = project.github.add_job(run.id, "ci / lint")
    assert '"ci / lint" is in progress' in _refusal(project, pull)
    project.github.finish_job(job.id, "failure")
    assert '"ci / lint" is failing' in _refusal(project, pull)
    again = project.github.add_job(run.id, "ci / lint")
    project.github.finish_job(again.id, "success")
    assert _state(project, pull) == "clean", "the newest check run of a name counts"
    assert project.github.merge_pull(project.name, pull.number, "developer")


def test_a_check_of_another_commit_does_not_count(project) -> None:
    pull = _pull(project, "required_status_checks", {"required_status_checks": [{"context": "ci"}]})
    job = project.github.add_job(project.run(project.last("pull_request", "opened")).id, "ci")
    project.github.finish_job(job.id, "success")
    project.commit("topic", {"b.txt": "newer"})
    assert '"ci" is expected' in _refusal(project, pull)


def test_being_up_to_date_can_be_required(project) -> None:
    pull = _pull(project, "required_status_checks", {"strict_required_status_checks_policy": True})
    project.commit("main", {"c.txt": "c"})
    assert _state(project, pull) == "behind"
    assert "not up to date" in _refusal(project, pull)


def test_methods_and_history(project) -> None:
    pull = _pull(project, "pull_request", {"allowed_merge_methods": ["merge"]})
    assert "Merge method squash is not allowed" in _refusal(project, pull, "squash")
    project.github.add_rule(project.name, "required_linear_history", ["~DEFAULT_BRANCH"])
    assert "must not contain merge commits" in _refusal(project, pull)
    project.repository.allow_squash_merge = False
    assert _refusal(project, pull, "squash") == "Squash merges are not allowed on this repository."


def test_rules_are_for_the_branches_they_name(project) -> None:
    project.github.add_rule(project.name, "deletion", ["refs/heads/release", "hotfix/*"])
    for branch, kinds in {"release": ["deletion"], "hotfix/a": ["deletion"], "main": [], "hotfix/a/b": []}.items():
        assert [rule.type for rule in rules.active(project.repository, branch)] == kinds


@pytest.mark.parametrize(
    ("rule", "old", "new"), [("creation", False, True), ("deletion", True, False), ("update", True, True), ("pull_request", True, True)]
)
def test_references_are_kept_from_the_api(project, rule: str, old: bool, new: bool) -> None:
    sha = project.commit("release", {})
    rules.check_ref_change(project.repository, "release", sha if old else None, sha if new else None)
    project.github.add_rule(project.name, rule, ["release"])
    with pytest.raises(GitHubError, match="Validation Failed") as refused:
        rules.check_ref_change(project.repository, "release", sha if old else None, sha if new else None)
    assert "Repository rule violations found" in refused.value.errors[0]["message"]


@pytest.mark.parametrize(("rule", "parameters"), [("required_signatures", {}), ("merge_queue", {}), ("pull_request", {"colour": 1})])
def test_rules_that_are_not_imitated_are_refused_by_name(project, rule: str, parameters: dict[str, object]) -> None:
    with pytest.raises(GitHubError) as refused:
        project.github.add_rule(project.name, rule, ["main"], parameters)
    assert (next(iter(parameters), rule)) in refused.value.errors[0]["message"]
