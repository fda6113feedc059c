"""The bundle's own YAML, read without the CLI: files and includes, duplicate keys, unknown fields, targets and jobs.

Sources of the fields: the JSON Schema that `databricks bundle schema` prints; where no CLI can, `bundle-fields.json`, which
scripts/bundle-fields writes from databricks-sdk and Databricks' published reference of bundle settings.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from bundleflow.records.finding import Finding
from bundleflow.records.schema_problems import schema_problems
from bundleflow.records.yaml_source import Path as YamlPath
from bundleflow.records.yaml_source import YamlError, YamlProblem, YamlSource, parse_yaml

FILE_NAMES = ("databricks.yml", "databricks.yaml", "bundle.yml", "bundle.yaml")
FIELDS_FILE = Path(__file__).resolve().parent.parent / "bundle-fields.json"
SCHEMA_LIMIT_S = 30.0


@dataclass
class BundleFiles:
    """A bundle's files, parsed.

    Args:
        folder: The bundle's folder.
        sources: Each file that could be parsed, by its path.
        findings: What is wrong with them, paths relative to the repository's root.
    """

    folder: Path
    sources: dict[Path, YamlSource] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def keys(self, *path: str) -> set[str]:
        """The keys under `path` in all files together, such as the names under `targets`."""
        found: set[str] = set()
        for source in self.sources.values():
            value: Any = source.data
            for part in path:
                value = value.get(part) if isinstance(value, dict) else None
            found |= set(value) if isinstance(value, dict) else set()
        return found

    @property
    def has_python(self) -> bool:
        """Whether Python code may define resources that the YAML does not show."""
        return bool(self.keys("python") or self.keys("experimental", "python"))

    def resources(self, kind: str) -> set[str]:
        """Names of all resources of a kind, such as `jobs`, those of single targets too."""
        return self.keys("resources", kind).union(*(self.keys("targets", name, "resources", kind) for name in self.keys("targets")))

    @property
    def jobs(self) -> set[str] | None:
        """Names of all jobs; None when Python code may define more."""
        return None if self.has_python else self.resources("jobs")


def read_bundle(folder: Path, root: Path) -> BundleFiles:
    """Read databricks.yml and the files that it includes.

    Args:
        folder: The bundle's folder.
        root: The repository's root; findings name files relative to it.
    """
    bundle = BundleFiles(folder)
    main = next((folder / name for name in FILE_NAMES if (folder / name).is_file()), None)
    if main is None:
        message = "there is no databricks.yml. Correct `bundles:` in bundleflow.yml or the input `bundle-dir`."
        bundle.findings.append(Finding(shown_path(folder, root), 0, 0, "bundle", "no-bundle", message))
        return bundle
    _read(main, bundle, root)
    data = bundle.sources[main].data if main in bundle.sources else None
    if isinstance(data, dict) and data.get("include") is not None:
        _include(main, data["include"], bundle, root)
    return bundle


def _include(main: Path, patterns: object, bundle: BundleFiles, root: Path) -> None:
    """Read the files that `include` names; say which of its entries name none."""
    source = bundle.sources[main]
    if not isinstance(patterns, list):
        problem = YamlProblem(source.at(("include",)), "`include` must be a list", "Write each path or pattern as an item.")
        bundle.findings.append(finding_at(main, root, problem, "include"))
        return
    for index, entry in enumerate(patterns):
        pattern = entry if isinstance(entry, str) else ""
        files = sorted(path for path in main.parent.glob(pattern) if path.is_file()) if _is_inside(pattern) else []
        if not files and not any(char in pattern for char in "*?["):
            cause = f"`include` names `{entry}`, which does not exist in the bundle"
            bundle.findings.append(
                finding_at(main, root, YamlProblem(source.at(("include", index)), cause, "Correct the path."), "include")
            )
        for file in files:
            if file not in bundle.sources:
                _read(file, bundle, root)


def check_fields(
    bundle: BundleFiles, root: Path, schema: Mapping[str, Any], is_accepted: Callable[[YamlPath], bool] = lambda _: False
) -> Iterator[Finding]:
    """Unknown and misplaced fields.

    Args:
        bundle: The bundle's files.
        root: The repository's root.
        schema: JSON Schema of a bundle, see `bundle_schema` and `known_fields`.
        is_accepted: Says of an unknown field, by its path, whether it may stay.
    """
    for path, source in bundle.sources.items():
        if isinstance(source.data, dict):
            # An included file need not hold what the whole bundle must.
            for problem in schema_problems(source, schema, ignore=[((), "required")]):
                if not (problem.unknown and is_accepted(problem.unknown)):
                    yield finding_at(path, root, problem, "schema")


def known_fields() -> dict[str, Any]:
    """Names of fields that databricks-sdk and Databricks' reference know, as JSON Schema; for where no CLI can say it."""
    return cast("dict[str, Any]", json.loads(FIELDS_FILE.read_text(encoding="utf-8")))


def bundle_schema(program: str | None) -> dict[str, Any] | None:
    """The JSON Schema that `databricks bundle schema` prints; None where there is no CLI or it cannot say it."""
    if program is None:
        return None
    try:
        result = subprocess.run(
            [program, "bundle", "schema"], capture_output=True, text=True, timeout=SCHEMA_LIMIT_S, check=False, stdin=subprocess.DEVNULL
        )
        schema = json.loads(result.stdout) if result.returncode == 0 else None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return schema if isinstance(schema, dict) and "properties" in schema else None


def _read(path: Path, bundle: BundleFiles, root: Path) -> None:
    try:
        source = parse_yaml(path.read_text(encoding="utf-8"))
    except YamlError as error:
        bundle.findings.append(finding_at(path, root, error.problem, "yaml"))
        return
    except (OSError, UnicodeDecodeError) as error:
        bundle.findings.append(Finding(shown_path(path, root), 0, 0, "bundle", "yaml", f"cannot be read as text in UTF-8: {error}"))
        return
    bundle.sources[path] = source
    bundle.findings += [finding_at(path, root, problem, "duplicate-key") for problem in source.problems]
    if source.data is not None and not isinstance(source.data, dict):
        bundle.findings.append(Finding(shown_path(path, root), 1, 1, "bundle", "yaml", "must be a mapping (keys with values) at its top"))


def finding_at(path: Path, root: Path, problem: YamlProblem, rule: str) -> Finding:
    """A problem of one of the bundle's files as a finding.

    Args:
        path: The file.
        root: The repository's root.
        problem: What is wrong, and where.
        rule: Name of the rule.
    """
    message = f"{problem.cause}. {problem.fix}".strip()
    return Finding(shown_path(path, root), problem.position.line, problem.position.column, "bundle", rule, message)


def _is_inside(pattern: str) -> bool:
    return bool(pattern) and not pattern.startswith(("/", "~")) and ".." not in Path(pattern).parts


def shown_path(path: Path, root: Path) -> str:
    """A path as findings name it: relative to the repository's root where it lies in it."""
    try:
        return str(path.resolve().relative_to(root.resolve()))
    except ValueError:
        return str(path)
