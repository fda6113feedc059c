"""`bundleflow lint`: workflows, actions, bundleflow.yml and the bundle's YAML, all linters at once, without any credential."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from bundleflow.adapters.linters import linters, run_linters
from bundleflow.adapters.runner import Runner
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.finding import Finding
from bundleflow.records.flow import FLOW_FILE, Flow, check_flow, load_flow
from bundleflow.records.schema_problems import did_you_mean
from bundleflow.records.yaml_source import YamlSource
from bundleflow.releases.bundle_yaml import BundleFiles, bundle_schema, check_fields, known_fields, read_bundle
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
        schema = bundle_schema(os.environ.get("DATABRICKS_CLI_PATH") or shutil.which("databricks"))
        bundles = [read_bundle(folder, root) for folder in folders]
        for bundle in bundles:
            findings += [*bundle.findings, *check_fields(bundle, root, schema or known_fields())]
            if flow:
                findings += _names(flow, flow_file, root, bundle)
        findings += tools.result()
    files = {"workflows": len(workflows), "actions": len(actions), "bundle files": sum(len(bundle.sources) for bundle in bundles)}
    notes = (
        [] if schema else ["No `databricks bundle schema` here: the bundle's fields were checked by the names that databricks-sdk knows."]
    )
    return LintResult(sorted(set(findings)), files, notes)


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
        inside = not pattern.startswith("/") and ".." not in Path(pattern).parts
        found = sorted(path for path in root.glob(pattern) if path.is_dir()) if inside and pattern != "." else []
        if pattern == ".":
            found = [root]
        if not found:
            place = source.at(("bundles", index))
            message = f"`{pattern}` is no folder of this repository. Name folders with a databricks.yml, relative to the root."
            findings.append(Finding(shown, place.line, place.column, "flow", "flow-invalid", message))
        folders.update(dict.fromkeys(found))
    return findings, list(folders)


def _names(flow: Flow, flow_file: Path, root: Path, bundle: BundleFiles) -> Iterator[Finding]:
    """Targets and jobs that the flow file names and the bundle does not have."""
    if not bundle.sources or any(finding.rule == "yaml" for finding in bundle.findings):
        return
    source, _ = check_flow(root / flow_file)
    targets, jobs = bundle.keys("targets"), bundle.jobs
    where = _relative(root, bundle.folder)
    for stage in flow.stages.values():
        if stage.target not in targets:
            yield _missing(flow_file, source, ("stages", stage.name, "target"), "target", stage.target, where, targets)
        for index, job in enumerate(stage.run if jobs is not None else ()):
            if job not in (jobs or ()):
                yield _missing(flow_file, source, ("stages", stage.name, "run", index), "job", job, where, jobs or set())


def _missing(file: Path, source: YamlSource, path: tuple[str | int, ...], kind: str, name: str, where: str, known: set[str]) -> Finding:
    place = source.values.get(path) or source.at(path)
    fix = did_you_mean(name, sorted(known)) or f"It has: {', '.join(sorted(known)) or 'none'}."
    message = f"stage `{path[1]}` names {kind} `{name}`, which the bundle in `{where}` does not have. {fix}"
    return Finding(str(file), place.line, place.column, "flow", f"missing-{kind}", message)


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
