"""The set-up: works in a fresh clone with an empty HOME, does nothing the second time, and says what is wrong."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
import types
from collections import namedtuple
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """`scripts/setup` as a module (it has no suffix, so it is loaded by path)."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = importlib.machinery.SourceFileLoader("bundleflow_setup", str(ROOT / "scripts" / "setup"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def uv_cache() -> str:
    """The installer's cache of this machine: packages are not downloaded again for a test."""
    uv = Path(sys.executable).parent / "uv"
    return subprocess.run([uv, "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


def test_fresh_clone_with_an_empty_home(tmp_path: Path) -> None:
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True, timeout=120)
    passed = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith(("PIP_", "UV_", "SSL_"))}
    env = {**passed, "HOME": str(home), "UV_CACHE_DIR": uv_cache()}
    start = ["python3", str(clone / "scripts" / "setup")]
    first = subprocess.run(start, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert first.returncode == 0, first.stderr
    assert "340 MB to download" in first.stderr, "the size is said before the work starts"
    assert "scripts/rehearse" in first.stdout
    version = subprocess.run([clone / ".venv" / "bin" / "bundleflow", "--version"], env=env, capture_output=True, text=True, check=True)
    assert version.stdout.startswith("bundleflow ")

    stamp = clone / ".venv" / "bundleflow-setup.json"
    before = stamp.stat().st_mtime_ns
    second = subprocess.run(start, env=env, capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 0
    assert "Nothing to do" in second.stderr
    assert stamp.stat().st_mtime_ns == before
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True)
    assert status.stdout == "", "the set-up leaves the checkout clean"


def test_python_too_old_is_said_with_the_fix(setup: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(setup.shutil, "which", lambda _name: None)
    with pytest.raises(setup.SetupError, match=r"needs Python 3\.11 or newer; this is 3\.9") as caught:
        setup.suitable_python()
    assert caught.value.code == 2
    assert "python3.12 scripts/setup" in caught.value.fix


def test_a_newer_python_beside_it_is_taken(setup: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup.sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(setup.shutil, "which", lambda name: "/opt/python3.12" if name == "python3.12" else None)
    assert setup.suitable_python() == "/opt/python3.12"


def test_no_space_is_refused_before_anything_is_made(setup: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(10, 9, 1_000_000)
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(setup.SetupError, match="No space") as caught:
        setup.check_space()
    assert caught.value.code == 3


def test_a_changed_lock_file_asks_for_work(setup: types.ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    requirements = tmp_path / "requirements"
    requirements.mkdir()
    for name in ("uv", "rehearsal", "dev"):
        (requirements / f"{name}.txt").write_text("a==1\n")
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.setattr(setup, "REQUIREMENTS", requirements)
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp.json")
    installed: list[str] = []
    monkeypatch.setattr(setup, "install", installed.append)

    setup.prepare("dev", quiet=True)
    setup.prepare("dev", quiet=True)
    setup.prepare("rehearsal", quiet=True)
    assert installed == ["dev"], "the wider set serves the narrower one"
    assert set(json.loads((tmp_path / "stamp.json").read_text())) == {"dev"}
    (requirements / "dev.txt").write_text("a==2\n")
    setup.prepare("dev", quiet=True)
    assert installed == ["dev", "dev"]


def test_an_interrupted_installation_is_done_again(setup: types.ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(setup, "STAMP", tmp_path / "stamp.json")

    def interrupted(_which: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(setup, "install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        setup.prepare("dev", quiet=True)
    assert not (tmp_path / "stamp.json").exists()


def test_the_index_that_pip_is_set_to_reaches_uv(setup: types.ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = "global.index-url='https://mirror.example/simple'\n:env:.cert='/etc/certs.pem'\n"
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setattr(setup.subprocess, "run", lambda *_args, **_kwargs: types.SimpleNamespace(stdout=listing))
    env = setup.installer_environment("python")
    assert env["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert env["SSL_CERT_FILE"] == "/etc/certs.pem"
    assert env["UV_NO_CONFIG"] == "1"


def test_help_and_wrong_use() -> None:
    help_text = subprocess.run([sys.executable, ROOT / "scripts" / "setup", "--help"], capture_output=True, text=True, check=True).stdout
    assert "examples:" in help_text
    wrong = subprocess.run([sys.executable, ROOT / "scripts" / "setup", "--for", "nothing"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
