"""Runs, jobs, gates, deployments, checks, statuses, artifacts and environments as JSON."""

from __future__ import annotations

from rehearsal.github import checks, environments
from rehearsal.github.errors import GitHubError
from rehearsal.github.gates import may_review
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import Environment, Json, PullRequest, Repository
from rehearsal.github.model_actions import Approval, Artifact, CheckRun, CommitStatus, Deployment, DeploymentStatus, Gate, Job, Run
from rehearsal.github.render import node_id
from rehearsal.github.render.code import simple_commit
from rehearsal.github.render.people import app, minimal_repository, user
from rehearsal.github.state import State


def pull_minimal(state: State, repository: Repository, request: PullRequest) -> Json:
    """Give a pull request as runs and checks name it (`pull-request-minimal`)."""
    head = state.repositories.get(request.head_repository, repository)

    def side(where: Repository, ref: str, sha: str) -> Json:
        api = state.api_url("repos", where.full_name)
        return {"ref": ref, "sha": sha, "repo": {"id": where.id, "url": api, "name": where.name}}

    return {
        "id": request.id,
        "number": request.number,
        "url": state.api_url("repos", repository.full_name, "pulls", request.number),
        "head": side(head, request.head_ref, request.head_sha),
        "base": side(repository, request.base_ref, request.base_sha),
    }


def run(state: State, made: Run) -> Json:
    """Give a workflow run."""
    repository = state.repository(made.repository)
    head = state.repositories.get(made.head_repository, repository)
    api = state.api_url("repos", made.repository, "actions", "runs", made.id)
    suite = state.api_url("repos", made.repository, "check-suites", made.id)
    try:
        head_commit: Json | None = simple_commit(GitStore(repository.path).commit(made.head_sha))
    except GitHubError:
        head_commit = None  # The branch was rewritten and its commit collected.
    return {
        "id": made.id,
        "name": made.name,
        "node_id": node_id("WFR", made.id),
        "check_suite_id": made.id,
        "check_suite_node_id": node_id("CS", made.id),
        "head_branch": made.head_branch,
        "head_sha": made.head_sha,
        "path": made.path,
        "run_number": made.run_number,
        "run_attempt": made.run_attempt,
        "referenced_workflows": [{"path": each.path, "sha": each.sha, "ref": each.ref} for each in made.referenced_workflows],
        "event": made.event,
        "status": made.status,
        "conclusion": made.conclusion,
        "workflow_id": made.workflow_id,
        "url": api,
        "html_url": state.html_url(made.repository, "actions", "runs", made.id),
        "pull_requests": [pull_minimal(state, repository, repository.pulls[number]) for number in made.pull_requests],
        "created_at": made.created_at,
        "updated_at": made.updated_at,
        "run_started_at": made.run_started_at,
        "actor": user(state, made.actor),
        "triggering_actor": user(state, made.triggering_actor),
        "jobs_url": f"{api}/jobs",
        "logs_url": f"{api}/logs",
        "check_suite_url": suite,
        "artifacts_url": f"{api}/artifacts",
        "cancel_url": f"{api}/cancel",
        "rerun_url": f"{api}/rerun",
        "previous_attempt_url": f"{api}/attempts/{made.run_attempt - 1}" if made.run_attempt > 1 else None,
        "workflow_url": state.api_url("repos", made.repository, "actions", "workflows", made.workflow_id),
        "head_commit": head_commit,
        "repository": minimal_repository(state, repository),
        "head_repository": minimal_repository(state, head),
        "display_title": made.display_title,
    }


def job(state: State, made: Job) -> Json:
    """Give a job."""
    of = state.run(made.run_id)
    api = state.api_url("repos", of.repository)
    running = made.started_at is not None and made.status != "queued"
    return {
        "id": made.id,
        "run_id": made.run_id,
        "run_url": f"{api}/actions/runs/{made.run_id}",
        "run_attempt": made.run_attempt,
        "node_id": node_id("CR", made.id),
        "head_sha": of.head_sha,
        "head_branch": of.head_branch,
        "workflow_name": of.name,
        "url": f"{api}/actions/jobs/{made.id}",
        "html_url": state.html_url(of.repository, "actions", "runs", made.run_id, "job", made.id),
        "status": made.status,
        "conclusion": made.conclusion,
        "created_at": made.created_at,
        "started_at": made.started_at or made.created_at,
        "completed_at": made.completed_at,
        "name": made.name,
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "conclusion": step.conclusion,
                "number": step.number,
                "started_at": step.started_at,
                "completed_at": step.completed_at,
            }
            for step in made.steps
        ],
        "check_run_url": f"{api}/check-runs/{made.id}",
        "labels": made.labels,
        "runner_id": 1 if running else None,
        "runner_name": "GitHub Actions 1" if running else None,
        "runner_group_id": 0 if running else None,
        "runner_group_name": "GitHub Actions" if running else None,
    }


def environment_reference(state: State, repository: Repository, found: Environment) -> Json:
    """Give an environment as gates and approvals name it."""
    return {
        "id": found.id,
        "node_id": node_id("EN", found.id),
        "name": found.name,
        "url": state.api_url("repos", repository.full_name, "environments", found.name),
        "html_url": state.html_url(repository.full_name, "deployments", "activity_log") + f"?environments_filter={found.name}",
        "created_at": found.created_at,
        "updated_at": found.created_at,
    }


def environment(state: State, repository: Repository, found: Environment) -> Json:
    """Give an environment with its protection rules."""
    protection: list[Json] = []
    if found.wait_timer:
        protection.append({"id": found.id * 10 + 1, "node_id": node_id("GA", 1), "type": "wait_timer", "wait_timer": found.wait_timer})
    if found.reviewers:
        protection.append(
            {
                "id": found.id * 10 + 2,
                "node_id": node_id("GA", 2),
                "type": "required_reviewers",
                "prevent_self_review": found.prevent_self_review,
                "reviewers": [{"type": "User", "reviewer": user(state, login)} for login in found.reviewers],
            }
        )
    custom = found.branches is not None
    policy = {"protected_branches": found.protected_branches, "custom_branch_policies": custom}
    if custom or found.protected_branches:
        protection.append({"id": found.id * 10 + 3, "node_id": node_id("GA", 3), "type": "branch_policy"})
    return {
        **environment_reference(state, repository, found),
        "protection_rules": protection,
        "deployment_branch_policy": policy if custom or found.protected_branches else None,
        "can_admins_bypass": found.can_admins_bypass,
    }


def pending(state: State, gates: list[Gate], login: str) -> list[Json]:
    """Give the environments that a run waits for (`pending-deployment`), one entry each."""
    answer: dict[str, Json] = {}
    for gate in gates:
        repository = state.repository(gate.repository)
        found = environments.get(repository, gate.environment)
        named = environment_reference(state, repository, found)
        answer[found.name] = {
            "environment": {key: named[key] for key in ("id", "node_id", "name", "url", "html_url")},
            "wait_timer": found.wait_timer,
            "wait_timer_started_at": gate.created_at if found.wait_timer else None,
            "current_user_can_approve": gate.needs_review and not may_review(state.run(gate.run_id), found, login),
            "reviewers": [{"type": "User", "reviewer": user(state, each)} for each in found.reviewers],
        }
    return list(answer.values())


def approval(state: State, repository: Repository, made: Approval) -> Json:
    """Give a reviewer's answer (`environment-approvals`): the times in it are the environment's, none is the answer's."""
    named = [environment_reference(state, repository, environments.get(repository, name)) for name in made.environments]
    return {"environments": named, "state": made.state, "user": user(state, made.user), "comment": made.comment}


def deployment(state: State, repository: Repository, made: Deployment) -> Json:
    """Give a deployment."""
    api = state.api_url("repos", repository.full_name)
    own = f"{api}/deployments/{made.id}"
    return {
        "url": own,
        "id": made.id,
        "node_id": node_id("DE", made.id),
        "sha": made.sha,
        "ref": made.ref,
        "task": made.task,
        "payload": made.payload,
        "original_environment": made.original_environment,
        "environment": made.environment,
        "description": made.description or None,
        "creator": user(state, made.creator),
        "created_at": made.created_at,
        "updated_at": made.updated_at,
        "statuses_url": f"{own}/statuses",
        "repository_url": api,
        "transient_environment": made.transient_environment,
        "production_environment": made.production_environment,
        "performed_via_github_app": app(state, made.app),
    }


def deployment_status(state: State, repository: Repository, of: Deployment, made: DeploymentStatus) -> Json:
    """Give a deployment's status."""
    api = state.api_url("repos", repository.full_name)
    return {
        "url": f"{api}/deployments/{of.id}/statuses/{made.id}",
        "id": made.id,
        "node_id": node_id("DES", made.id),
        "state": made.state,
        "creator": user(state, made.creator),
        "description": made.description,
        "environment": made.environment,
        "target_url": made.log_url,
        "log_url": made.log_url,
        "environment_url": made.environment_url,
        "created_at": made.created_at,
        "updated_at": made.created_at,
        "deployment_url": f"{api}/deployments/{of.id}",
        "repository_url": api,
        "performed_via_github_app": app(state, made.app),
    }


def check_run(state: State, repository: Repository, made: CheckRun) -> Json:
    """Give a check run."""
    own = state.api_url("repos", repository.full_name, "check-runs", made.id)
    pulls = [each for each in repository.pulls.values() if each.head_sha == made.head_sha]
    return {
        "id": made.id,
        "head_sha": made.head_sha,
        "node_id": node_id("CR", made.id),
        "external_id": made.external_id,
        "url": own,
        "html_url": state.html_url(repository.full_name, "runs", made.id),
        "details_url": made.details_url,
        "status": made.status,
        "conclusion": made.conclusion,
        "started_at": made.started_at,
        "completed_at": made.completed_at,
        "output": {
            **{key: made.output.get(key) for key in ("title", "summary", "text")},
            "annotations_count": len(made.annotations),
            "annotations_url": f"{own}/annotations",
        },
        "name": made.name,
        "check_suite": {"id": made.run_id or made.id},
        "app": app(state, made.app),
        "pull_requests": [pull_minimal(state, repository, each) for each in pulls],
    }


def status(state: State, repository: Repository, made: CommitStatus) -> Json:
    """Give a commit status."""
    return {
        "url": state.api_url("repos", repository.full_name, "statuses", made.sha),
        "avatar_url": None,
        "id": made.id,
        "node_id": node_id("SC", made.id),
        "state": made.state,
        "description": made.description,
        "target_url": made.target_url,
        "context": made.context,
        "created_at": made.created_at,
        "updated_at": made.created_at,
        "creator": user(state, made.creator),
    }


def combined_status(state: State, repository: Repository, sha: str) -> Json:
    """Give a commit's combined status."""
    word, newest = checks.combined(checks.statuses_of(state, repository, sha))
    return {
        "state": word,
        "statuses": [{k: v for k, v in status(state, repository, each).items() if k != "creator"} for each in newest],
        "sha": sha,
        "total_count": len(newest),
        "repository": minimal_repository(state, repository),
        "commit_url": state.api_url("repos", repository.full_name, "commits", sha),
        "url": state.api_url("repos", repository.full_name, "commits", sha, "status"),
    }


def artifact(state: State, made: Artifact) -> Json:
    """Give an artifact."""
    of = state.run(made.run_id)
    repository = state.repository(made.repository)
    own = state.api_url("repos", made.repository, "actions", "artifacts", made.id)
    head = state.repositories.get(of.head_repository, repository)
    return {
        "id": made.id,
        "node_id": node_id("AR", made.id),
        "name": made.name,
        "size_in_bytes": made.size,
        "url": own,
        "archive_download_url": f"{own}/zip",
        "expired": made.expired,
        "created_at": made.created_at,
        "expires_at": made.expires_at,
        "updated_at": made.created_at,
        "digest": made.digest,
        "workflow_run": {
            "id": of.id,
            "repository_id": repository.id,
            "head_repository_id": head.id,
            "head_branch": of.head_branch,
            "head_sha": of.head_sha,
        },
    }
