"""scripts/runner-setup: the kit's private environment on a runner, made once, whole or not at all."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]
SHA = "0123456789abcdef0123456789abcdef01234567"
TAG = str(sys.implementation.cache_tag)


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """The kit as a runner has it: a checkout in the folder of actions, by owner, name and commit; nothing to install."""
    root = tmp_path / "_actions" / "bundleflow" / "bundleflow" / SHA
    (root / "scripts" / "requirements").mkdir(parents=True)
    shutil.copytree(ROOT / "scripts" / "bundleflow", root / "scripts" / "bundleflow", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "scripts" / "runner-setup", root / "scripts")
    for name in ("kit", "lint"):
        (root / "scripts" / "requirements" / f"{name}.txt").write_text("# nothing\n")
    return root


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A runner's variables; `uv` is there and has nothing to do, so that no test waits for pip."""
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "uv").write_text("#!/bin/sh\n")
    (tmp_path / "programs" / "uv").chmod(0o755)
    return {
        "PATH": f"{tmp_path}/programs:/usr/bin:/bin",
        "RUNNER_TOOL_CACHE": str(tmp_path / "tool cache"),
        "GITHUB_PATH": str(tmp_path / "path"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_ACTIONS": "true",
        "HOME": str(tmp_path),
    }


def setup(kit: Path, env: dict[str, str], *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(kit / "scripts" / "runner-setup"), *argv]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


def load(kit: Path) -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("runner_setup", str(kit / "scripts" / "runner-setup"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner_setup", loader))
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def test_environment_is_made_once_and_runs_this_very_checkout(kit: Path, env: dict[str, str]) -> None:
    folder = Path(env["RUNNER_TOOL_CACHE"]) / "bundleflow" / SHA / TAG
    first = setup(kit, env)
    assert first.returncode == 0, first.stderr
    assert Path(env["GITHUB_PATH"]).read_text() == f"{folder}/bin\n"
    assert folder.with_name(TAG + ".complete").exists()
    # The cache's path has a blank on purpose: the program must start all the same, and see nothing of the caller's Python.
    (kit.parent / "evil").mkdir()
    (kit.parent / "evil" / "argparse.py").write_text("raise SystemExit('the caller's module')")
    run = subprocess.run(
        [folder / "bin" / "bundleflow", "--version"],
        env=env | {"PYTHONPATH": str(kit.parent / "evil")},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert run.stdout.startswith("bundleflow "), run.stderr
    where = subprocess.run(
        [folder / "bin" / "python", "-I", "-c", "import bundleflow; print(bundleflow.__file__)"], capture_output=True, text=True, timeout=30
    )
    assert where.stdout.startswith(str(kit))
    before = (folder / "pyvenv.cfg").stat().st_mtime_ns
    assert setup(kit, env).returncode == 0
    assert (folder / "pyvenv.cfg").stat().st_mtime_ns == before


def test_linters_have_an_environment_of_their_own_that_serves_the_kit_too(kit: Path, env: dict[str, str]) -> None:
    assert setup(kit, env, "--where", "--tools", "lint").stdout.endswith(f"/{SHA}/{TAG}-lint\n")
    lint = Path(setup(kit, env, "--where", "--tools", "lint").stdout.strip())
    (lint / "bin").mkdir(parents=True)
    (lint / "bin" / "bundleflow").touch()
    lint.with_name(lint.name + ".complete").touch()
    assert setup(kit, env).returncode == 0
    assert Path(env["GITHUB_PATH"]).read_text() == f"{lint}/bin\n"


def test_environment_without_its_marker_is_made_anew(kit: Path, env: dict[str, str]) -> None:
    folder = Path(setup(kit, env, "--where").stdout.strip())
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "bundleflow").write_text("left over")
    assert setup(kit, env).returncode == 0
    assert "left over" not in (folder / "bin" / "bundleflow").read_text()


def test_environment_follows_the_checkout_when_a_runner_puts_it_elsewhere(kit: Path, env: dict[str, str], tmp_path: Path) -> None:
    assert setup(kit, env).returncode == 0
    moved = tmp_path / "other" / SHA
    moved.parent.mkdir()
    kit.rename(moved)
    assert setup(moved, env).returncode == 0
    folder = Path(setup(moved, env, "--where").stdout.strip())
    run = subprocess.run([folder / "bin" / "bundleflow", "--version"], env=env, capture_output=True, text=True, timeout=30, check=False)
    assert run.stdout.startswith("bundleflow "), run.stderr


@pytest.mark.parametrize(
    ("variables", "says", "code", "reason"),
    [
        ({"BUNDLEFLOW_TOOLS": "all"}, "Input `tools`", 2, "wrong-use"),
        ({"RUNNER_TOOL_CACHE": ""}, "no place for the kit's environment", 2, "wrong-use"),
        ({"RUNNER_TOOL_CACHE": "/proc/nowhere"}, "could not be written", 3, "outside-trouble"),
    ],
)
def test_failure_is_told_everywhere(variables: dict[str, str], says: str, code: int, reason: str, kit: Path, env: dict[str, str]) -> None:
    result = setup(kit, env | variables)
    assert result.returncode == code
    assert says in result.stderr
    assert "fix:" in result.stderr
    assert "::error title=bundleflow set-up::" in result.stdout
    assert Path(env["GITHUB_OUTPUT"]).read_text() == f"failure-reason={reason}\n"
    assert says in Path(env["GITHUB_STEP_SUMMARY"]).read_text()
    assert not Path(env["GITHUB_PATH"]).exists()


@pytest.mark.parametrize(
    ("script", "attempts", "code"),
    [
        ("echo try >> $TRIES; exit 1", 3, 3),
        ("echo try >> $TRIES; echo 'Hash mismatch for x' >&2; exit 1", 1, 1),
        ("echo try >> $TRIES; [ $(wc -l < $TRIES) -ge 3 ]", 3, None),
    ],
    ids=["never works", "wrong hash", "works the third time"],
)
def test_installing_is_tried_again_unless_a_hash_is_wrong(
    script: str, attempts: int, code: int | None, kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / "uv").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TRIES", str(tmp_path / "tries"))
    module = load(kit)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    if code is None:
        module.install_packages(tmp_path / "venv", kit / "scripts" / "requirements" / "kit.txt")
    else:
        with pytest.raises(module.SetupError) as caught:
            module.install_packages(tmp_path / "venv", kit / "scripts" / "requirements" / "kit.txt")
        assert caught.value.code == code
    assert len((tmp_path / "tries").read_text().splitlines()) == attempts


def test_commit_of_the_kit_by_path_variable_git_and_files(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load(kit)
    monkeypatch.delenv("GITHUB_ACTION_REF", raising=False)
    assert module.kit_commit(kit) == SHA
    by_tag = tmp_path / "bundleflow" / "v0.1.0"
    shutil.copytree(kit, by_tag)
    files = module.kit_commit(by_tag)
    assert files.startswith("files-")
    (by_tag / "scripts" / "requirements" / "kit.txt").write_text("# other\n")
    assert module.kit_commit(by_tag) != files
    monkeypatch.setenv("GITHUB_ACTION_REF", "f" * 40)
    assert module.kit_commit(by_tag) == "f" * 40
    monkeypatch.setenv("GITHUB_ACTION_REF", "v0.1.0")
    git = ["git", "-C", str(by_tag), "-c", "user.name=developer", "-c", "user.email=developer@example.com"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "kit"]):
        subprocess.run([*git, *words], check=True, timeout=30, capture_output=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, timeout=30, capture_output=True, text=True).stdout.strip()
    assert module.kit_commit(by_tag) == head


def test_too_old_a_python_looks_for_a_newer_one(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = load(kit)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("RUNNER_TOOL_CACHE", str(tmp_path))
    with pytest.raises(module.SetupError, match=r"needs Python 3\.11"):
        module.newer_python()
    cached = tmp_path / "Python" / "3.12.1" / "x64" / "bin" / "python3"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert module.newer_python() == str(cached)


def test_two_jobs_at_once_build_it_once(kit: Path, env: dict[str, str]) -> None:
    jobs = [
        subprocess.Popen(
            [sys.executable, str(kit / "scripts" / "runner-setup")], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    texts = [job.communicate(timeout=120)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert sum("Installed the kit" in text for text in texts) == 1
