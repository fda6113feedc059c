"""Guesses what each target of a bundle is for: development, test, staging or production; each guess says what it was made from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from bundleflow.adoption.survey import Target

DEV, TEST, STAGING, PROD = "dev", "test", "staging", "prod"

WORDS: Mapping[str, str] = {
    **dict.fromkeys(("dev", "devel", "develop", "development", "d", "sandbox", "sbx", "local", "playground", "personal"), DEV),
    **dict.fromkeys(("test", "tst", "testing", "ci", "qa", "qas", "qua", "qual", "sit", "int", "integration", "pr"), TEST),
    **dict.fromkeys(
        ("staging", "stage", "stg", "stag", "preprod", "preproduction", "ppe", "pprd", "uat", "acc", "acceptance", "nonprod"), STAGING
    ),
    **dict.fromkeys(("prod", "prd", "production", "productive", "live", "p"), PROD),
}
"""Words in the names of targets and what they stand for, as far as names that teams use tell one thing only."""


@dataclass(frozen=True)
class Pick:
    """A target in a role, and in words why it was taken for it."""

    target: Target
    why: str


@dataclass(frozen=True)
class Roles:
    """Which target is deployed for what; None where the bundle has none for it.

    Args:
        dev: Deployed by a push to `dev`.
        staging: Deployed by a push to `main`.
        prod: Deployed by a push to `release`, behind the gate.
        own: Deployed for each pull request.
        check: What a pull request is validated against, where it cannot have a deployment of its own.
        left_out: Name of a target that is used for nothing → why.
    """

    dev: Pick | None
    staging: Pick | None
    prod: Pick | None
    own: Pick | None
    check: Pick | None
    left_out: Mapping[str, str]


def role_of(target: Target) -> tuple[str, str]:
    """The role that a target's name or mode stands for (empty: neither says it), and why."""
    words = [word for word in re.split(r"[^a-z0-9]+|(?<=[a-z])(?=\d)", _spaced(target.name)) if word]
    # `pre-prod` and `non_prod` are one word with two parts.
    words += ["".join(pair) for pair in pairwise(words)]
    found = [WORDS[word] for word in reversed(words) if word in WORDS]
    if found:
        return found[0], "by its name"
    if target.mode == "production":
        return PROD, "by its `mode: production`"
    if target.mode == "development":
        return DEV, "by its `mode: development`"
    return "", ""


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def assign(targets: Sequence[Target]) -> Roles:
    """Give targets their roles.

    Args:
        targets: The targets of the bundle, in the order of its file; at least one.
    """
    read = {target.name: role_of(target) for target in targets}
    by_role = {role: [target for target in targets if read[target.name][0] == role] for role in (DEV, TEST, STAGING, PROD)}
    own = _own(targets, by_role)
    prod = _first(by_role[PROD], read) or _last_unread(targets, read, own)
    taken = {pick.target.name for pick in (prod, own) if pick}
    dev, staging = _below(prod, [each for each in targets if each.name not in taken], by_role, read)
    check = own or next((Pick(each.target, "") for each in (staging, dev, prod) if each), None)
    used = {pick.target.name for pick in (dev, staging, prod, own, check) if pick}
    left_out = {each.name: _why_left(each, read, by_role) for each in targets if each.name not in used}
    return Roles(dev, staging, prod, own, None if own else check, left_out)


def _own(targets: Sequence[Target], by_role: Mapping[str, Sequence[Target]]) -> Pick | None:
    """The target that two pull requests can have side by side, one for tests first; never production's."""
    free = [each for each in targets if not each.not_isolated and each not in by_role[PROD]]
    best = next((each for each in free if each in by_role[TEST]), free[0] if free else None)
    return Pick(best, "everything in it has the suffix of its pull request") if best else None


def _below(
    prod: Pick | None, free: Sequence[Target], by_role: Mapping[str, Sequence[Target]], read: Mapping[str, tuple[str, str]]
) -> tuple[Pick | None, Pick | None]:
    """Development and staging, from the targets that are free."""
    staging = _first([each for each in by_role[STAGING] if each in free], read)
    dev = _first([each for each in by_role[DEV] if each in free], read)
    if prod is None:
        # Staging is what stands before production; without one there is nothing to propose a release to.
        return dev or staging, None
    if staging is None:
        tests = [each for each in by_role[TEST] if each in free]
        unread = [each for each in free if not read[each.name][0]]
        if tests:
            staging = Pick(tests[0], "it stands between development and production, and no target is called staging")
        elif dev:
            # Better a stage that must be green before production than one that nothing waits for.
            staging, dev = Pick(dev.target, f"no target stands between `{dev.target.name}` and production, so it takes that place"), None
        elif unread:
            staging = Pick(unread[-1], "its name says nothing; it comes before production in the file")
    return dev, staging


def _first(found: Sequence[Target], read: Mapping[str, tuple[str, str]]) -> Pick | None:
    if not found:
        return None
    # What says `mode: production` before what only sounds like it; `prod` before `prod-us`: the shorter name is the plain one.
    best = min(found, key=lambda each: (each.mode != "production", len(each.name)))
    return Pick(best, read[best.name][1])


def _last_unread(targets: Sequence[Target], read: Mapping[str, tuple[str, str]], own: Pick | None) -> Pick | None:
    """Where neither name nor mode says production: the last target that says nothing, treated with the most care."""
    unread = [each for each in targets if not read[each.name][0] and (own is None or each is not own.target)]
    if not unread:
        return None
    why = "the bundle's only target" if len(targets) == 1 else "the last of the targets whose name says nothing"
    return Pick(unread[-1], f"{why}, so it gets the gate of production")


def _why_left(target: Target, read: Mapping[str, tuple[str, str]], by_role: Mapping[str, Sequence[Target]]) -> str:
    role = read[target.name][0]
    if role and len(by_role[role]) > 1:
        return f"a second target for {role}: add a stage and a caller for it"
    return "no stage needs it: add one for it where it is to be deployed"
