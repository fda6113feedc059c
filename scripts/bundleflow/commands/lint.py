"""`bundleflow lint`: workflows, actions, bundleflow.yml and the bundle's YAML, all linters at once, without any credential."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from bundleflow.adapters.databricks_cli import cli_program
from bundleflow.adapters.linters import linters, run_linters
from bundleflow.adapters.runner import Runner
from bundleflow.records.accepted import Accepted, check_accepted, load_accepted
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.finding import Finding
from bundleflow.records.flow import FLOW_FILE, Flow, check_flow, load_flow
from bundleflow.records.yaml_source import YamlSource
from bundleflow.releases.bundle_yaml import bundle_schema, known_fields
from bundleflow.releases.offline import NO_SCHEMA, check_offline
from bundleflow.report.markdown import code, escape, link, table, visible

EXAMPLES = """examples:
  bundleflow lint
  bundleflow lint --json

inputs by environment: BUNDLEFLOW_FLOW (default bundleflow.yml), BUNDLEFLOW_BUNDLE_DIR (where the flow file names no bundles)
"""
ACTION_PATTERNS = ("action.yml", "action.yaml", "actions/*/action.y*ml", ".github/actions/**/action.y*ml")
ANNOTATIONS = 50
"""GitHub shows few annotations of a step; the summary has all findings."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--flow", default=os.environ.get("BUNDLEFLOW_FLOW") or FLOW_FILE, help="the flow file (default bundleflow.yml)")
    parser.add_argument("--bundle-dir", default=os.environ.get("BUNDLEFLOW_BUNDLE_DIR") or ".", help="a bundle's folder (default .)")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON on standard output")


def run(args: argparse.Namespace) -> int:
    """Lint the repository in the current folder.

    Returns:
        Exit code 0 when there is no finding.

    Raises:
        BundleflowError: `lint-failed` when there is one.
    """
    start = time.monotonic()
    result = lint(Path.cwd(), Path(args.flow), args.bundle_dir)
    seconds = time.monotonic() - start
    if args.json:
        print(json.dumps({"findings": [asdict(each) for each in result.findings], "files": result.files, "notes": result.notes}, indent=2))
    _show(result, seconds)
    _tell_runner(result, seconds)
    if not result.findings:
        return ExitCode.OK
    count = Counter(each.tool for each in result.findings)
    by_tool = ", ".join(f"{tool} {number}" for tool, number in count.items())
    raise BundleflowError(
        f"{len(result.findings)} finding{'s' if len(result.findings) > 1 else ''}: {by_tool}.",
        fix="Correct each place listed above. What is meant to stay for zizmor takes a comment `# zizmor: ignore[rule]` and its reason.",
        reason=FailureReason.LINT_FAILED,
    )


@dataclass(frozen=True)
class LintResult:
    """What was looked at and what was found.

    Args:
        findings: In the order of files and lines.
        files: How many files each check looked at.
        notes: What was not looked at, and why.
    """

    findings: list[Finding]
    files: dict[str, int]
    notes: list[str]


def lint(root: Path, flow_file: Path, bundle_dir: str = ".") -> LintResult:
    """Run every check.

    Args:
        root: The repository's root.
        flow_file: The flow file, relative to it.
        bundle_dir: The bundle's folder, for when the flow file cannot be read.
    """
    workflows = sorted(_relative(root, path) for path in root.glob(".github/workflows/*.y*ml"))
    actions = sorted({_relative(root, path) for pattern in ACTION_PATTERNS for path in root.glob(pattern)})
    dependabot = sorted(_relative(root, path) for path in root.glob(".github/dependabot.y*ml"))
    with ThreadPoolExecutor(1) as background:
        tools = background.submit(run_linters, root, linters(root, workflows, actions, dependabot))
        findings, folders, flow = _flow_findings(root, flow_file, bundle_dir)
        schema = bundle_schema(cli_program(os.environ))
        accepted = _accepted(root, flow_file, flow, findings)
        bundles = [check_offline(folder, root, schema or known_fields(), flow, accepted) for folder in folders]
        findings += [finding for bundle in bundles for finding in bundle.findings]
        if flow:
            from bundleflow.commands.lint_callers import deployed_findings

            findings += deployed_findings(root, folders)
        findings += tools.result()
    files = {"workflows": len(workflows), "actions": len(actions), "bundle files": sum(bundle.files for bundle in bundles)}
    return LintResult(sorted(set(findings)), files, [] if schema else [NO_SCHEMA])


def _accepted(root: Path, flow_file: Path, flow: Flow | None, findings: list[Finding]) -> Accepted:
    """The accepted warnings of the flow file; what is wrong with their file is added to the findings."""
    if flow is None or flow.warnings is None:
        return Accepted()
    path = root / flow.warnings
    try:
        _, problems = check_accepted(path)
    except BundleflowError:
        place = check_flow(root / flow_file)[0].at(("warnings",))
        message = f"`{flow.warnings}` cannot be read. Name the file of accepted warnings, relative to the repository's root."
        findings.append(Finding(str(flow_file), place.line, place.column, "flow", "flow-invalid", message))
        return Accepted()
    if problems:
        findings += [
            Finding(flow.warnings, each.position.line, each.position.column, "flow", "flow-invalid", f"{each.cause}. {each.fix}".strip())
            for each in problems
        ]
        return Accepted()
    return load_accepted(path)


def _flow_findings(root: Path, flow_file: Path, bundle_dir: str) -> tuple[list[Finding], list[Path], Flow | None]:
    """Problems of the flow file, the bundles' folders, and the flow where it is valid."""
    path = root / flow_file
    shown = str(flow_file)
    if not path.is_file():
        message = "there is no flow file; it maps stages to targets (see docs/workflows)."
        return [Finding(shown, 0, 0, "flow", "flow-invalid", message)], [root / bundle_dir], None
    source, problems = check_flow(path)
    if problems:
        findings = [
            Finding(shown, each.position.line, each.position.column, "flow", "flow-invalid", f"{each.cause}. {each.fix}")
            for each in problems
        ]
        return findings, [root / bundle_dir], None
    flow = load_flow(path)
    findings, folders = _folders(root, shown, flow, source)
    return findings, folders, flow


def _folders(root: Path, shown: str, flow: Flow, source: YamlSource) -> tuple[list[Finding], list[Path]]:
    findings: list[Finding] = []
    folders: dict[Path, None] = {}
    for index, pattern in enumerate(flow.bundles):
        found = sorted(path for path in root.glob(pattern) if path.is_dir()) if Path(pattern).parts else [root]
        if not found:
            place = source.at(("bundles", index))
            message = f"`{pattern}` is no folder of this repository. Name folders with a databricks.yml, relative to the root."
            findings.append(Finding(shown, place.line, place.column, "flow", "flow-invalid", message))
        folders.update(dict.fromkeys(found))
    return findings, list(folders)


def _relative(root: Path, path: Path) -> str:
    return str(path.relative_to(root))


def _show(result: LintResult, seconds: float) -> None:
    """Findings for a terminal: one line each, as editors and people read them."""
    with Runner.here().no_commands():
        for each in result.findings:
            rule = f" [{each.tool}{': ' + each.rule if each.rule else ''}]"
            print(f"{visible(each.place)}: {visible(each.message)}{rule}{' ' + each.url if each.url else ''}", file=sys.stderr)
        for note in result.notes:
            print(f"note: {note}", file=sys.stderr)
        counted = ", ".join(f"{count} {what}" for what, count in result.files.items())
        print(f"Linted {counted} in {seconds:.1f} s: {len(result.findings) or 'no'} findings.", file=sys.stderr)


def _tell_runner(result: LintResult, seconds: float) -> None:
    runner = Runner.here()
    for each in result.findings[:ANNOTATIONS]:
        title = f"{each.tool}: {each.rule}" if each.rule else each.tool
        runner.annotate("error", each.message, title=title, file=each.file, line=each.line, column=each.column)
    runner.summary(summary(result.findings, result.files, result.notes, seconds))


def summary(findings: Sequence[Finding], files: dict[str, int], notes: Sequence[str], seconds: float) -> str:
    """The findings as Markdown for the job summary."""
    head = f"### {'❌' if findings else '✅'} lint: {len(findings) or 'no'} finding{'' if len(findings) == 1 else 's'}"
    rows = [
        (
            code(each.place, 200),
            escape(each.message, 500),
            link(each.rule or each.tool, each.url) if each.url else escape(each.rule),
            each.tool,
        )
        for each in findings
    ]
    looked = f"Looked at {', '.join(f'{count} {what}' for what, count in files.items())} in {seconds:.1f} s."
    parts = [head, "\n".join(table(("where", "what", "rule", "tool"), rows)) if rows else "", looked, *notes]
    return "\n\n".join(part for part in parts if part)
