"""Endpoints of repositories as such, people, and the settings of Actions and OIDC."""

from __future__ import annotations

from rehearsal.github import oidc, repositories
from rehearsal.github.access import sees
from rehearsal.github.api.call import Answer, Call, Endpoint, no_content
from rehearsal.github.errors import GitHubError, invalid, no_permission, not_found
from rehearsal.github.model import OidcSettings, Repository
from rehearsal.github.render import people

RATE_LIMIT = 5000


def rate_limit(call: Call) -> Answer:
    """Give the rate limit: `GET /rate_limit`."""
    full = {"limit": RATE_LIMIT, "used": 0, "remaining": RATE_LIMIT, "reset": int(call.state.clock.now()) + 3600}
    return Answer({"resources": {"core": full, "search": full}, "rate": full})


def get_user(call: Call) -> Answer:
    """Give user: `GET /user`."""
    if call.who.kind != "user":
        raise no_permission()
    call.state.add_user(call.who.login)
    return Answer(people.account(call.state, call.who.login))


def get_account(call: Call) -> Answer:
    """Give account: `GET /users/{login}`."""
    return Answer(people.account(call.state, call.state.user(call.parts["login"]).login))


def _repository(call: Call, found: Repository, status: int = 200) -> Answer:
    return Answer(people.repository(call.state, found, call.token), status)


def get_repository(call: Call) -> Answer:
    """Give repository: `GET (the repository itself)`."""
    return _repository(call, call.repository)


def list_own(call: Call) -> Answer:
    """List own: `GET /user/repos`."""
    found = [each for each in call.state.repositories.values() if call.who.login in each.roles and sees(call.state, call.who, each)]
    return call.page(found, lambda each: people.repository(call.state, each, call.token))


def create_repository(call: Call) -> Answer:
    """Create an empty repository, of one's own or of an organisation."""
    if call.who.kind != "user":
        raise no_permission()
    owner = call.parts.get("org", call.who.login)
    call.state.add_user(call.who.login)
    full_name = f"{owner}/{call.text('name')}"
    private = bool(call.fields().get("private", False))
    made = repositories.create(call.state, full_name, admin=call.who.login, private=private, default_branch="main")
    made.description = call.text("description", required=False)
    return _repository(call, made, 201)


def list_collaborators(call: Call) -> Answer:
    """List collaborators: `GET /collaborators`."""
    found = [login for login, role in call.repository.roles.items() if role != "none"]
    return call.page(found, lambda login: people.collaborator_permission(call.state, call.repository, login)["user"])


def is_collaborator(call: Call) -> Answer:
    """Tell whether it is collaborator: `GET /collaborators/{username}`."""
    if call.repository.roles.get(call.parts["username"], "none") == "none":
        raise not_found()
    return no_content()


def collaborator_permission(call: Call) -> Answer:
    """Give the collaborator permission: `GET /collaborators/{username}/permission`."""
    login = call.state.user(call.parts["username"]).login
    return Answer(people.collaborator_permission(call.state, call.repository, login))


def get_subject(call: Call) -> Answer:
    """Give subject: `GET /actions/oidc/customization/sub`."""
    settings = call.repository.oidc
    body: dict[str, object] = {
        "use_default": settings.use_default,
        "use_immutable_subject": settings.use_immutable_subject,
        "sub_claim_prefix": oidc.repository_prefix(call.state, call.repository),
    }
    if not settings.use_default:
        body["include_claim_keys"] = settings.include_claim_keys
    return Answer(body)


def put_subject(call: Call) -> Answer:
    """Set subject: `PUT /actions/oidc/customization/sub`."""
    fields = call.fields()
    if not isinstance(fields.get("use_default"), bool):
        raise invalid("OidcCustomSub", "use_default", "missing_field")
    keys = list(fields.get("include_claim_keys") or [])
    unknown = sorted(set(keys) - set(oidc.SUBJECT_KEYS))
    if unknown:
        raise GitHubError(422, f"Unknown claim keys: {', '.join(unknown)}")
    immutable = fields.get("use_immutable_subject", call.repository.oidc.use_immutable_subject)
    call.repository.oidc = OidcSettings(fields["use_default"], keys, bool(immutable))
    return Answer({}, 201)


def get_workflow_permissions(call: Call) -> Answer:
    """Give workflow permissions: `GET /actions/permissions/workflow`."""
    found = call.repository
    may = found.can_approve_pull_request_reviews
    return Answer({"default_workflow_permissions": found.default_workflow_permissions, "can_approve_pull_request_reviews": may})


def put_workflow_permissions(call: Call) -> Answer:
    """Set workflow permissions: `PUT /actions/permissions/workflow`."""
    fields = call.fields()
    level = fields.get("default_workflow_permissions", call.repository.default_workflow_permissions)
    if level not in ("read", "write"):
        raise invalid("ActionsWorkflowPermissions", "default_workflow_permissions")
    call.repository.default_workflow_permissions = level
    may = fields.get("can_approve_pull_request_reviews", call.repository.can_approve_pull_request_reviews)
    call.repository.can_approve_pull_request_reviews = bool(may)
    return no_content()


_CREATE = ("name", "private", "description")
_SUBJECT = "~/actions/oidc/customization/sub"
_PERMISSIONS = ("default_workflow_permissions", "can_approve_pull_request_reviews")
ENDPOINTS = [
    Endpoint("GET", "/rate_limit", rate_limit),
    Endpoint("GET", "/user", get_user),
    Endpoint("GET", "/user/repos", list_own),
    Endpoint("POST", "/user/repos", create_repository, body=_CREATE),
    Endpoint("POST", "/orgs/{org}/repos", create_repository, body=_CREATE),
    Endpoint("GET", "/users/{login}", get_account),
    Endpoint("GET", "~", get_repository, ("metadata",)),
    Endpoint("GET", "~/collaborators", list_collaborators, ("metadata",)),
    Endpoint("GET", "~/collaborators/{username}", is_collaborator, ("metadata",)),
    Endpoint("GET", "~/collaborators/{username}/permission", collaborator_permission, ("metadata",)),
    Endpoint("GET", _SUBJECT, get_subject, ("actions:read",)),
    Endpoint("PUT", _SUBJECT, put_subject, ("actions:write",), ("use_default", "include_claim_keys", "use_immutable_subject")),
    Endpoint("GET", "~/actions/permissions/workflow", get_workflow_permissions, ("administration:read",)),
    Endpoint("PUT", "~/actions/permissions/workflow", put_workflow_permissions, ("administration:write",), _PERMISSIONS),
]
