"""What lies beside the REST API: the OIDC issuer, and the store that artifacts are put into and fetched from."""

from __future__ import annotations

from rehearsal.github import artifacts, oidc
from rehearsal.github.api.call import Answer, Call, Endpoint
from rehearsal.github.errors import GitHubError
from rehearsal.github.render import actions as render

ZIP = {"Content-Type": "application/zip"}


def discovery(call: Call) -> Answer:
    """Give the discovery: `GET /_oidc/.well-known/openid-configuration`."""
    return Answer(oidc.discovery(call.state))


def jwks(call: Call) -> Answer:
    """Give the jwks: `GET /_oidc/.well-known/jwks`."""
    return Answer(call.keys.jwks())


def token(call: Call) -> Answer:
    """Give a job its OIDC token, as `$ACTIONS_ID_TOKEN_REQUEST_URL&audience=...` does."""
    value = oidc.issue(call.state, call.keys, call.who.value, call.number("run_id"), call.number("job_id"), call.query.get("audience", ""))
    return Answer({"count": len(value), "value": value})


def _check_run(call: Call) -> int:
    """Give the run; only its own jobs may store and fetch by name."""
    run_id = call.number("run_id")
    if call.who.kind != "job" or call.who.run_id != run_id:
        raise GitHubError(403, "Only a job of this run may use its artifacts by name; others go by the REST API.")
    return run_id


def upload(call: Call) -> Answer:
    """Keep a zip file as an artifact of the job's run."""
    if not isinstance(call.body, bytes):
        raise GitHubError(422, "The body has to be the zip file.")
    made = artifacts.store_zip(call.state, _check_run(call), call.parts["name"], call.body)
    return Answer(render.artifact(call.state, made), 201)


def fetch(call: Call) -> Answer:
    """Give an artifact of the job's run."""
    return Answer(artifacts.find(call.state, _check_run(call), call.parts["name"]).path.read_bytes(), headers=ZIP)


def download(call: Call) -> Answer:
    """Give the artifact of an address that the REST API gave out."""
    artifact_id = call.state.download_links.artifact_id(call.parts["secret"], call.state.clock.now())
    return Answer(artifacts.get(call.state, artifact_id).path.read_bytes(), headers=ZIP)


ENDPOINTS = [
    Endpoint("GET", "/_oidc/.well-known/openid-configuration", discovery),
    Endpoint("GET", "/_oidc/.well-known/jwks", jwks),
    Endpoint("GET", "/_oidc/token/{run_id}/{job_id}", token, query=("api-version", "audience")),
    Endpoint("GET", "/_local/artifacts/download/{secret}", download),
    Endpoint("PUT", "/_local/artifacts/{run_id}/{name}", upload, body=None),
    Endpoint("GET", "/_local/artifacts/{run_id}/{name}", fetch),
]
