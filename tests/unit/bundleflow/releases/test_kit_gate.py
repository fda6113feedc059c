"""Who let a release through: required reviewers, attempts, independence, branch policy, and the weaker gate by rules."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from github_world import ALL, REPOSITORY, World

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.evidence import Approval
from bundleflow.records.release_rules import ApprovalRule
from bundleflow.releases.gate import GatedRun, verify_gate, why_not_begun
from bundleflow.releases.preview import Preview, artifact_name, write_preview
from bundleflow.releases.weaker_gate import ShownPlan

DIGEST = "d" * 64
INDEPENDENT = ApprovalRule(independent=True)
WEAKER = ApprovalRule(weaker_gate="Our plan of GitHub has no reviewers.")
STRICT = {
    "required_approving_review_count": 1,
    "require_code_owner_review": True,
    "require_last_push_approval": True,
    "dismiss_stale_reviews_on_push": True,
}


def gated(world: World, reviewers: tuple[str, ...] = ("reviewer", "release-manager", "developer")) -> GatedRun:
    """A run of cd-prod that has come to the gate."""
    world.github.set_environment(REPOSITORY, "production", reviewers=reviewers, branches=["release"])
    run = world.start_run("cd-prod.yml", "release")
    arrive(world, run.id)
    return GatedRun("production", run.id, 1, run.head_sha, "release", "cd-prod.yml", ShownPlan("prod", ".", DIGEST, 0))


def arrive(world: World, run_id: int) -> int:
    job = world.job(world.github.run(run_id), "cd-prod / deploy", "production")
    world.github.request_deployment(job.id)
    return job.id


def approve(world: World, run: GatedRun, who: str = "reviewer", answer: str = "approved") -> None:
    world.github.review_gate(run.run_id, "production", who, answer, "go")


def verify(world: World, run: GatedRun, rule: ApprovalRule = ApprovalRule()) -> Approval:  # noqa: B008 (frozen)
    return verify_gate(world.api(), run, rule)


def refusal(world: World, run: GatedRun, rule: ApprovalRule = ApprovalRule()) -> str:  # noqa: B008 (frozen)
    with pytest.raises(BundleflowError) as caught:
        verify(world, run, rule)
    assert caught.value.reason is FailureReason.NOT_APPROVED
    return caught.value.cause


def test_an_approved_run_passes(world: World) -> None:
    run = gated(world)
    approve(world, run)
    assert verify(world, run) == Approval("production", "reviewer", "go")


def test_a_run_that_nobody_approved_is_refused(world: World) -> None:
    assert "Nobody approved" in refusal(world, gated(world))


def test_a_gate_that_an_administrator_bypassed_was_approved_by_nobody(world: World) -> None:
    run = gated(world)
    world.github.bypass_gate(run.run_id, "production", "release-manager")
    assert "bypassed" in refusal(world, run)


def test_an_approval_of_another_run_does_not_count(world: World) -> None:
    approve(world, gated(world))
    assert "Nobody approved" in refusal(world, gated(world))


def test_a_rejected_run_is_refused(world: World) -> None:
    run = gated(world)
    approve(world, run, answer="rejected")
    assert "`reviewer` rejected" in refusal(world, run)


def test_an_environment_without_reviewers_or_not_there_holds_nobody_back(world: World) -> None:
    assert "no required reviewers" in refusal(world, gated(world, ()))
    assert "no environment `missing`" in refusal(world, replace(gated(world), environment="missing"))


@pytest.mark.parametrize("branches", [None, ["*"], ["release", "**"]])
def test_an_environment_that_any_branch_may_deploy_to_is_refused(world: World, branches: list[str] | None) -> None:
    run = gated(world)
    approve(world, run)
    world.github.set_environment(REPOSITORY, "production", reviewers=["reviewer"], branches=branches)
    assert "lets any branch deploy" in refusal(world, run)


def second_attempt(world: World, run: GatedRun) -> GatedRun:
    """The first attempt got through the gate and failed; the run is started again and waits at the gate."""
    first = next(job for job in world.github.jobs(run.run_id) if job.name == "cd-prod / deploy")
    world.github.start_job(first.id)
    world.github.finish_job(first.id, "failure")
    world.github.finish_run(run.run_id)
    world.github.rerun(run.run_id)
    arrive(world, run.run_id)
    return replace(run, attempt=2)


def test_another_attempt_than_the_present_one_is_refused(world: World) -> None:
    run = gated(world)
    approve(world, run)
    assert "attempt 2" in refusal(world, replace(run, attempt=2))


def test_an_approval_counts_for_one_attempt(world: World) -> None:
    run = gated(world)
    approve(world, run)
    again = second_attempt(world, run)
    world.github.bypass_gate(run.run_id, "production", "release-manager")
    assert "Attempt 2 of this run was approved by nobody" in refusal(world, again)


def test_a_second_attempt_that_was_approved_passes(world: World) -> None:
    run = gated(world)
    approve(world, run)
    again = second_attempt(world, run)
    approve(world, again, "release-manager")
    assert verify(world, again).approver == "release-manager"


# Independent of who wrote and merged


def proposed(world: World, approver: str) -> GatedRun:
    """A change by `developer`, merged to release by `release-manager`, approved at the gate by `approver`."""
    world.commit("a change")
    world.push("main")
    pull = world.github.open_pull(REPOSITORY, "developer", "main", "release", "Release")
    world.github.merge_pull(REPOSITORY, pull.number, "release-manager")
    world.git("fetch", "-q", str(world.github.repository(REPOSITORY).path), "release")
    run = gated(world, ("reviewer", "release-manager", "developer"))
    approve(world, run, approver)
    return run


def test_somebody_else_may_approve(world: World) -> None:
    assert verify(world, proposed(world, "reviewer"), INDEPENDENT).approver == "reviewer"


@pytest.mark.parametrize("who", ["developer", "release-manager"])
def test_who_wrote_or_merged_may_not(world: World, who: str) -> None:
    run = proposed(world, who)
    assert re.search(rf"`{who}` approved, and (wrote [0-9a-f]{{12}}|merged|started or merged)", refusal(world, run, INDEPENDENT))
    assert verify(world, run).approver == who


def test_a_commit_of_nobody_known_is_refused(world: World) -> None:
    world.git("commit", "-q", "--allow-empty", "-m", "who?", "--author", "Nobody <nobody@nowhere.example>")
    world.push("main")
    world.push("main:release")
    run = gated(world)
    approve(world, run)
    assert "Nobody can say who wrote" in refusal(world, run, INDEPENDENT)


def test_a_job_that_never_began_is_explained(world: World) -> None:
    run = gated(world)
    nobody = why_not_begun(world.api({"actions": "read"}), "production", run.run_id)
    assert (nobody.reason, nobody.exit_code) == (FailureReason.OUTSIDE_TROUBLE, ExitCode.TROUBLE)
    approve(world, run, answer="rejected")
    error = why_not_begun(world.api({"actions": "read"}), "production", run.run_id)
    assert (error.reason, error.cause) == (FailureReason.NOT_APPROVED, "`reviewer` rejected the deployment to `production` (“go”).")
    assert why_not_begun(world.api(), "another", run.run_id).reason is FailureReason.OUTSIDE_TROUBLE


# Without required reviewers


def merged(world: World, *, approve_it: bool = True, shown: str = DIGEST, bundle: str = ".") -> GatedRun:
    """A release by a pull request that showed a plan (its digest; empty: none) before it was approved."""
    world.commit("a change")
    world.push("main")
    staging = world.staged()
    if shown:
        preview(world, staging.id, shown, bundle)
    pull = world.github.open_pull(REPOSITORY, "developer", "main", "release", "Release")
    if approve_it:
        world.github.review_pull(REPOSITORY, pull.number, "reviewer", "APPROVE")
    world.github.merge_pull(REPOSITORY, pull.number, "release-manager")
    return replace(gated(world, ()), plan=ShownPlan("prod", ".", DIGEST, staging.id))


def preview(world: World, run_id: int, digest: str, bundle: str = ".") -> None:
    """What the preview job of a run of cd-staging keeps."""
    folder = world.work.parent / f"preview-{run_id}-{digest[:4]}"
    found = Preview("prod", digest, "the plan")
    write_preview(folder, found)
    world.github.store_artifact(run_id, artifact_name(bundle, found), folder)


def test_strict_rules_and_an_approved_pull_request_are_a_weaker_gate(world: World) -> None:
    run = merged(world)
    world.github.add_rule(REPOSITORY, "pull_request", ["release"], STRICT)
    found = verify(world, run, WEAKER)
    assert (found.approver, found.weaker) == ("reviewer", True)
    assert "no required reviewers" in refusal(world, run)


@pytest.mark.parametrize("without", list(STRICT))
def test_rules_that_leave_something_open_are_named(world: World, without: str) -> None:
    run = merged(world)
    world.github.add_rule(REPOSITORY, "pull_request", ["release"], {key: value for key, value in STRICT.items() if key != without})
    cause = refusal(world, run, WEAKER)
    assert "do not take their place: missing " in cause
    assert ", " not in cause.partition("missing ")[2]


def test_no_rules_or_no_approved_pull_request_is_no_gate(world: World) -> None:
    run = merged(world, approve_it=False)
    assert "at least one approval, review by code owners" in refusal(world, run, WEAKER)
    world.github.add_rule(REPOSITORY, "pull_request", ["release"], STRICT)
    assert "did not come to `release` by a pull request" in refusal(world, run, WEAKER)


def test_another_plan_than_the_pull_request_showed_is_refused(world: World) -> None:
    run = merged(world, shown="e" * 64)
    world.github.add_rule(REPOSITORY, "pull_request", ["release"], STRICT)
    with pytest.raises(BundleflowError) as caught:
        verify(world, run, WEAKER)
    assert caught.value.reason is FailureReason.PLAN_CHANGED
    assert "not the one that `reviewer` approved" in caught.value.cause
    assert "eeeeeeeeeeee, now it is dddddddddddd" in caught.value.cause


@pytest.mark.parametrize("case", ["no preview", "no plan could be made", "another bundle's", "shown later", "no run"])
def test_who_was_shown_no_plan_approved_none(world: World, case: str) -> None:
    given = {"no plan could be made": {"shown": "none"}, "another bundle's": {"bundle": "other"}}
    run = merged(world, **given.get(case, {"shown": ""} if case in ("no preview", "shown later") else {}))
    world.github.add_rule(REPOSITORY, "pull_request", ["release"], STRICT)
    if case == "shown later":
        world.github.state.clock.advance(5)
        preview(world, run.plan.run_id, DIGEST)
    if case == "no run":
        run = replace(run, plan=replace(run.plan, run_id=0))
    assert "no plan of stage `prod` had been shown there by then" in refusal(world, run, WEAKER)


def test_required_reviewers_stay_the_gate_where_there_are_some(world: World) -> None:
    run = merged(world)
    world.github.add_rule(REPOSITORY, "pull_request", ["release"], STRICT)
    world.github.set_environment(REPOSITORY, "production", reviewers=["reviewer"], branches=["release"])
    assert "Nobody approved" in refusal(world, run, WEAKER)


def test_the_token_of_the_deploying_job_is_enough(world: World) -> None:
    run = merged(world)
    world.github.add_rule(REPOSITORY, "pull_request", ["release"], STRICT)
    api = world.api({**ALL, "pull-requests": "read"})
    assert verify_gate(api, run, ApprovalRule(independent=True, weaker_gate=WEAKER.weaker_gate)).weaker
