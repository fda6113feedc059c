"""The linters for workflows and actions: actionlint, zizmor and check-jsonschema, each started once, their JSON read."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.finding import Finding
from bundleflow.records.yaml_source import Position, YamlError, parse_yaml

LIMIT_S = 120.0
Reader = Callable[[subprocess.CompletedProcess[str]], list[Finding]]


@dataclass(frozen=True)
class Linter:
    """One run of one tool.

    Args:
        name: Its name in findings.
        argv: Program and arguments.
        read: Turns its output into findings; raises ValueError when the output is not what it should be.
        codes: Exit codes with which it has done its work.
    """

    name: str
    argv: tuple[str, ...]
    read: Reader
    codes: tuple[int, ...] = (0, 1)


def linters(root: Path, workflows: Sequence[str], actions: Sequence[str], dependabot: Sequence[str] = ()) -> list[Linter]:
    """The tools that these files need.

    Args:
        root: The repository's root; the tools run there.
        workflows: Workflow files, relative to it.
        actions: Action files (action.yml), relative to it.
        dependabot: `.github/dependabot.yml`, where there is one.
    """
    found = []
    if workflows:
        # No shellcheck and pyflakes: whether they are on the machine must not decide what is found.
        argv = ("actionlint", "-no-color", "-shellcheck=", "-pyflakes=", "-format", "{{json .}}", *workflows)
        found.append(Linter("actionlint", argv, _read_actionlint))
    if workflows or actions or dependabot:
        options = ("--offline", "--pedantic", "--no-progress", "--no-exit-codes", "--quiet", "--format", "json")
        found.append(Linter("zizmor", ("zizmor", *options, *workflows, *actions, *dependabot), _read_zizmor, codes=(0, 3)))
    schemas = {"vendor.github-workflows": workflows, "vendor.github-actions": actions, "vendor.dependabot": dependabot}
    for schema, files in schemas.items():
        if files:
            argv = ("check-jsonschema", "-o", "json", "--builtin-schema", schema, *files)
            found.append(Linter("schema", argv, lambda result: _read_schema(result, root)))
    return found


def run_linters(root: Path, tools: Sequence[Linter]) -> list[Finding]:
    """Run all tools at the same time.

    Raises:
        BundleflowError: `wrong-use` when a tool is not installed, `outside-trouble` when it breaks or hangs.
    """
    if not tools:
        return []
    with ThreadPoolExecutor(len(tools)) as pool:
        return [finding for findings in pool.map(lambda tool: _run(root, tool), tools) for finding in findings]


def _run(root: Path, tool: Linter) -> list[Finding]:
    # Without a token no tool can ask GitHub; without colour settings their output is what is expected here.
    env = {key: value for key, value in os.environ.items() if key not in ("GH_TOKEN", "GITHUB_TOKEN", "FORCE_COLOR", "CLICOLOR_FORCE")}
    argv = (_program(tool.argv[0]), *tool.argv[1:])
    try:
        result = subprocess.run(argv, cwd=root, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise _broken(tool, f"gave no answer in {LIMIT_S:g} s", "") from error
    except OSError as error:
        raise _broken(tool, f"could not start: {error}", "") from error
    if result.returncode not in tool.codes:
        raise _broken(tool, f"broke (exit code {result.returncode})", result.stderr)
    try:
        return tool.read(result)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _broken(tool, f"answered what the kit does not understand: {error!r}", result.stdout + result.stderr) from error


def _program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    program = str(beside) if beside.exists() else shutil.which(name)
    if program is None:
        raise BundleflowError(
            f"The linter {name} is not installed.",
            fix="Give `tools: lint` to actions/setup; on your own machine run scripts/setup.",
            exit_code=ExitCode.USAGE,
        )
    return program


def _broken(tool: Linter, what: str, output: str) -> BundleflowError:
    return BundleflowError(
        f"The linter {tool.argv[0]} {what}.",
        fix="Run it again; if it stays, run the tool by hand on the same files and report what it prints.",
        reason=FailureReason.OUTSIDE_TROUBLE,
        exit_code=ExitCode.TROUBLE,
        details=output[-4000:],
    )


def _read_actionlint(result: subprocess.CompletedProcess[str]) -> list[Finding]:
    return [
        Finding(each["filepath"], each["line"], each["column"], "actionlint", each["kind"], each["message"])
        for each in json.loads(result.stdout)
    ]


def _read_zizmor(result: subprocess.CompletedProcess[str]) -> list[Finding]:
    findings = [
        Finding(file, 0, 0, "zizmor", "unreadable", "the file is not a valid workflow or action, so it was not audited")
        for file in re.findall(r"failed to (?:validate|parse|load) (?:file://)?(?:\./)?(\S+) as", result.stderr)
    ]
    if result.returncode == 3:  # nothing could be audited; what is not even YAML is named by the schema check, which tells the file
        if "failed to" not in result.stderr:
            raise ValueError(result.stderr[-500:])
        return findings
    for each in json.loads(result.stdout):
        place = next(place for place in each["locations"] if place["symbolic"]["kind"] == "Primary")
        start = place["concrete"]["location"]["start_point"]
        file = str(next(iter(place["symbolic"]["key"].values()))["verbatim_path"]).removeprefix("./")
        message = f"{each['desc']}: {place['symbolic']['annotation']}"
        findings.append(Finding(file, start["row"] + 1, start["column"] + 1, "zizmor", each["ident"], message, each["url"]))
    return findings


def _read_schema(result: subprocess.CompletedProcess[str], root: Path) -> list[Finding]:
    answer = json.loads(result.stdout)
    findings = []
    for each in answer.get("errors", []):
        best = each.get("best_deep_match") or each.get("best_match") or each
        position = _position(root / each["filename"], best["path"])
        message = f"{best['path']}: {best['message']}"
        findings.append(Finding(each["filename"], position.line, position.column, "schema", "", message))
    findings += [Finding(each["filename"], 0, 0, "schema", "", each["message"]) for each in answer.get("parse_errors", [])]
    return findings


def _position(file: Path, json_path: str) -> Position:
    """Where a path such as `$.jobs.a.steps[2]` stands in the file."""
    parts = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]|\[['\"](.+?)['\"]\]", json_path)
    path = tuple(int(index) if index else (name or quoted) for name, index, quoted in parts)
    try:
        return parse_yaml(file.read_text(encoding="utf-8")).at(path)
    except (OSError, UnicodeDecodeError, YamlError):
        return Position(1, 1)
