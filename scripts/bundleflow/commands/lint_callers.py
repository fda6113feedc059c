"""Compares the bundles that the deploying workflows name with those of the flow file: each reaches every stage, and none is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from bundleflow.doctor.deployed_bundles import DEPLOYING, bundles_of
from bundleflow.doctor.workflows import KitCall, kit_calls, stage_of, workflow_files
from bundleflow.records.finding import Finding
from bundleflow.records.yaml_source import Path as YamlPath
from bundleflow.records.yaml_source import YamlSource, parse_yaml
from bundleflow.releases.bundle_yaml import FILE_NAMES


def deployed_findings(root: Path, folders: Iterable[Path]) -> Iterator[Finding]:
    """What is wrong with the lists of bundles in the callers of cd-dev, cd-staging and cd-prod; a list that only a run knows is left out.

    Args:
        root: The repository's root.
        folders: Folders that the flow file's `bundles` lead to; one without a bundle need not be deployed.
    """
    known = {folder.relative_to(root).as_posix(): any((folder / name).is_file() for name in FILE_NAMES) for folder in folders}
    stages: dict[str, list[KitCall]] = {}
    for call in kit_calls(workflow_files(root)[0]):
        if call.workflow in DEPLOYING:
            stages.setdefault(stage_of(call), []).append(call)
    for stage, calls in stages.items():
        if "${{" not in stage:
            yield from _of_stage(root, stage, calls, known)


def _of_stage(root: Path, stage: str, calls: Sequence[KitCall], known: Mapping[str, bool]) -> Iterator[Finding]:
    named = [bundles_of(call) for call in calls]
    for call, here in zip(calls, named, strict=True):
        for folder in sorted(set(here or ()) - set(known)):
            message = (
                f"job `{call.job}` deploys `{folder}`, which is no bundle of the flow file. Take it out, or add it to `bundles:` there."
            )
            yield _finding(root, call, folder, "unknown-bundle", message)
    if None in named:
        return
    reached = {folder for here in named for folder in here or ()}
    for folder in sorted({folder for folder, is_bundle in known.items() if is_bundle} - reached):
        message = (
            f"no job deploys the bundle `{folder}` to stage `{stage}`: its changes would be merged and never get there. "
            f"Add it to the `matrix` of job `{calls[0].job}` (docs/monorepo.md)."
        )
        yield _finding(root, calls[0], folder, "bundle-not-deployed", message)


def _finding(root: Path, call: KitCall, folder: str, rule: str, message: str) -> Finding:
    source = parse_yaml((root / call.file.path).read_text(encoding="utf-8", errors="replace"))
    position = source.at(_place(source, call, folder))
    return Finding(call.file.path, position.line, position.column, "flow", rule, message)


def _place(source: YamlSource, call: KitCall, folder: str) -> YamlPath:
    """Where a folder stands in a job's matrix, else the matrix, else the job's `bundle-dir`, else the job."""
    job = ("jobs", call.job)
    matrix, given = (*job, "strategy", "matrix"), (*job, "with", "bundle-dir")
    lists = source.data["jobs"][call.job]["strategy"]["matrix"] if matrix in source.keys else {}
    for key, values in lists.items() if isinstance(lists, dict) else ():
        for index, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str) and PurePosixPath(value).as_posix() == folder:
                return (*matrix, key, index)
    return next((path for path in (matrix, given) if path in source.keys), job)
