"""A token of a GitHub App for one repository: the app logs in by a JWT that its private key signs, and asks for what is needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

LIMIT_S = 20


@dataclass(frozen=True)
class InstallationToken:
    """A token, and the login under which its holder acts, such as `adopter[bot]`."""

    token: str
    login: str


def installation_token(app_id: str, private_key: str, repository: str, api_url: str, permissions: Mapping[str, str]) -> InstallationToken:
    """Ask for a token of the app's installation on a repository; it is good for an hour.

    Endpoints: `GET /repos/{owner}/{repo}/installation`, `POST /app/installations/{installation_id}/access_tokens`.

    Args:
        app_id: The app's id or client id.
        private_key: Its private key (PEM).
        repository: `owner/name`; the token is good for this one only.
        api_url: Root of the REST API.
        permissions: What the token may, in GitHub's spelling, such as `{"pull_requests": "write"}`.

    Raises:
        BundleflowError: The key is none, GitHub does not take the login, the app is not installed there or lacks a permission.
    """
    import jwt
    from github import Auth, GithubException, GithubIntegration
    from requests import RequestException

    owner, _, name = repository.partition("/")
    try:
        integration = GithubIntegration(auth=Auth.AppAuth(app_id, private_key), base_url=api_url.rstrip("/"), timeout=LIMIT_S, retry=2)
        installation = integration.get_repo_installation(owner, name)
        _, answer = integration.requester.requestJsonAndCheck(
            "POST",
            f"/app/installations/{installation.id}/access_tokens",
            input={"repositories": [name], "permissions": dict(permissions)},
        )
        return InstallationToken(str(answer["token"]), f"{installation.app_slug}[bot]")
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise _refused(
            "The private key of the GitHub App cannot be used.",
            "Give the whole PEM file, from `-----BEGIN` to `-----END`, with its line breaks, as the secret `app-private-key`.",
        ) from error
    except GithubException as error:
        raise _explained(error.status, app_id, repository, permissions) from error
    except (RequestException, OSError) as error:
        raise BundleflowError(
            f"GitHub's API at {api_url} cannot be reached.",
            fix="Run the job again; see https://www.githubstatus.com when it stays.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        ) from error


def _explained(status: int, app_id: str, repository: str, permissions: Mapping[str, str]) -> BundleflowError:
    wanted = ", ".join(f"{key}: {level}" for key, level in permissions.items())
    if status == 401:
        return _refused(
            f"GitHub does not take the login of the app {app_id[:80]}.", "Check that `app-id` and `app-private-key` are of one app."
        )
    if status == 404:
        return _refused(
            f"The app {app_id[:80]} is not installed on {repository}.",
            "Install it there: the app's settings, Install App, this repository.",
        )
    if status == 422:
        return _refused(f"The app may not do what is needed ({wanted}).", "Give the app these repository permissions, and accept them.")
    return _refused(f"GitHub answered {status} to the login of the app {app_id[:80]}.", "Run the job again when it is a passing trouble.")


def _refused(cause: str, fix: str) -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.GITHUB_FAILED)
