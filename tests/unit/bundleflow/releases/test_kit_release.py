"""Release pull request, comment, evidence, gate and record, against the imitated GitHub with a job's own limited token."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from github_world import KIT, REPOSITORY, World

from bundleflow.adapters.github import GitHubError
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.evidence import DeploymentRecord
from bundleflow.releases.bundle_plans import with_others
from bundleflow.releases.comment import marker, sticky_comment
from bundleflow.releases.deployment_record import TASK, begin_record, finish_record
from bundleflow.releases.evidence import find_evidence, kit_repository
from bundleflow.releases.preview import Preview
from bundleflow.releases.release_pull_request import CLICK, MARKER, Deployed, Proposal, propose_release
from rehearsal.github.model_actions import ReferencedWorkflow

RUN_URL = "https://example.com/run"
READ = {"contents": "read", "pull-requests": "read"}


def propose(world: World, **more: Any) -> Proposal:
    deployed = Deployed("staging", more.pop("sha", world.git("rev-parse", "main")), RUN_URL, **more)
    return propose_release(world.api(), head="main", base="release", deployed=deployed)


def body_of(world: World, number: int) -> str:
    return world.github.repository(REPOSITORY).issues[number].body or ""


def open_pulls(world: World) -> int:
    repository = world.github.repository(REPOSITORY)
    return sum(issue.state == "open" for issue in repository.issues.values())


# The release pull request


def test_nothing_to_release_opens_nothing(world: World) -> None:
    assert propose(world) == Proposal("nothing")


def test_each_bundle_has_its_section_and_leaves_the_others(world: World) -> None:
    world.commit("a change")
    world.push("main")
    number = propose(world, bundle="bundles/b", digest="b" * 64, preview=Preview("prod", "1" * 64, "plan of b")).number
    propose(world, bundle="bundles/a", digest="a" * 64, preview=Preview("prod", "2" * 64, "plan of a"))
    body = body_of(world, number)
    assert [body.count(each) for each in ("plan of a", "plan of b", "a" * 64, "b" * 64, "#### Bundle `bundles/a`")] == [1] * 5
    assert body.index("plan of a") < body.index("plan of b")
    propose(world, bundle="bundles/b", preview=Preview("prod", "1" * 64, "newer plan of b"))
    body = body_of(world, number)
    assert ("newer plan of b" in body, "plan of a" in body, body.count("#### Bundle")) == (True, True, 2)
    world.commit("another change", other="text")
    world.push("main")
    propose(world, bundle="bundles/b", preview=Preview("prod", "1" * 64, "plan of the new commit"))
    body = body_of(world, number)
    assert ("plan of the new commit" in body, "plan of a" in body) == (True, False), "what was planned for another commit goes"
    assert open_pulls(world) == 1


def test_many_bundles_fit_into_one_pull_request() -> None:
    body = ""
    for number in range(12):
        body = with_others(body, f"b{number:02}", "1" * 40, "x" * 5_000)
        assert len(body) < 50_000
        assert f"#### Bundle `b{number:02}`" in body, "the bundle that proposes is always there"
    assert "do not fit" in body


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


def test_it_says_what_is_evidence_and_what_to_click(world: World) -> None:
    sha = world.commit("a change")
    world.push("main")
    opened = propose(world, digest="d" * 64)
    assert opened.checks_wait
    body = body_of(world, opened.number)
    assert CLICK in body
    assert f"**Evidence:** stage `staging` was deployed from `{sha[:12]}` ([run]({RUN_URL})), by the plan with digest `{'d' * 64}`" in body
    assert "still waits" not in body
    assert "weaker-gate" not in body


def test_it_shows_the_plan_of_the_next_stage(world: World) -> None:
    world.commit("a change")
    world.push("main")
    preview = Preview("prod", "e" * 64, f"### Plan of target prod\n\nDigest of this plan: `{'e' * 64}`")
    number = propose(world, preview=preview).number
    body = body_of(world, number)
    assert preview.text in body
    assert body.index("**Evidence:**") < body.index(preview.text) < body.index("#### Commits")
    assert "stays the same as long as nothing changes" in body
    refused = replace(preview, refused="> [!CAUTION]\n> **The release would be refused now** (`policy-denied`): delete")
    propose(world, preview=refused)
    assert body_of(world, number).index("refused now") < body_of(world, number).index(preview.text)
    propose(world, preview_failed=True)
    assert f"could not be previewed ([run]({RUN_URL}))" in body_of(world, number)
    assert preview.text not in body_of(world, number)


def test_it_warns_of_commits_that_are_not_deployed_yet_and_of_a_weaker_gate(world: World) -> None:
    first = world.commit("deployed")
    newer = world.commit("not yet", other="text")
    world.push("main")
    body = body_of(world, propose(world, sha=first, weaker_gate="No reviewers in our plan.").number)
    assert f"`{newer[:12]}` is newer and still waits" in body
    assert "**weaker-gate**" in body
    assert "No reviewers in our plan." in body


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
    assert CLICK not in issue.body
    world.commit("more", other="text")
    world.push("main")
    propose(world)
    body = body_of(world, number)
    assert body.startswith("Read this first.")
    assert body.count(MARKER) == 1


def test_a_missing_release_branch_is_named(world: World) -> None:
    with pytest.raises(BundleflowError) as caught:
        propose_release(world.api(), head="main", base="production", deployed=Deployed("staging", "", RUN_URL))
    assert "`production`" in caught.value.cause
    assert "refs/heads/production" in caught.value.fix
    assert caught.value.exit_code is ExitCode.USAGE


def test_a_token_that_may_not_open_pull_requests_is_told_what_to_click(world: World) -> None:
    world.commit("a change")
    world.push("main")
    with pytest.raises(BundleflowError) as caught:
        propose_release(world.api(READ), head="main", base="release", deployed=Deployed("staging", "", RUN_URL))
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


def test_staging_that_was_dispatched_is_evidence(world: World) -> None:
    (world.work / ".github" / "workflows").mkdir(parents=True)
    world.commit("workflow", **{".github/workflows/cd-staging.yml": "on: {workflow_dispatch: }\njobs: {}\n"})
    world.push("main")
    event = world.github.dispatch_workflow(REPOSITORY, "developer", "cd-staging.yml", "main")
    reference = ReferencedWorkflow(f"{KIT}/.github/workflows/cd-staging.yml@{'a' * 40}", "a" * 40, "refs/heads/main")
    run = world.github.create_run(event, name="cd-staging", path=".github/workflows/cd-staging.yml", referenced_workflows=[reference])
    job = world.github.add_job(run.id, "cd-staging / deploy")
    world.github.start_job(job.id)
    world.github.finish_job(job.id, "success")
    assert run.event == "workflow_dispatch"
    assert find(world).endswith(f"/{run.id}")


def test_a_forged_deployment_is_no_evidence(world: World) -> None:
    sha = world.git("rev-parse", "HEAD")
    record = DeploymentRecord("staging", "staging", "staging", sha, world.tree(), "d" * 64, "1.13.0", "0.1.0")
    api = world.api()
    finish_record(api, begin_record(api, record), success=True, log_url=RUN_URL)
    with pytest.raises(BundleflowError) as caught:
        find(world)
    assert caught.value.reason is FailureReason.NO_EVIDENCE


def test_a_run_on_another_branch_is_no_evidence(world: World) -> None:
    world.push("main:other")
    world.staged(branch="other")
    with pytest.raises(BundleflowError):
        find(world)


def test_the_kit_is_the_one_that_this_run_calls(world: World) -> None:
    run = world.start_run("cd-prod.yml", kit="acme/kit")
    assert kit_repository(world.api().workflow_run(run.id)) == "acme/kit"
    assert kit_repository(world.api().workflow_run(world.start_run("cd-test.yml").id)) == KIT


# The record


def test_the_record_is_filed_before_and_finished_after(world: World) -> None:
    sha = world.git("rev-parse", "HEAD")
    record = DeploymentRecord("staging", "staging", "staging", sha, world.tree(), "d" * 64, "1.13.0", "0.1.0")
    api = world.api()
    number = begin_record(api, record)
    assert next(iter(api.kit_deployments("staging", TASK, 1))).state == "in_progress"
    finish_record(api, number, success=False, log_url=RUN_URL)
    found = next(iter(api.kit_deployments("staging", TASK, 1)))
    assert (found.state, found.sha, found.payload["digest"], found.log_url) == ("failure", sha, "d" * 64, RUN_URL)


def test_a_token_without_the_right_is_told_which(world: World) -> None:
    record = DeploymentRecord("staging", "staging", "staging", world.git("rev-parse", "HEAD"), world.tree(), "", "", "")
    with pytest.raises(GitHubError) as caught:
        begin_record(world.api(READ), record)
    assert caught.value.status == 403
    assert "deployments: write" in caught.value.fix
