"""OIDC tokens of jobs: issuer, keys, and the claims and subject that GitHub puts into them."""

from __future__ import annotations

import secrets
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rehearsal.github.errors import GitHubError, invalid
from rehearsal.github.model import Repository
from rehearsal.github.model_actions import Job, Run
from rehearsal.github.state import State

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

TOKEN_SECONDS = 300
CLOCK_SKEW_SECONDS = 600
ISSUER_PATH = "/_oidc"


SUBJECT_KEYS = (
    "repo", "context", "repository", "repository_owner", "repository_id", "repository_owner_id", "repository_visibility",
    "environment", "ref", "ref_type", "job_workflow_ref", "job_workflow_sha", "workflow", "workflow_ref", "workflow_sha",
    "event_name", "actor", "actor_id", "head_ref", "base_ref", "runner_environment", "sha", "run_id", "run_number",
    "run_attempt", "check_run_id",
)  # fmt: skip
"""The claims that a repository may put together its subject from."""


class Keys:
    """The issuer's RS256 key pair, made at its first use (making it takes a tenth of a second)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.key_id = secrets.token_hex(16)

    @cached_property
    def _private(self) -> RSAPrivateKey:
        from cryptography.hazmat.primitives.asymmetric import rsa

        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, claims: dict[str, Any]) -> str:
        """Give a signed JWT."""
        import jwt

        with self._lock:
            return jwt.encode(claims, self._private, algorithm="RS256", headers={"kid": self.key_id})

    def jwks(self) -> dict[str, Any]:
        """Give the public key as a JSON Web Key Set."""
        from jwt.algorithms import RSAAlgorithm

        with self._lock:
            key = RSAAlgorithm.to_jwk(self._private.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self.key_id, "use": "sig", "alg": "RS256", "kty": "RSA"}]}


def issuer(state: State) -> str:
    """Give the issuer's address."""
    return state.base_url + ISSUER_PATH


def discovery(state: State) -> dict[str, Any]:
    """Give the issuer's discovery document."""
    return {
        "issuer": issuer(state),
        "jwks_uri": f"{issuer(state)}/.well-known/jwks",
        "subject_types_supported": ["public", "pairwise"],
        "response_types_supported": ["id_token"],
        "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf", "ref", "repository", "environment", "job_workflow_ref"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid"],
    }


def request_url(state: State, job: Job) -> str:
    """Give `ACTIONS_ID_TOKEN_REQUEST_URL`: it has a query already, so clients append `&audience=`."""
    return f"{issuer(state)}/token/{job.run_id}/{job.id}?api-version=2.0"


def repository_prefix(state: State, repository: Repository) -> str:
    """Give the subject's first part, `repo:owner/name` or with the ids that never change."""
    if not repository.oidc.use_immutable_subject:
        return f"repo:{repository.full_name}"
    return f"repo:{repository.owner}@{state.user(repository.owner).id}/{repository.name}@{repository.id}"


def issue(state: State, keys: Keys, bearer: str, run_id: int, job_id: int, audience: str) -> str:
    """Give a job its token.

    Args:
        state: The state.
        keys: The issuer's keys.
        bearer: The request token (`ACTIONS_ID_TOKEN_REQUEST_TOKEN`).
        run_id: From the request's address.
        job_id: From the request's address.
        audience: Who the token is for; empty = the owner's address.

    Raises:
        GitHubError: 401 where the request token is not that job's, or the job is over.
    """
    token = state.token(bearer)
    if token.kind != "oidc" or (token.run_id, token.job_id) != (run_id, job_id):
        raise GitHubError(401, "The request token does not belong to this job.")
    return keys.sign(claims(state, state.run(run_id), state.job(job_id), audience))


def claims(state: State, run: Run, job: Job, audience: str = "") -> dict[str, Any]:
    """Give the claims of a job's token (names and values as GitHub's reference "OpenID Connect" lists them)."""
    repository = state.repository(run.repository)
    now = int(state.clock.now())
    own = f"{run.repository}/{run.path}@{run.ref}"
    payload_pull = run.event_payload.get("pull_request") or {}
    found: dict[str, Any] = {
        "jti": secrets.token_hex(16),
        "aud": audience or f"{state.base_url}/{repository.owner}",
        "ref": run.ref,
        "sha": run.sha,
        "repository": run.repository,
        "repository_owner": repository.owner,
        "repository_owner_id": str(state.user(repository.owner).id),
        "run_id": str(run.id),
        "run_number": str(run.run_number),
        "run_attempt": str(run.run_attempt),
        "repository_visibility": "private" if repository.private else "public",
        "repository_id": str(repository.id),
        "actor_id": str(state.user(run.actor).id),
        "actor": run.actor,
        "workflow": run.name,
        "head_ref": payload_pull.get("head", {}).get("ref", ""),
        "base_ref": payload_pull.get("base", {}).get("ref", ""),
        "event_name": run.event,
        "ref_protected": "true" if is_protected(repository, run.ref) else "false",
        "ref_type": "tag" if run.ref.startswith("refs/tags/") else "branch",
        "workflow_ref": own,
        "workflow_sha": run.sha,
        "job_workflow_ref": job.workflow_ref or own,
        "job_workflow_sha": job.workflow_sha or run.sha,
        "runner_environment": "github-hosted",
        "check_run_id": str(job.id),
        "iss": issuer(state),
        "nbf": now - CLOCK_SKEW_SECONDS,
        "exp": now + TOKEN_SECONDS,
        "iat": now,
    }
    if job.environment:
        found["environment"] = job.environment
    found["sub"] = subject(state, repository, found)
    return found


def subject(state: State, repository: Repository, claims_: dict[str, Any]) -> str:
    """Give the claim `sub`, by default or by the repository's chosen claim keys."""
    prefix = repository_prefix(state, repository)
    if "environment" in claims_:
        context = "environment:" + claims_["environment"].replace(":", "%3A")
    elif claims_["event_name"] == "pull_request":
        context = "pull_request"
    else:
        context = f"ref:{claims_['ref']}"
    if repository.oidc.use_default or not repository.oidc.include_claim_keys:
        return f"{prefix}:{context}"
    parts: list[str] = []
    for key in repository.oidc.include_claim_keys:
        if key in ("repo", "context"):
            parts.append(prefix if key == "repo" else context)
        elif key in claims_:
            parts.append(f"{key}:{claims_[key]}")
        else:
            raise invalid("OidcCustomSub", "include_claim_keys", "custom", f"`{key}` is not a claim")
    return ":".join(parts)


def is_protected(repository: Repository, ref: str) -> bool:
    """Say whether some rule protects a branch."""
    from rehearsal.github import rules

    return ref.startswith("refs/heads/") and bool(rules.active(repository, ref.removeprefix("refs/heads/")))
