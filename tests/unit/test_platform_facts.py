"""scripts/platform: each fact is taken where GitHub's answers say so, and refused with what was found where they do not."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "platform"
SHA = "1" * 40
RUN = "/actions/runs/7"
JOBS = f"{RUN}/attempts/1/jobs?per_page=100"
ENVIRONMENT = {
    "GITHUB_REPOSITORY": "team/kit",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_SHA": SHA,
    "GITHUB_REF_NAME": "main",
    "GITHUB_WORKFLOW_REF": "team/kit/.github/workflows/self-platform.yml@refs/heads/main",
    "PLATFORM_MASKED": "",
    "PLATFORM_PLAIN": "plain",
}


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("platform_facts", str(SCRIPT))
    specification = importlib.util.spec_from_loader("platform_facts", loader)
    assert specification
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(module, "LIMIT_S", 0)
    return module


def answer(module: ModuleType, monkeypatch: pytest.MonkeyPatch, answers: dict[str, Any]) -> list[tuple[str, str]]:
    """Let GitHub answer: `METHOD path` (or a path, for GET with 200) → (status, body) or body."""
    asked: list[tuple[str, str]] = []

    def ask(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        asked.append((method, path))
        found = answers[path] if method == "GET" and path in answers else answers[f"{method} {path}"]
        return found if isinstance(found, tuple) else (200, found)

    monkeypatch.setattr(module, "ask", ask)
    return asked


def queue(*times: tuple[str, str], conclusion: str = "success") -> dict[str, Any]:
    return {
        "jobs": [
            {"id": number, "name": f"queue {number}", "conclusion": conclusion, "started_at": begun, "completed_at": ended}
            for number, (begun, ended) in enumerate(times)
        ]
    }


REVIEW = {"state": "approved", "user": {"login": "release-manager"}, "environments": [{"name": "self-platform-gate"}]}
GATE = [{"environment": {"name": "self-platform-gate"}, "reviewers": [{"type": "User"}]}]
NEW, OLD = {"id": 1, "created_at": "2026-01-01T00:05:00Z"}, {"id": 2, "created_at": "2025-01-01T00:00:00Z"}
QUIET = f"/deployments?environment=self-platform&sha={SHA}"
RECORDED = f"/deployments?environment=self-platform-recorded&sha={SHA}"
STARTED = {"run_started_at": "2026-01-01T00:00:00Z"}
OWN = {"jobs": [{"id": 3, "name": "gated", "status": "waiting", "created_at": "2026-01-01T00:00:00Z"}]}
OLDER = "/actions/workflows/self-platform.yml/runs?per_page=20"
REFUSAL = {"message": "Resource not accessible by integration"}


def older(conclusion: str, started: str) -> dict[str, Any]:
    return {
        JOBS: OWN,
        OLDER: {"workflow_runs": [{"id": 5, "updated_at": "2026-01-01T00:09:00Z"}]},
        "/actions/runs/5/jobs": {"jobs": [{"name": "gated", "conclusion": conclusion, "started_at": started, "html_url": "there"}]},
    }


CASES: list[tuple[str, dict[str, Any], str]] = [
    ("limited-token", {"POST /deployments": (403, REFUSAL)}, ""),
    ("limited-token", {"POST /deployments": (201, {"id": 1})}, "found 201"),
    ("limited-token", {"POST /deployments": (403, {"message": "rate limit"})}, "rate limit"),
    ("gate-waits", {f"{RUN}/pending_deployments": GATE, JOBS: OWN}, ""),
    ("gate-waits", {f"{RUN}/pending_deployments": []}, "needs a required reviewer"),
    ("gate-waits", {f"{RUN}/pending_deployments": [{**GATE[0], "reviewers": []}]}, "no reviewers"),
    ("approval", {f"{RUN}/approvals": [REVIEW]}, ""),
    ("approval", {f"{RUN}/approvals": []}, "found []"),
    ("approval", {f"{RUN}/approvals": [{**REVIEW, "created_at": "now"}]}, "has a time now"),
    ("queue-keeps-order", {JOBS: queue(("01", "02"), ("02", "03"), ("04", "05"))}, ""),
    ("queue-keeps-order", {JOBS: queue(("01", "03"), ("02", "04"), ("05", "06"))}, "found"),
    ("queue-keeps-order", {JOBS: queue(("03", "04"), ("01", "02"), ("05", "06"))}, "found"),
    ("queue-keeps-order", {JOBS: queue(("01", "02"), ("02", "03"))}, "found"),
    ("queue-keeps-order", {JOBS: queue(("01", "02"), ("02", "03"), ("04", "05"), conclusion="cancelled")}, "cancelled"),
    ("newer-supersedes", older("cancelled", "2026-01-01T00:01:00Z"), ""),
    ("newer-supersedes", older("success", "2025-12-31T23:59:00Z"), ""),
    ("newer-supersedes", older("success", "2026-01-01T00:01:00Z"), "went on"),
    ("records", {RUN: STARTED, QUIET: [], RECORDED: [NEW, OLD]}, ""),
    ("records", {RUN: STARTED, QUIET: [NEW], RECORDED: [NEW]}, "found"),
    ("records", {RUN: STARTED, QUIET: [], RECORDED: [OLD]}, "found"),
    ("own-files", {RUN: {"referenced_workflows": [{"path": "team/kit/.github/workflows/_platform-probe.yml@x", "sha": SHA}]}}, ""),
    ("own-files", {RUN: {"referenced_workflows": []}}, "found []"),
    ("own-files", {RUN: (404, {"message": "Not Found"})}, "404: Not Found"),
    ("bot-pull-request", {"/branches/self-platform/bot": (404, None)}, "no branch"),
]


@pytest.mark.parametrize(("fact", "answers", "complaint"), CASES)
def test_a_fact(platform: ModuleType, monkeypatch: pytest.MonkeyPatch, fact: str, answers: dict[str, Any], complaint: str):
    answer(platform, monkeypatch, answers)
    if not complaint:
        platform.FACTS[fact]()
        return
    with pytest.raises(platform.FactError) as caught:
        platform.FACTS[fact]()
    assert complaint in str(caught.value)


@pytest.mark.parametrize(("conclusion", "complaint"), [("action_required", ""), ("success", "success"), (None, "no run was filed")])
def test_a_bots_pull_request_is_closed_again(platform: ModuleType, monkeypatch: pytest.MonkeyPatch, conclusion: str | None, complaint: str):
    runs = [{"created_at": "2026-01-02", "conclusion": conclusion, "status": "completed"}] if conclusion else []
    answers = {
        "/branches/self-platform/bot": {"commit": {"sha": SHA}},
        "POST /pulls": (201, {"number": 4, "created_at": "2026-01-01"}),
        f"/actions/runs?event=pull_request&head_sha={SHA}": {"workflow_runs": runs},
        "PATCH /pulls/4": {},
    }
    asked = answer(platform, monkeypatch, answers)
    monkeypatch.setattr(platform, "LIMIT_S", 1 if conclusion else 0)
    if complaint:
        with pytest.raises(platform.FactError, match=complaint):
            platform.bot_pull_request()
    else:
        platform.bot_pull_request()
    assert asked[-1] == ("PATCH", "/pulls/4")


CLAIMS = {
    "sub": "repo:team/kit:environment:self-platform",
    "aud": "self-platform",
    "environment": "self-platform",
    "repository": "team/kit",
    "run_id": "7",
    "run_attempt": "1",
    "sha": SHA,
    "job_workflow_ref": "x",
    "job_workflow_sha": SHA,
    "check_run_id": "8",
}


@pytest.mark.parametrize("claim", [None, *(name for name in CLAIMS)])
def test_claims_of_the_identity(platform: ModuleType, claim: str | None):
    claims = {name: value for name, value in CLAIMS.items() if name != claim}
    if claim is None:
        platform.check_claims(claims)
        return
    with pytest.raises(platform.FactError):
        platform.check_claims(claims)


def test_outputs_and_identity(platform: ModuleType, monkeypatch: pytest.MonkeyPatch):
    platform.masked_output()
    platform.no_identity()
    monkeypatch.setenv("PLATFORM_MASKED", "handed on")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1")
    with pytest.raises(platform.FactError, match="handed on"):
        platform.masked_output()
    with pytest.raises(platform.FactError, match="REQUEST_URL"):
        platform.no_identity()


def test_what_does_not_hold_is_told_and_fails(platform: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    answer(platform, monkeypatch, {f"{RUN}/approvals": []})
    assert platform.main(["approval", "masked-output"]) == 1
    text = (tmp_path / "summary.md").read_text()
    assert "DOES NOT HOLD: **approval**" in text
    assert "holds: **masked-output**" in text
    assert platform.main(["no-such-fact"]) == 2
    assert platform.main([]) == 2


def test_the_workflow_asserts_every_fact(platform: ModuleType):
    folder = SCRIPT.parents[1] / ".github" / "workflows"
    named = {
        word
        for name in ("self-platform.yml", "_platform-probe.yml")
        for line in (folder / name).read_text(encoding="utf-8").splitlines()
        if "run: scripts/platform " in line
        for word in line.split("scripts/platform ", 1)[1].split()
    }
    assert named == set(platform.FACTS)
