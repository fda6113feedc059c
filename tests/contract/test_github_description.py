"""Every endpoint is held to GitHub's published description: what it takes, and each field of what it answers."""

from __future__ import annotations

import base64
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from github_support import REPOSITORY, Scene, answer, app_login
from jsonschema import Draft202012Validator

from rehearsal.github.app import ENDPOINTS
from rehearsal.github.workflows import FOLDER

CONTRACT = json.loads(Path(__file__).with_name("github_contract.json").read_text(encoding="utf-8"))
DESCRIBED: dict[str, Any] = CONTRACT["endpoints"]
NOT_DESCRIBED = {
    "GET /repos/{owner}/{repo}/contents",  # the description has it with an empty path only
    "GET /repos/{owner}/{repo}/actions/artifacts/{artifact_id}/zip",  # `{archive_format}` there
}
# There is no older kind of branch protection here: the answer is always a 404.
NEVER_THERE = {"GET /repos/{owner}/{repo}/branches/{branch:path}/protection"}
ALL = {f"{each.method} {each.full_path}": each for each in ENDPOINTS}
Answers = dict[str, list[tuple[int, Any]]]


class Player:
    """Makes requests and keeps each answer under the endpoint that gave it."""

    def __init__(self, scene: Scene) -> None:
        self.answers: Answers = {}
        self.scene = scene
        self.developer = scene.person("developer")
        self.patterns = {name: _pattern(name) for name in ALL}

    def call(self, request: str, status: int, body: Any = None, client: httpx.Client | None = None) -> Any:
        """Make a request, `METHOD /path` below the repository or `METHOD http://...`, and keep its answer."""
        method, _, path = request.partition(" ")
        url = path if path.startswith("http") else f"{self.scene.server.url}/repos/{REPOSITORY}{path}"
        response = (client or self.developer).request(method, url, json=body)
        given = answer(response, status)
        asked = f"{method} {response.request.url.path}"
        name = next(name for name in ALL if self.patterns[name].fullmatch(asked))
        self.answers.setdefault(name, []).append((status, given))
        return given


def _pattern(name: str) -> re.Pattern[str]:
    plain = re.sub(r"\{\w+:path\}", "<any>", name)
    plain = re.sub(r"\{\w+\}", "<part>", plain)
    return re.compile(re.escape(plain).replace("<any>", ".+?").replace("<part>", "[^/]+?"))


def _play_code(player: Player) -> None:
    scene, call = player.scene, player.call
    head = scene.push("topic", {"b.txt": "two\n"}, "second")
    scene.git("tag", "-a", "v0", "-m", "old")
    scene.git("push", "--quiet", "origin", "v0")
    scene.github.refs_changed(REPOSITORY, "developer")
    for path in (
        "",
        "/commits",
        f"/commits/{head}",
        "/compare/main...topic",
        "/contents/a.txt",
        "/contents/.github",
        "/contents",
        "/branches",
    ):
        call(f"GET {path}", 200)
    for path in (
        "/branches/topic",
        "/tags",
        "/codeowners/errors",
        "/collaborators",
        "/collaborators/guest/permission",
        "/git/ref/heads/main",
    ):
        call(f"GET {path}", 200)
    call("GET /collaborators/guest", 204)
    call("GET /git/matching-refs/heads", 200)
    text = base64.b64encode(b"new\n").decode()
    written = call("PUT /contents/new.txt", 201, {"message": "new", "content": text, "branch": "topic"})
    call("DELETE /contents/new.txt", 200, {"message": "gone", "sha": written["content"]["sha"], "branch": "topic"})
    blob = call("POST /git/blobs", 201, {"content": "hello"})["sha"]
    call(f"GET /git/blobs/{blob}", 200)
    parent = call("GET /git/ref/heads/topic", 200)["object"]["sha"]
    item = {"path": "x/y.txt", "mode": "100644", "type": "blob", "sha": blob}
    tree = call("POST /git/trees", 201, {"tree": [item], "base_tree": parent})["sha"]
    call(f"GET /git/trees/{tree}?recursive=1", 200)
    commit = call("POST /git/commits", 201, {"message": "made", "tree": tree, "parents": [parent]})["sha"]
    call(f"GET /git/commits/{commit}", 200)
    tag = call("POST /git/tags", 201, {"tag": "v1", "message": "m", "object": commit, "type": "commit"})["sha"]
    call(f"GET /git/tags/{tag}", 200)
    call("POST /git/refs", 201, {"ref": "refs/heads/made", "sha": parent})
    call("PATCH /git/refs/heads/made", 200, {"sha": commit})
    call("POST /merges", 201, {"base": "topic", "head": "made"})
    call("DELETE /git/refs/heads/made", 204)


def _play_pulls(player: Player) -> None:
    call = player.call
    pull = call("POST /pulls", 201, {"title": "T", "head": "topic", "base": "main", "body": "B"})
    own = f"/pulls/{pull['number']}"
    for path in ("/pulls?state=all", own, f"{own}/files", f"{own}/commits", f"{own}/requested_reviewers"):
        call(f"GET {path}", 200)
    call(f"GET /commits/{pull['head']['sha']}/pulls", 200)
    call(f"PATCH {own}", 200, {"title": "T2"})
    call(f"POST {own}/requested_reviewers", 201, {"reviewers": ["reviewer"]})
    call(f"DELETE {own}/requested_reviewers", 200, {"reviewers": ["reviewer"]})
    call(f"POST {own}/reviews", 200, {"event": "APPROVE", "body": "good"}, player.scene.person("reviewer"))
    call(f"GET {own}/reviews", 200)
    player.scene.push("main", {"c.txt": "3\n"}, "third")
    call(f"PUT {own}/update-branch", 202, {})
    call(f"PUT {own}/merge", 200, {"merge_method": "merge"})
    call(f"GET {own}/merge", 204)
    call(f"GET {own}", 200)


def _play_issues(player: Player) -> None:
    call = player.call
    number = call("POST /issues", 201, {"title": "drift", "labels": ["drift"], "assignees": ["developer"]})["number"]
    call("GET /issues?state=all", 200)
    call(f"GET /issues/{number}", 200)
    comment = call(f"POST /issues/{number}/comments", 201, {"body": "one"})["id"]
    for path in (f"/issues/{number}/comments", "/issues/comments", f"/issues/comments/{comment}", "/labels", f"/issues/{number}/labels"):
        call(f"GET {path}", 200)
    call(f"PATCH /issues/comments/{comment}", 200, {"body": "two"})
    call(f"DELETE /issues/comments/{comment}", 204)
    call("POST /labels", 201, {"name": "new", "color": "ff0000", "description": "d"})
    call("GET /labels/new", 200)
    call(f"POST /issues/{number}/labels", 200, {"labels": ["new"]})
    call(f"DELETE /issues/{number}/labels/new", 200)
    call(f"PATCH /issues/{number}", 200, {"state": "closed", "state_reason": "not_planned"})
    release = call("POST /releases", 201, {"tag_name": "v2", "name": "two", "generate_release_notes": True})["id"]
    for path in ("/releases", f"/releases/{release}", "/releases/latest", "/releases/tags/v2"):
        call(f"GET {path}", 200)
    call(f"PATCH /releases/{release}", 200, {"body": "more"})
    call("POST /releases/generate-notes", 200, {"tag_name": "v2"})


def _play_delivery(player: Player) -> None:
    call, scene = player.call, player.scene
    made = call("POST /deployments", 201, {"ref": "main", "auto_merge": False, "required_contexts": [], "payload": {"digest": "x"}})["id"]
    call(f"POST /deployments/{made}/statuses", 201, {"state": "success", "log_url": "http://127.0.0.1/x"})
    for path in ("/deployments", f"/deployments/{made}", f"/deployments/{made}/statuses"):
        call(f"GET {path}", 200)
    reviewer = scene.github.add_user("reviewer").id
    gate = {"wait_timer": 0, "prevent_self_review": True, "reviewers": [{"type": "User", "id": reviewer}]}
    gate["deployment_branch_policy"] = {"protected_branches": False, "custom_branch_policies": True}
    call("PUT /environments/production", 200, gate)
    call("POST /environments/production/deployment-branch-policies", 200, {"name": "main"})
    for path in ("", "/production", "/production/deployment-branch-policies", "/production/deployment_protection_rules"):
        call(f"GET /environments{path}", 200)
    for prefix in ("/environments/production/variables", "/actions/variables"):
        call(f"POST {prefix}", 201, {"name": "HOST", "value": "x"})
        call(f"GET {prefix}", 200)
        call(f"PATCH {prefix}/HOST", 204, {"value": "y"})
        assert call(f"GET {prefix}/HOST", 200)["value"] == "y"
        call(f"DELETE {prefix}/HOST", 204)
    call("PUT /environments/gone", 200, {})
    call("DELETE /environments/gone", 204)
    sha = scene.git("rev-parse", "main")
    call(f"POST /statuses/{sha}", 201, {"state": "success", "context": "ci", "description": "d"})
    for path in ("status", "statuses"):
        call(f"GET /commits/{sha}/{path}", 200)
    job = scene.job_client({"checks": "write"})
    note = {"path": "a.txt", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "m"}
    output = {"title": "t", "summary": "s", "annotations": [note]}
    check = call("POST /check-runs", 201, {"name": "plan", "head_sha": sha, "output": output}, job)["id"]
    call(f"PATCH /check-runs/{check}", 200, {"conclusion": "success"}, job)
    for path in (f"/check-runs/{check}", f"/check-runs/{check}/annotations", f"/commits/{sha}/check-runs"):
        call(f"GET {path}", 200, None, job)
    scene.github.add_rule(REPOSITORY, "pull_request", ["release"], {"required_approving_review_count": 1})
    rule = scene.github.add_rule(REPOSITORY, "non_fast_forward", ["release"])
    for path in ("/rules/branches/release", "/rulesets", f"/rulesets/{rule.ruleset_id}"):
        call(f"GET {path}", 200)
    call("PUT /actions/oidc/customization/sub", 201, {"use_default": True})
    call("GET /actions/oidc/customization/sub", 200)
    call("PUT /actions/permissions/workflow", 204, {"default_workflow_permissions": "read"})
    call("GET /actions/permissions/workflow", 200)


def _play_actions(player: Player, folder: Path) -> None:
    call, scene, github = player.call, player.scene, player.scene.github
    run = scene.run()
    job = github.add_job(run.id, "cd / deploy", environment="production", concurrency_group="production")
    github.request_deployment(job.id)
    own = f"/actions/runs/{run.id}"
    listed = call(f"GET {own}/pending_deployments", 200)
    answered = {"environment_ids": [listed[0]["environment"]["id"]], "state": "approved", "comment": "go"}
    call(f"POST {own}/pending_deployments", 200, answered, scene.person("reviewer"))
    (folder / "plan.json").write_text("{}")
    artifact = github.store_artifact(run.id, "plan", folder / "plan.json").id
    paths = [
        "/actions/runs",
        own,
        f"{own}/attempts/1",
        f"{own}/jobs",
        f"{own}/attempts/1/jobs",
        f"/actions/jobs/{job.id}",
        f"{own}/approvals",
    ]
    paths += [f"{own}/concurrency_groups", f"{own}/artifacts", "/actions/artifacts", f"/actions/artifacts/{artifact}", "/actions/workflows"]
    for path in [*paths, "/actions/workflows/cd.yml", "/actions/workflows/cd.yml/runs?event=push&status=queued"]:
        call(f"GET {path}", 200)
    call(f"GET /actions/artifacts/{artifact}/zip", 302)
    call(f"DELETE /actions/artifacts/{artifact}", 204)
    call(f"POST {own}/cancel", 202)
    call(f"POST {own}/force-cancel", 202)
    github.finish_job(job.id, "failure")
    github.finish_run(run.id)
    call(f"POST {own}/rerun-failed-jobs", 201)
    call(f"POST {own}/rerun", 201)
    call("POST /actions/workflows/cd.yml/dispatches", 204, {"ref": "main", "inputs": {"who": "me"}})
    call("POST /dispatches", 204, {"event_type": "go", "client_payload": {"a": 1}})
    proposer = scene.client(github.job_credentials(scene.job(scene.run()).id, {"pull-requests": "write"}).github_token)
    scene.push("proposal", {"p.txt": "p"}, "proposal")
    answer(proposer.post("/pulls", json={"title": "bot", "head": "proposal", "base": "main"}), 201)
    opened = next(each for each in reversed(github.events) if each.waits_for_approval)
    waiting = github.create_run(opened, name="CI", path=f"{FOLDER}/ci.yml")
    call(f"POST /actions/runs/{waiting.id}/approve", 201)


def _play_account(player: Player) -> None:
    root = player.scene.server.url
    for path in ("/rate_limit", "/user", "/user/repos", "/users/reviewer"):
        player.call(f"GET {root}{path}", 200)
    player.call(f"POST {root}/user/repos", 201, {"name": "own"})
    player.call(f"POST {root}/orgs/team/repos", 201, {"name": "second", "private": True})


def _play_apps(player: Player) -> None:
    scene = player.scene
    app, key = scene.github.register_app("adopter", {"contents": "write", "workflows": "write"})
    number = scene.github.install_app(app, REPOSITORY)
    client = scene.client(app_login(app.id, key))
    player.call("GET /installation", 200, None, client)
    root = scene.server.url
    player.call(f"POST {root}/app/installations/{number}/access_tokens", 201, {"repositories": ["iris"]}, client)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answers]:
    folder = tmp_path_factory.mktemp("github")
    scene = Scene(folder)
    try:
        player = Player(scene)
        _play_account(player)
        _play_apps(player)
        _play_code(player)
        _play_pulls(player)
        _play_issues(player)
        _play_delivery(player)
        _play_actions(player, folder)
        yield player.answers
    finally:
        scene.close()


@pytest.mark.parametrize("name", sorted(set(ALL) - NOT_DESCRIBED - NEVER_THERE))
def test_answers_fit_the_description(name: str, answers: Answers) -> None:
    assert answers.get(name), f"nothing asked for {name}"
    for status, given in answers[name]:
        schema = DESCRIBED[name]["responses"].get(str(status), {"not": {}})
        if schema is None:
            assert given in (None, {}), f"{name}: the description has no body"
            continue
        errors = list(Draft202012Validator({**schema, "$defs": CONTRACT["$defs"]}).iter_errors(given))
        assert not errors, "\n".join(f"{error.json_path}: {error.message[:300]}" for error in errors[:5])


@pytest.mark.parametrize("name", sorted(set(ALL) - NOT_DESCRIBED))
def test_takes_nothing_that_is_not_described(name: str) -> None:
    endpoint = ALL[name]
    assert set(endpoint.body or ()) <= set(DESCRIBED[name]["body"])
    assert set(endpoint.query) <= set(DESCRIBED[name]["query"])


def test_required_fields_are_really_checked() -> None:
    pull = DESCRIBED["GET /repos/{owner}/{repo}/pulls/{number}"]["responses"]["200"]
    errors = list(Draft202012Validator({**pull, "$defs": CONTRACT["$defs"]}).iter_errors({}))
    assert len(errors) >= 40, "the description requires 42 fields of a pull request"


def test_artifact_bytes_come_from_the_address_in_the_answer(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    try:
        run = scene.run()
        (tmp_path / "plan.json").write_text("{}")
        artifact = scene.github.store_artifact(run.id, "plan", tmp_path / "plan.json")
        client = scene.person("developer")
        location = client.get(f"/actions/artifacts/{artifact.id}/zip").headers["location"]
        (tmp_path / "got.zip").write_bytes(httpx.get(location, trust_env=False).content)
        assert zipfile.ZipFile(tmp_path / "got.zip").read("plan.json") == b"{}"
        scene.github.clock.advance(61)
        assert httpx.get(location, trust_env=False).status_code == 403, "the address holds for a minute"
    finally:
        scene.close()
