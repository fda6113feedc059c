"""Who is calling: users and service principals, their tokens, and the federation of GitHub's tokens."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

DEFAULT_USER = "tester@example.com"
TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class GithubRun:
    """The workflow run that a token was given to, from the claims of GitHub's JWT."""

    run_id: str
    job: str


@dataclass(frozen=True)
class Identity:
    """A user or a service principal of the workspace.

    Attributes:
        id: The number Databricks would give (as text in SCIM).
        name: What `userName` says: an e-mail address, or a service principal's application id.
        display_name: For people to read.
        application_id: A service principal's application id; empty for a user.
        access: `write`, or `read`: every request that changes something is answered by 403.
        github: The workflow run, when this login came from GitHub's token.
    """

    id: int
    name: str
    display_name: str
    application_id: str = ""
    access: str = "write"
    github: GithubRun | None = None

    @property
    def is_service_principal(self) -> bool:
        """Whether this is a service principal."""
        return bool(self.application_id)

    def acl_entry(self) -> dict[str, str]:
        """How an access control list names this identity."""
        return {"service_principal_name": self.application_id} if self.application_id else {"user_name": self.name}


@dataclass(frozen=True)
class FederationPolicy:
    """Whose JWTs a service principal accepts: issuer, subject and audiences must all match."""

    application_id: str
    issuer: str
    subject: str
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Login:
    identity: Identity
    expires_ms: int | None


@dataclass
class Identities:
    """All identities of the workspace, with the tokens that stand for them.

    Attributes:
        open: Without an identities file: any token is the default user's.
        known: Identities by name (user name or application id).
        client_secrets: SHA-256 of a service principal's OAuth secret, by application id.
        federation: Policies for the token exchange.
    """

    open: bool
    known: dict[str, Identity]
    client_secrets: dict[str, str] = field(default_factory=dict)
    federation: list[FederationPolicy] = field(default_factory=list)
    _logins: dict[str, _Login] = field(default_factory=dict)

    @property
    def default(self) -> Identity:
        """The user whom every token stands for without an identities file; else the first identity of the file."""
        return next(iter(self.known.values()))

    def by_token(self, token: str, now_ms: int) -> Identity | None:
        """The identity that a bearer token stands for, or None when it is unknown or expired."""
        login = self._logins.get(_digest(token))
        if login is not None:
            return login.identity if login.expires_ms is None or now_ms < login.expires_ms else None
        return self.default if self.open and token else None

    def by_name(self, name: str) -> Identity | None:
        """The identity of a user name or application id, as `run_as` says it; any user name is known without an identities file."""
        return self.known.get(name)

    def issue_token(self, identity: Identity, now_ms: int, seconds: int | None = TOKEN_SECONDS) -> str:
        """A new bearer token for an identity.

        Args:
            identity: Whom it stands for.
            now_ms: The time, in milliseconds since the epoch.
            seconds: How long it is good for; None for as long as the server runs (tasks that run as somebody).
        """
        token = "local-" + secrets.token_hex(24)
        self.remember(token, identity, None if seconds is None else now_ms + seconds * 1000)
        return token

    def remember(self, token: str, identity: Identity, expires_ms: int | None = None) -> None:
        """Let a token stand for an identity; only its digest is kept."""
        self._logins[_digest(token)] = _Login(identity, expires_ms)

    def secret_matches(self, application_id: str, secret: str) -> bool:
        """Whether this is the OAuth secret of a service principal."""
        expected = self.client_secrets.get(application_id)
        return expected is not None and secrets.compare_digest(expected, _digest(secret))


def default_identities() -> Identities:
    """One user, whose token is any."""
    return Identities(open=True, known={DEFAULT_USER: Identity(stable_id(DEFAULT_USER), DEFAULT_USER, "Tester")})


def stable_id(name: str) -> int:
    """The same 16-digit number for the same name on every machine, so that two rehearsals read alike."""
    return 1_000_000_000_000_000 + int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) % 8_000_000_000_000_000


def load(path: Path) -> tuple[Identities, list[str]]:
    """Read an identities file.

    Args:
        path: JSON: `{"identities": [...], "federation": [...], "catalogs": [...]}`.

    Returns:
        The identities and the names of the catalogs that exist beforehand.

    Raises:
        BundleflowError: The file cannot be read, or an entry lacks what it needs.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        entries, policies, catalogs = content["identities"], content.get("federation", []), content.get("catalogs", [])
        result = Identities(open=False, known={})
        for entry in entries:
            _add(result, entry)
        result.federation = [
            FederationPolicy(str(p["application_id"]), str(p["issuer"]), str(p["subject"]), tuple(p.get("audiences", ()))) for p in policies
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise BundleflowError(
            f"The identities file `{path}` is not usable: {type(problem).__name__}: {problem}",
            fix='It is JSON of the shape {"identities": [{"user_name", "token"}, {"application_id", "client_secret", "access"}], '
            '"federation": [{"application_id", "issuer", "subject", "audiences"}], "catalogs": ["main"]}.',
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        ) from problem
    if not result.known:
        raise BundleflowError(
            f"The identities file `{path}` names no identity.", fix="Add at least one user or service principal.", exit_code=ExitCode.USAGE
        )
    return result, [str(c) for c in catalogs]


def _add(result: Identities, entry: dict[str, Any]) -> None:
    """Take one entry of the file."""
    application_id = str(entry.get("application_id", ""))
    name = application_id or str(entry["user_name"])
    access = str(entry.get("access", "write"))
    if access not in {"read", "write"}:
        raise ValueError(f"access of {name} is `{access}`, not `read` or `write`")
    identity = Identity(int(entry.get("id") or stable_id(name)), name, str(entry.get("display_name") or name), application_id, access)
    result.known[name] = identity
    if entry.get("token"):
        result.remember(str(entry["token"]), identity)
    if entry.get("client_secret"):
        result.client_secrets[application_id] = _digest(str(entry["client_secret"]))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
