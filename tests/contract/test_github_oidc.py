"""OIDC tokens of jobs: asked for as runners' clients do, verified by the issuer's keys, with GitHub's claims and subjects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jwt
import pytest
from github_support import REPOSITORY, Scene

from rehearsal.github.model_actions import Job, JobCredentials


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("github"))
    yield made
    made.close()


def _credentials(scene: Scene, job: Job) -> JobCredentials:
    return scene.github.job_credentials(job.id, {"id-token": "write"})


def _ask(credentials: JobCredentials, audience: str) -> httpx.Response:
    headers = {"Authorization": f"bearer {credentials.oidc_token}"}
    return httpx.get(f"{credentials.oidc_url}&audience={audience}", headers=headers, trust_env=False)


def _verified(scene: Scene, token: str, audience: str) -> dict[str, Any]:
    """Verify as a relying party does: discovery, key set, signature, issuer, audience, times."""
    issuer = f"{scene.server.url}/_oidc"
    discovery = httpx.get(f"{issuer}/.well-known/openid-configuration", trust_env=False).json()
    assert discovery["issuer"] == issuer
    keys = jwt.PyJWKSet.from_dict(httpx.get(discovery["jwks_uri"], trust_env=False).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key.key, algorithms=["RS256"], audience=audience, issuer=issuer)


def _claims(scene: Scene, job: Job, audience: str = "workspace") -> dict[str, Any]:
    return _verified(scene, _ask(_credentials(scene, job), audience).json()["value"], audience)


def test_a_token_verifies_and_tells_who_asks(scene: Scene) -> None:
    run = scene.run()
    callee = "bundleflow/bundleflow/.github/workflows/cd-prod.yml@refs/heads/main"
    job = scene.github.add_job(run.id, "cd / deploy", environment="staging", workflow_ref=callee, workflow_sha="a" * 40)
    claims = _claims(scene, job)
    expected = {
        "sub": f"repo:{REPOSITORY}:environment:staging",
        "aud": "workspace",
        "repository": REPOSITORY,
        "repository_id": str(scene.repository.id),
        "repository_owner": "team",
        "repository_visibility": "private",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "sha": run.sha,
        "run_id": str(run.id),
        "run_attempt": "1",
        "check_run_id": str(job.id),
        "event_name": "push",
        "environment": "staging",
        "actor": "developer",
        "job_workflow_ref": callee,
        "job_workflow_sha": "a" * 40,
        "workflow_ref": f"{REPOSITORY}/.github/workflows/cd.yml@refs/heads/main",
        "runner_environment": "github-hosted",
    }
    assert {name: claims[name] for name in expected} == expected
    assert claims["exp"] - claims["iat"] == 300
    assert all(isinstance(claims[name], str) for name in ("run_number", "actor_id", "repository_owner_id", "ref_protected"))


def test_the_subject_without_an_environment(scene: Scene) -> None:
    assert _claims(scene, scene.job(scene.run()))["sub"] == f"repo:{REPOSITORY}:ref:refs/heads/main"
    scene.push("oidc", {"o.txt": "o"}, "o")
    pull = scene.github.open_pull(REPOSITORY, "developer", "oidc", "main", "O")
    run = scene.github.create_run(scene.github.events[-1], name="CI", path=".github/workflows/ci.yml")
    claims = _claims(scene, scene.job(run))
    assert claims["sub"] == f"repo:{REPOSITORY}:pull_request"
    assert (claims["ref"], claims["head_ref"], claims["base_ref"]) == (f"refs/pull/{pull.number}/merge", "oidc", "main")
    assert claims["sha"] == pull.merge_commit_sha, "GITHUB_SHA is the test merge"


def test_the_subject_with_ids(scene: Scene) -> None:
    owner = scene.github.add_user("team").id
    scene.repository.oidc.use_immutable_subject = True
    try:
        subject = _claims(scene, scene.job(scene.run(), "production"))["sub"]
        told = scene.person("developer").get("/actions/oidc/customization/sub").json()
    finally:
        scene.repository.oidc.use_immutable_subject = False
    assert subject == f"repo:team@{owner}/iris@{scene.repository.id}:environment:production"
    assert subject.startswith(told["sub_claim_prefix"] + ":")


def test_the_subject_by_chosen_claims(scene: Scene) -> None:
    developer = scene.person("developer")
    chosen = {"use_default": False, "include_claim_keys": ["repository_owner", "context", "job_workflow_ref"]}
    assert developer.put("/actions/oidc/customization/sub", json=chosen).status_code == 201
    try:
        subject = _claims(scene, scene.job(scene.run(), "staging"))["sub"]
    finally:
        developer.put("/actions/oidc/customization/sub", json={"use_default": True})
    workflow = f"{REPOSITORY}/.github/workflows/cd.yml@refs/heads/main"
    assert subject == f"repository_owner:team:environment:staging:job_workflow_ref:{workflow}"
    refused = developer.put("/actions/oidc/customization/sub", json={"use_default": False, "include_claim_keys": ["colour"]})
    assert (refused.status_code, "colour" in refused.text) == (422, True)


def test_a_colon_in_an_environments_name_cannot_forge_a_subject(scene: Scene) -> None:
    assert _claims(scene, scene.job(scene.run(), "a:ref:refs/heads/main"))["sub"].endswith(":environment:a%3Aref%3Arefs/heads/main")


def test_without_the_permission_there_is_no_address(scene: Scene) -> None:
    credentials = scene.github.job_credentials(scene.job(scene.run()).id, {"contents": "write"})
    assert (credentials.oidc_url, credentials.oidc_token) == ("", "")


def test_the_request_token_is_that_jobs_alone_and_ends_with_it(scene: Scene) -> None:
    run = scene.run()
    one, other = scene.job(run), scene.job(run, name="other")
    mine, theirs = _credentials(scene, one), _credentials(scene, other)
    swapped = httpx.get(f"{theirs.oidc_url}&audience=x", headers={"Authorization": f"bearer {mine.oidc_token}"}, trust_env=False)
    assert swapped.status_code == 401
    api = httpx.get(f"{mine.oidc_url}&audience=x", headers={"Authorization": f"bearer {mine.github_token}"}, trust_env=False)
    assert api.status_code == 401, "GITHUB_TOKEN is not the request token"
    assert scene.client(mine.oidc_token).get("/branches").status_code in (403, 404), "nor the other way round"
    scene.github.finish_job(one.id, "success")
    assert _ask(mine, "x").status_code == 401


def test_the_default_audience_is_the_owner(scene: Scene) -> None:
    credentials = _credentials(scene, scene.job(scene.run()))
    value = httpx.get(credentials.oidc_url, headers={"Authorization": f"bearer {credentials.oidc_token}"}, trust_env=False).json()["value"]
    assert _verified(scene, value, f"{scene.server.url}/team")["aud"] == f"{scene.server.url}/team"


def test_the_official_sdks_supplier_gets_a_token(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from databricks.sdk.oidc_token_supplier import GitHubOIDCTokenSupplier

    credentials = _credentials(scene, scene.job(scene.run(), "staging"))
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", credentials.oidc_url)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", credentials.oidc_token)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    token = GitHubOIDCTokenSupplier().get_oidc_token("https://accounts.example")
    assert token
    assert _verified(scene, token, "https://accounts.example")["sub"] == f"repo:{REPOSITORY}:environment:staging"
