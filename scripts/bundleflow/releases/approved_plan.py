"""The folder that carries a plan from the planning job to the approved deployment, and what differs between the two plans."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.plan import CanonicalChange, CanonicalEntry, CanonicalPlan, PlanDifference
from bundleflow.releases.digest import masked

FILE = "plan.json"
FORMAT = 1


@dataclass(frozen=True)
class ApprovedPlan:
    """What the planning job hands on. Secrets in `plan` are masked; the digest covers the real values.

    Args:
        stage: Stage of the flow file.
        digest: SHA-256 of the canonical plan.
        identity: User name of the identity that planned.
        commit: Commit that was planned.
        plan: The canonical plan, masked.
        last_deployment: GitHub's id of the stage's newest deployment when it was planned; 0 for none.
        resumed_by: Who said that releases may go on after one that failed; empty when none had.
        force_lock: Whether the deployment takes the bundle's lock away from whoever holds it.
        evidence_run: GitHub's id of the run that deployed the required stage; 0 where none is required.
    """

    stage: str
    digest: str
    identity: str
    commit: str
    plan: CanonicalPlan
    last_deployment: int = 0
    resumed_by: str = ""
    force_lock: bool = False
    evidence_run: int = 0


def write_approved_plan(folder: Path, approved: ApprovedPlan) -> Path:
    """Write `plan.json` into a folder (made if it is not there)."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    data = {"format": FORMAT, **asdict(approved)}
    path.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_approved_plan(folder: Path) -> ApprovedPlan:
    """Read what `write_approved_plan` wrote.

    Raises:
        BundleflowError: `plan-changed` when it is not there or cannot be read: then nobody can say what was approved.
    """
    path = folder / FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            raise ValueError(f"its format is {data['format']}")
        entries = tuple(
            CanonicalEntry(entry["key"], entry["action"], tuple(CanonicalChange(**change) for change in entry["changes"]))
            for entry in data["plan"].pop("entries")
        )
        plan = CanonicalPlan(**data.pop("plan"), entries=entries)
        del data["format"]
        return ApprovedPlan(plan=plan, **data)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleflowError(
            f"The approved plan {path} cannot be read: {error}.",
            fix="Download the artifact of this run's planning job into this folder, or run the whole workflow again.",
            reason=FailureReason.PLAN_CHANGED,
            exit_code=ExitCode.FAILED,
        ) from error


def difference(approved: CanonicalPlan, now: CanonicalPlan) -> PlanDifference:
    """What differs, a line each, in words for the person who approved; secrets are masked."""
    return PlanDifference(tuple(_lines(masked(approved), masked(now))))


def _lines(approved: CanonicalPlan, now: CanonicalPlan) -> Iterator[str]:
    for name, before, after in (
        ("target", approved.target, now.target),
        ("tree of the commit", approved.tree, now.tree),
        ("version of the Databricks CLI", approved.cli_version, now.cli_version),
    ):
        if before != after:
            yield f"{name}: approved {before}, now {after}"
    old = {entry.key: entry for entry in approved.entries}
    new = {entry.key: entry for entry in now.entries}
    for key in sorted(old.keys() | new.keys()):
        short = key.removeprefix("resources.")
        if key not in new:
            yield f"{short}: approved {old[key].action}, now nothing to do"
        elif key not in old:
            yield f"{short}: was not in the approved plan, now {new[key].action}"
        elif old[key].action != new[key].action:
            yield f"{short}: approved {old[key].action}, now {new[key].action}"
        else:
            yield from (f"{short}: {line}" for line in _change_lines(old[key], new[key]))


def _change_lines(approved: CanonicalEntry, now: CanonicalEntry) -> Iterator[str]:
    old = {change.path: change for change in approved.changes}
    new = {change.path: change for change in now.changes}
    for path in sorted(old.keys() | new.keys()):
        shown = path.removeprefix("=")
        if path not in new:
            yield f"{shown}: the approved change is not needed any more"
        elif path not in old:
            yield f"{shown}: not in the approved plan, now {_text(new[path].old)} → {_text(new[path].new)}"
        elif old[path] != new[path]:
            parts = [
                f"{name} was {_text(before)} when it was approved, is {_text(after)} now"
                for name, before, after in (
                    ("the deployed value", old[path].old, new[path].old),
                    ("the new value", old[path].new, new[path].new),
                    ("the value in the workspace", old[path].remote, new[path].remote),
                )
                if before != after
            ]
            yield f"{shown}: {'; '.join(parts)}"


def _text(value: str | None) -> str:
    if value is None:
        return "(absent)"
    return value if len(value) <= 200 else value[:197] + "..."
