"""The proposed files beside those that are there: new, the same, or different; only new ones are ever written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bundleflow.adoption.advice import DEVELOP, MAIN
from bundleflow.adoption.flow_file import WARNINGS_FILE, flow_file, warnings_file
from bundleflow.adoption.present import fitted
from bundleflow.adoption.proposal import Proposal
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.flow import FLOW_FILE
from bundleflow.templates_callers import KIT_REPOSITORY, KIT_ROOT, render_caller

WORKFLOWS = ".github/workflows"
VERSION_COMMENT = r"# (?:v\d[\w.-]*|\d+\.\d[\w.-]*)"
"""The kit's version beside a pin, with or without `v`."""
_PIN = re.compile(
    rf"({re.escape(KIT_REPOSITORY)}/)[^\s@]+@[0-9a-f]{{40}}( {VERSION_COMMENT})?|({re.escape(KIT_REPOSITORY)}/)[0-9a-f]{{40}}/"
)


class State(StrEnum):
    """How a proposed file stands to what is there."""

    NEW = "new"
    SAME = "same"
    DIFFERS = "differs"


@dataclass(frozen=True)
class ProposedFile:
    """One proposed file.

    Args:
        path: Relative to the repository's root.
        text: What is proposed.
        present: What is there; None: nothing.
    """

    path: str
    text: str
    present: str | None = None

    @property
    def state(self) -> State:
        """How it stands; a file that differs only by the commit of the kit is the same (`bundleflow update` changes that)."""
        if self.present is None:
            return State.NEW
        return State.SAME if unpinned(self.present) == unpinned(self.text) else State.DIFFERS

    def diff(self) -> Iterator[str]:
        """The lines of a unified diff, from what is there to what is proposed."""
        old = (self.present or "").splitlines()
        start = "/dev/null" if self.present is None else f"a/{self.path}"
        yield from difflib.unified_diff(old, self.text.splitlines(), start, f"b/{self.path}", lineterm="")


def unpinned(text: str) -> str:
    """A caller or flow file without the commit that it is pinned to."""
    return _PIN.sub(lambda match: match[1] or match[3], text)


def proposed_files(proposal: Proposal, sha: str, kit_root: Path = KIT_ROOT) -> tuple[ProposedFile, ...]:
    """The flow file and the callers.

    Args:
        proposal: What is proposed.
        sha: The kit's commit that everything is pinned to.
        kit_root: Folder of the kit's checkout.

    Raises:
        BundleflowError: A file that is there cannot be read as text.
    """
    texts = {FLOW_FILE: flow_file(proposal, sha)}
    flow = proposal.survey.flow
    if proposal.warnings and (flow is None or flow.warnings == WARNINGS_FILE):
        texts[WARNINGS_FILE] = warnings_file(proposal)
    for name, values in callers(fitted(proposal)).items():
        texts[f"{WORKFLOWS}/{name}.yml"] = render_caller(name, values, sha=sha, root=kit_root)
    return tuple(ProposedFile(path, text, _present(proposal.survey.root, path)) for path, text in texts.items())


def callers(proposal: Proposal) -> dict[str, dict[str, str | Sequence[str]]]:
    """The callers that a proposal needs, with the values that they are rendered with (see `templates_callers.VALUES`)."""
    pulls = {"pull_branches": [DEVELOP, MAIN] if proposal.stage("dev") else [MAIN]}
    several = len(proposal.bundles) > 1
    place: dict[str, str | Sequence[str]] = {"bundles": proposal.bundles} if several else {"bundle_dir": proposal.bundles[0]}
    found: dict[str, dict[str, str | Sequence[str]]] = {"lint": {**pulls}}
    test = proposal.stage("test")
    if test:
        checked = {**pulls, **place, "environment": test.environment}
        found["bundle-ci"] = {**checked}
        if proposal.survey.tests or test.per_pull_request:
            found["run-tests"] = {**checked}
        if test.per_pull_request:
            found["cleanup"] = {**checked}
    for name, key in (("cd-dev", "dev"), ("cd-staging", "staging"), ("cd-prod", "prod")):
        stage = proposal.stage(key)
        if stage:
            found[name] = {**place, "environment": stage.environment}
    prod = proposal.stage("prod")
    if prod:
        found["cd-prod"] |= {"plan_environment": prod.plan_environment, "model_environment": prod.model_environment}
    if "cd-staging" in found:
        # A preview on main would need the identity that deploys production, or there is nothing to preview.
        found["cd-staging"]["plan_environment"] = prod.plan_environment if prod and not prod.one_identity else ""
    return found


def _present(root: Path, path: str) -> str | None:
    file = root / path
    # GitHub reads both endings; a second file beside the first would start everything twice.
    other = file.with_suffix(".yaml")
    if not file.exists() and other.exists():
        file = other
    try:
        return file.read_text(encoding="utf-8") if file.exists() or file.is_symlink() else None
    except (OSError, UnicodeDecodeError) as error:
        raise BundleflowError(
            f"{path} is there and cannot be read as text in UTF-8.",
            fix="Nothing was written. Move it away, or correct it.",
            exit_code=ExitCode.USAGE,
            details=str(error),
        ) from error


def write_new(root: Path, files: Sequence[ProposedFile]) -> list[str]:
    """Write the files that are new; what is there is never touched, not even if it came since it was looked at.

    Returns:
        Paths of the files that were written.

    Raises:
        BundleflowError: A file or folder cannot be made, or leads out of the repository; names what was written before.
    """
    written: list[str] = []
    for each in files:
        if each.state is not State.NEW:
            continue
        target = root / each.path
        try:
            if not target.parent.resolve().is_relative_to(root.resolve()):
                raise _not_written(each.path, written, "a link leads out of the repository")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8") as stream:
                stream.write(each.text)
        except OSError as error:
            raise _not_written(each.path, written, error.strerror or str(error)) from error
        written.append(each.path)
    return written


def _not_written(path: str, written: Sequence[str], why: str) -> BundleflowError:
    return BundleflowError(
        f"{path} could not be written: {why}.",
        fix=f"Correct that and run it again. Written before: {', '.join(written) or 'nothing'}.",
        reason=FailureReason.OUTSIDE_TROUBLE,
        exit_code=ExitCode.TROUBLE,
    )


def by_state(files: Sequence[ProposedFile]) -> Mapping[State, list[ProposedFile]]:
    """The files in groups, each in its order."""
    return {state: [each for each in files if each.state is state] for state in State}
