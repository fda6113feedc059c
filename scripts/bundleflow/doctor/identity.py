"""Checks of the identity: does the login work, is it by OIDC, and does the job present the subject that a policy should have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bundleflow.adapters.databricks_cli import auth_type
from bundleflow.adapters.github import GitHubError
from bundleflow.adapters.login_claims import Claims, explain_login, policy_command, presented_claims
from bundleflow.adoption.checklist import Place
from bundleflow.doctor.environments import used_environments
from bundleflow.doctor.finding import Finding, NotMadeError, docs_url, error, note, warning
from bundleflow.doctor.situation import Situation

NO_CREDENTIALS = "cannot configure default credentials"
"""How the SDK says that nothing in the environment is a login."""


def login(situation: Situation) -> Iterator[Finding]:
    """The workspace lets this identity in."""
    client, refusal = situation.client, situation.login
    in_job = situation.env.get("GITHUB_ACTIONS") == "true"
    if refusal is not None:
        if NO_CREDENTIALS in f"{refusal.cause} {refusal.details}" and not in_job:
            raise NotMadeError(
                f"no login for {situation.host} here: `databricks auth login --host {situation.host}`, or set DATABRICKS_TOKEN"
            )
        explained = explain_login(refusal, situation.env)
        if refusal.exit_code == 3:
            raise NotMadeError(f"{refusal.cause} {refusal.details}".strip())
        details = f"\n{explained.details}" if explained.details and explained.details not in explained.cause else ""
        yield error(explained.cause + details, "Every job with this identity fails with `auth-failed`.", explained.fix)
        return
    admin = ", an administrator of the workspace" if client.me.is_admin else ""
    yield note(f"This is `{client.me.name}`{admin} at {situation.host}.")
    way = auth_type(situation.env)
    if in_job and way in ("pat", "oauth-m2m"):
        why = "A stored secret lasts until somebody renews it, and can be stolen."
        yield warning(f"This job logs in with a stored secret ({way}).", why, f"Log in by OIDC, as {docs_url('oidc.md')} says.")
    if in_job and client.me.is_admin:
        why = "Whatever gets this identity may do everything in the workspace."
        yield warning(
            f"`{client.me.name}` administers the workspace.", why, "Take it out of the group `admins`; the check grants says what it needs."
        )


def expected_subjects(situation: Situation) -> Iterator[Finding]:
    """The subject that the federation policy of each environment should have is known."""
    place = _place(situation)
    form, customised = "", ""
    if _may_ask(situation):
        form, customised = _form(situation)
    for used in used_environments(situation):
        subjects = place.subjects(used.name)
        for name, subject in subjects.items():
            if (not form or name == form) and (name == "names only" or place.owner_id != Place.owner_id):
                yield note(f"`{used.name}`, {name}: {subject}")
    if place.owner_id == Place.owner_id:
        owner, _, name = place.repository.partition("/")
        what = f"With ids they begin with repo:{owner}@OWNER_ID/{name}@REPOSITORY_ID; the two numbers:"
        yield note(what, fix=f"gh api repos/{place.repository} --jq .owner.id,.id")
    if customised:
        why = "None of the subjects above is the one that jobs present, so policies made from them let nobody in."
        put_back = f"gh api -X PUT repos/{place.repository}/actions/oidc/customization/sub -F use_default=true"
        fix = f"Write each policy by what a job presents (the check subject, in a job), or:\n{put_back}"
        yield warning(f"The repository puts its subjects together from claims of its own choice: {customised}.", why, fix)
    elif not form:
        raise NotMadeError(
            f"which of the two forms GitHub uses here was not asked: `gh api repos/{place.repository}/actions/oidc/customization/sub`"
        )


def subject(situation: Situation) -> Iterator[Finding]:
    """The job presents the subject of its environment."""
    env = situation.env
    if situation.offline:
        raise NotMadeError("--offline: GitHub is not asked")
    if not env.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        what = "GitHub offers this job no OIDC token."
        why = "Without it there is no login by OIDC."
        if auth_type(env) in ("pat", "oauth-m2m"):
            raise NotMadeError("this job logs in with a stored secret and asks for no OIDC token")
        yield error(what, why, "Give the job `permissions: {id-token: write}`; a run from a fork cannot have it.")
        return
    try:
        claims = presented_claims(env)
    except (OSError, ValueError) as problem:
        raise NotMadeError(f"GitHub's OIDC token could not be had: {problem}") from problem
    yield note(f"presented: issuer {claims.issuer}, audience {claims.audience}, subject {claims.subject}")
    if not claims.environment:
        why = "Its subject is that of a branch or pull request; a policy should name an environment, which has a gate."
        yield error("This job names no GitHub environment.", why, "Give the job `environment:`, the one of its stage.")
        return
    if situation.environment and claims.environment.lower() != situation.environment.lower():
        why = "The identity, the variables and the gate are those of the job's own environment."
        fix = f"Write `environment: {situation.environment}` in the job, or correct the input."
        yield error(f"The job's environment is `{claims.environment}`, and it was called with `{situation.environment}`.", why, fix)
    known = [used.name for used in used_environments(situation)]
    if claims.environment.lower() not in [name.lower() for name in known]:
        fix = f"Use one of {', '.join(known)}, or name it in the stage."
        yield warning(f"The flow file names no environment `{claims.environment}`.", "No stage hangs on it.", fix)
    yield from _known_form(claims)


def _known_form(claims: Claims) -> Iterator[Finding]:
    forms: Mapping[str, str] = claims.subjects(claims.environment)
    form = next((name for name, each in forms.items() if each == claims.subject), "")
    if form:
        other = next(name for name in forms if name != form)
        why = f"GitHub changes a repository to the other form ({other}) when it is renamed or moved."
        fix = policy_command(claims.issuer, claims.audience, forms[other])
        yield note(
            f"This is the form {form}. A second policy for the other form keeps the login through such a change.",
            why,
            f"If you want one:\n{fix}",
        )
        return
    listing = " or ".join(f"`{each}`" for each in forms.values())
    why = f"The repository's subjects are customised; the forms that GitHub's defaults have are {listing}."
    fix = f"Go back to the default form, or:\n{policy_command(claims.issuer, claims.audience, claims.subject)}"
    yield warning(f"The presented subject `{claims.subject}` has neither of GitHub's default forms.", why, fix)


def _may_ask(situation: Situation) -> bool:
    try:
        _ = situation.github
    except NotMadeError:
        return False
    return True


def _form(situation: Situation) -> tuple[str, str]:
    """The form that GitHub says, and the claims of a repository that chose its own; both empty where it does not say."""
    try:
        settings = situation.github.subject_form()
    except GitHubError:
        return "", ""
    if settings.get("use_default") is False:
        return "", ", ".join(map(str, settings.get("include_claim_keys") or [])) or "none"
    immutable = settings.get("use_immutable_subject")
    return ("" if immutable is None else "names with ids" if immutable else "names only"), ""


def _place(situation: Situation) -> Place:
    """The repository with its numbers, which GitHub is asked for where the job does not know them."""
    place = situation.place
    if place.repository == Place.repository:
        raise NotMadeError("the repository on GitHub is not known: no remote `origin` on github.com; set GITHUB_REPOSITORY=OWNER/NAME")
    if place.owner_id != Place.owner_id or not _may_ask(situation):
        return place
    try:
        owner, number = situation.github.numbers()
    except GitHubError:
        return place
    return Place(place.repository, owner, number)
