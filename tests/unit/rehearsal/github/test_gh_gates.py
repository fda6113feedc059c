"""Environment gates: reviewers, self review, timers, branch policies, bypass, rejection, and what the API tells about them."""

from __future__ import annotations

import threading
import time

import pytest

from rehearsal.github.errors import GitHubError
from rehearsal.github.render import actions as render

PRODUCTION = "production"


def _waiting(project, **gate):
    project.github.set_environment(project.name, PRODUCTION, **gate)
    job = project.job(PRODUCTION)
    return job, project.github.request_deployment(job.id)


def test_without_rules_the_gate_is_open_and_a_record_is_filed(project) -> None:
    job = project.job("made-by-naming-it")
    gate = project.github.request_deployment(job.id)
    assert gate.state == "open"
    record = project.github.state.deployments[gate.deployment_id]
    assert (record.environment, record.task, record.sha) == ("made-by-naming-it", "deploy", project.github.run(job.run_id).sha)
    project.github.start_job(job.id)
    project.github.finish_job(job.id, "success")
    assert [status.state for status in record.statuses] == ["queued", "in_progress", "success"]


def test_a_job_may_come_without_a_record(project) -> None:
    gate = project.github.request_deployment(project.job("test").id, deployment=False)
    assert (gate.state, gate.deployment_id, project.github.state.deployments) == ("open", None, {})


def test_a_job_waits_for_a_required_reviewer(project) -> None:
    job, gate = _waiting(project, reviewers=["reviewer", "release-manager"])
    assert (gate.state, job.status, project.github.run(job.run_id).status) == ("waiting", "waiting", "waiting")
    with pytest.raises(GitHubError, match="gate of `production` is waiting"):
        project.github.start_job(job.id)
    for stranger in ("developer", "guest"):
        with pytest.raises(GitHubError, match="not a required reviewer") as refused:
            project.github.review_gate(job.run_id, PRODUCTION, stranger, "approved")
        assert refused.value.status == 422
    deployments = project.github.review_gate(job.run_id, PRODUCTION, "release-manager", "approved", "go")
    assert [each.id for each in deployments] == [gate.deployment_id]
    assert (gate.state, job.status) == ("open", "queued")
    assert project.github.start_job(job.id).status == "in_progress"


def test_the_approvals_answer_has_no_time_of_the_approval(project) -> None:
    job, _ = _waiting(project, reviewers=["reviewer"])
    project.github.clock.advance(3600)
    project.github.review_gate(job.run_id, PRODUCTION, "reviewer", "approved", "looks good")
    given = render.approval(project.github.state, project.repository, project.github.run(job.run_id).approvals[0])
    environment = project.repository.environments[PRODUCTION]
    assert (given["state"], given["comment"], given["user"]["login"]) == ("approved", "looks good", "reviewer")
    assert {key: value for key, value in given.items() if key.endswith("_at")} == {}
    assert [each["created_at"] for each in given["environments"]] == [environment.created_at], "the environment's time, not the answer's"


def test_a_rejected_gate_stays_shut(project) -> None:
    job, gate = _waiting(project, reviewers=["reviewer"])
    project.github.review_gate(job.run_id, PRODUCTION, "reviewer", "rejected", "not today")
    assert (gate.state, gate.reason) == ("rejected", "reviewer rejected the deployment to production.")
    with pytest.raises(GitHubError, match="is rejected"):
        project.github.start_job(job.id)
    project.github.finish_job(job.id, "failure")
    assert project.github.finish_run(job.run_id).conclusion == "failure"
    with pytest.raises(GitHubError, match="no pending deployment requests"):
        project.github.review_gate(job.run_id, PRODUCTION, "reviewer", "approved")


def test_self_review_can_be_forbidden(project) -> None:
    event = project.github.schedule(project.name, "* * * * *")
    assert event.actor == "developer"
    project.github.set_environment(project.name, PRODUCTION, reviewers=["developer", "reviewer"], prevent_self_review=True)
    job = project.job(PRODUCTION, project.run(event))
    project.github.request_deployment(job.id)
    with pytest.raises(GitHubError, match="approve their own deployment"):
        project.github.review_gate(job.run_id, PRODUCTION, "developer", "approved")
    assert project.github.review_gate(job.run_id, PRODUCTION, "reviewer", "approved")


def test_a_timer_holds_the_job_also_after_the_approval(project) -> None:
    job, gate = _waiting(project, reviewers=["reviewer"], wait_timer=30)
    project.github.review_gate(job.run_id, PRODUCTION, "reviewer", "approved")
    assert project.github.gate(gate.id).state == "waiting"
    project.github.clock.advance(29 * 60)
    assert project.github.gate(gate.id).state == "waiting"
    project.github.clock.advance(61)
    assert project.github.gate(gate.id).state == "open"


@pytest.mark.parametrize(
    ("branches", "branch", "opens"),
    [
        (["release"], "release", True),
        (["release"], "main", False),
        (["release/*"], "release/a", True),
        (["release/*"], "release/a/b", False),
        (["release/**/*"], "release/a/b", True),
        ([], "main", False),
        (None, "anything", True),
    ],
)
def test_branch_policies(project, branches: list[str] | None, branch: str, opens: bool) -> None:
    project.commit(branch, {"x.txt": "x"})
    _, gate = _waiting(project, branches=branches)
    assert gate.state == ("open" if opens else "refused")
    assert opens or gate.reason == f'Branch "{branch}" is not allowed to deploy to production due to environment protection rules.'
    assert gate.deployment_id is None or opens, "a job that is sent away files no record"


def test_protected_branches_only_and_pull_requests(project) -> None:
    project.github.add_rule(project.name, "non_fast_forward", ["main"])
    _, gate = _waiting(project, protected_branches=True)
    assert gate.state == "open"
    project.commit("topic", {"x.txt": "x"})
    assert project.github.request_deployment(project.job(PRODUCTION).id).state == "refused"
    project.github.open_pull(project.name, "developer", "topic", "main", "T")
    gate = project.github.request_deployment(project.job(PRODUCTION, project.run(project.last("pull_request"))).id)
    assert (gate.state, '"pull/1/merge"' in gate.reason) == ("refused", True)


def test_tags_have_patterns_of_their_own(project) -> None:
    project.git("push", "--quiet", str(project.repository.path), "HEAD:refs/tags/v1")
    project.github.refs_changed(project.name, "developer")
    _, gate = _waiting(project, branches=["v*"])
    assert gate.state == "refused"
    project.github.set_environment(project.name, PRODUCTION, branches=[], tags=["v*"])
    assert project.github.request_deployment(project.job(PRODUCTION).id).state == "open"


def test_an_administrator_may_go_round_it_where_that_is_allowed_and_leaves_no_approval(project) -> None:
    job, gate = _waiting(project, reviewers=["reviewer"])
    with pytest.raises(GitHubError, match="admin rights"):
        project.github.bypass_gate(job.run_id, PRODUCTION, "release-manager")
    project.github.bypass_gate(job.run_id, PRODUCTION, "developer")
    assert (gate.state, gate.bypassed_by, project.github.run(job.run_id).approvals) == ("open", "developer", [])
    job, gate = _waiting(project, reviewers=["reviewer"], can_admins_bypass=False)
    with pytest.raises(GitHubError, match="may not bypass"):
        project.github.bypass_gate(job.run_id, PRODUCTION, "developer")


def test_waiting_wakes_at_the_answer(project) -> None:
    job, gate = _waiting(project, reviewers=["reviewer"])
    assert project.github.wait_for_gate(gate.id, 0.05).state == "waiting"
    answers = threading.Timer(0.2, project.github.review_gate, (job.run_id, PRODUCTION, "reviewer", "approved"))
    answers.start()
    started = time.monotonic()
    assert project.github.wait_for_gate(gate.id, 20).state == "open"
    assert time.monotonic() - started < 10
    answers.join(5)


def test_two_jobs_of_a_run_are_answered_together_and_other_runs_are_not(project) -> None:
    project.github.set_environment(project.name, PRODUCTION, reviewers=["reviewer"])
    run, other = project.run(), project.run()
    gates = [project.github.request_deployment(project.job(PRODUCTION, each).id) for each in (run, run, other)]
    assert len(project.github.pending_gates(project.name)) == 3
    project.github.review_gate(run.id, PRODUCTION, "reviewer", "approved")
    assert [gate.state for gate in gates] == ["open", "open", "waiting"]
    assert [gate.run_id for gate in project.github.pending_gates(project.name)] == [other.id]


def test_each_attempt_is_asked_for_anew(project) -> None:
    job, _ = _waiting(project, reviewers=["reviewer"])
    project.github.review_gate(job.run_id, PRODUCTION, "reviewer", "approved")
    project.github.start_job(job.id)
    project.github.finish_job(job.id, "failure")
    project.github.finish_run(job.run_id)
    run = project.github.rerun(job.run_id)
    assert run.run_attempt == 2
    again = project.github.request_deployment(project.job(PRODUCTION, run).id)
    assert again.state == "waiting", "the first attempt's approval does not count"
    assert [approval.run_attempt for approval in run.approvals] == [1]


def test_a_cancelled_job_leaves_no_gate_behind(project) -> None:
    job, gate = _waiting(project, reviewers=["reviewer"])
    project.github.finish_job(job.id, "cancelled")
    assert (gate.state, project.github.pending_gates(project.name)) == ("cancelled", [])


@pytest.mark.parametrize(
    ("gate", "text"),
    [
        ({"reviewers": [f"r{n}" for n in range(7)]}, "at most 6"),
        ({"reviewers": ["nobody"]}, "read access"),
        ({"wait_timer": 43_201}, "minutes"),
        ({"branches": ["main"], "protected_branches": True}, "exclude each other"),
        ({"tags": ["v*"]}, "custom branch policies"),
    ],
)
def test_gates_that_cannot_be(project, gate: dict[str, object], text: str) -> None:
    with pytest.raises(GitHubError, match=text) as refused:
        project.github.set_environment(project.name, PRODUCTION, **gate)
    assert refused.value.status == 422


def test_an_environments_values_override_the_repositorys(project) -> None:
    github = project.github
    github.set_variable(project.name, "databricks_host", "http://repository")
    github.set_variable(project.name, "KEPT", "yes")
    github.set_variable(project.name, "DATABRICKS_HOST", "http://environment", environment=PRODUCTION)
    github.set_secret(project.name, "TOKEN", "one")
    github.set_secret(project.name, "TOKEN", "two", environment=PRODUCTION)
    inside = github.job_credentials(project.job(PRODUCTION).id, {})
    outside = github.job_credentials(project.job().id, {})
    assert (inside.variables, inside.secrets) == ({"DATABRICKS_HOST": "http://environment", "KEPT": "yes"}, {"TOKEN": "two"})
    assert (outside.variables["DATABRICKS_HOST"], outside.secrets) == ("http://repository", {"TOKEN": "one"})
    with pytest.raises(GitHubError, match="GITHUB_X"):
        github.set_variable(project.name, "GITHUB_X", "1")
