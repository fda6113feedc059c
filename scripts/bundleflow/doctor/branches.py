"""Checks of the branches: rules that hold for them, required checks that really come, and pull requests that the kit may open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bundleflow.adapters.github import GitHubError
from bundleflow.adoption.advice import MAIN, RELEASE
from bundleflow.doctor.finding import Finding, NotMadeError, NotNeededError, docs_url, error, note, warning
from bundleflow.doctor.situation import Situation
from bundleflow.doctor.workflows import GivenCheck, WorkflowFile, checks_of
from bundleflow.records.flow import Stage
from bundleflow.releases.evidence import DEPLOYING_JOB

CHECKING = ("lint", "bundle-ci", "run-tests")
"""Workflows of the kit that check a pull request."""
ACTIONS_APP_ID = 15368
"""The app `github-actions` on github.com, as a required check may name it."""
HANGS = "Pull requests wait for it for ever (“Expected — waiting for status to be reported”)."
SUM = docs_url("actions/required-check.md")
RULES = "Settings → Rules → Rulesets"


@dataclass(frozen=True)
class Rules:
    """What holds for a branch, by rules and by the older kind of protection together.

    Args:
        branch: The branch.
        pull_request: Parameters of the rule that asks for a pull request; None: nothing asks for one.
        checks: Names of the required checks; those of apps other than GitHub Actions are left out.
        foreign: Names of the required checks of other apps.
        linear: Whether merge commits are refused.
        unread: Whether there is a protection that this token may not read.
    """

    branch: str
    pull_request: Mapping[str, Any] | None
    checks: tuple[str, ...]
    foreign: tuple[str, ...]
    linear: bool
    unread: bool = False


def branches_of(situation: Situation, stage: str) -> tuple[str, ...]:
    """Branches whose push deploys a stage, by the workflows of the repository; patterns are left out."""
    calls = [call for call in situation.calls if call.workflow.startswith("cd-") and call.inputs.get("stage") == stage]
    found = (branch for call in calls for branch in call.file.push_branches())
    return tuple(dict.fromkeys(branch for branch in found if not set("*?[") & set(branch)))


def branches_using(situation: Situation, environment: str) -> tuple[str, ...]:
    """Branches whose push starts a workflow of the kit that uses an environment, to deploy, to plan or to promote; no patterns."""
    keys = ("environment", "plan-environment", "model-environment")
    calls = [call for call in situation.calls if environment.lower() in {call.inputs.get(key, "").lower() for key in keys}]
    found = (branch for call in calls for branch in call.file.push_branches())
    return tuple(dict.fromkeys(branch for branch in found if not set("*?[") & set(branch)))


def release_branches(situation: Situation) -> tuple[tuple[str, Stage], ...]:
    """Branches that are worth a rule, each with its stage: those of staging and production. A development branch takes pushes."""
    found: dict[str, Stage] = {}
    for stage in situation.flow.stages.values():
        required = stage.name in {each.requires for each in situation.flow.stages.values()}
        if stage.per_pull_request or not (required or stage.plan_environment or stage.requires):
            continue
        usual = RELEASE if stage.plan_environment else MAIN
        for branch in branches_of(situation, stage.name) or (usual,):
            found.setdefault(branch, stage)
    if not found:
        raise NotNeededError("no stage is a step on the way to production")
    return tuple(found.items())


def branch_rules(situation: Situation) -> Iterator[Finding]:
    """Nobody pushes past review to the branches that are deployed."""
    unread = []
    for branch, stage in release_branches(situation):
        rules = rules_of(situation, branch)
        if rules.pull_request is not None:
            continue
        if rules.unread:
            unread.append(branch)
            continue
        what = f"Branch `{branch}` takes pushes without a pull request."
        why = f"Whoever may write deploys stage `{stage.name}` unseen."
        fix = f"{RULES} → New branch ruleset → target `{branch}` → Require a pull request before merging."
        yield (error if stage.plan_environment else warning)(what, why, fix)
    if unread:
        raise NotMadeError(
            f"{', '.join(unread)}: protected the older way (Settings → Branches), which this token may not read; an administrator's may"
        )


def release_merges(situation: Situation) -> Iterator[Finding]:
    """Releases are merged by merge commits, which keep the content that staging has seen."""
    proposed = {stage.then_propose for stage in situation.flow.stages.values() if stage.then_propose}
    if not proposed:
        raise NotNeededError("no stage proposes a release (`then-propose`)")
    for branch in sorted(proposed):
        rules = rules_of(situation, branch)
        fix = f"{RULES} → the ruleset of `{branch}` → "
        if rules.linear:
            why = "The release pull request then cannot be merged by a merge commit, and the branches drift apart."
            yield error(f"Branch `{branch}` refuses merge commits (linear history).", why, fix + "untick Require linear history.")
            continue
        methods = (rules.pull_request or {}).get("allowed_merge_methods") or []
        others = [str(each) for each in methods if each != "merge"]
        if others:
            why = "A squash or rebase makes other commits: the next release pull request shows old changes again, or conflicts."
            yield warning(f"Branch `{branch}` may be merged by {' or '.join(others)}.", why, fix + "Allowed merge methods → Merge only.")


def required_checks(situation: Situation) -> Iterator[Finding]:
    """Every required check is one that a workflow gives, for every pull request; and those of the kit are required."""
    unread = []
    for branch, _ in release_branches(situation):
        rules = rules_of(situation, branch)
        if rules.unread:
            unread.append(branch)
        for name in rules.checks:
            yield from _comes(situation, branch, name)
        for name in rules.foreign:
            yield note(f"Check `{name}` of `{branch}` comes from another app: whether it comes is not known here.")
        yield from _not_required(situation, branch, rules)
    if unread:
        raise NotMadeError(f"{', '.join(unread)}: protected the older way, which this token may not read; an administrator's may")


def _comes(situation: Situation, branch: str, name: str) -> Iterator[Finding]:
    given = [(file, check) for file in situation.workflows for check in checks_of(file, situation.root) if check.is_named(name)]
    if not given:
        yield _never_given(situation, branch, name)
        return
    coming = [(file, check) for file, check in given if _starts_for(situation, file, branch)]
    first = given[0][0].path
    requires = f"Branch `{branch}` requires the check `{name}`"
    if not coming:
        fix = f"Add `{branch}` under `on: pull_request: branches:` of {first}, or {_ruleset(branch)}take it out."
        yield error(f"{requires}, and {first} does not run for pull requests to it.", HANGS, fix)
    elif all(file.path_filter() for file, _ in coming):
        first, way = coming[0][0].path, coming[0][0].path_filter()
        fix = f"Take the filter out of {first} and decide inside; {SUM} has the job for it."
        yield error(f"{requires}, and {first} has `{way}:`.", f"A change outside that filter starts nothing. {HANGS}", fix)
    elif all(check.only for _, check in coming):
        file, check = coming[0]
        fix = f"Sum the jobs up in one that always comes, as {SUM} says, and require that: {_ruleset(branch)}`{name}`."
        yield error(f"{requires}, which {file.path} gives only {check.only}.", f"Otherwise it never comes. {HANGS}", fix)


def _never_given(situation: Situation, branch: str, name: str) -> Finding:
    """What is to be said of a check that no workflow gives: perhaps it comes from elsewhere."""
    seen = _foreign_checks(situation, branch)
    if seen and name in seen:
        return note(f"Check `{name}` of `{branch}` comes from outside GitHub Actions; it stands on the branch's last commit.")
    close = _alike(situation, branch, name)
    better = f"the name that comes is `{close}`: require that one" if close else "take it out"
    tell, unless = (error, "") if seen is not None else (warning, " Unless another app gives it: this token may not see that.")
    what = f"Branch `{branch}` requires the check `{name}`, which no workflow gives."
    return tell(what, HANGS + unless, f"{_ruleset(branch)}{better}.")


def _ruleset(branch: str) -> str:
    return f"{RULES} → the ruleset of `{branch}` → Require status checks to pass → "


def _starts_for(situation: Situation, file: WorkflowFile, branch: str) -> bool:
    """Whether a pull request to a branch gets this workflow's checks: started by it, or by the push of the branch that it comes from."""
    if file.runs_for_pull_requests_to(branch):
        return True
    heads = {
        head for stage in situation.flow.stages.values() if stage.then_propose == branch for head in branches_of(situation, stage.name)
    }
    return any(head in heads for head in file.push_branches())


def _alike(situation: Situation, branch: str, name: str) -> str:
    from difflib import get_close_matches

    coming = [file for file in situation.workflows if _starts_for(situation, file, branch)]
    names = [check.name for file in coming for check in _certain(situation, file)]
    # Whoever types the job's name alone forgets that a called workflow's job is named `caller / job`.
    ends = [each for each in names if each.split(" / ")[0] == name or each.split(" / ")[-1] == name]
    return (ends or get_close_matches(name, names, n=1) or [""])[0]


def _certain(situation: Situation, file: WorkflowFile) -> list[GivenCheck]:
    """The checks of a workflow that always come, and whose names are known before a run."""
    return [check for check in checks_of(file, situation.root) if not check.only and "*" not in check.name]


def _not_required(situation: Situation, branch: str, rules: Rules) -> Iterator[Finding]:
    """The kit's own checks that a branch does not require."""
    if rules.unread:
        return
    for file in situation.workflows:
        calls = [call for call in situation.calls if call.file.path == file.path]
        if any(call.workflow in CHECKING for call in calls) and file.runs_for_pull_requests_to(branch):
            names = [check.name for check in _certain(situation, file)]
            sums = [name for name in names if name.endswith("required")] or names
            yield from (_unrequired(branch, name) for name in sums if name not in rules.checks)
    for before in situation.flow.stages.values():
        if before.then_propose == branch:
            staged = [call for call in situation.calls if call.inputs.get("stage") == before.name and call.workflow.startswith("cd-")]
            patterns = {check.name for call in staged for check in checks_of(call.file, situation.root)}
            # Of several bundles each has its job, named by the bundle's folder.
            folders = [each.folder for each in situation.bundles]
            deploying = {each.replace("*", folder, 1) for each in patterns if each.endswith(f"/ {DEPLOYING_JOB}") for folder in folders}
            yield from (_unrequired(branch, name) for name in sorted(deploying) if name not in rules.checks)


def _unrequired(branch: str, name: str) -> Finding:
    fix = f"{RULES} → the ruleset of `{branch}` → Require status checks to pass → `{name}`."
    return warning(f"Branch `{branch}` does not require the check `{name}`.", "A pull request can be merged while it is red.", fix)


def pull_requests_by_actions(situation: Situation) -> Iterator[Finding]:
    """Workflows may open the release pull request."""
    if not any(stage.then_propose for stage in situation.flow.stages.values()):
        raise NotNeededError("no stage proposes a release (`then-propose`)")
    allowed = situation.github.actions_may_open_pull_requests()
    if allowed is None:
        raise NotMadeError("this token may not read the repository's settings of Actions; an administrator's may")
    if not allowed:
        why = "The job that proposes the release is refused by GitHub: `github-failed`. With an App token it would be allowed."
        fix = "Settings → Actions → General → Workflow permissions → Allow GitHub Actions to create and approve pull requests."
        yield error("GitHub Actions may not open pull requests here.", why, fix)


def rules_of(situation: Situation, branch: str) -> Rules:
    """What holds for a branch; asked once."""
    known = situation.rules_seen
    if branch not in known:
        known[branch] = _read_rules(situation, branch)
    found = known[branch]
    assert isinstance(found, Rules)
    return found


def _read_rules(situation: Situation, branch: str) -> Rules:
    found = situation.github.branch_rules(branch)
    pull_request = next((dict(each.get("parameters") or {}) for each in found if each.get("type") == "pull_request"), None)
    checks = [
        (str(check.get("context", "")), check.get("integration_id"))
        for each in found
        if each.get("type") == "required_status_checks"
        for check in (each.get("parameters") or {}).get("required_status_checks") or []
    ]
    linear = any(each.get("type") == "required_linear_history" for each in found)
    unread = False
    # A branch can have both kinds; rules alone make it protected too, so the older kind is asked for whenever it may be there.
    if situation.github.protected_the_older_way(branch):
        older = situation.github.older_protection(branch)
        if older is None:
            unread = not found
        else:
            required = older.get("required_status_checks") or {}
            checks += [(str(each.get("context", "")), each.get("app_id")) for each in required.get("checks") or []]
            pull_request = pull_request if pull_request is not None else older.get("required_pull_request_reviews")
            linear = linear or bool((older.get("required_linear_history") or {}).get("enabled"))
    own = tuple(dict.fromkeys(name for name, app in checks if app in (None, -1, ACTIONS_APP_ID)))
    foreign = tuple(dict.fromkeys(name for name, app in checks if app not in (None, -1, ACTIONS_APP_ID)))
    return Rules(branch, pull_request, own, foreign, linear, unread)


def _foreign_checks(situation: Situation, branch: str) -> frozenset[str] | None:
    """Checks from outside GitHub Actions on a branch's last commit; None where this token may not look."""
    try:
        return situation.github.foreign_checks(branch)
    except GitHubError as refusal:
        if refusal.status in (404, 422):
            return frozenset()  # there is no such branch yet
        if refusal.status == 403:
            return None
        raise
