"""Looks through a repository: the bundles in it with their targets and jobs, its unit tests, and the branch that it lives on."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bundleflow.adoption.resolution import merged, target_configuration, unset_variables
from bundleflow.adoption.shape import misshapen
from bundleflow.adoption.traits import by_identity, foreseen_warnings, not_isolated
from bundleflow.records.errors import BundleflowError
from bundleflow.records.finding import Finding
from bundleflow.records.flow import FLOW_FILE, Flow, load_flow
from bundleflow.releases.bundle_yaml import FILE_NAMES, read_bundle
from bundleflow.releases.offline import IMPLICIT_TARGET

GIT_LIMIT_S = 30
SKIPPED = {".git", ".venv", "venv", "node_modules", "__pycache__", ".databricks", ".bundle", ".tox", "site-packages"}
TEMPLATE_MARK = "databricks_template_schema.json"
"""File of the Databricks CLI's own project templates: below it are no bundles, but texts to make them from."""

TEST_FOLDERS = ("tests/unit", "test/unit", "unit_tests", "tests", "test")
LOCK_NAMES = ("requirements.txt", "requirements-test.txt", "requirements-dev.txt", "test-requirements.txt", "dev-requirements.txt")


@dataclass(frozen=True)
class Target:
    """One target of a bundle.

    Args:
        name: Its key under `targets:`.
        mode: `development`, `production` or empty.
        is_default: Whether it is the bundle's default target.
        branch: Branch that `git: branch:` binds it to; empty: none.
        by_identity: Places of the bundle that hang on who deploys this target, such as `workspace.root_path: ...`.
        not_isolated: Why two pull requests could not each have a deployment of it; empty: they could.
        unset: Variables without any value in this target.
        has_profile: Whether it names a profile of a laptop's configuration file, which no runner has.
        warnings: Warnings that the CLI gives for it as it is.
        root_path: Folder that it is deployed to, as far as the files say it.
    """

    name: str
    mode: str = ""
    is_default: bool = False
    branch: str = ""
    by_identity: tuple[str, ...] = ()
    not_isolated: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    has_profile: bool = False
    warnings: tuple[str, ...] = ()
    root_path: str = ""


@dataclass(frozen=True)
class Bundle:
    """One bundle.

    Args:
        folder: Its folder relative to the repository's root, with slashes; `.` is the root.
        file: Its main file, such as `databricks.yml`.
        name: `bundle: name:`.
        targets: Its targets in the order of the file.
        jobs: Keys of its jobs, sorted; empty too where only Python code defines them.
        kinds: Kinds of its resources, such as `jobs`, sorted.
        run_as: Whether jobs run as somebody else than who deploys them.
        declares_targets: False: it declares none, and the CLI's implicit target `default` is meant.
    """

    folder: str
    file: str
    name: str
    targets: tuple[Target, ...]
    jobs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    run_as: bool = False
    declares_targets: bool = True


@dataclass(frozen=True)
class Tests:
    """Unit tests: a folder, and the locked requirements that they run with; both relative to the repository's root."""

    path: str
    requirements: str


@dataclass(frozen=True)
class Survey:
    """What was found.

    Args:
        root: The repository's root.
        bundles: Its bundles, sorted by folder.
        left_out: Folder of a bundle → why it is left out.
        tests: Unit tests that can run as they are; None: none.
        unlocked_tests: Folder of tests without locked requirements; empty: none.
        branch: The repository's default branch, as far as git says it; empty: it does not.
        findings: What is wrong with the bundles' own files.
        deployers: Workflows that deploy a bundle by themselves.
        flow: The flow file that is there; None: none, or one that is not valid.
    """

    root: Path
    bundles: tuple[Bundle, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    tests: Tests | None = None
    unlocked_tests: str = ""
    branch: str = ""
    findings: tuple[Finding, ...] = ()
    deployers: tuple[str, ...] = ()
    flow: Flow | None = None


def survey(root: Path) -> Survey:
    """Read a repository; nothing is executed and nothing is written.

    Args:
        root: Its root.
    """
    bundles: list[Bundle] = []
    left_out: dict[str, str] = {}
    findings: list[Finding] = []
    for file in _bundle_files(root):
        folder = file.parent.relative_to(root).as_posix()
        objection = _unusable(folder)
        read = read_bundle(file.parent, root)
        if any(each.rule == "yaml" for each in read.findings):
            first = next(each for each in read.findings if each.rule == "yaml")
            objection = objection or f"{first.place}: {first.message}"
        objection = objection or misshapen(read, root)
        if objection:
            left_out[folder] = objection
            continue
        findings += read.findings
        bundles.append(_bundle(folder, file.name, [source.data for source in read.sources.values()], sorted(read.jobs or ())))
    tests, unlocked = _tests(root, [each.folder for each in bundles])
    return Survey(root, tuple(bundles), left_out, tests, unlocked, default_branch(root), tuple(findings), _deployers(root), _flow(root))


def _bundle(folder: str, file: str, documents: list[object], jobs: list[str]) -> Bundle:
    document = merged(documents)
    name = str((document.get("bundle") or {}).get("name") or "")
    declared = document.get("targets") if isinstance(document.get("targets"), dict) else {}
    targets = []
    for key in declared or {IMPLICIT_TARGET: None}:
        own = (declared or {}).get(key)
        own = own if isinstance(own, dict) else {}
        configuration = target_configuration(document, str(key))
        targets.append(
            Target(
                name=str(key),
                mode=str(own.get("mode") or (document.get("bundle") or {}).get("mode") or ""),
                is_default=own.get("default") is True,
                branch=str((own.get("git") or {}).get("branch") or ((document.get("bundle") or {}).get("git") or {}).get("branch") or ""),
                by_identity=by_identity(configuration),
                not_isolated=not_isolated(document, str(key)),
                unset=unset_variables(document, str(key)),
                has_profile=bool((configuration.get("workspace") or {}).get("profile")),
                warnings=foreseen_warnings(configuration),
                root_path=str(configuration["workspace"]["root_path"]),
            )
        )
    configurations = [target_configuration(document, target.name) for target in targets]
    kinds = sorted({str(kind) for each in configurations for kind, items in (each.get("resources") or {}).items() if items})
    run_as = any("run_as" in each for each in configurations)
    return Bundle(folder, file, name, tuple(targets), tuple(jobs), tuple(kinds), run_as, bool(declared))


def _unusable(folder: str) -> str:
    """Why no workflow can be told of a folder: an expression in its name would be evaluated, a line break ends a value."""
    if "${{" in folder or not folder.isprintable():
        return "its name cannot stand in a workflow (an expression of GitHub Actions, or characters that nobody sees)"
    if re.search(r"[*?\[\]]", folder):
        return "its name holds characters of a pattern (`*`, `?`, `[`, `]`)"
    return ""


def _bundle_files(root: Path) -> list[Path]:
    found: dict[Path, Path] = {}
    for path in sorted(_files(root)):
        if path.name in FILE_NAMES and path.is_file() and not _in_template(path, root):
            known = found.get(path.parent)
            if known is None or FILE_NAMES.index(path.name) < FILE_NAMES.index(known.name):
                found[path.parent] = path
    return list(found.values())


def _in_template(path: Path, root: Path) -> bool:
    return any((parent / TEMPLATE_MARK).is_file() for parent in path.parents if parent == root or root in parent.parents)


def _files(root: Path) -> Iterator[Path]:
    """Files that git would keep, or all where there is no repository."""
    try:
        # `-C root` limits the list to this folder, also when the repository begins above it.
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            timeout=GIT_LIMIT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        for folder, names, files in os.walk(root):
            names[:] = sorted(name for name in names if name not in SKIPPED)
            yield from (Path(folder) / name for name in files)
        return
    for raw in listed.stdout.split(b"\0"):
        if raw and not SKIPPED & set(Path(os.fsdecode(raw)).parts):
            yield root / os.fsdecode(raw)


def _tests(root: Path, folders: list[str]) -> tuple[Tests | None, str]:
    """The first folder of tests that has locked requirements; else the first one that has none."""
    unlocked = ""
    for base in dict.fromkeys([".", *(folders if len(folders) == 1 else [])]):
        for name in TEST_FOLDERS:
            folder = root / base / name
            if not any(folder.rglob("test_*.py")) and not any(folder.rglob("*_test.py")):
                continue
            places = [folder, *[each for each in folder.parents if each == root or root in each.parents]]
            locks = (place / lock for place in places for lock in LOCK_NAMES)
            lock = next(
                (each for each in locks if each.is_file() and "--hash=" in each.read_text(encoding="utf-8", errors="replace")), None
            )
            if lock:
                return Tests(folder.relative_to(root).as_posix(), lock.relative_to(root).as_posix()), ""
            unlocked = unlocked or folder.relative_to(root).as_posix()
    return None, unlocked


def _flow(root: Path) -> Flow | None:
    try:
        return load_flow(root / FLOW_FILE)
    except BundleflowError:
        return None


def _deployers(root: Path) -> tuple[str, ...]:
    """Workflows of the repository's own that call the CLI to deploy: beside the callers they would deploy everything twice."""
    found = (path for path in sorted((root / ".github" / "workflows").glob("*.y*ml")) if path.is_file())
    return tuple(path.name for path in found if re.search(r"\bbundle\s+deploy\b", path.read_text(encoding="utf-8", errors="replace")))


def default_branch(root: Path) -> str:
    """The remote's default branch, else the branch that is checked out; empty where git does not say."""
    for argv in (["symbolic-ref", "--short", "refs/remotes/origin/HEAD"], ["symbolic-ref", "--short", "HEAD"]):
        try:
            done = subprocess.run(["git", "-C", str(root), *argv], capture_output=True, text=True, timeout=GIT_LIMIT_S, check=False)
        except (OSError, subprocess.SubprocessError):
            return ""
        if done.returncode == 0:
            return done.stdout.strip().removeprefix("origin/")
    return ""
