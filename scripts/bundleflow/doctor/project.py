"""Checks of the project's own files: flow file, bundles, targets, policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from bundleflow.doctor.finding import Finding, NotMadeError, NotNeededError, error, note, warning
from bundleflow.doctor.situation import Situation
from bundleflow.records.accepted import load_accepted
from bundleflow.records.errors import BundleflowError
from bundleflow.records.flow import FLOW_FILE, Stage, check_flow
from bundleflow.releases.bundle_reach import find_bundles
from bundleflow.releases.isolation import VARIABLE
from bundleflow.releases.models_wheel import VARIABLE as WHEEL
from bundleflow.releases.offline import check_offline

GIVEN = (VARIABLE, WHEEL)
"""Variables of a bundle that the kit gives."""
SOON = timedelta(days=14)
UNUSABLE = "No workflow can deploy it, and the other checks cannot be made."
ONE_STAGE = "the stages of this target cannot be deployed"


def flow_file(situation: Situation) -> Iterator[Finding]:
    """The flow file is there and valid."""
    path = situation.root / FLOW_FILE
    if not path.exists():
        fix = "`bundleflow adopt` proposes one for the bundle that is here."
        surveyed = situation.survey_or_problem
        if not isinstance(surveyed, BundleflowError) and not surveyed.bundles:
            fix = "Run this at the root of a repository with a bundle, or start one: `bundleflow new iris my-project`."
        yield error(f"There is no `{FLOW_FILE}`.", "No workflow of the kit knows what is deployed where.", fix)
        return
    found = situation.flow_or_problem
    if not isinstance(found, BundleflowError):
        return
    for problem in check_flow(path)[1]:
        place = f"{FLOW_FILE}:{problem.position.line}:{problem.position.column}"
        yield error(f"{place}: {problem.cause}.", "Every workflow of the kit stops here with `flow-invalid`.", problem.fix)


def bundles(situation: Situation) -> Iterator[Finding]:
    """Bundles, targets and jobs that the flow file names exist."""
    flow = situation.flow
    try:
        named = find_bundles(situation.root, flow.bundles)
    except BundleflowError as problem:
        yield error(problem.cause, "There is nothing to deploy.", problem.fix)
        return
    surveyed = situation.survey_or_problem
    if isinstance(surveyed, BundleflowError):
        yield error(surveyed.cause, UNUSABLE, surveyed.fix)
        return
    for folder, objection in situation.unusable_bundles.items():
        fix = f"Correct that, or take `{folder}` out of `bundles:` of {FLOW_FILE}."
        yield error(f"The bundle in `{folder}` cannot be used: {objection.rstrip('.')}.", UNUSABLE, fix)
    for folder in named:
        if folder in situation.unusable_bundles:
            continue
        checked = check_offline(situation.root / folder, situation.root, {}, flow)
        for found in checked.findings:
            yield error(
                f"{found.place}: {found.message}", "The Databricks CLI refuses it, or deploys something else.", "Correct that line."
            )
    for folder in sorted({each.folder for each in surveyed.bundles} - set(named)):
        fix = f"If it should be deployed, add it under `bundles:` of {FLOW_FILE}."
        yield note(f"The bundle in `{folder}` is not in the flow file.", "No workflow deploys it.", fix)


def targets(situation: Situation) -> Iterator[Finding]:
    """Targets can be deployed by a runner: no profile, every variable has a value, each host is right."""
    hosts: dict[str, str] = {}
    for bundle in situation.bundles:
        for target in bundle.targets:
            stages = _stages_of(situation, target.name)
            if not stages:
                continue
            where = f"target `{target.name}` of {PurePosixPath(bundle.folder, bundle.file)}"
            if target.has_profile:
                why = "It names an entry of a laptop's configuration file, which no runner has: the login fails."
                yield error(f"`workspace: profile:` in {where}.", why, "Take it out; DATABRICKS_HOST of the environment says where to.")
            unset = [name for name in target.unset if name not in GIVEN]
            if unset:
                names = ", ".join(f"`{name}`" for name in unset)
                fix = "Give a `default`, a value under `variables:` of the target, or BUNDLE_VAR_... in the workflow's environment."
                yield error(f"No value for {names} in {where}.", f"The CLI refuses it: {ONE_STAGE}.", fix)
            hosts[target.name] = _text(situation.configuration(bundle, target.name), "workspace", "host")
    for name, host in hosts.items():
        if not host or "${" in host:
            continue
        if situation.host and situation.stage_name and situation.stage.target == name and _bare(host) != _bare(situation.host):
            why = "A host in databricks.yml counts before the environment's: the login goes to another workspace."
            fix = f"Take `workspace: host:` out of target `{name}`, or set DATABRICKS_HOST to the same."
            yield error(f"Target `{name}` names the host {host}, and DATABRICKS_HOST is {situation.host}.", why, fix)
        else:
            why = "It counts before DATABRICKS_HOST of the environment, and a rehearsal has to replace it."
            yield note(f"Target `{name}` names the host {host}.", why, "Leave it out: the GitHub environment says where to.")


def plan_identity(situation: Situation) -> Iterator[Finding]:
    """What is approved does not hang on who plans it."""
    gated = [stage for stage in situation.flow.stages.values() if stage.plan_environment]
    if not gated:
        raise NotNeededError("no stage has a `plan-environment`")
    for stage in gated:
        for bundle in situation.bundles:
            for target in bundle.targets:
                if target.name == stage.target and target.by_identity and not stage.approval.one_identity:
                    place = target.by_identity[0]
                    why = "The plan of the read-only identity and that of the deploying one never agree: `plan-depends-on-identity`."
                    fix = (
                        f"Give target `{target.name}` a folder of its own (`workspace: root_path: /Workspace/Deployments/"
                        "${bundle.name}/${bundle.target}`), or say `approval: one-identity` in the stage."
                    )
                    yield error(f"Stage `{stage.name}` of `{bundle.folder}`: {place} hangs on who deploys.", why, fix)


def development_mode(situation: Situation) -> Iterator[Finding]:
    """No stage deploys a target of `mode: development`."""
    for bundle in situation.bundles:
        for target in bundle.targets:
            stages = _stages_of(situation, target.name)
            if target.mode != "development" or not stages:
                continue
            names = " and ".join(f"`{stage.name}`" for stage in stages)
            one = len(stages) == 1
            why = "This mode puts the deployer's name into every resource, pauses schedules and switches the deployment's lock off."
            fix = (
                f"Take `mode: development` out of target `{target.name}` and give it a `root_path` of its own; keep another target for "
                "laptops. To keep the mode, at least set `bundle: deployment: lock: enabled: true`."
            )
            what = f"{'Stage' if one else 'Stages'} {names} {'deploys' if one else 'deploy'} target `{target.name}` of `{bundle.folder}`"
            yield warning(f"{what}, of `mode: development`.", why, fix)


def exceptions(situation: Situation) -> Iterator[Finding]:
    """No exception of the policy and no accepted warning has expired."""
    flow, day = situation.flow, datetime.now(UTC).date()
    for each in flow.policy.allow:
        what = f"`policy: allow` of {each.action} of `{each.resource}`"
        if each.expires < day:
            why = "It allows nothing any more: a plan that does it is refused (`policy-denied`)."
            yield warning(f"{what} expired on {each.expires}.", why, f"Take the entry out of {FLOW_FILE}, or give it a new day.")
        elif each.expires - day <= SOON:
            yield note(f"{what} expires on {each.expires}.", fix=f"Deploy before that day, or give it a new one in {FLOW_FILE}.")
    if not flow.warnings:
        return
    try:
        entries = load_accepted(situation.root / flow.warnings).entries
    except BundleflowError as problem:
        yield error(problem.cause, "Every pull request stops here.", problem.fix)
        return
    for entry in entries:
        if entry.expires and not entry.holds(day):
            why = "The warning fails pull requests again."
            what = f"{flow.warnings}:{entry.line}: the accepted warning expired on {entry.expires}."
            yield warning(what, why, "Correct what the warning is about, or give the entry a new day.")


def _stages_of(situation: Situation, target: str) -> list[Stage]:
    return [stage for stage in situation.flow.stages.values() if stage.target == target]


def _text(configuration: Mapping[str, object], part: str, key: str) -> str:
    value = configuration.get(part)
    return str(value.get(key) or "") if isinstance(value, Mapping) else ""


def _bare(host: str) -> str:
    return host.lower().removeprefix("https://").rstrip("/")


def gate_files(situation: Situation) -> Iterator[Finding]:
    """Every model has a gate file that can be used."""
    models = situation.flow.models
    if not models:
        raise NotNeededError("the flow file names no model")
    try:
        from bundleflow_models.errors import ModelsError
        from bundleflow_models.verdict import load_gate
    except ModuleNotFoundError as missing:
        raise NotMadeError(f"the package for models is not whole here: {missing}") from missing
    for model in models.values():
        path: Path = situation.root / model.gate
        try:
            load_gate(path)
        except ModelsError as problem:
            yield error(f"Model `{model.name}`: {problem.cause}", "No version of it can be judged: `gate-invalid`.", problem.fix)
