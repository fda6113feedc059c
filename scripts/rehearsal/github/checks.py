"""Check runs and commit statuses."""

from __future__ import annotations

from rehearsal.github import events
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import Json, Repository
from rehearsal.github.model_actions import CheckRun, CommitStatus, Token
from rehearsal.github.runs import CONCLUSIONS
from rehearsal.github.state import State

MAX_OUTPUT_CHARACTERS = 65_535
MAX_ANNOTATIONS = 50
MAX_DESCRIPTION_CHARACTERS = 140
_STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
_ANNOTATION_FIELDS = ("path", "start_line", "end_line", "annotation_level", "message")


def create(state: State, repository: Repository, token: Token, fields: Json) -> CheckRun:
    """File a check run (`POST /check-runs`); only apps may, as on GitHub."""
    if token.kind == "user":
        raise GitHubError(403, "You must authenticate via a GitHub App.")
    for key in ("name", "head_sha"):
        if not fields.get(key):
            raise invalid("CheckRun", key, "missing_field")
    if GitStore(repository.path).resolve(str(fields["head_sha"])) is None:
        raise GitHubError(422, f"No commit found for SHA: {fields['head_sha']}")
    check = CheckRun(state.new_id(), repository.full_name, fields["name"], fields["head_sha"], token.app, started_at=state.stamp())
    _apply(state, check, fields)
    state.checks[check.id] = check
    _emit(state, repository, token, check, "created")
    return check


def get(state: State, repository: Repository, check_id: int) -> CheckRun:
    """Give a check run; raises 404."""
    check = state.checks.get(check_id)
    if check is None or check.repository != repository.full_name:
        raise not_found()
    return check


def update(state: State, repository: Repository, token: Token, check_id: int, fields: Json) -> CheckRun:
    """Change a check run (`PATCH /check-runs/{id}`); its own app only."""
    check = get(state, repository, check_id)
    if token.kind == "user" or check.app != token.app:
        raise GitHubError(403, "Invalid app_id `{}` - check run can only be modified by the GitHub App that created it.")
    _apply(state, check, fields)
    _emit(state, repository, token, check, "completed" if check.status == "completed" else "rerequested")
    return check


def _apply(state: State, check: CheckRun, fields: Json) -> None:
    output = fields.get("output") or {}
    for key in ("summary", "text"):
        if len(output.get(key) or "") > MAX_OUTPUT_CHARACTERS:
            raise invalid(
                "CheckRun", f"output.{key}", "custom", f"Only {MAX_OUTPUT_CHARACTERS} characters are allowed; more were supplied."
            )
    annotations = output.get("annotations") or []
    if len(annotations) > MAX_ANNOTATIONS:
        raise GitHubError(422, f"No more than {MAX_ANNOTATIONS} items are allowed; {len(annotations)} were supplied.")
    for annotation in annotations:
        missing = [key for key in _ANNOTATION_FIELDS if key not in annotation]
        if missing:
            raise invalid("CheckRun", f"output.annotations.{missing[0]}", "missing_field")
    if fields.get("status", "queued") not in _STATUSES:
        raise invalid("CheckRun", "status")
    if fields.get("conclusion") is not None and fields["conclusion"] not in CONCLUSIONS:
        raise invalid("CheckRun", "conclusion")
    if fields.get("status") == "completed" and not fields.get("conclusion"):
        raise invalid("CheckRun", "conclusion", "missing_field")
    check.status = fields.get("status", check.status)
    check.started_at = fields.get("started_at", check.started_at)
    check.details_url = fields.get("details_url", check.details_url)
    check.external_id = fields.get("external_id", check.external_id)
    if fields.get("conclusion"):
        check.conclusion, check.status = fields["conclusion"], "completed"
        check.completed_at = fields.get("completed_at") or state.stamp()
    check.output.update({key: output[key] for key in ("title", "summary", "text") if key in output})
    check.annotations += annotations


def _emit(state: State, repository: Repository, token: Token, check: CheckRun, action: str) -> None:
    from rehearsal.github.render import actions as render

    payload = {"check_run": render.check_run(state, repository, check)}
    events.emit_on_default_branch(state, repository, token, "check_run", action, payload)


def of_commit(state: State, repository: Repository, sha: str, *, name: str = "", latest: bool = True) -> list[CheckRun]:
    """Give a commit's check runs, newest first; with `latest` the newest of each name and app."""
    found: list[CheckRun] = []
    seen: set[tuple[str, str]] = set()
    for check in sorted(state.checks.values(), key=lambda each: -each.id):
        if (check.repository, check.head_sha) != (repository.full_name, sha) or name not in ("", check.name):
            continue
        if latest and (check.name, check.app) in seen:
            continue
        seen.add((check.name, check.app))
        found.append(check)
    return found


def set_status(state: State, repository: Repository, token: Token, sha: str, fields: Json) -> CommitStatus:
    """File a commit status (`POST /statuses/{sha}`)."""
    if fields.get("state") not in ("error", "failure", "pending", "success"):
        raise invalid("Status", "state", "missing_field" if "state" not in fields else "invalid")
    if len(fields.get("description") or "") > MAX_DESCRIPTION_CHARACTERS:
        raise invalid("Status", "description", "custom", f"description is too long (maximum is {MAX_DESCRIPTION_CHARACTERS} characters)")
    if GitStore(repository.path).resolve(sha) != sha:
        raise GitHubError(422, f"No commit found for SHA: {sha}")
    context = fields.get("context") or "default"
    made = CommitStatus(
        state.new_id(), repository.full_name, sha, fields["state"], context, token.login, state.stamp(),
        fields.get("description"), fields.get("target_url"),
    )  # fmt: skip
    state.statuses.append(made)
    payload = {"sha": sha, "state": made.state, "context": context, "description": made.description, "target_url": made.target_url}
    events.emit_on_default_branch(state, repository, token, "status", "", payload)
    return made


def statuses_of(state: State, repository: Repository, sha: str) -> list[CommitStatus]:
    """Give a commit's statuses, newest first."""
    return [each for each in reversed(state.statuses) if (each.repository, each.sha) == (repository.full_name, sha)]


def combined(statuses: list[CommitStatus]) -> tuple[str, list[CommitStatus]]:
    """Give the combined state and the newest status of each context; `pending` also where there is none."""
    newest: dict[str, CommitStatus] = {}
    for status in statuses:
        newest.setdefault(status.context, status)
    states = {status.state for status in newest.values()}
    if states & {"error", "failure"}:
        return "failure", list(newest.values())
    return ("success" if states == {"success"} else "pending"), list(newest.values())
