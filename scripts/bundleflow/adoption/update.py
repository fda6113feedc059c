"""Brings a repository to this kit: pins moved in any repository, and a template's own changes merged into projects made from one.

Each file is merged three ways, by `git merge-file`: the template as it was, as it is, and the project's own file. Nothing is downloaded:
both templates come from the kit's checkout.
"""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bundleflow import __version__
from bundleflow.adapters.cli_lock import LOCK_FILE, load_lock
from bundleflow.adapters.cli_release import check_version, load_table, version_key
from bundleflow.adoption.pins import ANSWERS_FILE, COMMIT, moved, objections, pinned_files, refs
from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.flow import FLOW_FILE, check_flow
from bundleflow.records.yaml_source import YamlError, parse_yaml
from bundleflow.templates_callers import KIT_ROOT
from bundleflow.templates_project import render_again, templates

GIT_LIMIT_S = 60


class Outcome(StrEnum):
    """What becomes of one file."""

    CHANGED = "changed"
    NEW = "new"
    DELETED = "deleted"
    CONFLICT = "conflict"
    KEPT = "kept"


@dataclass(frozen=True)
class FileUpdate:
    """One file of the repository.

    Args:
        path: Relative to the repository's root.
        outcome: What becomes of it.
        old: What is there; None: nothing, or no text.
        new: What will be there; None: nothing, or it stays.
        why: For what is kept or in conflict: why.
    """

    path: str
    outcome: Outcome
    old: str | None = None
    new: str | None = None
    why: str = ""


@dataclass(frozen=True)
class Update:
    """What would be done to a repository.

    Args:
        files: The files that are concerned.
        notes: What a person must change, or should know.
        template: Template that the project was made from; empty: none.
        before: Commit of the kit that the project was made from; empty: not from a template.
    """

    files: tuple[FileUpdate, ...]
    notes: tuple[str, ...]
    template: str = ""
    before: str = ""


def plan_update(root: Path, sha: str, kit_root: Path = KIT_ROOT) -> Update:
    """Say what an update to this kit would change; nothing is written.

    Args:
        root: The repository's root.
        sha: The kit's commit.
        kit_root: Folder of the kit's checkout.

    Raises:
        BundleflowError: The kit's checkout is older than the pins, or does not hold a commit that is pinned or that the template is from.
    """
    texts = {path.relative_to(root).as_posix(): _text(path.read_bytes()) or "" for path in pinned_files(root)}
    named = list(dict.fromkeys(ref for text in texts.values() for ref in refs(text)))
    if not named:
        raise BundleflowError(
            f"Nothing in {root} names a commit of bundleflow.",
            fix="Run this at the root of a repository that uses it; `bundleflow adopt` brings an existing bundle there.",
            exit_code=ExitCode.USAGE,
        )
    for ref in named:
        _check_newer(kit_root, ref, sha)
    pinned = {path: moved(text, sha, __version__) for path, text in texts.items()}
    template, before, answers = _answers(texts.get(ANSWERS_FILE, ""))
    files = {path: FileUpdate(path, Outcome.CHANGED, texts[path], new) for path, new in pinned.items() if new != texts[path]}
    notes: list[str] = []
    if template and before:
        if template in templates(kit_root):
            merged = _merged(root, pinned, _Versions(kit_root, sha, template, before, answers))
            files |= {each.path: each for each in merged}
        else:
            notes.append(f"template `{template}` is not in this kit any more: only the pins are moved")
    notes += _notes(root, files, pinned, named, kit_root)
    return Update(tuple(sorted(files.values(), key=lambda each: each.path)), tuple(notes), template, before)


def apply_update(root: Path, update: Update) -> list[str]:
    """Write an update; conflicts are written with their markers.

    Returns:
        Paths of the files that were written or deleted.

    Raises:
        BundleflowError: A file is a link or leads out of the repository; then nothing is written.
    """
    concerned = [each for each in update.files if each.outcome is Outcome.DELETED or each.new is not None]
    for each in concerned:
        _check_inside(root, each.path)
    for each in concerned:
        target = root / each.path
        if each.new is None:
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(each.new.encode())  # line ends stay as they are
    return [each.path for each in concerned]


def uncommitted(root: Path, update: Update) -> list[str]:
    """Files of an update that have changes which git does not hold: the update could not be taken back there."""
    paths = [each.path for each in update.files if each.outcome is not Outcome.KEPT]
    status = _git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--", *paths).decode("utf-8", "replace") if paths else ""
    return [entry[3:] for entry in status.split("\0") if entry]


@dataclass(frozen=True)
class _Versions:
    """The two versions of a template."""

    kit_root: Path
    sha: str
    template: str
    before: str
    answers: Mapping[str, str]


def _merged(root: Path, pinned: Mapping[str, str], versions: _Versions) -> Iterator[FileUpdate]:
    with tempfile.TemporaryDirectory(prefix="bundleflow-update-") as temporary:
        old_kit, old, new = (Path(temporary) / name for name in ("kit", "old", "new"))
        _extract(versions.kit_root, versions.before, old_kit)
        if not (old_kit / "templates" / versions.template).is_dir():
            return
        # Both with the new commit: pins are moved for themselves, and are no difference between the two.
        render_again(old_kit, versions.template, old, sha=versions.sha, answers=versions.answers)
        render_again(versions.kit_root, versions.template, new, sha=versions.sha, answers=versions.answers)
        for path in sorted(_paths(old) | _paths(new)):
            found = _one(root, path, _read(old / path), _read(new / path), pinned.get(path))
            if found:
                yield found


def _one(root: Path, path: str, base: bytes | None, theirs: bytes | None, pinned: str | None) -> FileUpdate | None:
    """Merge one file of the template."""
    on_disk = _read(root / path)
    ours = pinned.encode() if pinned is not None else on_disk
    if base == theirs or ours == theirs:
        return None
    before = _text(on_disk)
    if ours is None:
        if base is not None:
            return FileUpdate(path, Outcome.KEPT, why="the template changed it, and you have deleted it: it stays away")
        text = _text(theirs)
        return FileUpdate(path, Outcome.NEW, None, text) if text is not None else FileUpdate(path, Outcome.KEPT, why="a new file, not text")
    if theirs is None:
        if ours == base:
            return FileUpdate(path, Outcome.DELETED, before, None)
        return FileUpdate(path, Outcome.KEPT, before, why="the template has it no more, and you have changed it: it stays")
    mine, new, old = _text(ours), _text(theirs), _text(base) if base is not None else ""
    if mine is None or new is None or old is None:
        return FileUpdate(path, Outcome.CONFLICT, why="it is no text: compare it by hand")
    if ours == base:
        return FileUpdate(path, Outcome.CHANGED, before, new)
    if base is None:
        return FileUpdate(
            path, Outcome.CONFLICT, before, None, why="the template has a file of this name now, and yours is another one: it stays"
        )
    text, clean = _merge_file(mine, old, new)
    return FileUpdate(
        path, Outcome.CHANGED if clean else Outcome.CONFLICT, before, text, "" if clean else "both sides changed the same lines"
    )


def _merge_file(ours: str, base: str, theirs: str) -> tuple[str, bool]:
    with tempfile.TemporaryDirectory(prefix="bundleflow-merge-") as temporary:
        files = []
        for name, text in (("yours", ours), ("before", base), ("template", theirs)):
            file = Path(temporary) / name
            file.write_bytes(text.encode())
            files.append(str(file))
        labels = ["-L", "yours", "-L", "template before", "-L", "template now"]
        argv = ["git", "merge-file", "-p", "--diff3", *labels, *files]
        done = subprocess.run(argv, capture_output=True, timeout=GIT_LIMIT_S, check=False)
    # The exit code is the number of conflicts (at most 127); above that git could not work.
    if done.returncode > 127:
        raise BundleflowError("`git merge-file` failed.", fix="Check git.", exit_code=ExitCode.TROUBLE, details=done.stderr.decode())
    return done.stdout.decode("utf-8"), done.returncode == 0


def _notes(root: Path, files: Mapping[str, FileUpdate], pinned: Mapping[str, str], named: list[str], kit_root: Path) -> Iterator[str]:
    for path, text in pinned.items():
        new = files[path].new if path in files else None
        if path.startswith(".github/"):
            yield from objections(path, text if new is None else new, kit_root)
    for ref in named:
        if not COMMIT.fullmatch(ref):
            yield f"the kit is pinned to `{ref}`, which can move: write the full commit instead"
    yield from _lock_notes(root)
    if (root / FLOW_FILE).is_file():
        _, problems = check_flow(root / FLOW_FILE)
        yield from (f"{FLOW_FILE}:{each.position.line}: {each.cause}. {each.fix}".strip() for each in problems)


def _lock_notes(root: Path) -> Iterator[str]:
    """The locked Databricks CLI, where this kit was not tried with it or would take a newer one."""
    table = load_table()
    try:
        lock = load_lock(root / LOCK_FILE)
        if lock is None:
            return
        check_version(lock.cli, table)
    except BundleflowError as error:
        yield f"{LOCK_FILE}: {error.cause} `bundleflow cli update` writes it anew"
        return
    if version_key(lock.cli) < version_key(table.pinned):
        yield f"{LOCK_FILE} has Databricks CLI {lock.cli}; this kit is tried with {table.pinned} (`bundleflow cli update`)"


def _answers(text: str) -> tuple[str, str, dict[str, str]]:
    """Template, commit and answers of a project's answers file."""
    try:
        data = parse_yaml(text).data
    except YamlError:
        return "", "", {}
    if not isinstance(data, dict) or not isinstance(data.get("template"), str):
        return "", "", {}
    answers = {str(key): str(value) for key, value in data.items() if not str(key).startswith("_") and key != "template"}
    return data["template"], str(data.get("_commit") or ""), answers


def _check_newer(kit_root: Path, ref: str, sha: str) -> None:
    """Refuse to go back: a commit that the checkout does not hold is one that it may not have yet."""
    if not COMMIT.fullmatch(ref) or ref == sha:
        return
    if not _has(kit_root, ref):
        raise BundleflowError(
            f"The repository uses the kit's commit {ref[:12]}, which is not in this kit's history.",
            fix=f"Bring the kit's checkout up to date first: git -C {kit_root} pull (and fetch --unshallow where it is a shallow clone).",
            exit_code=ExitCode.USAGE,
        )
    done = subprocess.run(
        ["git", "-C", str(kit_root), "merge-base", "--is-ancestor", sha, ref], capture_output=True, timeout=GIT_LIMIT_S, check=False
    )
    if done.returncode == 0:
        raise BundleflowError(
            f"The kit here ({sha[:12]}) is older than the one that the repository uses ({ref[:12]}).",
            fix=f"Bring the kit's checkout up to date first: git -C {kit_root} pull",
            exit_code=ExitCode.USAGE,
        )


def _has(kit_root: Path, commit: str) -> bool:
    done = subprocess.run(
        ["git", "-C", str(kit_root), "cat-file", "-e", f"{commit}^{{commit}}"], capture_output=True, timeout=GIT_LIMIT_S, check=False
    )
    return done.returncode == 0


def _extract(kit_root: Path, commit: str, target: Path) -> None:
    """The templates of the kit at an older commit, without touching its checkout."""
    if not _has(kit_root, commit):
        raise BundleflowError(
            f"The kit's checkout does not hold the commit {commit[:12]} that the project was made from, so nothing can be merged.",
            fix=f"Fetch the whole history once: git -C {kit_root} fetch --unshallow (or --all). Nothing else is downloaded.",
            exit_code=ExitCode.USAGE,
        )
    packed = _git(kit_root, "archive", "--format=tar", commit, "copier.yml", "templates")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(target, filter="data")


def _git(folder: Path, *argv: str) -> bytes:
    try:
        return subprocess.run(["git", "-C", str(folder), *argv], capture_output=True, timeout=GIT_LIMIT_S, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        raise BundleflowError(
            f"`git {argv[0]}` failed in {folder}.",
            fix="An update needs git: it merges with it, and it is how the update is taken back.",
            exit_code=ExitCode.USAGE,
            details=said.decode("utf-8", "replace").strip(),
        ) from error


def _check_inside(root: Path, path: str) -> None:
    """Refuse a file that would be written somewhere else: a link, or one below a folder that leads out of the repository."""
    target = root / path
    if target.is_symlink() or not target.parent.resolve().is_relative_to(root.resolve()):
        raise BundleflowError(
            f"{path} is a link, or a link on its way leads out of the repository; nothing was written.",
            fix="Put a file of its own in its place, or update what it leads to.",
            exit_code=ExitCode.USAGE,
        )


def _paths(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _text(data: bytes | None) -> str | None:
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
