"""The verdict of policy on one plan: what is protected, what is allowed by name, how much may be lost, what is running."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime

from bundleflow.records.errors import BundleflowError, FailureReason
from bundleflow.records.plan import Action, Plan, PlanEntry
from bundleflow.records.policy import ActiveJob, Allowance, Policy, PolicyFinding, PolicyVerdict
from bundleflow.records.schema_problems import did_you_mean

_ORDER = {"denied": 0, "allowed": 1, "note": 2}


def judge(plan: Plan, policy: Policy, *, active: Sequence[ActiveJob] = (), today: date | None = None) -> PolicyVerdict:
    """What policy says about a plan.

    Args:
        plan: The plan.
        policy: `policy:` of the flow file.
        active: Jobs that are running now (see `jobs_at_risk`); empty where nothing is about to be deployed.
        today: The day on which allowances must still hold; today in UTC by default.
    """
    day = today or datetime.now(UTC).date()
    lost = [entry for entry in plan.entries if _is_lost(entry)]
    held = [each for each in policy.allow if each.expires >= day]
    findings = [
        *_losses(lost, policy.protect, held),
        *_too_many(lost, policy.max_deletes, held),
        *_running(plan, active, fail_on_update=policy.fail_on_active_runs),
        *_expired(policy.allow, day),
    ]
    return PolicyVerdict(tuple(sorted(findings, key=lambda each: (_ORDER[each.outcome], each.resource))))


def unknown_allowances(allow: Iterable[Allowance], plans: Iterable[Plan]) -> tuple[PolicyFinding, ...]:
    """Entries of `policy: allow` whose resource no plan knows, with the nearest name.

    Args:
        allow: The entries.
        plans: Plans of every target; a resource that is deployed or in the bundle is in them.
    """
    known = {entry.short_key for plan in plans for entry in plan.entries}
    return tuple(
        PolicyFinding(
            "note",
            "allow",
            each.resource,
            each.action,
            f"`policy: allow` names `{each.resource}`, which no target has. {did_you_mean(each.resource, sorted(known))}".strip(),
        )
        for each in allow
        if each.resource not in known
    )


def check_policy(plan: Plan, policy: Policy, *, active: Sequence[ActiveJob] = (), today: date | None = None) -> PolicyVerdict:
    """The verdict of `judge`, unless it denies.

    Raises:
        BundleflowError: `policy-denied`, with every finding that denies.
    """
    verdict = judge(plan, policy, active=active, today=today)
    error = denial(verdict)
    if error:
        raise error
    return verdict


def denial(verdict: PolicyVerdict) -> BundleflowError | None:
    """The error that a verdict stands for; None when it lets the plan pass."""
    denied = verdict.denied
    if not denied:
        return None
    more = f" (and {len(denied) - 1} more, below)" if len(denied) > 1 else ""
    rules = dict.fromkeys(each.rule for each in denied)
    return BundleflowError(
        f"Policy denies the plan: {denied[0].text}{more}",
        fix=" ".join(_FIXES[rule] for rule in rules),
        reason=FailureReason.POLICY_DENIED,
        details="\n".join(each.text for each in denied),
    )


_FIXES = {
    "protect": "Keep the resource in the bundle under its key and name. If it is meant to be lost, add it to `policy: allow` of the flow "
    "file in a reviewed change: resource, action, reason, expires.",
    "allow": "Take the entry out of `policy: allow`, or give it a later day in a reviewed change.",
    "max-deletes": "Delete fewer resources at once, name them in `policy: allow`, or raise `policy: max-deletes` in a reviewed change.",
    "active-runs": "Wait until the runs have ended, or cancel them, and start the deployment again.",
}


def jobs_at_risk(plan: Plan) -> dict[str, int]:
    """Jobs that exist and that the plan changes, re-creates or deletes: their ids by key.

    The id is that of `remote_state`; a job whose permissions alone change is not at risk.
    """
    found: dict[str, int] = {}
    for entry in plan.changed:
        number = str(entry.remote_state.get("job_id") or "")
        if entry.resource_type == "jobs" and entry.key.count(".") == 2 and not entry.gone and number.isdecimal():
            found[entry.key.removeprefix("resources.jobs.")] = int(number)
    return found


def _is_lost(entry: PlanEntry) -> bool:
    """Whether a resource that is there is deleted or re-created; its permissions and grants go with it and are not counted."""
    return entry.action.destructive and not entry.gone and entry.key.count(".") == 2


def _allowance(entry: PlanEntry, held: Sequence[Allowance]) -> Allowance | None:
    return next((each for each in held if (each.resource, each.action) == (entry.short_key, entry.action)), None)


def _losses(lost: Sequence[PlanEntry], protected: Sequence[str], held: Sequence[Allowance]) -> Iterator[PolicyFinding]:
    for entry in lost:
        allowance = _allowance(entry, held)
        if allowance:
            text = f"{entry.action} of `{entry.short_key}` is allowed until {allowance.expires}: {allowance.reason}"
            yield PolicyFinding("allowed", "allow", entry.short_key, entry.action, text)
        elif entry.resource_type in protected:
            text = f"{entry.action} of `{entry.short_key}`: the flow file protects `{entry.resource_type}`."
            yield PolicyFinding("denied", "protect", entry.short_key, entry.action, text)


def _too_many(lost: Sequence[PlanEntry], limit: int | None, held: Sequence[Allowance]) -> Iterator[PolicyFinding]:
    count = sum(_allowance(entry, held) is None for entry in lost)
    if limit is not None and count > limit:
        text = f"{count} resources would be deleted or re-created; `policy: max-deletes` is {limit}."
        yield PolicyFinding("denied", "max-deletes", "", "delete", text)


def _expired(allow: Sequence[Allowance], day: date) -> Iterator[PolicyFinding]:
    for each in allow:
        if each.expires < day:
            text = f"the entry of `policy: allow` for {each.action} of `{each.resource}` expired on {each.expires}."
            yield PolicyFinding("denied", "allow", each.resource, each.action, text)


def _running(plan: Plan, active: Sequence[ActiveJob], *, fail_on_update: bool) -> Iterator[PolicyFinding]:
    actions = {entry.short_key: entry.action for entry in plan.entries}
    for job in active:
        name = f"jobs.{job.key}"
        action = actions.get(name, Action.SKIP)
        if action is Action.SKIP or not job.run_ids:
            continue
        runs = ", ".join(str(run) for run in job.run_ids[:5]) + (" ..." if len(job.run_ids) > 5 else "")
        breaks = action.destructive or fail_on_update
        text = f"{action} of `{name}` while it is running (run {runs})" + ("." if breaks else ": runs that have begun keep their settings.")
        yield PolicyFinding("denied" if breaks else "note", "active-runs", name, action, text)
