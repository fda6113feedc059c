"""Which commit of the kit files are pinned to: what the workflow says on a runner, else the checkout's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.templates_callers import KIT_ROOT
from bundleflow.templates_project import kit_commit

VARIABLE = "BUNDLEFLOW_KIT_SHA"
"""Set by deploy-cicd.yml from `job.workflow_sha`: runners unpack an action without its git repository."""


def kit_sha(env: Mapping[str, str], root: Path = KIT_ROOT) -> str:
    """The kit's commit, as 40 hexadecimal digits.

    Args:
        env: Environment variables.
        root: Folder of the kit's checkout.

    Raises:
        BundleflowError: What the workflow says is no commit, or nothing says it.
    """
    given = env.get(VARIABLE) or ""
    if not given:
        return kit_commit(root)
    if not re.fullmatch(r"[0-9a-f]{40}", given):
        raise BundleflowError(
            f"{VARIABLE} is {given[:80]!r}, which is no commit of the kit.",
            fix="Call deploy-cicd.yml by a full commit SHA; it sets this by itself.",
            exit_code=ExitCode.USAGE,
        )
    return given
