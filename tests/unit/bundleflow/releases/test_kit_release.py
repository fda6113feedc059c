"""Release pull request, comment, evidence, gate and record, against the imitated GitHub with a job's own limited token."""

from __future__ import annotations

import pytest
from github_world import KIT, REPOSITORY, World

from bundleflow.adapters.github import GitHubError
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.evidence import DeploymentRecord
from bundleflow.releases.comment import marker, sticky_comment
from bundleflow.releases.deployment_record import TASK, begin_record, finish_record
from bundleflow.releases.evidence import find_evidence, kit_repository
from bundleflow.releases.gate import verify_gate
from bundleflow.releases.release_pull_request import MARKER, Proposal, propose_release

RUN_URL = "https://example.com/run"
READ = {"contents": "read", "pull-requests": "read"}


def propose(world: World) -> Proposal:
    return propose_release(world.api(), head="main", base="release", stage="staging", run_url=RUN_URL)


def open_pulls(world: World) -> int:
    repository = world.github.repository(REPOSITORY)
    return sum(issue.state == "open" for issue in repository.issues.values())


# The release pull request


def test_nothing_to_release_opens_nothing(world: World) -> None:
    assert propose(world) == Proposal("nothing")


def test_it_is_opened_once_and_then_kept_up_to_date(world: World) -> None:
    world.commit("a change by `somebody` @developer")
    world.push("main")
    first = propose(world)
    assert first.action == "opened"
    world.commit("another change", other="text")
    world.push("main")
    second = propose(world)
    assert (second.action, second.number) == ("updated", first.number)
    assert open_pulls(world) == 1
    body = world.github.repository(REPOSITORY).issues[first.number].body
    assert body is not None
    assert body.index("another change") < body.index("a change by")
    assert MARKER in body
    assert RUN_URL in body


def test_it_is_closed_when_nothing_is_left_to_release(world: World) -> None:
    world.commit("a change")
    world.push("main")
    opened = propose(world)
    world.push("main:release")
    assert propose(world).action in ("closed", "nothing")
    assert world.github.repository(REPOSITORY).issues[opened.number].state == "closed"


def test_what_a_person_wrote_stays(world: World) -> None:
    world.commit("a change")
    world.push("main")
    number = world.github.open_pull(REPOSITORY, "developer", "main", "release", "Spring release", "Read this first.").number
    assert propose(world).number == number
    issue = world.github.repository(REPOSITORY).issues[number]
    assert issue.title == "Spring release"
    assert issue.body is not None
    assert issue.body.startswith("Read this first.")
    assert MARKER in issue.body


def test_a_missing_release_branch_is_named(world: World) -> None:
    with pytest.raises(BundleflowError) as caught:
        propose_release(world.api(), head="main", base="production", stage="staging", run_url=RUN_URL)
    assert "`production`" in caught.value.cause
    assert "refs/heads/production" in caught.value.fix
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_token_that_may_not_open_pull_requests_is_told_what_to_click(world: World) -> None:
    world.commit("a change")
    world.push("main")
    with pytest.raises(BundleflowError) as caught:
        propose_release(world.api(READ), head="main", base="release", stage="staging", run_url=RUN_URL)
    assert "Allow GitHub Actions to create and approve pull requests" in caught.value.fix
    assert caught.value.reason is FailureReason.GITHUB_FAILED


# The comment


@pytest.fixture
def pull(world: World) -> int:
    world.git("checkout", "-q", "-b", "feature")
    world.commit("a feature")
    world.push("feature")
    return world.github.open_pull(REPOSITORY, "developer", "feature", "main", "A feature").number


def test_there_is_one_comment_and_it_is_updated_in_place(world: World, pull: int) -> None:
    actions = [sticky_comment(world.api(), pull, "ci/.", body).action for body in ("one", "one", "two")]
    assert actions == ["created", "unchanged", "updated"]
    comments = world.github.comments(REPOSITORY, pull)
    assert [each.body for each in comments] == [f"{marker('ci/.')}\ntwo"]


def test_two_keys_are_two_comments(world: World, pull: int) -> None:
    api = world.api()
    sticky_comment(api, pull, "ci/a", "one")
    sticky_comment(api, pull, "ci/b", "two")
    assert len(world.github.comments(REPOSITORY, pull)) == 2


def test_a_foreign_comment_with_the_marker_is_left_alone(world: World, pull: int) -> None:
    forged = f"{marker('ci/.')}\nall is well"
    world.github.comment(REPOSITORY, pull, "developer", forged)
    assert sticky_comment(world.api(), pull, "ci/.", "the truth").action == "created"
    assert world.github.comments(REPOSITORY, pull)[0].body == forged


def test_the_comment_is_found_behind_a_hundred_others(world: World, pull: int) -> None:
    api = world.api()
    for number in range(101):
        world.github.comment(REPOSITORY, pull, "developer", f"comment {number}")
    sticky_comment(api, pull, "ci/.", "one")
    assert sticky_comment(api, pull, "ci/.", "two").action == "updated"
    assert len(world.github.comments(REPOSITORY, pull)) == 102


def test_a_read_only_token_is_no_error(world: World, pull: int) -> None:
    assert sticky_comment(world.api(READ), pull, "ci/.", "text").action == "read-only"
    assert world.github.comments(REPOSITORY, pull) == []


@pytest.mark.parametrize("key", ["", "a b", "x-->", "a--b", "x" * 101])
def test_a_key_that_could_end_the_marker_is_refused(key: str) -> None:
    with pytest.raises(BundleflowError, match="key of a comment"):
        marker(key)


# Evidence


def find(world: World, **more: str) -> str:
    return find_evidence(world.api(), stage="staging", tree=world.tree(), branch="main", **{"kit": KIT, **more}).run_url


def test_a_good_staging_run_of_the_same_commit_is_evidence(world: World) -> None:
    run = world.staged()
    assert find(world).endswith(f"/{run.id}")


def test_a_merge_commit_with_the_same_tree_has_evidence(world: World) -> None:
    world.commit("a change")
    world.push("main")
    world.staged()
    world.git("checkout", "-q", "-B", "release", "main~1")
    world.git("merge", "-q", "--no-ff", "-m", "Merge main", "main")
    assert world.git("rev-parse", "HEAD") != world.git("rev-parse", "main")
    assert find(world)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"conclusion": "failure"}, "ended with `failure`"),
        ({"job": "cd-staging / propose"}, "did not run"),
        ({"job": "deploy"}, "did not run"),
        ({"kit": "team/iris"}, "does not call"),
        ({"kit": "evil/bundleflow"}, "does not call"),
        ({"called": "cd-dev.yml"}, "does not call"),
    ],
)
def test_near_misses_do_not_count_and_say_why(world: World, more: dict[str, str], word: str) -> None:
    world.staged(**more)
    with pytest.raises(BundleflowError) as caught:
        find(world)
    assert caught.value.reason is FailureReason.NO_EVIDENCE
    assert word in caught.value.details


def test_of_several_deploying_jobs_all_must_have_succeeded(world: World) -> None:
    run = world.start_run("cd-staging.yml")
    for name, conclusion in (("a / deploy", "success"), ("b / deploy", "failure")):
        job = world.github.add_job(run.id, name)
        world.github.start_job(job.id)
        world.github.finish_job(job.id, conclusion)
    world.github.finish_run(run.id)
    with pytest.raises(BundleflowError) as caught:
        find(world)
    assert "ended with `failure`" in caught.value.details


def test_another_tree_has_no_evidence(world: World) -> None:
    world.staged()
    world.git("checkout", "-q", "-b", "release")
    world.commit("a hotfix pushed to release")
    with pytest.raises(BundleflowError) as caught:
        find(world)
    assert "No run of `cd-staging.yml`" in caught.value.details


def test_a_run_on_another_branch_is_no_evidence(world: World) -> None:
    world.push("main:other")
    world.staged(branch="other")
    with pytest.raises(BundleflowError):
        find(world)


def test_the_kit_is_the_one_that_this_run_calls(world: World) -> None:
    run = world.start_run("cd-prod.yml", kit="acme/kit")
    assert kit_repository(world.api().workflow_run(run.id)) == "acme/kit"
    assert kit_repository(world.api().workflow_run(world.start_run("cd-test.yml").id)) == KIT


# The gate


def gated(world: World) -> int:
    world.github.set_environment(REPOSITORY, "production", reviewers=["reviewer"])
    run = world.start_run("cd-prod.yml")
    job = world.job(run, environment="production")
    world.github.request_deployment(job.id)
    return run.id


def verify(world: World, run_id: int, environment: str = "production", attempt: int = 1) -> str:
    return verify_gate(world.api(), environment=environment, run_id=run_id, attempt=attempt).approver


def refusal(world: World, run_id: int, **more: object) -> BundleflowError:
    with pytest.raises(BundleflowError) as caught:
        verify(world, run_id, **more)  # type: ignore[arg-type]
    assert caught.value.reason is FailureReason.NOT_APPROVED
    return caught.value


def test_an_approved_run_passes(world: World) -> None:
    run_id = gated(world)
    world.github.review_gate(run_id, "production", "reviewer", "approved", "go")
    assert verify(world, run_id) == "reviewer"


def test_a_run_that_nobody_approved_is_refused(world: World) -> None:
    assert "Nobody approved" in refusal(world, gated(world)).cause


def test_a_gate_that_an_administrator_bypassed_was_approved_by_nobody(world: World) -> None:
    run_id = gated(world)
    world.github.bypass_gate(run_id, "production", "release-manager")
    assert "bypassed" in refusal(world, run_id).cause


def test_an_approval_of_another_run_does_not_count(world: World) -> None:
    world.github.review_gate(gated(world), "production", "reviewer", "approved", "go")
    assert "Nobody approved" in refusal(world, gated(world)).cause


def test_a_rejected_run_is_refused(world: World) -> None:
    run_id = gated(world)
    world.github.review_gate(run_id, "production", "reviewer", "rejected", "no")
    assert "`reviewer` rejected" in refusal(world, run_id).cause


def test_an_environment_without_reviewers_holds_nobody_back(world: World) -> None:
    world.github.set_environment(REPOSITORY, "open")
    assert "no required reviewers" in refusal(world, gated(world), environment="open").cause
    assert "no environment `missing`" in refusal(world, gated(world), environment="missing").cause


def test_another_attempt_is_refused(world: World) -> None:
    run_id = gated(world)
    world.github.review_gate(run_id, "production", "reviewer", "approved", "go")
    assert "attempt 2" in refusal(world, run_id, attempt=2).cause


# The record


def test_the_record_is_filed_before_and_finished_after(world: World) -> None:
    sha = world.git("rev-parse", "HEAD")
    record = DeploymentRecord("staging", "staging", "staging", sha, world.tree(), "d" * 64, "1.13.0", "0.1.0")
    api = world.api()
    number = begin_record(api, record)
    assert next(iter(api.deployments("staging", TASK, 1))).state == "in_progress"
    finish_record(api, number, success=False, log_url=RUN_URL)
    found = next(iter(api.deployments("staging", TASK, 1)))
    assert (found.state, found.sha, found.payload["digest"], found.log_url) == ("failure", sha, "d" * 64, RUN_URL)


def test_a_token_without_the_right_is_told_which(world: World) -> None:
    record = DeploymentRecord("staging", "staging", "staging", world.git("rev-parse", "HEAD"), world.tree(), "", "", "")
    with pytest.raises(GitHubError) as caught:
        begin_record(world.api(READ), record)
    assert caught.value.status == 403
    assert "deployments: write" in caught.value.fix
