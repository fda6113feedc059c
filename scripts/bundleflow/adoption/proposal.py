"""What is proposed for a repository: stages, the bundles that share them, the callers, and what a person should know or add."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bundleflow.adoption.advice import DEVELOP, MAIN, RELEASE, Note, advice
from bundleflow.adoption.roles import Pick, Roles, assign
from bundleflow.adoption.survey import Bundle, Survey, Target
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

ONE_IDENTITY = "Target {target} hangs on who deploys it, so the plan is made by the deploying identity until that is changed."


@dataclass(frozen=True)
class ProposedStage:
    """One stage of the flow file.

    Args:
        name: Its key.
        target: Target of the bundle.
        environment: GitHub environment.
        why: Why this target, for the comment above it; the first words say when it is deployed.
        plan_environment: Environment of the planning identity; empty: none.
        requires: Stage before it; empty: none.
        per_pull_request: Whether each pull request gets its own deployment.
        then_propose: Branch of the release pull request; empty: none.
        one_identity: In words, why plan and deployment have one identity; empty: they have two.
        runs: Whether jobs may be run once it is deployed.
        model_environment: Environment of the job that promotes models; empty: none.
    """

    name: str
    target: str
    environment: str
    why: str
    plan_environment: str = ""
    requires: str = ""
    per_pull_request: bool = False
    then_propose: str = ""
    one_identity: str = ""
    runs: bool = True
    model_environment: str = ""


@dataclass(frozen=True)
class Proposal:
    """What is proposed.

    Args:
        survey: What it was made from.
        bundles: Folders of the bundles that it is for.
        stages: The stages, in the order in which a change passes them.
        run: Keys of the jobs to run after each deployment.
        jobs: Keys of all jobs that every one of the bundles has.
        notes: What a person should know.
        warnings: The CLI's warnings about the bundles as they are, as pairs of target and text.
    """

    survey: Survey
    bundles: tuple[str, ...]
    stages: tuple[ProposedStage, ...]
    run: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()

    def stage(self, name: str) -> ProposedStage | None:
        """The stage of this name; None where it is not proposed."""
        return next((each for each in self.stages if each.name == name), None)

    @property
    def environments(self) -> tuple[str, ...]:
        """The GitHub environments that are needed, in the order of the stages."""
        named = [name for stage in self.stages for name in (stage.plan_environment, stage.environment) if name]
        return tuple(dict.fromkeys(named))


def propose(found: Survey, run: Sequence[str] = ()) -> Proposal:
    """Make a proposal.

    Args:
        found: The repository.
        run: Keys of the jobs to run after each deployment.

    Raises:
        BundleflowError: There is no bundle that could be taken, or none of them has one of the jobs.
    """
    bundles, left_out = _bundles(found)
    targets = _common_targets(bundles)
    roles = assign(targets)
    jobs = tuple(job for job in bundles[0].jobs if all(job in each.jobs for each in bundles))
    _check_jobs(run, jobs)
    stages = _stages(roles)
    notes = [Note(folder, why) for folder, why in {**found.left_out, **left_out}.items()]
    notes += dict.fromkeys(advice(found, bundles, roles))  # several bundles often have the same
    used = {stage.target for stage in stages}
    targets_of_all = [target for bundle in bundles for target in bundle.targets if target.name in used]
    warnings = dict.fromkeys((target.name, text) for target in targets_of_all for text in target.warnings)
    return Proposal(found, tuple(each.folder for each in bundles), stages, tuple(run), jobs, tuple(notes), tuple(warnings))


def _bundles(found: Survey) -> tuple[list[Bundle], dict[str, str]]:
    """The bundles that can share one flow file: those that have the targets which most of them have."""
    if not found.bundles:
        raise BundleflowError(
            f"There is no bundle in {found.root}: no databricks.yml that can be read.",
            fix="Run this at the root of a repository with a Databricks bundle; `bundleflow new` starts a project from a template.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
            details="\n".join(f"{folder}: {why}" for folder, why in found.left_out.items()),
        )
    sets = Counter(frozenset(target.name for target in each.targets) for each in found.bundles)
    common = max(sets, key=lambda each: (sets[each], len(each)))
    kept = [each for each in found.bundles if common <= {target.name for target in each.targets}]
    missing = {
        each.folder: f"it has no target {', '.join(sorted(common - {target.name for target in each.targets}))}, which the other bundles "
        "have; the stages of one flow file name targets that all of its bundles have"
        for each in found.bundles
        if each not in kept
    }
    return kept, missing


def _common_targets(bundles: Sequence[Bundle]) -> list[Target]:
    """The targets that all bundles have, each with the worst that one of them says of it."""
    targets = []
    for target in bundles[0].targets:
        same = [each for bundle in bundles for each in bundle.targets if each.name == target.name]
        if len(same) == len(bundles):
            targets.append(
                replace(
                    target,
                    by_identity=next((each.by_identity for each in same if each.by_identity), ()),
                    not_isolated=next((each.not_isolated for each in same if each.not_isolated), ()),
                )
            )
    return targets


def _check_jobs(run: Sequence[str], jobs: Sequence[str]) -> None:
    missing = [job for job in run if job not in jobs]
    if missing:
        raise BundleflowError(
            f"`--run {missing[0]}`: there is no such job in every bundle.",
            fix=f"Give one of: {', '.join(jobs)}." if jobs else "The bundle's YAML has no job; leave --run out.",
            exit_code=ExitCode.USAGE,
        )


def _stages(roles: Roles) -> tuple[ProposedStage, ...]:
    found: list[ProposedStage] = []
    if roles.dev:
        found.append(ProposedStage("dev", roles.dev.target.name, "dev", f"Push to {DEVELOP}. {_why(roles.dev)}"))
    if roles.own:
        why = f"Each pull request: a deployment of its own, destroyed afterwards. {_why(roles.own)}"
        found.append(ProposedStage("test", roles.own.target.name, "test", why, per_pull_request=True))
    elif roles.check:
        target = _shown(roles.check)
        why = f"Each pull request is checked against target `{target}` with the identity of this environment; nothing is deployed."
        found.append(ProposedStage("test", roles.check.target.name, "test", why, runs=False))
    if roles.staging:
        why = f"Push to {MAIN}. {_why(roles.staging)}"
        found.append(ProposedStage("staging", roles.staging.target.name, "staging", why, then_propose=RELEASE))
    if roles.prod:
        found.append(_production(roles))
    return tuple(found)


def _production(roles: Roles) -> ProposedStage:
    assert roles.prod is not None
    name = roles.prod.target.name
    return ProposedStage(
        "prod",
        name,
        "production",
        f"Push to {RELEASE}: planned, approved by a reviewer of the environment, deployed as approved. {_why(roles.prod)}",
        plan_environment="production-plan",
        requires="staging" if roles.staging else "",
        one_identity=ONE_IDENTITY.format(target=_shown(roles.prod)) if roles.prod.target.by_identity else "",
    )


def _why(pick: Pick) -> str:
    return f"Target `{_shown(pick)}`: {pick.why}."


def _shown(pick: Pick) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in pick.target.name).split())
