"""Finds what a `uses:` means: a file of the rehearsed project, of the kit, a stand-in, or something that is refused by name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

KIT = "bundleflow/bundleflow"
"""Owner and name under which callers use the kit."""

BUILT_IN = ("actions/checkout",)
"""Actions that act does itself: it copies the folder, which stands at the event's commit."""

STAND_INS = Path(__file__).parent / "stand_ins"
"""Local actions that do for our use what third-party actions do, as `OWNER-NAME/action.yml`."""

_REMOTE = re.compile(r"^(?P<slug>[\w.-]+/[\w.-]+)(?:/(?P<path>[^@]+))?@(?P<ref>.+)$")


@dataclass(frozen=True)
class Source:
    """One repository at one ref, as the run sees it.

    Args:
        slug: `owner/name`.
        ref: As written after `@` (for the project itself: the event's commit).
        sha: Its commit.
        root: Folder with the original files.
        copy: Folder for the rendered files, which act is given in its place.
    """

    slug: str
    ref: str
    sha: str
    root: Path
    copy: Path


@dataclass
class Sources:
    """All repositories that a run may take workflows and actions from.

    Args:
        project: The rehearsed project at the event's commit.
        kit_root: This installation's checkout of the kit, whatever commit a caller names.
        kit_copy: Folder for the kit's rendered files.
        kit_sha: The checkout's commit.
    """

    project: Source
    kit_root: Path
    kit_copy: Path
    kit_sha: str
    used: dict[str, Path] = field(default_factory=dict)
    """`owner/name@ref` → folder, for act's `--local-repository`."""

    def kit(self, ref: str) -> Source:
        """Give the kit as used at a ref."""
        return Source(KIT, ref, ref if re.fullmatch(r"[0-9a-f]{40}", ref) else self.kit_sha, self.kit_root, self.kit_copy)

    def workflow(self, uses: str, current: Source, where: str) -> tuple[Source, str]:
        """Find a called workflow.

        Args:
            uses: The value of the job's `uses:`.
            current: The repository of the file that says so.
            where: The place, for an error.

        Returns:
            The repository, and the file's path in it.

        Raises:
            BundleflowError: It is in a repository that the rehearsal does not have, or the file is not there.
        """
        source, path = self._locate(uses, current, where)
        if not (source.root / path).is_file():
            raise BundleflowError(
                f"{where} calls `{uses}`, and there is no file {path} in {source.slug}.",
                fix="Correct the name after `uses:`, or add the workflow.",
                reason=FailureReason.LINT_FAILED,
                exit_code=ExitCode.USAGE,
            )
        return source, path

    def _locate(self, uses: str, current: Source, where: str) -> tuple[Source, str]:
        if uses.startswith(("./", "$/")):
            return current, uses[2:]
        match = _REMOTE.match(uses)
        if match and match["slug"] == KIT:
            return self.kit(match["ref"]), match["path"] or ""
        if match and match["slug"] == self.project.slug:
            return self.project, match["path"] or ""
        raise _unknown(uses, where)

    def action(self, uses: str, current: Source, where: str) -> str:
        """Find an action and give the `uses:` for act, noting the folder that act is to take it from.

        Raises:
            BundleflowError: The rehearsal has neither the action nor a stand-in for it.
        """
        if uses.startswith("./"):
            return uses
        match = _REMOTE.match(uses)
        if match and match["slug"] in BUILT_IN:
            return uses
        stand_in = STAND_INS / match["slug"].replace("/", "-") if match else None
        if match and stand_in and stand_in.is_dir():
            self.used[f"{match['slug']}@{match['ref']}"] = stand_in
            return uses
        source, path = self._locate(uses, current, where)
        if not any((source.root / path / name).is_file() for name in ("action.yml", "action.yaml")):
            raise BundleflowError(
                f"{where} uses `{uses}`, and there is no action in {path or 'the root'} of {source.slug}.",
                fix="Correct the name after `uses:`, or add the action.",
                reason=FailureReason.LINT_FAILED,
                exit_code=ExitCode.USAGE,
            )
        self.used[f"{source.slug}@{source.ref}"] = source.copy
        if source.slug == KIT:
            # The kit's actions use each other by the checkout's commit, which is another one than the caller's pin before an update.
            self.used[f"{KIT}@{self.kit_sha}"] = source.copy
        return f"{source.slug}{'/' + path if path else ''}@{source.ref}"


def _unknown(uses: str, where: str) -> BundleflowError:
    known = ", ".join([*BUILT_IN, *(sorted(path.name.replace("-", "/", 1) for path in STAND_INS.iterdir()) if STAND_INS.is_dir() else [])])
    return BundleflowError(
        f"{where} uses `{uses}`, for which the rehearsal has no stand-in (and it fetches nothing from the network).",
        fix=f"Leave it out for the rehearsal, or use what there is: {known}, the kit's own actions, and those of the project.",
        reason=FailureReason.WRONG_USE,
        exit_code=ExitCode.USAGE,
    )
