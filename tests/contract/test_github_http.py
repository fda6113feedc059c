"""The manners of GitHub's API that every client relies on: errors, paging, ETags, prefixes, limits, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import pytest
from github_support import REPOSITORY, Scene, answer

from rehearsal.github.model_actions import Event, Step


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("github"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def developer(scene: Scene) -> httpx.Client:
    return scene.person("developer")


def test_errors_have_githubs_shape(developer: httpx.Client) -> None:
    missing = answer(developer.get("/issues/9999"), 404)
    assert missing == {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
    wrong = answer(developer.post("/labels", json={"name": ""}), 422)
    assert wrong["errors"] == [{"resource": "Label", "field": "name", "code": "missing_field"}]
    assert answer(developer.post("/labels", content=b"{", headers={"Content-Type": "application/json"}), 400)["status"] == "400"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/hooks"), ("GET", "/actions/runs/1/logs"), ("POST", "/attestations"), ("PATCH", ""), ("GET", "/teams")],
)
def test_what_is_not_imitated_is_refused_by_name(developer: httpx.Client, method: str, path: str) -> None:
    refused = answer(developer.request(method, path or str(developer.base_url).rstrip("/"), json={}), 404)
    assert refused["message"] == f"Not Found: {method} /repos/{REPOSITORY}{path} is not imitated by this stand-in for GitHub."


def test_fields_and_parameters_that_are_not_heeded_are_refused_by_name(developer: httpx.Client) -> None:
    assert '"milestone" is not a permitted key' in answer(developer.post("/issues", json={"title": "x", "milestone": 1}), 422)["message"]
    assert "`mentioned`" in answer(developer.get("/issues", params={"mentioned": "x"}), 422)["message"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/issues", {"title": 5}, "title"),
        ("/issues", {"title": "x", "labels": [1]}, "labels"),
        ("/pulls", {"head": "a", "base": "b", "title": "t", "draft": "yes"}, "draft"),
        ("/deployments", {"ref": "main", "required_contexts": "ci"}, "required_contexts"),
        ("/git/commits", {"message": "m", "tree": "t", "author": "me"}, "author"),
    ],
)
def test_values_of_the_wrong_kind_are_refused_by_name(developer: httpx.Client, path: str, body: dict[str, object], field: str) -> None:
    assert f"properties/{field}" in answer(developer.post(path, json=body), 422)["message"]


def test_lists_come_in_pages_with_links(scene: Scene, developer: httpx.Client) -> None:
    for number in range(5):
        answer(developer.post("/labels", json={"name": f"page-{number}"}), 201)
    first = developer.get("/labels", params={"per_page": 2})
    assert [each["name"] for each in answer(first)] == ["page-0", "page-1"]
    assert set(first.links) == {"next", "last"}
    second = developer.get(first.links["next"]["url"])
    assert [each["name"] for each in answer(second)] == ["page-2", "page-3"]
    assert set(second.links) == {"prev", "first", "next", "last"}
    last = developer.get(second.links["last"]["url"])
    assert [each["name"] for each in answer(last)] == ["page-4"]
    assert set(last.links) == {"prev", "first"}
    assert answer(developer.get("/labels", params={"page": 9})) == []
    assert "link" not in developer.get("/labels").headers


def test_a_page_has_at_most_a_hundred(scene: Scene, developer: httpx.Client) -> None:
    issue = answer(developer.post("/issues", json={"title": "long"}), 201)["number"]
    for number in range(101):
        scene.github.comment(REPOSITORY, issue, "developer", str(number))
    shown = developer.get(f"/issues/{issue}/comments", params={"per_page": 500})
    assert len(answer(shown)) == 100
    assert [each["body"] for each in answer(developer.get(shown.links["next"]["url"]))] == ["100"]


def test_an_unchanged_answer_is_a_304(developer: httpx.Client) -> None:
    first = developer.get("/branches/main")
    again = developer.get("/branches/main", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert developer.get("/branches/main", headers={"If-None-Match": 'W/"other"'}).status_code == 200


def test_the_enterprise_prefix_is_kept_in_addresses(scene: Scene) -> None:
    client = scene.person("developer", prefix="/api/v3")
    repository = answer(client.get(f"{scene.server.url}/api/v3/repos/{REPOSITORY}"))
    assert repository["url"] == f"{scene.server.url}/api/v3/repos/{REPOSITORY}"
    assert answer(client.get(repository["url"]))["id"] == repository["id"]
    assert "/api/v3" not in answer(client.get(f"{scene.server.url}/repos/{REPOSITORY}"))["url"]


def test_names_are_found_in_any_case_of_letters(scene: Scene, developer: httpx.Client) -> None:
    found = answer(developer.get(f"{scene.server.url}/repos/Team/IRIS"))
    assert found["full_name"] == REPOSITORY


def test_limits_are_shown_and_secondary_limits_can_be_tried(scene: Scene, developer: httpx.Client) -> None:
    seen = [int(developer.get("/branches").headers["x-ratelimit-remaining"]) for _ in range(2)]
    assert seen[1] == seen[0] - 1
    scene.github.trouble("GET", "/repos/.*/branches", 429, times=2, headers={"Retry-After": "1"})
    for _ in range(2):
        limited = developer.get("/branches")
        assert (limited.status_code, limited.headers["retry-after"]) == (429, "1")
        assert "secondary rate limit" in limited.json()["message"]
    assert developer.get("/branches").status_code == 200


@pytest.mark.parametrize("name", ["a b", "ünïcode", "$(touch x)", "`x`", "-rf", "a\nb", "%0A", "‮abc", "<b>", "x" * 300])
def test_hostile_texts_come_back_as_they_went_in(developer: httpx.Client, name: str) -> None:
    issue = answer(developer.post("/issues", json={"title": name, "body": name}), 201)
    assert (issue["title"], issue["body"]) == (name, name)
    assert answer(developer.get(f"/issues/{issue['number']}"))["title"] == name


@pytest.mark.parametrize("path", ["../../etc/passwd", ".git/config", "a/../b", "a//b"])
def test_paths_do_not_leave_the_tree(developer: httpx.Client, path: str) -> None:
    item = {"path": path, "mode": "100644", "type": "blob", "content": "x"}
    assert "path" in answer(developer.post("/git/trees", json={"tree": [item]}), 422)["message"]


def test_pathspecs_and_options_are_plain_names(scene: Scene, developer: httpx.Client) -> None:
    head = answer(developer.get("/git/ref/heads/main"))["object"]["sha"]
    removed = {"path": "*", "mode": "100644", "type": "blob", "sha": None}
    tree = answer(developer.post("/git/trees", json={"tree": [removed], "base_tree": head}), 201)
    assert {each["path"] for each in tree["tree"]} >= {"a.txt", "CODEOWNERS"}, "`*` is a file's name, not all files"
    assert developer.get("/commits/--all").status_code == 422
    assert developer.get("/git/trees/--help").status_code == 404
    assert answer(developer.get("/commits", params={"path": "a.txt"}))[-1]["commit"]["message"] == "first"
    assert answer(developer.get("/commits", params={"path": "*.txt"})) == []


def test_null_bytes_and_half_surrogates_are_refused(developer: httpx.Client) -> None:
    assert developer.post("/git/refs", json={"ref": "refs/heads/a\x00b", "sha": "0" * 40}).status_code == 422
    half = b'{"title": "\\ud800"}'
    assert developer.post("/issues", content=half, headers={"Content-Type": "application/json"}).status_code == 400


def test_the_log_has_every_request_and_no_credential(scene: Scene) -> None:
    job = scene.job(scene.run())
    credentials = scene.github.job_credentials(job.id, {"contents": "read", "id-token": "write"})
    client = scene.client(credentials.github_token)
    client.get("/branches", headers={"User-Agent": "checker"})
    oidc = httpx.get(f"{credentials.oidc_url}&audience=x", headers={"Authorization": f"bearer {credentials.oidc_token}"}, trust_env=False)
    text = scene.log_file.read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    entry = next(line for line in reversed(lines) if line["user_agent"] == "checker")
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", f"/repos/{REPOSITORY}/branches", 200)
    assert (entry["login"], entry["token"]) == ("github-actions[bot]", "job")
    assert all(len(json.dumps(line["response"])) <= 5000 for line in lines)
    for secret in (credentials.github_token, credentials.oidc_token, oidc.json()["value"]):
        assert secret not in text


@pytest.mark.parametrize("name", ["eu/production", "a b", "ünïcode", "50%"])
def test_environments_and_labels_with_odd_names(scene: Scene, developer: httpx.Client, name: str) -> None:
    quoted = quote(name, safe="")
    scene.github.set_environment(REPOSITORY, name, reviewers=["reviewer"], branches=["main"])
    assert answer(developer.get(f"/environments/{quoted}"))["name"] == name
    assert answer(developer.get(f"/environments/{quoted}/deployment-branch-policies"))["branch_policies"][0]["name"] == "main"
    answer(developer.post("/labels", json={"name": name}), 201)
    assert answer(developer.get(f"/labels/{quoted}"))["name"] == name


def test_codeowners_errors_name_the_file_and_line(scene: Scene, developer: httpx.Client) -> None:
    scene.push("owners", {"CODEOWNERS": "*.py @reviewer\n# note\n/x @nobody\n"}, "owners")
    found = answer(developer.get("/codeowners/errors", params={"ref": "owners"}))["errors"]
    assert [(each["path"], each["line"], each["source"]) for each in found] == [("CODEOWNERS", 3, "/x @nobody")]
    assert answer(developer.get("/codeowners/errors"))["errors"] == []


def test_a_dispatch_can_name_the_run_that_it_started(scene: Scene, developer: httpx.Client) -> None:
    body = {"ref": "main", "inputs": {"who": "me"}, "return_run_details": True}

    def start(event: Event) -> None:
        if event.name == "workflow_dispatch":
            scene.github.create_run(event, name="CD", path=str(event.payload["workflow"]))

    scene.github.subscribe(start)
    named = answer(developer.post("/actions/workflows/cd.yml/dispatches", json=body))
    run = answer(developer.get(f"/actions/runs/{named['workflow_run_id']}"))
    assert (run["event"], run["path"], run["url"]) == ("workflow_dispatch", ".github/workflows/cd.yml", named["run_url"])


def test_many_at_once_do_not_disturb_each_other(scene: Scene) -> None:
    token = scene.github.user_token("developer")
    issue = scene.person("developer").post("/issues", json={"title": "busy"}).json()["number"]

    def work(number: int) -> int:
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60) as client:
            made = client.post(f"{scene.server.url}/repos/{REPOSITORY}/issues/{issue}/comments", json={"body": str(number)})
            head = scene.github.repository(REPOSITORY).refs["refs/heads/main"]
            client.post(f"{scene.server.url}/repos/{REPOSITORY}/git/refs", json={"ref": f"refs/heads/busy-{number}", "sha": head})
            return int(answer(made, 201)["id"])

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(work, range(24)))
    assert len(set(ids)) == 24
    assert {each.body for each in scene.github.comments(REPOSITORY, issue)} == {str(number) for number in range(24)}
    pushed = [each.ref for each in scene.github.events if each.name == "push" and "busy-" in each.ref]
    assert sorted(pushed) == sorted(f"refs/heads/busy-{number}" for number in range(24)), "each push is an event, once"


def test_mergeable_is_null_while_github_computes(scene: Scene, developer: httpx.Client) -> None:
    scene.push("slow", {"slow.txt": "s"}, "slow")
    number = scene.github.open_pull(REPOSITORY, "developer", "slow", "main", "Slow").number
    scene.github.compute_mergeable_slowly(REPOSITORY, number)
    first, second = (answer(developer.get(f"/pulls/{number}")) for _ in range(2))
    assert (first["mergeable"], first["mergeable_state"]) == (None, "unknown")
    assert (second["mergeable"], second["mergeable_state"]) == (True, "clean")


def test_steps_are_shown_while_the_job_runs(scene: Scene, developer: httpx.Client) -> None:
    job = scene.job(scene.run())
    scene.github.start_job(job.id)
    scene.github.set_steps(job.id, [Step("Deploy", 1, status="in_progress", conclusion=None)])
    shown = answer(developer.get(f"/actions/jobs/{job.id}"))
    assert [(each["name"], each["status"], each["conclusion"]) for each in shown["steps"]] == [("Deploy", "in_progress", None)]
