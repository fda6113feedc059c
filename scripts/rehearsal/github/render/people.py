"""People, apps and repositories as JSON."""

from __future__ import annotations

from rehearsal.github.access import allows, has_role, role
from rehearsal.github.model import Json, Repository, User
from rehearsal.github.model_actions import Token
from rehearsal.github.render import node_id
from rehearsal.github.state import ACTIONS_APP_ID, State

_USER_LINKS = {
    "followers_url": "followers",
    "following_url": "following{/other_user}",
    "gists_url": "gists{/gist_id}",
    "starred_url": "starred{/owner}{/repo}",
    "subscriptions_url": "subscriptions",
    "organizations_url": "orgs",
    "repos_url": "repos",
    "events_url": "events{/privacy}",
    "received_events_url": "received_events",
}

_REPOSITORY_LINKS = {
    "archive_url": "{archive_format}{/ref}",
    "assignees_url": "assignees{/user}",
    "blobs_url": "git/blobs{/sha}",
    "branches_url": "branches{/branch}",
    "collaborators_url": "collaborators{/collaborator}",
    "comments_url": "comments{/number}",
    "commits_url": "commits{/sha}",
    "compare_url": "compare/{base}...{head}",
    "contents_url": "contents/{+path}",
    "contributors_url": "contributors",
    "deployments_url": "deployments",
    "downloads_url": "downloads",
    "events_url": "events",
    "forks_url": "forks",
    "git_commits_url": "git/commits{/sha}",
    "git_refs_url": "git/refs{/sha}",
    "git_tags_url": "git/tags{/sha}",
    "hooks_url": "hooks",
    "issue_comment_url": "issues/comments{/number}",
    "issue_events_url": "issues/events{/number}",
    "issues_url": "issues{/number}",
    "keys_url": "keys{/key_id}",
    "labels_url": "labels{/name}",
    "languages_url": "languages",
    "merges_url": "merges",
    "milestones_url": "milestones{/number}",
    "notifications_url": "notifications{?since,all,participating}",
    "pulls_url": "pulls{/number}",
    "releases_url": "releases{/id}",
    "stargazers_url": "stargazers",
    "statuses_url": "statuses/{sha}",
    "subscribers_url": "subscribers",
    "subscription_url": "subscription",
    "tags_url": "tags",
    "teams_url": "teams",
    "trees_url": "git/trees{/sha}",
}

ACCOUNTS_SINCE = "2020-01-01T00:00:00Z"

_ZEROES = ("forks_count", "stargazers_count", "watchers_count", "size", "forks", "watchers", "subscribers_count", "network_count")
_OFF = ("has_wiki", "has_pages", "has_discussions", "archived", "disabled", "is_template", "has_downloads", "has_projects")


def user(state: State, login: str) -> Json:
    """Give a person, organisation or bot (`simple-user`)."""
    found = state.users.get(login) or User(0, login)
    api = state.api_url("users", found.login)
    return {
        "login": found.login,
        "id": found.id,
        "node_id": node_id("U", found.id),
        "avatar_url": state.html_url("avatars", str(found.id)),
        "gravatar_id": "",
        "url": api,
        "html_url": state.html_url(found.login),
        **{name: f"{api}/{path}" for name, path in _USER_LINKS.items()},
        "type": found.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def owner_of(state: State, repository: Repository) -> Json:
    """Give a repository's owner."""
    return user(state, repository.owner)


def account(state: State, login: str) -> Json:
    """Give what `GET /user` and `GET /users/{login}` tell (`public-user`)."""
    found = state.users[login]
    empty = dict.fromkeys(("company", "location", "bio", "hireable"))
    counts = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
    times = dict.fromkeys(("created_at", "updated_at"), ACCOUNTS_SINCE)
    return {**user(state, login), "name": found.name, "email": found.email, "blog": "", **empty, **counts, **times}


def app(state: State, slug: str) -> Json | None:
    """Give an app (`integration`), None for no app."""
    if not slug:
        return None
    bot = state.users.get(f"{slug}[bot]")
    app_id = ACTIONS_APP_ID if slug == "github-actions" else (bot.id if bot else 0)
    return {
        "id": app_id,
        "slug": slug,
        "node_id": node_id("A", app_id),
        "client_id": f"Iv1.{app_id:016x}",
        "owner": user(state, "github"),
        "name": "GitHub Actions" if slug == "github-actions" else slug,
        "description": "",
        "external_url": state.html_url("apps", slug),
        "html_url": state.html_url("apps", slug),
        "created_at": "2018-07-30T09:30:17Z",
        "updated_at": "2018-07-30T09:30:17Z",
        "permissions": {},
        "events": [],
    }


def minimal_repository(state: State, repository: Repository) -> Json:
    """Give a repository as it stands inside other answers (`minimal-repository`)."""
    api = state.api_url("repos", repository.full_name)
    return {
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": owner_of(state, repository),
        "private": repository.private,
        "html_url": state.html_url(repository.full_name),
        "description": repository.description or None,
        "fork": bool(repository.fork_of),
        "url": api,
        **{name: f"{api}/{path}" for name, path in _REPOSITORY_LINKS.items()},
    }


def repository(state: State, found: Repository, token: Token | None = None) -> Json:
    """Give a repository alone, or as a pull request's side (`full-repository`, `repository`)."""
    open_issues = sum(1 for issue in found.issues.values() if issue.state == "open")
    pushed = found.pushed_at or found.created_at
    answer = {
        **minimal_repository(state, found),
        "git_url": f"git:{state.html_url(found.full_name).split(':', 1)[1]}.git",
        "ssh_url": f"git@localhost:{found.full_name}.git",
        "clone_url": state.html_url(found.full_name) + ".git",
        "svn_url": state.html_url(found.full_name),
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "visibility": "private" if found.private else "public",
        "default_branch": found.default_branch,
        "open_issues_count": open_issues,
        "open_issues": open_issues,
        "topics": [],
        "has_issues": True,
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "allow_merge_commit": found.allow_merge_commit,
        "allow_squash_merge": found.allow_squash_merge,
        "allow_rebase_merge": found.allow_rebase_merge,
        "allow_auto_merge": False,
        "allow_update_branch": True,
        "delete_branch_on_merge": False,
        "created_at": found.created_at,
        "updated_at": pushed,
        "pushed_at": pushed,
        **dict.fromkeys(_ZEROES, 0),
        **dict.fromkeys(_OFF, False),
    }
    if token is not None:
        answer["permissions"] = permissions(state, found, token)
    return answer


def permissions(state: State, found: Repository, token: Token) -> dict[str, bool]:
    """Give what a token's holder may, as GitHub sums it up."""
    if token.kind != "user":
        push = allows(state, token, found, "contents:write")
        return {"admin": False, "maintain": False, "push": push, "triage": False, "pull": True}
    names = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
    return {name: has_role(state, found, token.login, least) for name, least in names.items()}


def collaborator_permission(state: State, found: Repository, login: str) -> Json:
    """Give somebody's role (`repository-collaborator-permission`); `permission` knows four levels only."""
    their = role(state, found, login)
    coarse = {"maintain": "write", "triage": "read"}.get(their, their)
    flags = permissions(state, found, Token("", "user", login))
    return {"permission": coarse, "role_name": their, "user": {**user(state, login), "role_name": their, "permissions": flags}}


def association(found: Repository, login: str) -> str:
    """Give somebody's `author_association`."""
    if login == found.owner:
        return "OWNER"
    return "COLLABORATOR" if found.roles.get(login, "none") not in ("none", "read") else "NONE"
