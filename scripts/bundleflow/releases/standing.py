"""Where a stage stands by the kit's own records: what was deployed last, whether releases are held, whether a plan is still the newest."""

from __future__ import annotations

from dataclasses import dataclass

from bundleflow.adapters.github import GitHubError
from bundleflow.adapters.github_release import ReleaseApi
from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.github import Deployment
from bundleflow.releases.deployment_record import TASK

RECORDS_READ = 50
BAD = frozenset({"failure", "error"})
OPEN = frozenset({"in_progress", "pending", "queued"})


@dataclass(frozen=True)
class Standing:
    """The newest deployment of a stage and bundle, and the newest that succeeded; None where there is none on record."""

    newest: Deployment | None = None
    good: Deployment | None = None

    @property
    def newest_id(self) -> int:
        """GitHub's id of the newest deployment; 0 when there is none."""
        return self.newest.id if self.newest else 0


def standing(github: ReleaseApi, *, environment: str, stage: str, bundle: str) -> Standing:
    """Read where a stage stands.

    Args:
        github: The repository.
        environment: Environment of the stage.
        stage: Name of the stage.
        bundle: Folder of the bundle.
    """
    newest: Deployment | None = None
    for each in github.kit_deployments(environment, TASK, RECORDS_READ):
        if (each.payload.get("stage"), each.payload.get("bundle")) != (stage, bundle):
            continue
        newest = newest or each
        if each.state == "success":
            return Standing(newest, each)
    return Standing(newest)


def held_by(github: ReleaseApi, found: Standing) -> Deployment | None:
    """The failed deployment that holds further releases; None when nothing does.

    One that never said how it ended counts as failed once its workflow run is over: a killed runner says nothing.
    """
    newest = found.newest
    if newest is None or newest.state == "success":
        return None
    if newest.state in BAD:
        return newest
    return newest if newest.state in OPEN and not _at_work(github, newest) else None


def check_not_held(github: ReleaseApi, found: Standing, *, stage: str, way_back: str) -> None:
    """Refuse a release after one that failed.

    Raises:
        BundleflowError: `held`, with the failed deployment and the ways on.
    """
    failed = held_by(github, found)
    if failed is None:
        return
    raise BundleflowError(
        f"Releases of stage `{stage}` are held: the deployment of {failed.sha[:12]} at {failed.created_at} ended with `{failed.state}`, "
        "and nobody has said go since.",
        fix="Look at that run. When a release may go on, start the workflow by hand on the release branch with the input `resume` "
        "switched on; its plan is approved like any other.",
        reason=FailureReason.HELD,
        details=f"Failed run: {failed.log_url or 'unknown'}\n\n{way_back}",
    )


def check_branch_is_here(github: ReleaseApi, ref: str, sha: str) -> None:
    """Refuse a commit that is not the head of its branch any more.

    Args:
        github: The repository.
        ref: Git reference of the workflow run; only branches can move on.
        sha: Commit to release.

    Raises:
        BundleflowError: `superseded`.
    """
    branch = ref.removeprefix("refs/heads/")
    if branch == ref:
        return
    head = github.branch_head(branch)
    if head != sha:
        raise _superseded(
            f"A newer commit is on `{branch}`: {head[:12]} instead of {sha[:12]}.",
            f"Approve the run of {head[:12]}; this one deployed nothing.",
        )


def check_plan_is_newest(found: Standing, planned_after: int, stage: str) -> None:
    """Refuse a plan that is older than the last deployment.

    Args:
        found: Where the stage stands now.
        planned_after: GitHub's id of the newest deployment when the plan was made; 0 for none.
        stage: Name of the stage.

    Raises:
        BundleflowError: `superseded`.
    """
    if found.newest is not None and found.newest_id != planned_after:
        raise _superseded(
            f"Stage `{stage}` was deployed ({found.newest.sha[:12]}, {found.newest.created_at}) after this plan was made.",
            "Run the whole workflow again (all jobs): it makes a new plan and asks for approval anew.",
        )


def way_back(found: Standing, *, stage: str, branch: str) -> str:
    """How to go back to the last good deployment, as Markdown with commands; nothing is done without approval."""
    if found.good is None:
        return f"There is no earlier successful deployment of stage {stage} on record to go back to: repair and release again."
    sha = found.good.sha
    commands = (
        f"git fetch origin\ngit switch -c back-to-{sha[:12]} origin/{branch}\n"
        f"git restore --source={sha} --staged --worktree -- :/\n"
        f'git commit -m "Back to {sha[:12]}"\ngit push origin HEAD'
    )
    return (
        f"To go back to {sha[:12]} ({found.good.created_at}), the last deployment of stage {stage} that succeeded:\n\n"
        f"```sh\n{commands}\n```\n\n"
        f"Open a pull request from that branch to {branch} and merge it with a merge commit. Its content is that of {sha[:12]}, so its "
        "evidence counts again. The run of the merge stops with `held`: start the workflow by hand on "
        f"{branch} with `resume`, look at the plan, approve it. Data that jobs wrote and models that were promoted stay as they are."
    )


def _at_work(github: ReleaseApi, deployment: Deployment) -> bool:
    run_id = deployment.payload.get("run_id")
    if not isinstance(run_id, int) or not run_id:
        return False
    try:
        return github.run_is_at_work(run_id)
    except GitHubError as error:
        if error.status != 404:
            raise
        return False


def _superseded(cause: str, fix: str) -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.SUPERSEDED)
