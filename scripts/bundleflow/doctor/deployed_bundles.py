"""Check of several bundles in one repository: does each reach every stage, and is each that a workflow names still there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from bundleflow.doctor.finding import Finding, docs_url, error
from bundleflow.doctor.situation import Situation
from bundleflow.doctor.workflows import KitCall, given_or_default, stage_of
from bundleflow.releases.bundle_yaml import FILE_NAMES

DEPLOYING = ("cd-dev", "cd-staging", "cd-prod")
_OF_MATRIX = re.compile(r"\$\{\{\s*matrix\.([\w-]+)\s*\}\}")


def deployed_bundles(situation: Situation) -> Iterator[Finding]:
    """Each bundle of the flow file is deployed to every stage that a workflow deploys, and no workflow names one that is gone."""
    page = docs_url("monorepo.md")
    # A call that deploys nothing and names no bundle, such as `lint`, works on all of them.
    for call in [each for each in situation.calls if each.workflow in DEPLOYING or "bundle-dir" in each.inputs]:
        for folder in bundles_of(call) or ():
            if not any((situation.root / folder / name).is_file() for name in FILE_NAMES):
                what = f"{call.shown} works on the bundle in `{folder}`, and there is none."
                yield error(what, "The job fails each time.", f"Take `{folder}` out of that job, or correct it; {page} shows the jobs.")
    for stage in situation.flow.stages:
        deploying = [call for call in situation.calls if call.workflow in DEPLOYING and stage_of(call) == stage]
        found = [bundles_of(call) for call in deploying]
        if not deploying or None in found:
            continue
        reached = {folder for folders in found for folder in folders or ()}
        for folder in [each for each in situation.named_folders if each not in reached]:
            what = f"No job deploys the bundle in `{folder}` to stage `{stage}`: {deploying[0].shown} deploys {_listing(reached)}."
            why = "Its changes are merged, and never reach that stage."
            yield error(what, why, f"Add `{folder}` to that job's `matrix`, as {page} says.")


def bundles_of(call: KitCall) -> tuple[str, ...] | None:
    """Folders of the bundles that a call works on, relative to the root; None where only a run decides; empty: it is given none.

    Args:
        call: The call; its `bundle-dir` is a folder, or `${{ matrix.KEY }}` with a list that stands in the file.
    """
    given = given_or_default(call, "bundle-dir")
    key = _OF_MATRIX.fullmatch(given)
    if key is None:
        return None if "${{" in given else (PurePosixPath(given).as_posix(),) if given else ()
    strategy = call.file.jobs[call.job].get("strategy")
    matrix = strategy.get("matrix") if isinstance(strategy, dict) else None
    if not isinstance(matrix, dict) or "exclude" in matrix:
        return None
    values, more = matrix.get(key[1], []), matrix.get("include", [])
    if not isinstance(values, list) or not isinstance(more, list):
        return None
    named = [str(each) for each in (*values, *(each[key[1]] for each in more if isinstance(each, dict) and key[1] in each))]
    return None if any("${{" in each for each in named) else tuple(PurePosixPath(each).as_posix() for each in named)


def _listing(folders: set[str]) -> str:
    return ", ".join(f"`{each}`" for each in sorted(folders)) or "none"
