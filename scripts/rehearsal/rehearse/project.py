"""Takes the project to rehearse: rendered from a template or copied from a folder, checked before anything is started."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import FLOW_FILE, Flow, load_flow
from rehearsal.actions import yamltext
from rehearsal.rehearse import bundle, hosts
from rehearsal.rehearse.bundle import BundleFacts
from rehearsal.rehearse.result import Difference

NEEDED_BYTES = 300 * 1024 * 1024
_LEFT_OUT = {".git", ".venv", "venv", "node_modules", "__pycache__", ".databricks", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
"""What git would not have either."""

_KIT_REF = re.compile(r"bundleflow/bundleflow(?:/[^@\s]+)?@([\w./-]+)")


@dataclass(frozen=True)
class Project:
    """A project that is ready to be rehearsed.

    Args:
        root: Its copy.
        given: How the user named it.
        template: The template's name; empty for a folder of the user's.
        name: The bundle's name.
        flow: Its flow file.
        bundle: What its bundle's files say.
        changes: What was changed in the copy.
    """

    root: Path
    given: str
    template: str
    name: str
    flow: Flow
    bundle: BundleFacts
    changes: list[Difference] = field(default_factory=list)

    @property
    def repository(self) -> str:
        """Owner and name in the imitated GitHub."""
        return f"team/{re.sub(r'[^A-Za-z0-9._-]', '-', self.name) or 'project'}"

    def environments(self) -> dict[str, str]:
        """Give every GitHub environment that the flow file names, with what its identity may: `write`, or `read` to plan."""
        found: dict[str, str] = {}
        for stage in self.flow.stages.values():
            found[stage.environment] = "write"
            if stage.model_environment:
                found[stage.model_environment] = "write"
            if stage.plan_environment:
                found.setdefault(stage.plan_environment, "read")
        return found

    def has_workflow(self, file: str) -> bool:
        """Say whether the project has a workflow of this file name."""
        return (self.root / ".github" / "workflows" / file).is_file()

    def same_identities(self) -> dict[str, str]:
        """Give the planning environments whose identity is that of a deploying one (`approval: one-identity`), with that environment."""
        stages = self.flow.stages.values()
        return {stage.plan_environment: stage.environment for stage in stages if stage.plan_environment and stage.approval.one_identity}

    @property
    def catalogs(self) -> list[str]:
        """The catalogs that must exist beforehand."""
        return sorted({catalog for found in self.bundle.catalogs.values() for catalog in found})

    def catalogs_of(self, target: str) -> tuple[str, ...]:
        """Give the catalogs that one target uses."""
        return self.bundle.catalogs.get(target, ())

    def kit_refs(self) -> list[str]:
        """Give the commits or tags of the kit that the project's workflows name."""
        text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((self.root / ".github" / "workflows").glob("*.y*ml")))
        return sorted(set(_KIT_REF.findall(text)))

    def test_requirements(self) -> tuple[Path, str] | None:
        """Give the unit tests' locked requirements with their SHA-256, where the flow file names them."""
        name = self.flow.unit_tests.requirements
        path = self.root / name if name else None
        return (path, hashlib.sha256(path.read_bytes()).hexdigest()) if path and path.is_file() else None


def check_space(folder: Path) -> None:
    """Refuse to begin where the disk is nearly full.

    Raises:
        BundleflowError: Less than `NEEDED_BYTES` are free.
    """
    free = shutil.disk_usage(folder).free
    if free < NEEDED_BYTES:
        raise BundleflowError(
            f"There is no space left for a rehearsal in {folder}: {free // 2**20} MB are free, {NEEDED_BYTES // 2**20} MB are needed.",
            fix="Free some space, or set TMPDIR to a folder on another disk.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        )


def render_template(name: str, target: Path, environment: Mapping[str, str]) -> None:
    """Render a template of the kit, by the kit's own command.

    Raises:
        BundleflowError: The command failed; its own words are given.
    """
    argv = [sys.executable, "-m", "bundleflow", "new", name, str(target), "--defaults"]
    done = subprocess.run(argv, env=dict(environment), capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise BundleflowError(
            f"Template `{name}` could not be rendered.",
            fix="`bundleflow new --help` lists the templates.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode(done.returncode) if done.returncode in set(ExitCode) else ExitCode.USAGE,
            details=(done.stderr or done.stdout).strip(),
        )


def check_folder(folder: Path) -> None:
    """Check that a folder holds a project, before anything is copied: so that errors name the user's own files.

    Raises:
        BundleflowError: It is not there, has no bundle, or its flow file is wrong.
    """
    if not folder.is_dir():
        raise BundleflowError(
            f"There is no project folder {folder}.",
            fix="Give a folder with a `databricks.yml`, or `--template iris`.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        )
    if not any((folder / name).is_file() for name in ("databricks.yml", "databricks.yaml", FLOW_FILE)):
        raise BundleflowError(
            f"{folder} has no databricks.yml, so it is no Databricks bundle.",
            fix="Give the folder that holds databricks.yml; `bundleflow new iris DIR` makes a project to start from.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        )
    flow = load_flow(folder / FLOW_FILE)
    if not hosts.bundle_folders(folder):
        raise BundleflowError(
            f"{folder / FLOW_FILE}: `bundles` ({', '.join(flow.bundles)}) leads to no folder with a databricks.yml.",
            fix="Correct `bundles`, or leave it out where databricks.yml is at the root.",
            reason=FailureReason.FLOW_MISMATCH,
            exit_code=ExitCode.USAGE,
        )


def copy_folder(source: Path, target: Path) -> None:
    """Copy a project as git sees it: without what it ignores, uncommitted changes included."""
    listed = subprocess.run(
        ["git", "-C", str(source), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    if listed.returncode != 0:
        shutil.copytree(source, target, ignore=lambda _, names: [name for name in names if name in _LEFT_OUT], symlinks=True)
        return
    for raw in listed.stdout.split(b"\0"):
        name = os.fsdecode(raw)
        if name and (source / name).is_symlink() | (source / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name, follow_symlinks=False)


def take(root: Path, given: str, template: str) -> Project:
    """Check a project's copy and point it at the imitated workspace.

    Args:
        root: The copy; hosts and profiles are taken out of its bundle.
        given: How the user named the project.
        template: The template's name, or empty.

    Raises:
        BundleflowError: The flow file or the bundle is wrong (the key is named), or another host is left.
    """
    flow = load_flow(root / FLOW_FILE)
    facts = bundle.read(root)
    for stage in flow.stages.values():
        if stage.target not in facts.targets:
            raise _no_target(stage.name, stage.target, facts.targets)
    if not list((root / ".github" / "workflows").glob("*.y*ml")):
        raise BundleflowError(
            f"{given} has no workflows in .github/workflows, so there is nothing to rehearse.",
            fix="`bundleflow new iris DIR` shows callers of about ten lines to start from.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        )
    changes = hosts.replace(root)
    _refuse_foreign(root)
    return Project(root, given, template, facts.name, flow, facts, changes)


def _no_target(stage: str, target: str, targets: tuple[str, ...]) -> BundleflowError:
    close = difflib.get_close_matches(target, targets, n=1)
    return BundleflowError(
        f"{FLOW_FILE}: stages.{stage}.target is `{target}`, and the bundle has no target of that name.",
        fix=f"Did you mean `{close[0]}`?" if close else f"The bundle's targets are: {', '.join(targets) or 'none'}.",
        reason=FailureReason.FLOW_MISMATCH,
        exit_code=ExitCode.USAGE,
    )


def _refuse_foreign(root: Path) -> None:
    left = hosts.foreign(root)
    if left:
        raise BundleflowError(
            f"The project names {'a host' if len(left) == 1 else f'{len(left)} hosts'} outside this machine: "
            + "; ".join(f"{item.host} ({item.file}: {item.where})" for item in left)
            + ". The rehearsal does not start.",
            fix="Take it out of the bundle, for example into a variable that the environment sets.",
            reason=FailureReason.WRONG_USE,
            exit_code=ExitCode.USAGE,
        )


def workflow_documents(root: Path) -> dict[str, dict[str, object]]:
    """Give the project's workflows by their path."""
    folder = root / ".github" / "workflows"
    return {f".github/workflows/{path.name}": yamltext.load_file(path) for path in sorted([*folder.glob("*.yml"), *folder.glob("*.yaml")])}
