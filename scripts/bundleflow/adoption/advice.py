"""What adoption tells a person and does not do itself: what to add to databricks.yml, what to rename, what is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bundleflow.adoption.roles import Roles
from bundleflow.adoption.survey import Bundle, Survey, Target
from bundleflow.records.flow import FLOW_FILE, Stage
from bundleflow.releases.isolation import VARIABLE
from bundleflow.releases.offline import IMPLICIT_TARGET
from bundleflow.templates_callers import scalar

DEVELOP, MAIN, RELEASE = "dev", "main", "release"
"""Branches that the callers listen to."""
FOLDER = "/Workspace/Deployments/${bundle.name}"
"""Folder for deployments in what is proposed: one that an administrator makes, and not everybody may write."""
SHARED_SHOWN = 6
DEVELOPMENT_MODE = (
    "`mode: development` puts the deployer's name into every resource, pauses schedules and switches the deployment's lock off: take it "
    "out, give the target a `root_path` of its own, and keep another target for laptops. To keep the mode, at least set `bundle: "
    "deployment: lock: enabled: true`."
)

PUSHED = ("dev", "staging", "prod")
"""Stages whose callers deploy what is pushed."""


def has_caller(stage: Stage) -> bool:
    """Whether one of the callers is for a stage as a flow file has it."""
    if stage.name == "test":
        return True
    return stage.name in PUSHED and not stage.per_pull_request and (stage.name != "prod" or stage.plan_environment is not None)


@dataclass(frozen=True)
class Note:
    """Something that a person should know, and what to do about it; `add` is text for databricks.yml."""

    subject: str
    text: str
    add: str = ""


def advice(found: Survey, bundles: Sequence[Bundle], roles: Roles) -> Iterator[Note]:
    """Notes on a proposal, the most important first.

    Args:
        found: The repository.
        bundles: The bundles that the proposal is for.
        roles: What their targets are used for.
    """
    if roles.prod and roles.prod.target.by_identity:
        yield _fixed_root(roles.prod.target)
    if roles.own is None and roles.check:
        yield _isolation(roles.check.target)
    for pick in (roles.dev, roles.own, roles.staging, roles.prod):
        if pick and pick.target.has_profile:
            text = "its `workspace: profile:` names an entry of a laptop's configuration file, which no runner has; take it out."
            yield Note(f"target {pick.target.name}", text)
    for bundle in bundles:
        yield from _of_bundle(bundle, roles)
    if found.branch and found.branch not in (DEVELOP, MAIN, RELEASE):
        text = f"the default branch is `{found.branch}`; staging is deployed from `{MAIN}`: rename it, or work on a branch `{MAIN}`."
        yield Note("branches", text)
    if found.deployers:
        names = ", ".join(f"`{name}`" for name in found.deployers)
        text = f"{names}: deploys too, beside the callers; delete what these take the place of in the same pull request."
        yield Note("workflows", text)
    if found.unlocked_tests:
        text = (
            f"{found.unlocked_tests} has tests and no locked requirements, so no workflow runs them yet: write them with "
            "`uv pip compile --generate-hashes IN_FILE -o requirements-test.txt`, then run `bundleflow adopt` again."
        )
        yield Note("unit tests", text)
    for stage in found.flow.stages.values() if found.flow else ():
        if not has_caller(stage):
            names = ", ".join(f"`{name}`" for name in PUSHED)
            text = (
                f"no caller is proposed for stage `{stage.name}` of the present {FLOW_FILE}: one is for `test`, and for {names} where they "
                "are not deployed per pull request; `prod` needs a `plan-environment` too. Copy a caller and give it the stage."
            )
            yield Note(f"stage {stage.name}", text)
    for name, why in roles.left_out.items():
        yield Note(f"target {name}", why)
    if found.findings:
        first = found.findings[0]
        yield Note("lint", f"{len(found.findings)} findings in the bundle's own files, such as {first.place}: {first.message}")


def _of_bundle(bundle: Bundle, roles: Roles) -> Iterator[Note]:
    used = {pick.target.name for pick in (roles.dev, roles.own, roles.staging, roles.prod, roles.check) if pick}
    for target in bundle.targets:
        if target.name in used and target.unset:
            names = ", ".join(f"`{name}`" for name in target.unset)
            yield Note(f"target {target.name}", f"no value for {names}: give a default, or a value under `variables:` of the target.")
        if target.name in used and target.mode == "development":
            yield Note(f"target {target.name}", DEVELOPMENT_MODE)
        if roles.prod and target.name == roles.prod.target.name and target.branch not in ("", RELEASE):
            text = f"`git: branch: {target.branch}` lets only that branch deploy it; the release branch is `{RELEASE}`: change it to that."
            yield Note(f"target {target.name}", text)
    if not bundle.declares_targets:
        text = f"{bundle.file} declares no targets; the Databricks CLI then knows one, `{IMPLICIT_TARGET}`. Declare one for each stage."
        yield Note("targets", text, "targets:\n  staging: {}\n  prod:\n    mode: production\n")


def _fixed_root(target: Target) -> Note:
    where = "; ".join(target.by_identity[:2])
    text = (
        f"what is deployed hangs on who deploys ({where}). Until that is changed, the plan for approval is made with the "
        "deploying identity (`approval: one-identity` in bundleflow.yml). With a folder of the target's own, and then without "
        "`one-identity`, a read-only identity plans; what stands in the old folder stays until `databricks bundle destroy` removes it."
    )
    root = f"{FOLDER}/${{bundle.target}}"
    add = f"targets:\n  {scalar(target.name)}:\n    workspace:\n      root_path: {root}\n"
    return Note(f"target {target.name}", text, add)


def _isolation(target: Target) -> Note:
    shared = [each for each in target.not_isolated if each.startswith("resources.") and ": " in each][:SHARED_SHOWN]
    names = "".join(f"\n# and ${{var.{VARIABLE}}} at the end of {_line(each)}" for each in shared)
    text = (
        "no target can be deployed for each pull request side by side, so pull requests are checked and nothing is run for them. "
        f"With a variable `{VARIABLE}` in every name and path, add a target for it and run `bundleflow adopt` again."
    )
    add = (
        f'variables:\n  {VARIABLE}:\n    description: Set for each pull request. Empty otherwise.\n    default: ""\n'
        f"targets:\n  test:\n    presets:\n      trigger_pause_status: PAUSED\n    workspace:\n"
        f"      root_path: {FOLDER}/test${{var.{VARIABLE}}}{names}\n"
    )
    return Note("pull requests", text, add)


def _line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:160]
