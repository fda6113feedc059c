"""What can be said of a bundle without any workspace: its YAML, fields, references, and the names that the flow file uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bundleflow.records.accepted import Accepted, Remark
from bundleflow.records.finding import Finding
from bundleflow.records.flow import Flow, check_flow
from bundleflow.records.schema_problems import did_you_mean
from bundleflow.records.yaml_source import Path as YamlPath
from bundleflow.records.yaml_source import YamlSource
from bundleflow.releases.bundle_references import check_references
from bundleflow.releases.bundle_yaml import check_fields, read_bundle, shown_path

NOTHING = Accepted()
IMPLICIT_TARGET = "default"
"""Target that the Databricks CLI knows where a bundle declares none."""
NO_SCHEMA = "No `databricks bundle schema` here: the bundle's fields were checked by the names that databricks-sdk knows."


@dataclass(frozen=True)
class OfflineCheck:
    """What was found in one bundle, and how many files of it were read."""

    findings: tuple[Finding, ...]
    files: int


def check_offline(folder: Path, root: Path, schema: Mapping[str, Any], flow: Flow | None, accepted: Accepted = NOTHING) -> OfflineCheck:
    """Check one bundle.

    Args:
        folder: The bundle's folder.
        root: The repository's root; findings name files relative to it.
        schema: JSON Schema of a bundle, see `bundle_schema` and `known_fields`.
        flow: The flow file; None where it is not valid.
        accepted: The file of accepted warnings.
    """
    bundle = read_bundle(folder, root)
    day = datetime.now(UTC).date()
    targets = {stage.target for stage in flow.stages.values()} if flow else set()

    def is_accepted(path: YamlPath) -> bool:
        # The CLI says it for every target, so every target must accept it.
        message, place = f"unknown field: {path[-1]}", _dotted(path[:-1])
        return bool(targets) and all(accepted.covers(Remark(target, message, place), day) for target in targets)

    findings = [*bundle.findings, *check_fields(bundle, root, schema, is_accepted), *check_references(bundle, root)]
    if flow and bundle.sources and not any(finding.rule == "yaml" for finding in bundle.findings):
        findings += _names(flow, root, shown_path(folder, root), bundle.keys("targets") or {IMPLICIT_TARGET}, bundle.jobs)
    return OfflineCheck(tuple(findings), len(bundle.sources))


def _names(flow: Flow, root: Path, where: str, targets: set[str], jobs: set[str] | None) -> Iterator[Finding]:
    """Targets and jobs that the flow file names and the bundle does not have."""
    source, _ = check_flow(root / flow.path)
    file = shown_path(root / flow.path, root)
    for stage in flow.stages.values():
        if stage.target not in targets:
            yield _missing(file, source, ("stages", stage.name, "target"), "target", stage.target, where, targets)
        for index, job in enumerate(stage.run if jobs is not None else ()):
            if job not in (jobs or ()):
                yield _missing(file, source, ("stages", stage.name, "run", index), "job", job, where, jobs or set())


def _missing(file: str, source: YamlSource, path: YamlPath, kind: str, name: str, where: str, known: set[str]) -> Finding:
    place = source.values.get(path) or source.at(path)
    fix = did_you_mean(name, sorted(known)) or f"It has: {', '.join(sorted(known)) or 'none'}."
    message = f"stage `{path[1]}` names {kind} `{name}`, which the bundle in `{where}` does not have. {fix}"
    return Finding(file, place.line, place.column, "flow", f"missing-{kind}", message)


def _dotted(path: YamlPath) -> str:
    """A path as the Databricks CLI writes it: `resources.jobs.j.tasks[0]`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
