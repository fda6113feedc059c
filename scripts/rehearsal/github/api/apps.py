"""Endpoints of GitHub Apps: where an app is installed, and a token for that installation."""

from __future__ import annotations

from rehearsal.github import apps
from rehearsal.github.api.call import Answer, Call, Endpoint
from rehearsal.github.errors import GitHubError
from rehearsal.github.model import Json
from rehearsal.github.render import people

SINCE = "2026-01-01T00:00:00Z"


def get_installation(call: Call) -> Answer:
    """Give the installation: `GET /repos/{owner}/{repo}/installation`."""
    app, number = apps.installation(call.state, call.token, call.repository.full_name)
    account = people.user(call.state, call.repository.owner)
    api = call.state.api_url("app", "installations", number)
    body: Json = {
        "id": number,
        "account": account,
        "repository_selection": "selected",
        "access_tokens_url": f"{api}/access_tokens",
        "repositories_url": call.state.api_url("installation", "repositories"),
        "html_url": call.state.html_url("settings", "installations", number),
        "app_id": app.id,
        "target_id": account["id"],
        "target_type": account["type"],
        "permissions": app.permissions,
        "events": [],
        "created_at": SINCE,
        "updated_at": SINCE,
        "single_file_name": None,
        "has_multiple_single_files": False,
        "app_slug": app.slug,
        "suspended_at": None,
        "suspended_by": None,
    }
    return Answer(body)


def create_token(call: Call) -> Answer:
    """Give an installation token: `POST /app/installations/{installation_id}/access_tokens`."""
    fields = call.fields() if call.body is not None else {}
    permissions, names = fields.get("permissions"), fields.get("repositories")
    if not isinstance(permissions or {}, dict) or not isinstance(names or [], list):
        raise GitHubError(422, "Invalid request.")
    made = apps.issue(call.state, call.token, call.number("installation_id"), permissions, names)
    granted = {key.replace("-", "_"): level for key, level in made.permissions.items()}
    body: Json = {
        "token": made.value,
        "expires_at": call.state.clock.stamp(made.expires_at),
        "permissions": granted,
        "repository_selection": "selected",
    }
    return Answer(body, 201)


ENDPOINTS = [
    Endpoint("GET", "/repos/{owner}/{repo}/installation", get_installation),
    Endpoint("POST", "/app/installations/{installation_id}/access_tokens", create_token, body=("permissions", "repositories")),
]
