"""Checks of GitHub's settings against the imitated GitHub: where each fires, and where it does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from doctor_bench import FLOW, SHA, fires, git, look, project, quiet, situation
from github_world import KIT, REPOSITORY, World

from bundleflow.doctor import callers
from bundleflow.doctor.check import Area, Status, examine
from bundleflow.doctor.finding import Severity
from bundleflow.doctor.registry import CHECKS
from bundleflow.doctor.situation import Situation
from bundleflow.templates_callers import render_caller

JOB = {"actions": "read", "contents": "read", "deployments": "write"}
SAFE: dict[str, Any] = {"reviewers": ["reviewer"], "prevent_self_review": True, "can_admins_bypass": False}
CHECKS_MAIN = ["lint / lint", "bundle-ci / bundle-ci", "run-tests / unit", "run-tests / integration"]


@dataclass
class Hub:
    """A repository on the imitated GitHub, whose environments and rules are as they should be until a test changes them."""

    world: World
    folder: Path

    def reset(self) -> None:
        github = self.world.github
        repository = github.repository(REPOSITORY)
        repository.rules.clear()
        repository.environments.clear()
        repository.can_approve_pull_request_reviews = True
        self.environment("test")
        self.environment("staging", branches=["main"])
        self.environment("production-plan", branches=["main", "release"])
        self.environment("production", branches=["release"], **SAFE)
        for branch, checks in (("main", CHECKS_MAIN), ("release", ["cd-staging / deploy"])):
            self.rule("pull_request", branch, {"allowed_merge_methods": ["merge"] if branch == "release" else ["merge", "squash"]})
            self.require(branch, *checks)

    def environment(self, name: str, *, variables: bool = True, client: str = "", **gate: Any) -> None:
        self.world.github.set_environment(REPOSITORY, name, **gate)
        for key, value in (("DATABRICKS_HOST", "https://a.example.com"), ("DATABRICKS_CLIENT_ID", client or f"client-of-{name}")):
            if variables:
                self.world.github.set_variable(REPOSITORY, key, value, name)

    def rule(self, kind: str, branch: str, parameters: dict[str, object] | None = None) -> None:
        self.world.github.add_rule(REPOSITORY, kind, [branch], parameters)

    def require(self, branch: str, *checks: str) -> None:
        wanted = [{"context": each} for each in checks]
        self.rule("required_status_checks", branch, {"required_status_checks": wanted})

    def forget(self, kind: str, branch: str) -> None:
        rules = self.world.github.repository(REPOSITORY).rules
        rules[:] = [each for each in rules if (each.type, each.branches) != (kind, [branch])]

    def as_admin(self) -> Situation:
        """What the administrator of the repository can look at."""
        return self._with(self.world.github.user_token("release-manager"))

    def as_job(self, **permissions: str) -> Situation:
        """What a job can look at."""
        return self._with(self.world.api(JOB | permissions).token)

    def _with(self, token: str) -> Situation:
        return situation(self.folder, GITHUB_REPOSITORY=REPOSITORY, GITHUB_TOKEN=token, GITHUB_API_URL=self.world.server.url)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("github"))
    yield world
    world.stop()


@pytest.fixture
def hub(served: World, tmp_path: Path) -> Hub:
    found = Hub(served, project(tmp_path / "project"))
    found.reset()
    return found


def test_environments(hub: Hub) -> None:
    quiet("environments", hub.as_job())
    del hub.world.github.repository(REPOSITORY).environments["staging"]
    assert "`staging`" in fires("environments", hub.as_job()).what


def test_reviewers(hub: Hub) -> None:
    (found,) = quiet("reviewers", hub.as_job())
    assert "reviewer" in found.what
    hub.environment("production", branches=["release"])
    assert "not-approved" in fires("reviewers", hub.as_job()).why
    weaker = FLOW.replace("requires: staging", 'requires: staging, approval: {weaker-gate: "a private repository without them"}')
    project(hub.folder, **{"bundleflow.yml": weaker})
    (found,) = quiet("reviewers", hub.as_job())
    assert "a private repository" in found.what


def test_a_gate_that_another_stage_uses_first_is_looked_at_all_the_same(hub: Hub) -> None:
    project(hub.folder, **{"bundleflow.yml": FLOW.replace("environment: staging,", "environment: production,")})
    hub.environment("production", branches=["release"])
    assert "`production` has no required reviewers" in fires("reviewers", hub.as_job()).what
    hub.environment("production", branches=["release"], **{**SAFE, "prevent_self_review": False, "can_admins_bypass": True})
    fires("self-review", hub.as_job(), Severity.WARNING)
    fires("admin-bypass", hub.as_job(), Severity.WARNING)
    hub.environment("production", **SAFE)
    assert "not-approved" in fires("environment-branches", hub.as_job()).why


def test_self_review(hub: Hub) -> None:
    quiet("self-review", hub.as_job())
    hub.environment("production", branches=["release"], **{**SAFE, "prevent_self_review": False})
    assert "`production`" in fires("self-review", hub.as_job(), Severity.WARNING).what


def test_admin_bypass(hub: Hub) -> None:
    assert quiet("admin-bypass", hub.as_job()) == ()
    hub.environment("production", branches=["release"], **{**SAFE, "can_admins_bypass": True})
    assert "Allow administrators" in fires("admin-bypass", hub.as_job(), Severity.WARNING).fix


def test_environment_branches(hub: Hub) -> None:
    quiet("environment-branches", hub.as_job())
    hub.environment("production", **SAFE)
    assert "only `release`" in fires("environment-branches", hub.as_job()).fix
    hub.environment("production", branches=["rel/*"], **SAFE)
    assert "`rel/*`" in fires("environment-branches", hub.as_job()).what
    hub.environment("production-plan", branches=["release"])
    hub.environment("production", branches=["release"], **SAFE)
    assert "branch `main` uses environment `production-plan`" in fires("environment-branches", hub.as_job()).what
    hub.environment("production-plan")
    assert "only `release` and `main`" in fires("environment-branches", hub.as_job(), Severity.WARNING).fix
    hub.environment("production", branches=["re*"], **SAFE)
    hub.environment("staging")
    assert "`staging`" in fires("environment-branches", hub.as_job(), Severity.WARNING).what


def test_variables(hub: Hub) -> None:
    quiet("variables", hub.as_admin())
    del hub.world.github.repository(REPOSITORY).environments["staging"].variables["DATABRICKS_CLIENT_ID"]
    assert "gh variable set DATABRICKS_CLIENT_ID --env staging" in fires("variables", hub.as_admin()).fix
    file = hub.folder / ".github" / "workflows" / "cd-staging.yml"
    caller = file.read_text()
    file.write_text(caller + "    secrets:\n      databricks-token: ${{ secrets.T }}\n")
    quiet("variables", hub.as_admin())
    file.write_text(caller)
    hub.environment("staging", branches=["main"], client="client-of-production")
    assert "same identity" in fires("variables", hub.as_admin()).what


def test_a_jobs_token_may_not_read_variables_and_that_is_said(hub: Hub) -> None:
    result = look("variables", hub.as_job())
    assert (result.status, result.findings) == (Status.NOT_MADE, ())
    assert "gh auth token" in result.not_made


def test_branch_rules(hub: Hub) -> None:
    quiet("branch-rules", hub.as_job())
    hub.forget("pull_request", "main")
    assert "`main`" in fires("branch-rules", hub.as_job(), Severity.WARNING).what
    hub.forget("pull_request", "release")
    assert "`release`" in fires("branch-rules", hub.as_job()).what


def test_release_merges(hub: Hub) -> None:
    quiet("release-merges", hub.as_job())
    hub.forget("pull_request", "release")
    hub.rule("pull_request", "release", {"allowed_merge_methods": ["merge", "squash"]})
    assert "squash" in fires("release-merges", hub.as_job(), Severity.WARNING).what
    hub.rule("required_linear_history", "release")
    assert "linear" in fires("release-merges", hub.as_job()).what


def test_required_checks(hub: Hub) -> None:
    here = {"checks": "read", "statuses": "read"}
    quiet("required-checks", hub.as_job(**here))
    hub.require("main", "lint")
    found = fires("required-checks", hub.as_job(**here))
    assert "`lint`, which no workflow gives" in found.what
    assert "`lint / lint`" in found.fix
    assert "for ever" in found.why
    without = look("required-checks", hub.as_job())
    assert [each.severity for each in without.findings] == [Severity.WARNING], "a token that may not look cannot be sure"


def test_a_required_check_whose_workflow_does_not_run_for_the_branch(hub: Hub) -> None:
    hub.require("release", "lint / lint")
    assert "does not run for pull requests" in fires("required-checks", hub.as_job()).what


def test_a_required_check_behind_a_path_filter(hub: Hub) -> None:
    file = hub.folder / ".github" / "workflows" / "lint.yml"
    file.write_text(file.read_text().replace("    branches: [dev, main]\n", "    branches: [dev, main]\n    paths: [src/**]\n"))
    assert "`paths:`" in fires("required-checks", hub.as_job()).what


def test_a_required_check_from_elsewhere_is_known_by_the_last_commit(hub: Hub) -> None:
    hub.require("main", "ci/other")
    api = hub.world.api({"statuses": "write"})
    head = hub.world.git("rev-parse", "main")
    api._send("POST", f"/statuses/{head}", {"state": "success", "context": "ci/other"}, "statuses: write")
    (found,) = quiet("required-checks", hub.as_job(checks="read", statuses="read"))
    assert "outside GitHub Actions" in found.what


def test_a_required_check_of_a_matrix_that_is_made_at_run_time(hub: Hub) -> None:
    """As in a monorepo: a bundle that a change does not touch has no job, and so no check."""
    file = hub.folder / ".github" / "workflows" / "bundle-ci.yml"
    file.write_text(render_caller("bundle-ci", {"bundles": ["a", "b"]}, sha=SHA))
    hub.forget("required_status_checks", "main")
    hub.require("main", "lint / lint", "bundle-ci required", "run-tests / unit", "run-tests / integration")
    quiet("required-checks", hub.as_job())
    hub.require("main", "bundle-ci (a) / bundle-ci")
    assert "only for what its matrix holds" in fires("required-checks", hub.as_job()).what


def test_a_required_check_of_a_call_that_can_be_skipped(hub: Hub) -> None:
    file = hub.folder / ".github" / "workflows" / "lint.yml"
    file.write_text(file.read_text().replace("  lint:\n", "  lint:\n    if: github.actor != 'x'\n"))
    assert "when the `if:` of the calling job holds" in fires("required-checks", hub.as_job()).what


def test_each_bundles_deployment_to_staging_is_to_be_required(hub: Hub) -> None:
    for name in ("a", "b"):
        (hub.folder / name).mkdir()
        (hub.folder / name / "databricks.yml").write_text((hub.folder / "databricks.yml").read_text())
    (hub.folder / "bundleflow.yml").write_text(FLOW + "bundles: [a, b]\n")
    caller = render_caller("cd-staging", {"bundles": ["a", "b"]}, sha=SHA)
    (hub.folder / ".github" / "workflows" / "cd-staging.yml").write_text(caller)
    hub.forget("required_status_checks", "release")
    hub.require("release", "cd-staging (a) / deploy")
    found = look("required-checks", hub.as_job()).findings
    assert ["`cd-staging (b) / deploy`" in each.what for each in found] == [True]


def test_checks_of_the_kit_that_are_not_required(hub: Hub) -> None:
    hub.forget("required_status_checks", "release")
    assert "`cd-staging / deploy`" in fires("required-checks", hub.as_job(), Severity.WARNING).what


def test_open_pull_requests(hub: Hub) -> None:
    quiet("open-pull-requests", hub.as_admin())
    hub.world.github.repository(REPOSITORY).can_approve_pull_request_reviews = False
    assert "Allow GitHub Actions" in fires("open-pull-requests", hub.as_admin()).fix
    assert look("open-pull-requests", hub.as_job()).status is Status.NOT_MADE


def test_held(hub: Hub) -> None:
    quiet("held", hub.as_job())
    api = hub.world.api(JOB)
    payload = {"stage": "prod", "bundle": ".", "digest": "d"}
    sha = hub.world.git("rev-parse", "HEAD")
    made = api.create_deployment(ref=sha, environment="production", task="bundleflow", payload=payload, description="")
    api.set_deployment_state(made, "failure")
    found = fires("held", hub.as_job())
    assert "`prod`" in found.what
    assert "gh workflow run cd-prod.yml --ref release -f resume=true" in found.fix


def test_pins_by_githubs_history(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kit is no git checkout (a runner unpacks actions without one), GitHub is asked."""
    monkeypatch.setattr(callers, "KIT_ROOT", tmp_path)
    github = hub.world.github
    kit = github.create_repository(KIT, admin="release-manager", private=False, default_branch="trunk")
    work = tmp_path / "kit"
    work.mkdir()
    git(work, "init", "-q", "-b", "trunk")
    for subject in ("one", "two"):
        git(work, "commit", "-q", "--allow-empty", "-m", subject)
    git(work, "push", "-q", str(kit.path), "trunk")
    github.refs_changed(KIT, "release-manager")
    for path in (hub.folder / ".github" / "workflows").glob("*.yml"):
        path.write_text(path.read_text().replace("a" * 40, git(work, "rev-parse", "HEAD~1")))
    assert "1 commits behind bundleflow/bundleflow on GitHub" in fires("pins", hub.as_job(), Severity.WARNING).what
    for path in (hub.folder / ".github" / "workflows").glob("*.yml"):
        path.write_text(path.read_text().replace(git(work, "rev-parse", "HEAD~1"), git(work, "rev-parse", "HEAD")))
    quiet("pins", hub.as_job())


def test_expected_subjects(hub: Hub) -> None:
    repository = hub.world.github.repository(REPOSITORY)
    found = quiet("expected-subjects", hub.as_job())
    assert [each.what for each in found][-1] == "`production`, names only: repo:team/iris:environment:production"
    repository.oidc.use_immutable_subject = True
    found = quiet("expected-subjects", hub.as_job())
    assert f"repo:team@{hub.world.github.state.user('team').id}/iris@{repository.id}:environment:production" in found[-1].what
    repository.oidc.use_default, repository.oidc.include_claim_keys = False, ["repo", "actor"]
    try:
        assert "repo, actor" in fires("expected-subjects", hub.as_job(), Severity.WARNING).what
    finally:
        repository.oidc.use_default, repository.oidc.use_immutable_subject = True, False


def test_without_a_token_nothing_of_github_passes(hub: Hub) -> None:
    for check in ("environments", "reviewers", "branch-rules", "required-checks", "held"):
        result = look(check, situation(hub.folder, GITHUB_REPOSITORY=REPOSITORY))
        assert (result.status, "no token for GitHub" in result.not_made) == (Status.NOT_MADE, True)
        assert look(check, situation(hub.folder, GITHUB_REPOSITORY=REPOSITORY, GITHUB_TOKEN="t", offline=True)).status is Status.NOT_MADE


def test_who_is_not_let_in_asks_once(hub: Hub) -> None:
    gone = situation(hub.folder, GITHUB_REPOSITORY=REPOSITORY, GITHUB_TOKEN="nobody's", GITHUB_API_URL=hub.world.server.url)
    results = list(examine([each for each in CHECKS if each.area is Area.GITHUB], gone))
    assert {each.status for each in results} == {Status.NOT_MADE}
    (reason,) = {each.not_made for each in results}
    assert "401" in reason


def test_a_github_that_cannot_be_reached_is_asked_once(hub: Hub) -> None:
    away = situation(hub.folder, GITHUB_REPOSITORY=REPOSITORY, GITHUB_TOKEN="t", GITHUB_API_URL="http://127.0.0.1:9")
    results = list(examine([each for each in CHECKS if each.area is Area.GITHUB], away))
    assert {each.status for each in results} == {Status.NOT_MADE}
    (reason,) = {each.not_made for each in results}
    assert "cannot be reached" in reason
