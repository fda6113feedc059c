"""Endpoints of workflow runs, jobs, gates, workflows and artifacts."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.github import artifacts, events, gates, runs, workflows
from rehearsal.github.api.call import Answer, Call, Endpoint, no_content
from rehearsal.github.errors import GitHubError, invalid, not_found
from rehearsal.github.gitstore import GitStore
from rehearsal.github.model import Json
from rehearsal.github.model_actions import Artifact, Job, Run
from rehearsal.github.render import actions as render
from rehearsal.github.render import node_id
from rehearsal.github.runs import CONCLUSIONS

READ, WRITE = ("actions:read",), ("actions:write",)
WAIT_FOR_RUN_SECONDS = 2.0
_RUN_QUERY = ("actor", "branch", "event", "status", "created", "head_sha", "exclude_pull_requests", "check_suite_id")


def _run(call: Call) -> Run:
    run = call.state.run(call.number("run_id"))
    if run.repository != call.full_name:
        raise not_found()
    return run


def _in_time(stamp: str, wanted: str) -> bool:
    """Say whether a time fits GitHub's search form: `>=T`, `<=T`, `>T`, `<T`, `A..B`, or the day itself."""
    if ".." in wanted:
        low, high = wanted.split("..", 1)
        return (low == "*" or stamp >= low) and (high == "*" or stamp[: len(high)] <= high)
    for sign, fits in ((">=", stamp >= wanted[2:]), ("<=", stamp[: len(wanted) - 2] <= wanted[2:])):
        if wanted.startswith(sign):
            return fits
    if wanted.startswith((">", "<")):
        return stamp > wanted[1:] if wanted[0] == ">" else stamp < wanted[1:]
    return stamp.startswith(wanted)


def _runs(call: Call, found: list[Run]) -> Answer:
    query = call.query
    tests: dict[str, Callable[[Run], bool]] = {
        "actor": lambda run: run.actor == query["actor"],
        "branch": lambda run: run.head_branch == query["branch"],
        "event": lambda run: run.event == query["event"],
        "head_sha": lambda run: run.head_sha == query["head_sha"],
        "check_suite_id": lambda run: str(run.id) == query["check_suite_id"],
        "created": lambda run: _in_time(run.created_at, query["created"]),
        "status": lambda run: query["status"] == (run.conclusion if query["status"] in CONCLUSIONS else run.status),
    }
    for name, test in tests.items():
        if query.get(name):
            found = [run for run in found if test(run)]
    return call.page(sorted(found, key=lambda run: -run.id), lambda run: render.run(call.state, run), "workflow_runs")


def list_runs(call: Call) -> Answer:
    """List runs: `GET /actions/runs`."""
    return _runs(call, [run for run in call.state.runs.values() if run.repository == call.full_name])


def list_workflow_runs(call: Call) -> Answer:
    """List workflow runs: `GET /actions/workflows/{workflow}/runs`."""
    path = workflows.find(call.state, call.repository, call.parts["workflow"]).path
    return _runs(call, [run for run in call.state.runs.values() if (run.repository, run.path) == (call.full_name, path)])


def get_run(call: Call) -> Answer:
    """Give run: `GET /actions/runs/{run_id}`."""
    return Answer(render.run(call.state, _run(call)))


def _attempt(call: Call) -> int:
    attempt = call.number("attempt")
    if attempt != _run(call).run_attempt:
        raise GitHubError(404, f"Only the present attempt of a run is kept; attempt {attempt} is not it.")
    return attempt


def get_attempt(call: Call) -> Answer:
    """Give attempt: `GET /actions/runs/{run_id}/attempts/{attempt}`."""
    _attempt(call)
    return get_run(call)


def _jobs(call: Call, jobs: list[Job]) -> Answer:
    return call.page(jobs, lambda job: render.job(call.state, job), "jobs")


def list_jobs(call: Call) -> Answer:
    """List jobs: `GET /actions/runs/{run_id}/jobs`."""
    run = _run(call)
    return _jobs(call, call.state.jobs_of(run.id, None if call.query.get("filter") == "all" else run.run_attempt))


def list_attempt_jobs(call: Call) -> Answer:
    """List attempt jobs: `GET /actions/runs/{run_id}/attempts/{attempt}/jobs`."""
    run = _run(call)
    return _jobs(call, call.state.jobs_of(run.id, call.number("attempt")))


def get_job(call: Call) -> Answer:
    """Give job: `GET /actions/jobs/{job_id}`."""
    job = call.state.job(call.number("job_id"))
    if call.state.run(job.run_id).repository != call.full_name:
        raise not_found()
    return Answer(render.job(call.state, job))


def list_approvals(call: Call) -> Answer:
    """List approvals: `GET /actions/runs/{run_id}/approvals`."""
    return Answer([render.approval(call.state, call.repository, each) for each in _run(call).approvals])


def list_pending(call: Call) -> Answer:
    """List pending: `GET /actions/runs/{run_id}/pending_deployments`."""
    waiting = gates.pending(call.state, call.full_name, _run(call).id)
    return Answer(render.pending(call.state, waiting, call.token.login if call.token else ""))


def review_pending(call: Call) -> Answer:
    """Review pending: `POST /actions/runs/{run_id}/pending_deployments`."""
    fields = call.fields()
    ids = fields.get("environment_ids")
    if not isinstance(ids, list) or not ids:
        raise GitHubError(422, 'Invalid request.\n\n"environment_ids" wasn\'t supplied.')
    names = [each.name for each in call.repository.environments.values() if each.id in ids]
    reviewed = gates.review(call.state, _run(call).id, names, call.who, call.text("state"), call.text("comment"))
    return Answer([render.deployment(call.state, call.repository, each) for each in reviewed])


def _request(kind: str, status: int, *body: str) -> Endpoint:
    def handler(call: Call) -> Answer:
        runs.request(call.state, _run(call).id, call.who, kind)
        return Answer({}, status)

    return Endpoint("POST", f"~/actions/runs/{{run_id}}/{kind}", handler, WRITE, body)


def concurrency_groups(call: Call) -> Answer:
    """Give the concurrency groups: `GET /actions/runs/{run_id}/concurrency_groups`."""
    run = _run(call)
    names = sorted({job.concurrency_group for job in call.state.jobs_of(run.id, run.run_attempt) if job.concurrency_group})
    return call.page(names, lambda name: _group(call, name), "concurrency_groups")


def _group(call: Call, name: str) -> Json:
    api = call.state.api_url("repos", call.full_name, "actions")
    members = [
        job
        for job in call.state.jobs.values()
        if job.concurrency_group == name and job.status != "completed" and call.state.run(job.run_id).repository == call.full_name
    ]
    members.sort(key=lambda job: (job.status not in ("in_progress", "waiting"), job.id))
    listed = []
    for position, job in enumerate(members):
        run = call.state.run(job.run_id)
        listed.append(
            {
                "run_id": run.id,
                "run_name": run.name,
                "run_url": f"{api}/runs/{run.id}",
                "run_html_url": call.state.html_url(call.full_name, "actions", "runs", run.id),
                "job_id": job.id,
                "job_name": job.name,
                "job_url": f"{api}/jobs/{job.id}",
                "job_html_url": call.state.html_url(call.full_name, "actions", "runs", run.id, "job", job.id),
                "status": "in_progress" if position == 0 else "pending",
                "position": position,
                "position_url": f"{api}/concurrency_groups/{name}",
            }
        )
    return {"group_name": name, "group_url": f"{api}/concurrency_groups/{name}", "group_members": listed}


def _workflow(call: Call, file: workflows.WorkflowFile) -> Json:
    number = workflows.workflow_id(call.state, call.repository, file.path)
    name = file.path.rsplit("/", 1)[-1]
    return {
        "id": number,
        "node_id": node_id("W", number),
        "name": file.name,
        "path": file.path,
        "state": "active",
        "created_at": call.repository.created_at,
        "updated_at": call.repository.created_at,
        "url": call.state.api_url("repos", call.full_name, "actions", "workflows", number),
        "html_url": call.state.html_url(call.full_name, "blob", call.repository.default_branch, file.path),
        "badge_url": call.state.html_url(call.full_name, "workflows", name, "badge.svg"),
    }


def list_workflows(call: Call) -> Answer:
    """List workflows: `GET /actions/workflows`."""
    commit = GitStore(call.repository.path).resolve(f"refs/heads/{call.repository.default_branch}")
    found = workflows.read(call.repository, commit) if commit else []
    return call.page(found, lambda file: _workflow(call, file), "workflows")


def get_workflow(call: Call) -> Answer:
    """Give workflow: `GET /actions/workflows/{workflow}`."""
    return Answer(_workflow(call, workflows.find(call.state, call.repository, call.parts["workflow"])))


def dispatch_workflow(call: Call) -> Answer:
    """Start a workflow; the event is delivered when the lock is released, and its run is filed by who carries it out."""
    state, fields = call.state, call.fields()
    with state.locked():
        event = events.dispatch_workflow(
            state, call.full_name, call.who, call.parts["workflow"], call.text("ref"), fields.get("inputs") or {}
        )
    if not fields.get("return_run_details"):
        return no_content()
    with state.locked():
        for _ in range(2):
            for run in state.runs.values():
                if run.event_number == event.number:
                    address = state.html_url(call.full_name, "actions", "runs", run.id)
                    api = state.api_url("repos", call.full_name, "actions", "runs", run.id)
                    return Answer({"workflow_run_id": run.id, "run_url": api, "html_url": address})
            state.wait(WAIT_FOR_RUN_SECONDS)
    raise GitHubError(503, "The event was recorded, but nothing here carries out workflows, so there is no run to name.")


def dispatch(call: Call) -> Answer:
    """Dispatch: `POST /dispatches`."""
    fields = call.fields()
    payload = fields.get("client_payload") or {}
    if not isinstance(payload, dict):
        raise invalid("RepositoryDispatch", "client_payload")
    events.dispatch(call.state, call.full_name, call.who, call.text("event_type"), payload)
    return no_content()


def _artifacts(call: Call, found: list[Artifact]) -> Answer:
    kept = [each for each in found if call.query.get("name", each.name) == each.name]
    return call.page(sorted(kept, key=lambda each: -each.id), lambda each: render.artifact(call.state, each), "artifacts")


def list_artifacts(call: Call) -> Answer:
    """List artifacts: `GET /actions/artifacts`."""
    return _artifacts(
        call, [artifacts.get(call.state, each) for each, of in call.state.artifacts.items() if of.repository == call.full_name]
    )


def list_run_artifacts(call: Call) -> Answer:
    """List run artifacts: `GET /actions/runs/{run_id}/artifacts`."""
    run = _run(call)
    return _artifacts(call, [artifacts.get(call.state, each) for each, of in call.state.artifacts.items() if of.run_id == run.id])


def _artifact(call: Call) -> Artifact:
    found = artifacts.get(call.state, call.number("artifact_id"))
    if found.repository != call.full_name:
        raise not_found()
    return found


def get_artifact(call: Call) -> Answer:
    """Give artifact: `GET /actions/artifacts/{artifact_id}`."""
    return Answer(render.artifact(call.state, _artifact(call)))


def download_artifact(call: Call) -> Answer:
    """Download artifact: `GET /actions/artifacts/{artifact_id}/zip`."""
    found = _artifact(call)
    if found.expired:
        raise GitHubError(410, "Artifact has expired")
    secret = call.state.download_links.new(found.id, call.state.clock.now())
    return Answer(None, 302, {"Location": call.state.html_url("_local", "artifacts", "download", secret)})


def delete_artifact(call: Call) -> Answer:
    """Delete artifact: `DELETE /actions/artifacts/{artifact_id}`."""
    found = _artifact(call)
    found.path.unlink(missing_ok=True)
    del call.state.artifacts[found.id]
    return no_content()


ENDPOINTS = [
    Endpoint("GET", "~/actions/runs", list_runs, READ, query=_RUN_QUERY),
    Endpoint("GET", "~/actions/runs/{run_id}", get_run, READ, query=("exclude_pull_requests",)),
    Endpoint("GET", "~/actions/runs/{run_id}/attempts/{attempt}", get_attempt, READ, query=("exclude_pull_requests",)),
    Endpoint("GET", "~/actions/runs/{run_id}/jobs", list_jobs, READ, query=("filter",)),
    Endpoint("GET", "~/actions/runs/{run_id}/attempts/{attempt}/jobs", list_attempt_jobs, READ),
    Endpoint("GET", "~/actions/jobs/{job_id}", get_job, READ),
    Endpoint("GET", "~/actions/runs/{run_id}/approvals", list_approvals, READ),
    Endpoint("GET", "~/actions/runs/{run_id}/pending_deployments", list_pending, READ),
    Endpoint(
        "POST",
        "~/actions/runs/{run_id}/pending_deployments",
        review_pending,
        ("deployments:write", "metadata"),
        ("environment_ids", "state", "comment"),
    ),
    _request("approve", 201),
    _request("cancel", 202),
    _request("force-cancel", 202),
    _request("rerun", 201, "enable_debug_logging"),
    _request("rerun-failed-jobs", 201, "enable_debug_logging"),
    Endpoint("GET", "~/actions/runs/{run_id}/concurrency_groups", concurrency_groups, READ),
    Endpoint("GET", "~/actions/workflows", list_workflows, READ),
    Endpoint("GET", "~/actions/workflows/{workflow}", get_workflow, READ),
    Endpoint("GET", "~/actions/workflows/{workflow}/runs", list_workflow_runs, READ, query=_RUN_QUERY),
    Endpoint(
        "POST",
        "~/actions/workflows/{workflow}/dispatches",
        dispatch_workflow,
        WRITE,
        ("ref", "inputs", "return_run_details"),
        locked=False,
    ),
    Endpoint("POST", "~/dispatches", dispatch, ("contents:write",), ("event_type", "client_payload")),
    Endpoint("GET", "~/actions/artifacts", list_artifacts, READ, query=("name",)),
    Endpoint("GET", "~/actions/runs/{run_id}/artifacts", list_run_artifacts, READ, query=("name",)),
    Endpoint("GET", "~/actions/artifacts/{artifact_id}", get_artifact, READ),
    Endpoint("GET", "~/actions/artifacts/{artifact_id}/zip", download_artifact, READ),
    Endpoint("DELETE", "~/actions/artifacts/{artifact_id}", delete_artifact, WRITE),
]
