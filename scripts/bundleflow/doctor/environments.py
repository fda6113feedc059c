"""Checks of the GitHub environments: are they there, who approves, which branches may use them, do they have what a login needs."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce

from bundleflow.adapters.github_settings import EnvironmentSettings
from bundleflow.doctor.branches import branches_using
from bundleflow.doctor.finding import Finding, NotMadeError, NotNeededError, docs_url, error, note, warning
from bundleflow.doctor.situation import Situation
from bundleflow.doctor.workflows import matches
from bundleflow.records.flow import Stage

CLICK = "Settings → Environments → {name} → "
NO_GATE = "no stage has a gate (`plan-environment` or `model-environment`)"
VARIABLES = ("DATABRICKS_HOST", "DATABRICKS_CLIENT_ID")


@dataclass(frozen=True)
class Used:
    """An environment that the flow file names.

    Args:
        name: Its name.
        stage: The stage that uses it.
        gated: Whether its reviewers hold something back: a release, or a model.
        plans: Whether its identity only plans.
    """

    name: str
    stage: Stage
    gated: bool = False
    plans: bool = False

    def along_with(self, other: Used) -> Used:
        """This use of an environment and another one together: a gate counts, whoever else uses it."""
        first = other if other.gated and not self.gated else self
        return replace(first, gated=self.gated or other.gated, plans=self.plans and other.plans)


def used_environments(situation: Situation) -> tuple[Used, ...]:
    """The environments of the flow file, each once, in its order."""
    return tuple(reduce(Used.along_with, uses) for uses in _uses(situation).values())


def _uses(situation: Situation) -> dict[str, list[Used]]:
    """Name in small letters, since GitHub does not tell capitals apart → each use of that environment."""
    found: dict[str, list[Used]] = defaultdict(list)
    for stage in situation.flow.stages.values():
        every = [
            *([Used(stage.plan_environment, stage, plans=True)] if stage.plan_environment else []),
            Used(stage.environment, stage, gated=stage.plan_environment is not None),
            *([Used(stage.model_environment, stage, gated=True)] if stage.model_environment else []),
        ]
        for each in every:
            found[each.name.lower()].append(each)
    return found


def own_gates(situation: Situation) -> Iterator[Finding]:
    """No environment that is a gate is used where nothing is held back."""
    uses = _uses(situation)
    if not any(used.gated for each in uses.values() for used in each):
        raise NotNeededError(NO_GATE)
    for each in uses.values():
        gates = [used for used in each if used.gated]
        for gate, other in [(gates[0], used) for used in each if gates and not used.gated]:
            how = "plans by it" if other.plans else "deploys by it without any plan to approve"
            why = "That stage waits for the gate's reviewers, and its branch must be let in to the identity that they protect."
            fix = f"Give stage `{other.stage.name}` an environment and a service principal of its own, as {docs_url('oidc.md')} says."
            yield error(
                f"Environment `{gate.name}` is the gate of stage `{gate.stage.name}`, and stage `{other.stage.name}` {how}.", why, fix
            )


def environments(situation: Situation) -> Iterator[Finding]:
    """Every environment of the flow file exists."""
    for used in used_environments(situation):
        if _settings(situation, used) is None:
            why = "GitHub makes it, without any rule, when a job first names it: then anybody who may push gets its identity."
            fix = (
                f"Make it: Settings → Environments → New environment → {used.name}; `bundleflow adopt --checklist` says what belongs in it."
            )
            yield error(f"There is no environment `{used.name}` (stage `{used.stage.name}`).", why, fix)


def reviewers(situation: Situation) -> Iterator[Finding]:
    """Each gate has required reviewers."""
    for used, settings in _gates(situation):
        if settings.reviewers:
            yield note(f"`{used.name}` is approved by {', '.join(settings.reviewers)}.")
        elif used.stage.approval.weaker_gate and used.name == used.stage.environment:
            yield note(f"`{used.name}` has no required reviewers; the flow file says why: {used.stage.approval.weaker_gate}")
        else:
            why = "Its gate holds nobody back. The kit sees that and refuses to deploy: `not-approved`."
            fix = f"{_click(used)}Required reviewers. Where GitHub does not offer them: `approval: {{weaker-gate: ...}}` in the flow file."
            yield error(f"Environment `{used.name}` has no required reviewers.", why, fix)


def self_review(situation: Situation) -> Iterator[Finding]:
    """Nobody approves what they started."""
    for used, settings in _gates(situation):
        if settings.reviewers and not settings.prevent_self_review:
            why = "Who started or merged the release can approve it alone."
            yield warning(f"Environment `{used.name}` lets people approve what they started.", why, f"{_click(used)}Prevent self-review.")


def admin_bypass(situation: Situation) -> Iterator[Finding]:
    """Administrators do not pass a gate without approval."""
    for used, settings in _gates(situation):
        if not settings.reviewers:
            continue
        click = f"{_click(used)}untick `Allow administrators to bypass configured protection rules`."
        if settings.admins_bypass is None:
            yield note(f"GitHub does not say whether administrators may pass the gate of `{used.name}`.", fix=f"Look there: {click}")
        elif settings.admins_bypass:
            why = "One click starts the job unapproved. The kit refuses such a run (`not-approved`), other workflows do not."
            yield warning(f"Administrators may pass the gate of `{used.name}`.", why, click)


def environment_branches(situation: Situation) -> Iterator[Finding]:
    """Only the branches whose workflows use an environment may use it, and they may."""
    for used in used_environments(situation):
        settings = _settings(situation, used)
        if settings is None or used.stage.per_pull_request:
            continue
        sources = branches_using(situation, used.name)
        if settings.branches is None or any(not pattern.strip("*/") for pattern in settings.branches):
            yield _open_to_all(used, sources)
            continue
        for branch in sources if settings.branches else ():
            if not any(matches(pattern, branch) for pattern in settings.branches):
                listing = ", ".join(f"`{pattern}`" for pattern in settings.branches)
                why = "GitHub fails the job before its first step."
                what = f"A workflow on branch `{branch}` uses environment `{used.name}`, which does not let it in ({listing})."
                yield error(what, why, f"{_click(used)}Deployment branches and tags → add `{branch}`.")


def _open_to_all(used: Used, sources: tuple[str, ...]) -> Finding:
    only = f"only {' and '.join(f'`{each}`' for each in sources)}" if sources else "only the branch that it is deployed from"
    fix = f"{_click(used)}Deployment branches and tags → Selected branches → {only}."
    what = f"Environment `{used.name}` may be used from any branch."
    why = "Whoever may push a branch can run a workflow of their own with this environment's identity."
    if used.gated and not used.plans:
        return error(what, f"{why} The kit refuses to deploy through it: `not-approved`.", fix)
    return warning(what, why, fix)


def variables(situation: Situation) -> Iterator[Finding]:
    """Every environment has the address and the identity that its jobs log in with."""
    unread = []
    for used in used_environments(situation):
        if _settings(situation, used) is None:
            continue
        found = situation.github.environment_variables(used.name)
        if found is None:
            unread.append(used.name)
            continue
        missing = [name for name in _needed(situation, used) if not found.get(name)]
        if missing:
            commands = "\n".join(f"gh variable set {name} --env {shlex.quote(used.name)}" for name in missing)
            what = f"Environment `{used.name}` has no variable {' and '.join(missing)}."
            yield error(what, "The job stops before any login: `auth-failed`.", f"As variables, not as secrets:\n{commands}")
    yield from _shared_identities(situation, unread)
    if unread:
        raise NotMadeError(
            f"this token may not read the variables of {', '.join(unread)}: run it with the token of a person who may write "
            "(`GITHUB_TOKEN=$(gh auth token) bundleflow doctor`)"
        )


def _needed(situation: Situation, used: Used) -> tuple[str, ...]:
    """The variables that a login needs; one by a stored token needs no identity."""
    calls = [call for call in situation.calls if call.inputs.get("environment", "").lower() == used.name.lower()]
    by_token = bool(calls) and all("databricks-token" in call.secrets for call in calls)
    return VARIABLES[:1] if by_token else VARIABLES


def _shared_identities(situation: Situation, unread: list[str]) -> Iterator[Finding]:
    owners: dict[str, Used] = {}
    for used in used_environments(situation):
        absent = used.name in unread or _settings(situation, used) is None
        client = "" if absent else (situation.github.environment_variables(used.name) or {}).get(VARIABLES[1], "")
        first = owners.setdefault(client, used) if client else used
        if first is used or used.stage.approval.one_identity or first.stage.approval.one_identity:
            continue
        if used.gated or first.gated:
            why = "Then the protected one's identity is had through the other, which nobody approves."
            fix = f"Give `{used.name}` a service principal of its own, as {docs_url('oidc.md')} says."
            yield error(f"Environments `{first.name}` and `{used.name}` log in as the same identity ({client}).", why, fix)


def _gates(situation: Situation) -> Iterator[tuple[Used, EnvironmentSettings]]:
    gates = [used for used in used_environments(situation) if used.gated]
    if not gates:
        raise NotNeededError(NO_GATE)
    for used in gates:
        settings = _settings(situation, used)
        if settings is not None:
            yield used, settings


def _settings(situation: Situation, used: Used) -> EnvironmentSettings | None:
    known = situation.environments_seen
    if used.name not in known:
        known[used.name] = situation.github.environment(used.name)
    return known[used.name]


def _click(used: Used) -> str:
    return CLICK.format(name=used.name)
