"""GitHub Apps: the login by JWT, tokens narrowed to an installation, and who may change workflow files."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import httpx
import pytest
from github_support import REPOSITORY, Scene, answer, app_login

from rehearsal.github.access import PERMISSION_KEYS
from rehearsal.github.model_actions import App

WANTED = {"contents": "write", "pull_requests": "write", "workflows": "write"}
CALLER = ".github/workflows/new.yml"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("github"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def app(scene: Scene) -> tuple[App, str, int]:
    registered, key = scene.github.register_app("adopter", WANTED)
    return registered, key, scene.github.install_app(registered, REPOSITORY)


def token(scene: Scene, app: tuple[App, str, int], body: dict[str, object], status: int = 201) -> dict[str, object]:
    registered, key, number = app
    client = scene.client(app_login(registered.id, key))
    return answer(client.post(f"{scene.server.url}/app/installations/{number}/access_tokens", json=body), status)


def put(client: httpx.Client, path: str, branch: str = "main") -> httpx.Response:
    content = base64.b64encode(path.encode()).decode()
    return client.put(f"/contents/{path}", json={"message": "m", "content": content, "branch": branch})


def test_an_installation_token_has_what_was_asked_for_and_no_more(scene: Scene, app: tuple[App, str, int]) -> None:
    narrow = token(scene, app, {"permissions": {"contents": "read"}, "repositories": ["iris"]})
    assert narrow["permissions"] == {"contents": "read"}
    client = scene.client(str(narrow["token"]))
    assert client.get("/contents/a.txt").status_code == 200
    assert put(client, "b.txt").status_code == 403
    refused = token(scene, app, {"permissions": {"administration": "write"}}, 422)
    assert "not granted" in str(refused["message"])
    token(scene, app, {"repositories": ["other"]}, 422)


def test_a_login_must_be_the_apps_own_and_short(scene: Scene, app: tuple[App, str, int]) -> None:
    registered, key, _ = app
    other, other_key = scene.github.register_app("other", WANTED)
    url = f"{scene.server.url}/repos/{REPOSITORY}/installation"
    for value, status in (
        (app_login(registered.id, key), 200),
        (app_login(registered.id, other_key), 401),
        (app_login(registered.id, key, seconds=3600), 401),
        (app_login(registered.id, key, seconds=-3600), 401),
        ("a.b.c", 401),
        (app_login(other.id, other_key), 404),
    ):
        assert scene.client(value).get(url).status_code == status


def test_an_apps_login_is_no_token_for_the_repository(scene: Scene, app: tuple[App, str, int]) -> None:
    client = scene.client(app_login(app[0].id, app[1]))
    assert put(client, "c.txt").status_code == 403
    assert client.get("/contents/a.txt").status_code == 403


def test_workflow_files_are_changed_only_with_the_permission_for_it(scene: Scene, app: tuple[App, str, int]) -> None:
    """GITHUB_TOKEN cannot have it, whatever `permissions:` say; neither by a file, a tree, nor a reference to commits of others."""
    job = scene.job_client(dict.fromkeys(PERMISSION_KEYS, "write"))
    plain = scene.client(str(token(scene, app, {"permissions": {"contents": "write"}})["token"]))
    scene.git("checkout", "--quiet", "--detach", "origin/main")
    for client in (job, plain):
        refused = put(client, CALLER)
        assert refused.status_code == 403
        assert refused.headers["x-accepted-github-permissions"] == "workflows=write"
        tree = {"tree": [{"path": CALLER, "mode": "100644", "type": "blob", "content": "on: push"}]}
        assert client.post("/git/trees", json=tree).status_code == 403
        assert put(client, f"{client is job}.txt").status_code == 201
    full = scene.client(str(token(scene, app, {"permissions": WANTED})["token"]))
    head = answer(full.get("/git/ref/heads/main"))["object"]["sha"]
    base = answer(full.get(f"/git/commits/{head}"))["tree"]["sha"]
    made = answer(full.post("/git/trees", json={**tree, "base_tree": base}), 201)["sha"]
    commit = answer(full.post("/git/commits", json={"message": "m", "tree": made, "parents": [head]}), 201)["sha"]
    reference = {"ref": "refs/heads/adopt", "sha": commit}
    assert job.post("/git/refs", json=reference).status_code == 403
    assert plain.post("/git/refs", json=reference).status_code == 403
    assert full.post("/git/refs", json=reference).status_code == 201
