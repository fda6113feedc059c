"""GitHub Apps: registered with a key, installed on repositories, logged in by a JWT of their own for a token per installation."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.github.errors import GitHubError, no_permission, not_found
from rehearsal.github.model_actions import App, Token
from rehearsal.github.state import State

TOKEN_SECONDS = 3600
JWT_SECONDS = 600
"""GitHub takes no JWT that is good for longer."""
CLOCK_SKEW_SECONDS = 60


def register(state: State, slug: str, permissions: Mapping[str, str]) -> tuple[App, str]:
    """Register an app.

    Returns:
        The app, and its private key as PEM.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    app = App(state.new_id(), slug, public.decode(), dict(permissions))
    state.add_user(app.login, "Bot")
    state.apps[app.id] = app
    return app, private.decode()


def install(state: State, app: App, repository: str) -> int:
    """Install an app on a repository; gives the number of the installation."""
    number = state.new_id()
    app.installations[number] = [state.repository(repository).full_name]
    return number


def login(state: State, value: str) -> Token:
    """Give what an app's own JWT stands for.

    Raises:
        GitHubError: 401 in GitHub's words when it is not the app's, over, or good for too long.
    """
    import jwt

    try:
        issuer = str(jwt.decode(value, options={"verify_signature": False}).get("iss", ""))
        app = state.apps[int(issuer)]
        claims = jwt.decode(
            value,
            app.public_key,
            algorithms=["RS256"],
            leeway=CLOCK_SKEW_SECONDS,
            # The token's times are compared with the imitated world's clock, which may have been moved on.
            options={"verify_exp": False, "verify_iat": False, "require": ["exp", "iat", "iss"]},
        )
    except (jwt.PyJWTError, ValueError, KeyError) as error:
        raise GitHubError(401, "A JSON web token could not be decoded") from error
    now = state.clock.now()
    if not now - CLOCK_SKEW_SECONDS < claims["exp"] <= now + JWT_SECONDS + CLOCK_SKEW_SECONDS:
        raise GitHubError(401, "'Expiration time' claim ('exp') must be a numeric value representing the future time at most ten minutes.")
    return Token("", "app-login", app.login, app=str(app.id))


def installation(state: State, token: Token | None, repository: str) -> tuple[App, int]:
    """Give the installation of the app that is logged in on a repository; 401 without such a login, 404 where there is none."""
    app = _app(state, token)
    found = next((number for number, names in app.installations.items() if repository in names), None)
    if found is None:
        raise not_found()
    return app, found


def issue(state: State, token: Token | None, number: int, permissions: Mapping[str, str] | None, names: list[str] | None) -> Token:
    """Give an installation token, narrowed to the permissions and repositories that were asked for.

    Raises:
        GitHubError: 404 for an installation of another app, 422 for more than the app was granted.
    """
    app = _app(state, token)
    if number not in app.installations:
        raise not_found()
    for key, level in (permissions or {}).items():
        if app.permissions.get(key) not in (level, "write"):
            raise GitHubError(422, "The permissions requested are not granted to this installation.")
    repositories = [full for full in app.installations[number] if names is None or full.split("/")[1] in names]
    if not repositories or (names is not None and len(names) != len(repositories)):
        raise GitHubError(422, "There is at least one repository that does not exist or is not accessible to the parent installation.")
    granted = {key.replace("_", "-"): level for key, level in (permissions or app.permissions).items()}
    made = Token("", "app", app.login, repositories[0], granted, expires_at=state.clock.now() + TOKEN_SECONDS, app=app.slug)
    state.issue_token("ghs", made)
    return made


def check_workflow_files(token: Token | None) -> None:
    """Refuse changes of workflow files by `GITHUB_TOKEN`, which cannot have that permission, and by apps that were not given it."""
    if token is not None and (token.kind == "job" or (token.kind == "app" and token.permissions.get("workflows") != "write")):
        raise no_permission("workflows:write")


def _app(state: State, token: Token | None) -> App:
    if token is None or token.kind != "app-login":
        raise GitHubError(401, "A JSON web token could not be decoded")
    return state.apps[int(token.app)]
