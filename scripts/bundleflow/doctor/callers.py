"""Checks of the workflows that call the kit: do they fit the flow file and the kit, what are they pinned to, where do they run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bundleflow.adapters.git import commits_ahead
from bundleflow.adapters.github import GitHubError
from bundleflow.adapters.github_settings import SettingsApi
from bundleflow.adapters.runner_version import runner_version
from bundleflow.adoption.pins import objections, pinned_files, refs
from bundleflow.doctor.deployed_bundles import deployed_bundles
from bundleflow.doctor.finding import Finding, NotMadeError, NotNeededError, docs_url, error, note, warning
from bundleflow.doctor.situation import Situation
from bundleflow.doctor.workflows import KitCall, given_or_default, stage_of, steps_of
from bundleflow.records.errors import BundleflowError
from bundleflow.records.flow import Stage
from bundleflow.templates_callers import KIT_REPOSITORY, KIT_ROOT
from bundleflow.templates_project import kit_commit

OLDEST_RUNNER = (2, 336, 0)
"""First runner that knows `uses: $/...` (release notes of actions/runner; not on GitHub Enterprise Server)."""
ON_STAGES = ("bundle-ci", "run-tests", "cleanup", "cd-dev", "cd-staging", "cd-prod")
"""Workflows whose input `environment` is the one that the flow file gives the stage."""
_SHA = re.compile(r"[0-9a-f]{40}")
_KIT_ACTION = re.compile(rf"{re.escape(KIT_REPOSITORY)}(/actions/[\w-]+)?@.+")


def callers(situation: Situation) -> Iterator[Finding]:
    """Each stage has a workflow that deploys it, with the environment of the flow file and the permissions that it needs."""
    for path, problem in situation.broken_workflows.items():
        yield error(f"{path}:{problem.position.line}: {problem.cause}.", "GitHub starts nothing from this file.", problem.fix)
    called = [(call, stage_of(call)) for call in situation.calls]
    for stage in situation.flow.stages.values():
        if stage.name not in [name for _, name in called]:
            yield warning(f"No workflow works on stage `{stage.name}`.", "It is never deployed.", _caller_for(situation, stage))
    for call, name in called:
        yield from _fits_flow(situation, call, name)
    for file in situation.workflows:
        text = (situation.root / file.path).read_text(encoding="utf-8", errors="replace")
        for objection in objections(file.path, text):
            why = "The kit as it is here calls it so; GitHub starts no job of a call that does not fit."
            yield error(f"{objection}.", why, "Correct the workflow; `bundleflow update` shows what changed.")
    yield from deployed_bundles(situation)


def _caller_for(situation: Situation, stage: Stage) -> str:
    """Where the caller of a stage that has none is to be had, and what to write in it."""
    goes_on = stage.then_propose or stage.name in {each.requires for each in situation.flow.stages.values()}
    deploying = "cd-prod" if stage.plan_environment else "cd-staging" if goes_on else "cd-dev"
    workflow = "bundle-ci" if stage.per_pull_request else deploying
    keys = {"stage": stage.name, "environment": stage.environment}
    if workflow == "cd-prod":
        keys |= {"plan-environment": stage.plan_environment or "", "model-environment": stage.model_environment or ""}
    values = ", ".join(f"`{key}: {value}`" for key, value in keys.items() if value)
    return f"Copy the workflow from {docs_url(f'workflows/{workflow}.md')} into .github/workflows, with {values}."


def _fits_flow(situation: Situation, call: KitCall, name: str) -> Iterator[Finding]:
    if not name or "${{" in name or call.workflow not in ON_STAGES:
        return
    stage = situation.flow.stages.get(name)
    if stage is None:
        known = ", ".join(situation.flow.stages)
        yield error(
            f"{call.shown} names stage `{name}`, which the flow file does not have.", "It stops with `flow-mismatch`.", f"Stages: {known}."
        )
        return
    wanted = {"environment": stage.environment}
    if call.workflow == "cd-prod":
        wanted |= {"plan-environment": stage.plan_environment or "", "model-environment": stage.model_environment or ""}
    for key, value in wanted.items():
        given = given_or_default(call, key)
        if "${{" not in given and given.lower() != value.lower():
            what = f"{call.shown} gives `{key}: {given or '(nothing)'}`, and stage `{name}` of the flow file has `{value or '(nothing)'}`."
            yield error(
                what, "The workflow stops with `flow-mismatch`.", f"Write `{key}: {value or chr(34) * 2}` there, or correct the flow file."
            )


def pins(situation: Situation) -> Iterator[Finding]:
    """The kit is pinned by one commit, and that one is not old."""
    named: dict[str, list[str]] = {}
    for path in pinned_files(situation.root):
        for ref in refs(path.read_text(encoding="utf-8", errors="replace")):
            named.setdefault(ref, []).append(path.relative_to(situation.root).as_posix())
    if not named:
        raise NotNeededError("nothing here names the kit")
    for ref in [each for each in named if not _SHA.fullmatch(each)]:
        why = "Who can move a tag or branch can change what runs with your identities."
        yield warning(
            f"The kit is pinned to `{ref}` in {', '.join(named[ref])}.", why, "Write the full commit; `bundleflow update` keeps it current."
        )
    commits = [each for each in named if _SHA.fullmatch(each)]
    if len(commits) > 1:
        listing = "; ".join(f"{sha[:12]} in {', '.join(named[sha])}" for sha in commits)
        yield warning(
            f"The kit is pinned to {len(commits)} commits: {listing}.", "The workflows were not tested together.", "`bundleflow update`"
        )
    for sha in commits:
        ahead, where = _newer(situation, sha)
        if ahead:
            why = "Corrections and a newer Databricks CLI may be among them."
            yield warning(
                f"The pin {sha[:12]} is {ahead} commits behind {where}.", why, "`git -C path/to/bundleflow pull`, then `bundleflow update`."
            )


def _newer(situation: Situation, sha: str) -> tuple[int, str]:
    """How many commits the kit has that a pin has not, by the kit's own checkout, else by GitHub."""
    try:
        here = kit_commit(KIT_ROOT)
    except BundleflowError:
        here = ""
    ahead = commits_ahead(KIT_ROOT, sha, here) if here else None
    if ahead is not None:
        return ahead, f"the kit here ({here[:12]})"
    github = situation.github
    try:
        kit = SettingsApi(KIT_REPOSITORY, github.token, github.api_url)
        return kit.compare(sha, kit.default_branch()).ahead_by, f"{KIT_REPOSITORY} on GitHub"
    except GitHubError as refusal:
        raise NotMadeError(
            f"whether the pin {sha[:12]} is behind is not known: the kit's history is not at hand ({refusal.cause})"
        ) from refusal


def runner(situation: Situation) -> Iterator[Finding]:
    """The runner knows `uses: $/...`, by which the kit names its own actions."""
    oldest = ".".join(map(str, OLDEST_RUNNER))
    why = "The kit's actions are named by `$/`, which an older runner refuses before the first step."
    if situation.env.get("GITHUB_ACTIONS") == "true":
        version = runner_version()
        if version is None:
            raise NotMadeError("the runner's program is not among the processes that this job may see")
        if version < OLDEST_RUNNER:
            shown = ".".join(map(str, version))
            yield error(f"This runner is {shown}.", why, f"Update it to {oldest} or newer, or use a hosted runner such as ubuntu-24.04.")
        return
    own = [(file, key, job) for file in situation.workflows for key, job in file.jobs.items() if _uses_kit_actions(job)]
    selfhosted = [(file.path, key) for file, key, job in own if "self-hosted" in str(job.get("runs-on"))]
    for path, key in selfhosted:
        yield note(f"{path}: job {key} uses an action of the kit on your own runner.", why, f"See that the runner is {oldest} or newer.")
    if not selfhosted:
        raise NotNeededError("every job of the kit runs on a runner that GitHub hosts")


def _uses_kit_actions(job: Mapping[str, Any]) -> bool:
    return any(_KIT_ACTION.fullmatch(str(each.get("uses") or "")) for each in steps_of(job))
