"""scripts/release: refused for each reason by name, made of the run's own commit, taken back when it is not immutable."""

from __future__ import annotations

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bundleflow import __version__

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "release"
SHA = "1" * 40
RUNS = f"/actions/workflows/self-ci.yml/runs?head_sha={SHA}&event=push&status=success&per_page=1"
TAG, RELEASE = "/git/ref/tags/v0.2.0", "/releases/tags/v0.2.0"
MADE = {"id": 7, "html_url": "https://example.com/v0.2.0", "immutable": True}
ENVIRONMENT = {"RELEASE_VERSION": "0.2.0", "GITHUB_SHA": SHA, "GITHUB_REF": "refs/heads/main", "GITHUB_ACTIONS": "true"}
READY: dict[str, list[tuple[int, Any]]] = {
    f"GET {RUNS}": [(200, {"total_count": 1})],
    f"GET {TAG}": [(404, None), (200, {"object": {"sha": SHA}})],
    f"GET {RELEASE}": [(404, None)],
    "POST /releases": [(201, MADE)],
    "GET /releases/7": [(200, MADE)],
}


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("release_script", str(SCRIPT))
    specification = importlib.util.spec_from_loader("release_script", loader)
    assert specification
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "scripts" / "bundleflow").mkdir(parents=True)
    (tmp_path / "scripts" / "bundleflow" / "__init__.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.2.0 (2026-12-01)\n\n* Better.\n\n## 0.1.0\n\n* First.\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    return module


def answers(module: ModuleType, monkeypatch: pytest.MonkeyPatch, changed: dict[str, list[tuple[int, Any]]]) -> list[tuple[str, Any]]:
    """Let GitHub answer each request in turn, the last answer again and again; gives what was asked."""
    left = {key: list(value) for key, value in (READY | changed).items()}
    asked: list[tuple[str, Any]] = []

    def ask(method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        asked.append((f"{method} {path}", body))
        found = left[f"{method} {path}"]
        return found.pop(0) if len(found) > 1 else found[0]

    monkeypatch.setattr(module, "ask", ask)
    return asked


def test_a_release_is_made_of_the_runs_commit_and_nothing_else(
    release: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answers(release, monkeypatch, {})
    assert release.main(["publish"]) == 0
    written = [(what, body) for what, body in asked if not what.startswith("GET")]
    body = {"tag_name": "v0.2.0", "target_commitish": SHA, "name": "v0.2.0", "body": f"* Better.\n\nPin: `{SHA}`"}
    assert written == [("POST /releases", body)]
    assert f"v0.2.0 is {SHA}, immutable" in capsys.readouterr().out


def test_the_check_changes_nothing(release: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answers(release, monkeypatch, {})
    assert release.main(["check"]) == 0
    assert all(what.startswith("GET") for what, _ in asked)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("RELEASE_VERSION", "v0.2.0", "is no version"),
        ("RELEASE_VERSION", "0.2.0$(id)", "is no version"),
        ("RELEASE_VERSION", "0.3.0", "__init__.py says 0.2.0"),
        ("GITHUB_REF", "refs/heads/feature", "Start the workflow on main"),
    ],
)
def test_what_was_asked_for_must_be_what_the_checkout_is(
    name: str, value: str, says: str, release: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(release, monkeypatch, {})
    monkeypatch.setenv(name, value)
    assert release.main(["check"]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert "::error title=release::" in said.out


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("pyproject.toml", 'version = "0.1.0"\n', "pyproject.toml says 0.1.0"),
        ("CHANGELOG.md", "## Unreleased\n\n* Better.\n", "no section `## 0.2.0`"),
        ("CHANGELOG.md", "## 0.2.0\n\n## 0.1.0\n\n* First.\n", "no section `## 0.2.0`"),
    ],
)
def test_files_must_say_the_version(
    file: str, text: str, says: str, release: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(release, monkeypatch, {})
    (release.ROOT / file).write_text(text)
    assert release.main(["check"]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({f"GET {RUNS}": [(200, {"total_count": 0})]}, "self-ci.yml has not succeeded"),
        ({f"GET {RUNS}": [(403, {"message": "Resource not accessible"})]}, "403 Resource not accessible"),
        ({f"GET {TAG}": [(200, {"object": {"sha": SHA}})]}, "a tag v0.2.0 already"),
        ({f"GET {RELEASE}": [(200, MADE)]}, "a release v0.2.0 already"),
        ({"POST /releases": [(422, {"message": "Validation Failed"})]}, "422 Validation Failed"),
    ],
    ids=["no green checks", "may not read", "tag", "release", "not made"],
)
def test_what_github_says_can_refuse_it(
    changed: dict[str, list[tuple[int, Any]]],
    says: str,
    release: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = answers(release, monkeypatch, changed)
    assert release.main(["publish"]) == 1
    assert says in capsys.readouterr().err
    assert not any(what.startswith("DELETE") for what, _ in asked)


@pytest.mark.parametrize(
    ("changed", "says", "taken"),
    [
        ({"GET /releases/7": [(200, MADE | {"immutable": False})]}, "Enable release immutability", 2),
        ({f"GET {TAG}": [(404, None), (200, {"object": {"sha": "2" * 40}})]}, f"its tag was {'2' * 40}", 1),
    ],
)
def test_a_release_that_could_be_changed_is_taken_back(
    changed: dict[str, list[tuple[int, Any]]],
    says: str,
    taken: int,
    release: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone: dict[str, list[tuple[int, Any]]] = {"DELETE /releases/7": [(204, None)], "DELETE /git/refs/tags/v0.2.0": [(204, None)]}
    asked = answers(release, monkeypatch, changed | gone)
    assert release.main(["publish"]) == 1
    assert says in capsys.readouterr().err
    assert [what for what, _ in asked if what.startswith("DELETE")] == list(gone)[:taken]


def test_wrong_use(release: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main([]) == 2
    monkeypatch.delenv("GITHUB_SHA")
    assert release.main(["check"]) == 1
    assert "GITHUB_SHA" in capsys.readouterr().err


def test_the_checkout_names_its_version_where_the_script_looks(release: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "ROOT", SCRIPT.parent.parent)
    monkeypatch.setenv("RELEASE_VERSION", __version__)
    assert release.version() == __version__
