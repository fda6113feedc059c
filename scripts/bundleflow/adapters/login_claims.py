"""Explains a login that was refused: the claims that this job's OIDC token presents beside those that a federation policy must have.

Sources: GitHub's reference "OpenID Connect" (claims; the subject's two forms), `GET /repos/{owner}/{repo}/actions/oidc/customization/sub`,
Databricks' "Enable workload identity federation for GitHub Actions". Standard library only:
a failing job should not load an SDK to say why.
"""

from __future__ import annotations

import base64
import binascii
import json
import shlex
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bundleflow.adapters.databricks_cli import auth_type
from bundleflow.records.errors import BundleflowError

LIMIT_S = 10.0
DOCS = "https://docs.databricks.com/aws/en/dev-tools/auth/provider-github"
SHOWN = 300


@dataclass(frozen=True)
class Claims:
    """What a job's OIDC token says, as far as a policy looks at it; never the token itself.

    Args:
        issuer: `iss`.
        subject: `sub`.
        audience: `aud`.
        repository: `owner/name`.
        owner_id: Number of the repository's owner.
        repository_id: Number of the repository.
        environment: GitHub environment of the job; empty when it names none.
    """

    issuer: str
    subject: str
    audience: str
    repository: str
    owner_id: str = ""
    repository_id: str = ""
    environment: str = ""

    @classmethod
    def of_token(cls, token: str) -> Claims:
        """Read a token's claims; the signature is the workspace's business.

        Raises:
            ValueError: This is no JWT; the message does not hold it.
        """
        parts = token.split(".")
        try:
            body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
            audience = body.get("aud", "")
        except (IndexError, ValueError, binascii.Error, AttributeError):
            raise ValueError("GitHub's answer holds no JSON web token") from None
        said = {
            name: str(body.get(name, "")) for name in ("iss", "sub", "repository", "repository_owner_id", "repository_id", "environment")
        }
        return cls(
            issuer=said["iss"],
            subject=said["sub"],
            audience=", ".join(map(str, audience)) if isinstance(audience, list) else str(audience),
            repository=said["repository"],
            owner_id=said["repository_owner_id"],
            repository_id=said["repository_id"],
            environment=said["environment"],
        )

    def subjects(self, environment: str) -> dict[str, str]:
        """The subject of a job in an environment, in both of GitHub's forms.

        Args:
            environment: Name of the GitHub environment.

        Returns:
            Name of the form → subject: by names only, and with the numbers that a rename does not change.
        """
        owner, _, name = self.repository.partition("/")
        context = f"environment:{environment.replace(':', '%3A')}"
        return {
            "names only": f"repo:{self.repository}:{context}",
            "names with ids": f"repo:{owner}@{self.owner_id}/{name}@{self.repository_id}:{context}",
        }


def presented_claims(env: Mapping[str, str]) -> Claims:
    """Ask GitHub for the token that a login of this job presents, and read its claims.

    Raises:
        OSError: GitHub cannot be reached or refuses.
        ValueError: The job has no right to a token, or the answer holds none.
    """
    url, bearer = env.get("ACTIONS_ID_TOKEN_REQUEST_URL"), env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not url or not bearer:
        raise ValueError("GitHub offers this job no OIDC token; the job needs `permissions: {id-token: write}`")
    answer = _json(f"{url}&audience={_audience(env)}", {"Authorization": f"Bearer {bearer}"})
    return Claims.of_token(str(answer.get("value", "")))


def explain_login(error: BundleflowError, env: Mapping[str, str]) -> BundleflowError:
    """The same refusal with what this job presents and what to do about it.

    Args:
        error: The refusal, as the CLI or the SDK told it.
        env: Environment of the job.
    """
    way = auth_type(env)
    needed = ("DATABRICKS_HOST", "DATABRICKS_CLIENT_ID") if way == "github-oidc" else ("DATABRICKS_HOST",)
    missing = " and ".join(name for name in needed if not env.get(name))
    if missing:
        return _with(error, f"{missing} is empty here: set it as a variable (not a secret) of the job's GitHub environment.")
    if way == "pat":
        return _with(
            error, "Renew the token in the secret that is given as `databricks-token`, or take it away and log in by OIDC (docs/oidc.md)."
        )
    if way == "oauth-m2m":
        return _with(
            error,
            "Check that the secret given as `databricks-client-secret` belongs to the service principal in DATABRICKS_CLIENT_ID and "
            "has not expired, or take it away and log in by OIDC (docs/oidc.md).",
        )
    if way != "github-oidc":
        return error
    try:
        claims = presented_claims(env)
    except (OSError, ValueError) as problem:
        return _with(
            error, f"{problem}." if isinstance(problem, ValueError) else error.fix, f"The job's OIDC token could not be had: {problem}"
        )
    return _with_claims(error, claims, env)


def _with_claims(error: BundleflowError, claims: Claims, env: Mapping[str, str]) -> BundleflowError:
    environment = claims.environment or env.get("BUNDLEFLOW_ENVIRONMENT", "")
    forms = claims.subjects(environment)
    form = next((name for name, subject in forms.items() if subject == claims.subject), "")
    rows = [
        f"The service principal {env.get('DATABRICKS_CLIENT_ID', '')} needs a federation policy that this job's token meets in every line:",
        "",
        f"  issuer    presented: {claims.issuer}",
        f"  audience  presented: {claims.audience}",
        f"  subject   presented: {claims.subject}",
        *(
            f"            {'this is' if subject == claims.subject else 'other  '} the form {name}: {subject}"
            for name, subject in forms.items()
        ),
        "",
        *_subject_notes(claims, environment, form, subject_settings(env)),
        "An account admin makes the policy (the number of the service principal, not its application id; the whole subject must be equal):",
        "",
        f"  {policy_command(claims.issuer, claims.audience, claims.subject)}",
    ]
    other = next((subject for name, subject in forms.items() if name != form), "")
    if form and claims.owner_id:
        rows += [
            "",
            f"For the form {_other(form)} it would be, as a second policy:",
            "",
            f"  {policy_command(claims.issuer, claims.audience, other)}",
        ]
    return _with(
        error,
        f"Make a federation policy with the subject `{claims.subject[:SHOWN]}` (issuer, audience and command are in the details), "
        "or correct the one that is there; see docs/oidc.md.",
        "\n".join(rows),
    )


def _subject_notes(claims: Claims, environment: str, form: str, settings: Mapping[str, Any]) -> list[str]:
    notes = []
    if not claims.environment:
        notes.append(
            "The job names no GitHub environment, so its subject is that of a branch or pull request; a policy should name an environment."
        )
    if settings.get("use_default") is False:
        keys = ", ".join(map(str, settings.get("include_claim_keys") or []))
        notes.append(f"This repository puts its subject together from its own list of claims ({keys}); only the presented one counts.")
    elif environment and not form:
        notes.append(
            "The presented subject has neither of GitHub's default forms: somebody has customised it. Only the presented one counts."
        )
    if "use_immutable_subject" in settings:
        word = "names with ids" if settings["use_immutable_subject"] else "names only"
        notes.append(f"GitHub says that this repository uses the form {word}.")
    return [*notes, ""] if notes else []


def policy_command(issuer: str, audience: str, subject: str) -> str:
    """The command that makes a federation policy, quoted for a shell.

    Args:
        issuer: `iss` of the token.
        audience: `aud` of the token.
        subject: `sub` of the token, whole.
    """
    policy = {"oidc_policy": {"issuer": issuer, "audiences": [audience], "subject": subject}}
    return (
        f"databricks account service-principal-federation-policy create SERVICE_PRINCIPAL_NUMBER --json {shlex.quote(json.dumps(policy))}"
    )


def subject_settings(env: Mapping[str, str]) -> Mapping[str, Any]:
    """How the repository forms its subjects; empty where the job's token may not ask (it needs `actions: read`) or GitHub does not say."""
    api, repository, token = env.get("GITHUB_API_URL"), env.get("GITHUB_REPOSITORY"), env.get("GITHUB_TOKEN")
    if not api or not repository or not token:
        return {}
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    try:
        return _json(f"{api.rstrip('/')}/repos/{repository}/actions/oidc/customization/sub", headers)
    except (OSError, ValueError):
        return {}  # the presented subject tells the form as well


def _audience(env: Mapping[str, str]) -> str:
    """The audience that the CLI and the SDK ask for: their own variable, else the workspace's wish, else its token endpoint."""
    if env.get("DATABRICKS_TOKEN_AUDIENCE"):
        return env["DATABRICKS_TOKEN_AUDIENCE"]
    host = env.get("DATABRICKS_HOST", "").rstrip("/")
    host = host if "://" in host else f"https://{host}"
    try:
        about = _json(f"{host}/.well-known/databricks-config", {})
    except (OSError, ValueError):
        about = {}
    wishes = about.get("token_federation_default_oidc_audiences") or []
    return str(wishes[0]) if wishes else f"{about.get('oidc_endpoint') or host + '/oidc'}/v1/token"


def _json(url: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
    """GET a JSON object.

    Raises:
        OSError: It cannot be had; the message holds neither address nor headers.
        ValueError: The answer is not JSON.
    """
    if not url.startswith(("https://", "http://")):
        raise ValueError("the address is not one of the web")
    try:
        request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 (the scheme is checked above)
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310
            data = json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"the answer was {error.code}") from error
    if not isinstance(data, dict):
        raise ValueError("the answer is no JSON object")
    return data


def _other(form: str) -> str:
    return "names with ids" if form == "names only" else "names only"


def _with(error: BundleflowError, fix: str, first: str = "") -> BundleflowError:
    details = f"{first}\n\n{error.details}".strip()
    return BundleflowError(error.cause, fix=fix, reason=error.reason, exit_code=error.exit_code, details=details)
