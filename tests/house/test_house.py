"""The kit's own house: style, types, layers, lock files, and what may not stand in a tracked file."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listing.split("\0") if name and (ROOT / name).is_file()]


def text_files() -> list[tuple[Path, str]]:
    found = []
    for path in tracked():
        try:
            found.append((path, path.read_text()))
        except UnicodeDecodeError:
            continue
    return found


@pytest.mark.parametrize(
    "argv",
    [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",)],
    ids=["ruff", "format", "mypy", "layers"],
)
def test_tool_finds_nothing(argv: tuple[str, ...]) -> None:
    result = run(str(BIN / argv[0]), *argv[1:])
    assert result.returncode == 0, result.stdout + result.stderr


def test_locked_requirements_have_hashes_and_name_no_host() -> None:
    locks = sorted((ROOT / "scripts" / "requirements").glob("*.txt"))
    assert {path.stem for path in locks} >= {"kit", "lint", "rehearsal", "dev", "uv"}
    for path in locks:
        text = path.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text, f"{path.name} names a host"
        # Each requirement starts at the margin and is followed by its hashes.
        for block in re.split(r"\n(?=[a-z0-9])", text.strip(), flags=re.IGNORECASE):
            assert "--hash=" in block, block


def test_sets_of_requirements_agree_on_versions() -> None:
    pins: dict[str, set[str]] = {}
    for path in (ROOT / "scripts" / "requirements").glob("*.txt"):
        for name, version, marker in re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)\s*(;[^\\\n]*)?", path.read_text(), flags=re.MULTILINE):
            pins.setdefault(f"{name}{marker.strip()}", set()).add(version)
    assert {name: sorted(found) for name, found in pins.items() if len(found) > 1} == {}


def test_no_python_file_is_too_long() -> None:
    """A file of more than 400 lines hides a seam."""
    long = {
        str(path.relative_to(ROOT)): n for path in tracked() if path.suffix == ".py" and (n := len(path.read_text().splitlines())) > 400
    }
    assert long == {}


def test_files_of_tests_have_names_of_their_own() -> None:
    """Two of one name in folders that are no packages cannot be collected together; pytest says so only when both are."""
    names = [path.name for path in tracked() if path.name.startswith("test_") and ROOT / "tests" in path.parents]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_every_module_says_what_it_does() -> None:
    modules = [path for path in tracked() if path.suffix == ".py" and (ROOT / "scripts") in path.parents]
    assert modules
    silent = [str(path.relative_to(ROOT)) for path in modules if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_nothing_swallows_a_failure() -> None:
    hidden = re.compile(r"\|\| true\b|continue-on-error:\s*true|shell=True")
    places = []
    for path, text in text_files():
        if path == Path(__file__) or path.suffix == ".md":
            continue
        for number, line in enumerate(text.splitlines(), 1):
            # A line may carry its reason: "allowed: why".
            if hidden.search(line) and "allowed:" not in line and (ROOT / "tests") not in path.parents:
                places.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert places == []


def test_nothing_promises_work_that_is_not_done() -> None:
    promise = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError|not yet implemented|coming soon", re.IGNORECASE)
    places = [
        f"{path.relative_to(ROOT)}:{number}"
        for path, text in text_files()
        if path != Path(__file__)
        for number, line in enumerate(text.splitlines(), 1)
        if promise.search(line)
    ]
    assert places == []


def test_start_up_of_the_command_line_is_light() -> None:
    """`bundleflow --help` may import nothing heavy: not by the clock, but by what is loaded."""
    code = (
        "import sys; from bundleflow.cli import main; from rehearsal.cli import rehearse; sys.stderr = open('/dev/null', 'w'); main([]);"
        "heavy = {'databricks', 'mlflow', 'pandas', 'github', 'jinja2', 'jsonschema', 'requests', 'starlette', 'yaml', 'numpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = run(sys.executable, "-c", code)
    assert result.stdout.strip() == "[]", result.stdout + result.stderr


def test_every_command_has_help_with_an_example() -> None:
    from bundleflow.cli import COMMANDS

    assert COMMANDS
    for name in COMMANDS:
        result = run(sys.executable, "-m", "bundleflow", name, "--help")
        assert result.returncode == 0, result.stderr
        assert f"bundleflow {name}" in result.stdout
        assert re.search(r"^examples?\b.*:", result.stdout, re.IGNORECASE | re.MULTILINE), f"`bundleflow {name} --help` shows no example"
