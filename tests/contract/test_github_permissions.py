"""What a token may: GITHUB_TOKEN by its `permissions:`, people by their role, everybody by what they can see."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from github_support import REPOSITORY, Scene, answer

from rehearsal.github.access import PERMISSION_KEYS
from rehearsal.github.app import ENDPOINTS
from rehearsal.github.errors import GitHubError

# A request that gets past the permission check at a glance: method, path, body, the permissions of which one is enough.
CASES: list[tuple[str, str, dict[str, object] | None, tuple[str, ...]]] = [
    ("GET", "/pulls", None, ("pull-requests:read",)),
    ("POST", "/pulls", {"head": "nope", "base": "main", "title": "t"}, ("pull-requests:write",)),
    ("PUT", "/pulls/99/merge", {}, ("contents:write",)),
    ("GET", "/pulls/99", None, ("pull-requests:read", "contents:read")),
    ("GET", "/issues/99/comments", None, ("issues:read", "pull-requests:read")),
    ("POST", "/issues/99/comments", {"body": "b"}, ("issues:write", "pull-requests:write")),
    ("POST", "/issues", {"title": ""}, ("issues:write",)),
    ("POST", "/statuses/" + "0" * 40, {"state": "success"}, ("statuses:write",)),
    ("GET", "/commits/main/status", None, ("statuses:read",)),
    ("GET", "/commits/main/check-runs", None, ("checks:read",)),
    ("POST", "/check-runs", {"name": "x"}, ("checks:write",)),
    ("POST", "/deployments", {"ref": "nope"}, ("deployments:write",)),
    ("GET", "/deployments", None, ("deployments:read",)),
    ("GET", "/environments", None, ("actions:read",)),
    ("GET", "/actions/runs/99", None, ("actions:read",)),
    ("POST", "/actions/runs/99/cancel", {}, ("actions:write",)),
    ("GET", "/actions/artifacts", None, ("actions:read",)),
    ("POST", "/dispatches", {"event_type": ""}, ("contents:write",)),
    ("POST", "/actions/workflows/no.yml/dispatches", {"ref": "nope"}, ("actions:write",)),
    ("GET", "/contents/a.txt", None, ("contents:read",)),
    ("PUT", "/contents/a.txt", {"message": "m", "content": ""}, ("contents:write",)),
    ("GET", "/compare/main...main", None, ("contents:read",)),
    ("POST", "/git/refs", {"ref": "x", "sha": ""}, ("contents:write",)),
    ("POST", "/releases", {"tag_name": ""}, ("contents:write",)),
]
NEVER = [
    ("GET", "/actions/variables"),
    ("POST", "/actions/variables"),
    ("GET", "/environments/x/variables"),
    ("PUT", "/environments/x"),
    ("POST", "/environments/x/deployment-branch-policies"),
    ("GET", "/actions/permissions/workflow"),
    ("GET", "/branches/main/protection"),
]
ALWAYS = ["/rules/branches/main", "/rulesets", "/collaborators/developer/permission", "/tags"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("github"))
    yield made
    made.close()


def _refused(response: httpx.Response) -> bool:
    return response.status_code == 403 and response.json()["message"] == "Resource not accessible by integration"


@pytest.mark.parametrize(("method", "path", "body", "needs"), CASES, ids=lambda each: each if isinstance(each, str) else "")
def test_a_job_needs_one_of_the_documented_permissions(
    scene: Scene, method: str, path: str, body: dict[str, object] | None, needs: tuple[str, ...]
) -> None:
    for need in needs:
        key, level = need.split(":")
        assert not _refused(scene.job_client({key: level}).request(method, path, json=body)), f"{need} should do"
    keys = {need.split(":")[0] for need in needs}
    others = {key: "write" for key in PERMISSION_KEYS if key not in keys}
    refused = scene.job_client(others).request(method, path, json=body)
    assert _refused(refused), "nothing else does"
    assert refused.headers["x-accepted-github-permissions"] == "; ".join(need.replace("-", "_").replace(":", "=") for need in needs)
    if level == "write":
        assert _refused(scene.job_client(dict.fromkeys(keys, "read")).request(method, path, json=body)), "reading is not enough"


@pytest.mark.parametrize(("method", "path"), NEVER)
def test_what_no_permission_of_a_job_gives(scene: Scene, method: str, path: str) -> None:
    assert _refused(scene.job_client(dict.fromkeys(PERMISSION_KEYS, "write")).request(method, path, json={}))


@pytest.mark.parametrize("path", ALWAYS)
def test_what_needs_no_permission(scene: Scene, path: str) -> None:
    assert scene.job_client({}).get(path).status_code == 200


def test_every_endpoint_of_a_repository_asks_for_a_permission() -> None:
    assert [each.path for each in ENDPOINTS if each.path.startswith("~") and not each.needs] == []


def test_people_may_by_role(scene: Scene) -> None:
    guest, reviewer, developer = (scene.person(login) for login in ("guest", "reviewer", "developer"))
    assert guest.get("/contents/a.txt").status_code == 200
    assert answer(guest.post("/issues", json={"title": "found"}), 201)["user"]["login"] == "guest"
    assert guest.post("/git/refs", json={"ref": "refs/heads/g", "sha": "0" * 40}).status_code == 403
    assert answer(reviewer.put("/environments/x", json={}), 403)["message"] == "Must have admin rights to Repository."
    assert developer.put("/environments/x", json={}).status_code == 200


def test_who_may_not_see_a_private_repository_gets_a_404(scene: Scene) -> None:
    scene.github.add_user("stranger")
    scene.github.create_repository("other/thing", admin="developer")
    stranger = scene.person("stranger")
    job = scene.job_client(dict.fromkeys(PERMISSION_KEYS, "write"))
    assert answer(stranger.get("/branches"), 404)["message"] == "Not Found"
    assert answer(scene.client("").get("/branches"), 404)["message"] == "Not Found"
    assert job.get(f"{scene.server.url}/repos/other/thing").status_code == 404


def test_a_public_repository_is_read_by_everybody_and_written_by_nobody_else(scene: Scene) -> None:
    scene.github.create_repository("other/open", admin="developer", private=False)
    url = f"{scene.server.url}/repos/other/open"
    assert httpx.get(url, trust_env=False).status_code == 200
    assert httpx.post(f"{url}/issues", json={"title": "x"}, trust_env=False).status_code == 401
    job = scene.job_client({"issues": "write"})
    assert job.get(url).status_code == 200
    assert _refused(job.post(f"{url}/issues", json={"title": "x"}))


def test_wrong_and_old_tokens_are_refused(scene: Scene) -> None:
    assert answer(scene.client("ghp_nothing").get("/branches"), 401)["message"] == "Bad credentials"
    job = scene.job(scene.run())
    client = scene.job_client({"contents": "read"}, job)
    assert client.get("/branches").status_code == 200
    scene.github.start_job(job.id)
    scene.github.finish_job(job.id, "success")
    assert client.get("/branches").status_code == 401, "a job's token ends with the job"


def test_the_default_permissions_are_the_repositorys(scene: Scene) -> None:
    job = scene.job(scene.run())
    assert scene.github.job_credentials(job.id, None).permissions == {"contents": "read", "packages": "read"}
    scene.repository.default_workflow_permissions = "write"
    permissions = scene.github.job_credentials(job.id, None).permissions
    scene.repository.default_workflow_permissions = "read"
    assert permissions["contents"] == "write"
    assert "id-token" not in permissions, "which has to be asked for by name"


@pytest.mark.parametrize("permissions", [{"workflows": "write"}, {"content": "read"}, {"contents": "admin"}])
def test_permissions_that_do_not_exist_are_refused_by_name(scene: Scene, permissions: dict[str, str]) -> None:
    with pytest.raises(GitHubError, match=next(iter(permissions))):
        scene.github.job_credentials(scene.job(scene.run()).id, permissions)


def test_workflow_files_are_out_of_a_jobs_reach(scene: Scene) -> None:
    job = scene.job_client({"contents": "write"})
    body = {"message": "m", "content": "eA==", "branch": "main"}
    assert _refused(job.put("/contents/.github/workflows/evil.yml", json=body))
    item = {"path": ".github/workflows/evil.yml", "mode": "100644", "type": "blob", "content": "x"}
    assert _refused(job.post("/git/trees", json={"tree": [item]}))
    tree = answer(scene.person("developer").post("/git/trees", json={"tree": [item]}), 201)["sha"]
    commit = answer(job.post("/git/commits", json={"message": "m", "tree": tree, "parents": []}), 201)["sha"]
    assert _refused(job.post("/git/refs", json={"ref": "refs/heads/evil", "sha": commit}))


def test_an_apps_token_is_limited_too_but_is_not_github_actions(scene: Scene) -> None:
    client = scene.client(scene.github.app_token("release-app", REPOSITORY, {"issues": "write"}))
    made = answer(client.post("/issues", json={"title": "by app"}), 201)
    assert made["user"] == {**made["user"], "login": "release-app[bot]", "type": "Bot"}
    assert _refused(client.get("/contents/a.txt"))
