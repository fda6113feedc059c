"""Checks of the CLI against what is deployed, of locks that somebody left behind, and of releases that are held."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bundleflow.adapters.cli_lock import LOCK_FILE, load_lock
from bundleflow.adapters.cli_release import CliTable, check_version, load_table, version_key, version_of
from bundleflow.doctor.branches import branches_of
from bundleflow.doctor.finding import Finding, NotMadeError, NotNeededError, error, note, warning
from bundleflow.doctor.rights import read_state, state_path
from bundleflow.doctor.situation import Deployed, Situation
from bundleflow.records.errors import BundleflowError
from bundleflow.releases.standing import held_by, standing
from bundleflow_models.promotion.lock import FOLDER, SILENCE_S, age

LOCK_LIMIT_BYTES = 100_000
STALE = timedelta(hours=2)
"""No deploying job of the kit lasts longer; a lock that is older was left behind."""
INSTALL = "`bundleflow install-cli` installs {version}, verified, and prints where."


def cli_version(situation: Situation) -> Iterator[Finding]:
    """The Databricks CLI here is one that the kit works with."""
    table = load_table()
    try:
        wanted = _of_workflows(situation, table)
    except BundleflowError as problem:
        fix = f"`bundleflow cli update` writes {LOCK_FILE} anew, with {table.pinned}; or restore it from git."
        what = problem.cause.removeprefix(f"{situation.root / LOCK_FILE} ")
        yield error(f"{LOCK_FILE}: {what}", "No job of the kit gets a Databricks CLI, so none plans or deploys.", fix)
        return
    fix = INSTALL.format(version=wanted)
    if situation.cli is None:
        in_job = situation.env.get("GITHUB_ACTIONS") == "true"
        if in_job:
            yield error(
                "There is no Databricks CLI on this runner.", "Nothing can be planned or deployed.", "Use `actions/setup` with `cli: true`."
            )
            return
        raise NotMadeError(f"there is no Databricks CLI here. {fix}")
    version = version_of(situation.cli)
    if version is None:
        why = "PyPI's `databricks-cli` (0.x) is another, older tool of the same name."
        yield error(f"{situation.cli} does not say which Databricks CLI it is.", why, fix)
        return
    if version_key(version) < version_key(table.oldest):
        yield error(f"The Databricks CLI here is {version}; the kit works with {table.oldest} and later.", "Plans have another form.", fix)
    elif version_key(version) >= version_key(table.below):
        why = f"The kit was tested up to {table.below}; a plan of a newer CLI may say what it does not understand."
        yield warning(f"The Databricks CLI here is {version}.", why, fix)
    elif version != wanted:
        why = "Workflows install the locked or pinned one. A state that the newer one wrote is read by the older one with a warning only."
        yield note(f"The Databricks CLI here is {version}, and workflows use {wanted}.", why, fix)


def _of_workflows(situation: Situation, table: CliTable) -> str:
    """The version that workflows install: the project's locked one, else the kit's own.

    Raises:
        BundleflowError: The lock cannot be read, or names a version that the kit does not install.
    """
    lock = load_lock(situation.root / LOCK_FILE)
    if lock is None:
        return table.pinned
    check_version(lock.cli, table)
    return lock.cli


def engine(situation: Situation) -> Iterator[Finding]:
    """The state in the workspace was written by an engine and a CLI that fit those of the workflows."""
    client = situation.workspace
    here = version_of(situation.cli) if situation.cli else None
    try:
        used = here or _of_workflows(situation, load_table())
    except BundleflowError:
        used = ""
    for deployed in situation.deployed:
        folder = state_path(deployed, client)
        terraform, state = client.exists(f"{folder}/terraform.tfstate"), read_state(deployed, client)
        if terraform and state:
            why = "The CLI refuses two states of which it cannot tell the newer one."
            fix = f"Look at both in {folder}; after `databricks bundle deployment migrate` only resources.json is left."
            yield warning(f"{deployed.shown} has a state of each engine in {folder}.", why, fix)
        elif terraform:
            why = "The kit's plans and policy need the direct engine, which tells what changes field by field."
            name = shlex.quote(deployed.target)
            fix = f"Once, from a laptop:\ndatabricks bundle deployment migrate -t {name}\ndatabricks bundle deploy -t {name}"
            yield error(f"{deployed.shown} was deployed with the terraform engine.", why, fix)
        wrote = str(state.get("cli_version") or "")
        if wrote and used and _newer(wrote, used):
            why = "An older CLI may not understand all of it, and only warns."
            fix = f"Use {wrote} or newer everywhere: `cli-version: {wrote}` of actions/setup, and the same on laptops."
            yield error(
                f"The state of {deployed.shown} was written by Databricks CLI {wrote}; {'here is' if here else 'workflows use'} {used}.",
                why,
                fix,
            )
    if not used:
        raise NotMadeError(f"which Databricks CLI workflows use is not known: {LOCK_FILE} cannot be used (see cli-version)")


def _newer(version: str, other: str) -> bool:
    try:
        return version_key(version) > version_key(other)
    except ValueError:
        return False  # a development version has no place in the order


def deploy_lock(situation: Situation) -> Iterator[Finding]:
    """No deployment left its lock behind."""
    client = situation.workspace
    for deployed in situation.deployed:
        path = f"{state_path(deployed, client)}/deploy.lock"
        content = client.read(path, LOCK_LIMIT_BYTES)
        if content is None:
            continue
        holder, since = _holder(content)
        now = datetime.now(UTC)
        how_long = f" for {age((now - since).total_seconds())}" if since else ""
        what = f"`{holder}` holds the lock of {deployed.shown}{how_long} ({path})."
        if since and now - since < STALE:
            yield note(what, "A deployment is under way.")
            continue
        why = "A cancelled job or a killed runner leaves it there; every deployment then fails with `locked`."
        yield error(what, why, _unlock(situation, deployed))


def _unlock(situation: Situation, deployed: Deployed) -> str:
    start = _start_by_hand(situation, situation.stage.name, "force-lock")
    folder = "" if deployed.bundle.folder == "." else f" --bundle-dir {shlex.quote(deployed.bundle.folder)}"
    by_laptop = f"bundleflow deploy --force-lock --target {shlex.quote(deployed.target)}{folder}"
    return "\n".join([f"See that nobody deploys. Then {'one of' if start else 'run'}:", *([start] if start else []), by_laptop])


def _start_by_hand(situation: Situation, stage: str, switch: str) -> str:
    """The command that starts a stage's deploying workflow with a switch on; empty where no workflow deploys it."""
    calls = [call for call in situation.calls if call.inputs.get("stage") == stage and call.workflow.startswith("cd-")]
    if not calls:
        return ""
    branch = next(iter(branches_of(situation, stage)), "")
    ref = f" --ref {shlex.quote(branch)}" if branch else ""
    return f"gh workflow run {shlex.quote(calls[0].file.path.rpartition('/')[2])}{ref} -f {switch}=true"


def _holder(content: bytes) -> tuple[str, datetime | None]:
    try:
        data: Any = json.loads(content)
        holder = str(data["User"])
        since = datetime.fromisoformat(str(data["AcquisitionTime"]))
    except (ValueError, KeyError, TypeError):
        return "somebody", None
    return holder, since if since.tzinfo else since.replace(tzinfo=UTC)


def promotion_lock(situation: Situation) -> Iterator[Finding]:
    """No promotion of a model was left half done."""
    if not situation.flow.models:
        raise NotNeededError("the flow file names no model")
    client = situation.workspace
    for name in client.file_names(FOLDER):
        content = client.read(f"{FOLDER}/{name}", LOCK_LIMIT_BYTES)
        if content is None or not name.endswith(".json"):
            continue
        yield from _promotion(f"{FOLDER}/{name}", name.removesuffix(".json"), content)


def _promotion(path: str, model: str, content: bytes) -> Iterator[Finding]:
    try:
        data: Mapping[str, Any] = json.loads(content)
        holder, seen, journal = str(data["holder"]), datetime.fromisoformat(str(data["seen"])), data["journal"]
    except (ValueError, KeyError, TypeError) as problem:
        why = "No promotion of this model can begin."
        yield error(
            f"The lock {path} cannot be read: {problem}.",
            why,
            f"When nobody is promoting it: `databricks workspace delete {shlex.quote(path)}`",
        )
        return
    silent = (datetime.now(UTC) - seen).total_seconds()
    what = f"`{holder}` holds the lock of model `{model}`; its last sign of life is {age(silent)} old."
    if silent < SILENCE_S:
        yield note(what, "A promotion is under way.")
    elif journal:
        why = "That promotion ended half way: aliases or endpoint may stand between two versions."
        yield error(
            what, why, f"`bundleflow model status` shows where it stands; the next promotion or rollback of {model} undoes it first."
        )
    else:
        yield note(what, "It had changed nothing; the next promotion takes the lock over.")


def held(situation: Situation) -> Iterator[Finding]:
    """No release is held after a failed one."""
    gated = [stage for stage in situation.flow.stages.values() if stage.plan_environment]
    if not gated:
        raise NotNeededError("no stage has a gate, so none is held")
    for stage in gated:
        for bundle in situation.bundles:
            found = standing(situation.github, environment=stage.environment, stage=stage.name, bundle=bundle.folder)
            failed = held_by(situation.github, found)
            if failed:
                of = f"stage `{stage.name}` of `{bundle.folder}`"
                what = f"Releases of {of} are held: the deployment of {failed.sha[:12]} failed ({failed.created_at})."
                go_on = _start_by_hand(situation, stage.name, "resume") or "Start its workflow by hand with `resume` switched on."
                fix = f"Look at {failed.log_url or 'its run'}. To go on:\n{go_on}"
                yield error(what, "Every further release stops with `held`.", fix)
