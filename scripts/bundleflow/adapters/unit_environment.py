"""The environment that a project's tests run in: found in the tool cache by its requirements, or made there."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

ATTEMPTS = 3
INSTALL_LIMIT_S = 900.0
DEFAULT_REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements" / "unit.txt"
"""pytest and pytest-cov, locked: for projects whose tests need nothing else."""


def environment_folder(requirements: Path, python_version: str = "") -> Path:
    """Where the environment for a requirements file lies: `$RUNNER_TOOL_CACHE/bundleflow-tests/<SHA-256 of the file>`.

    Args:
        requirements: The locked requirements file.
        python_version: Such as `3.12`; a version of its own gets a folder of its own.
    """
    root = os.environ.get("RUNNER_TOOL_CACHE") or os.environ.get("AGENT_TOOLSDIRECTORY")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = (Path(root) if root else cache / "bundleflow" / "tools") / "bundleflow-tests"
    name = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not python_version or _version_of(base / name / "bin" / "python").startswith(python_version + "."):
        return base / name
    return base / f"{name}-py{python_version}"


def unit_python(requirements: Path, python_version: str = "") -> Path:
    """The Python to run the tests with; its environment is made when it is not there.

    Args:
        requirements: A requirements file locked with hashes.
        python_version: Such as `3.12`; empty takes the Python that the kit runs with.

    Raises:
        BundleflowError: `wrong-use` for a missing version or unlocked requirements, `outside-trouble` when installing fails.
    """
    if python_version and not re.fullmatch(r"3\.\d\d", python_version):
        raise BundleflowError(
            f"Input `python-version` is {python_version!r}, which is not a version of Python such as 3.12.",
            fix='Quote it in YAML: `python-version: "3.10"`. Without quotes 3.10 is the number 3.1.',
            exit_code=ExitCode.USAGE,
        )
    folder = environment_folder(requirements, python_version)
    python = folder / "bin" / "python"
    unfinished = folder.with_name(folder.name + ".unfinished")
    if not python.exists() or unfinished.exists():
        _check_locked(requirements)
        _make(folder, unfinished, requirements, _interpreter(python_version))
    return python


def _check_locked(requirements: Path) -> None:
    lines = [line.strip() for line in requirements.read_text(encoding="utf-8").splitlines()]
    names = [line for line in lines if line and not line.startswith(("#", "-"))]
    hashes = [line for line in lines if "--hash=" in line]
    if names and not hashes:
        raise BundleflowError(
            f"{requirements} is not locked: its packages have no hashes.",
            fix="Write it by `uv pip compile --generate-hashes IN_FILE -o OUT_FILE` (or pip-compile --generate-hashes).",
            exit_code=ExitCode.USAGE,
        )


def _interpreter(python_version: str) -> str:
    if not python_version or sys.version_info[:2] == tuple(int(part) for part in python_version.split(".")):
        return str(getattr(sys, "_base_executable", "") or sys.executable)
    cache = Path(os.environ.get("RUNNER_TOOL_CACHE") or "/nonexistent")
    candidates = [shutil.which(f"python{python_version}"), *sorted(cache.glob(f"Python/{python_version}.*/*/bin/python3"), reverse=True)]
    for candidate in candidates:
        if candidate and _version_of(Path(candidate)).startswith(python_version + "."):
            return str(candidate)
    raise BundleflowError(
        f"There is no Python {python_version} on this runner: neither on PATH nor in its tool cache.",
        fix="Give another `python-version`, or leave it out; hosted runners hold several versions in their tool cache.",
        exit_code=ExitCode.USAGE,
    )


def _version_of(python: Path) -> str:
    try:
        answer = subprocess.run(
            [str(python), "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _make(folder: Path, unfinished: Path, requirements: Path, interpreter: str) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished.touch()
        if folder.exists():
            shutil.rmtree(folder)
        print(f"Making the tests' environment in {folder}", file=sys.stderr, flush=True)
        uv = shutil.which("uv")
        _run([interpreter, "-m", "venv", *(["--without-pip"] if uv else []), str(folder)], "Making the tests' environment")
        python = str(folder / "bin" / "python")
        install = [uv, "pip", "install", "--quiet", "--python", python] if uv else [python, "-m", "pip", "install", "--quiet", "--no-input"]
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _run([*install, "--require-hashes", "-r", str(requirements)], f"Installing {requirements}")
                break
            except BundleflowError as error:
                if attempt == ATTEMPTS:
                    raise
                print(f"{error.cause} Attempt {attempt + 1} of {ATTEMPTS} in {4 * attempt} s", file=sys.stderr, flush=True)
                time.sleep(4 * attempt)
        unfinished.unlink()
    except OSError as error:
        raise _trouble(
            f"The tests' environment {folder} could not be written: {error}.", "Free disk space, or check the tool cache."
        ) from error


def _run(argv: list[str], what: str) -> None:
    try:
        result = subprocess.run(argv, capture_output=True, text=True, timeout=INSTALL_LIMIT_S, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise _trouble(f"{what} took longer than {INSTALL_LIMIT_S:g} s.", "Run the job again.") from error
    if result.returncode:
        fix = "Check the requirements file, and the package index or mirror that the runner uses (PIP_INDEX_URL)."
        raise _trouble(f"{what} failed (exit code {result.returncode}).", fix, (result.stdout + result.stderr)[-4000:])


def _trouble(cause: str, fix: str, details: str = "") -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.OUTSIDE_TROUBLE, exit_code=ExitCode.TROUBLE, details=details)
