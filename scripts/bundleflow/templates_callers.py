"""Renders the callers: the short workflows of a project that call the kit's, written once below templates/callers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundleflow import __version__
from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason

if TYPE_CHECKING:
    from jinja2 import Environment

KIT_REPOSITORY = "bundleflow/bundleflow"
KIT_ROOT = Path(__file__).resolve().parents[2]
CALLERS = "templates/callers"
SUFFIX = ".yml.jinja"

VALUES: Mapping[str, str] = {
    "branch": "push to this branch starts the workflow (cd-dev, cd-staging, cd-prod)",
    "pull_branches": "pull requests to these branches start it (lint, bundle-ci, run-tests, cleanup): a list",
    "stage": "stage of the flow file",
    "environment": "GitHub environment of the stage, as the flow file has it",
    "plan_environment": "GitHub environment of the identity that plans (cd-prod; cd-staging for the preview, empty for none)",
    "model_environment": "GitHub environment of the job that promotes models (cd-prod, where it may be empty for none; promote-model)",
    "bundle_dir": "folder of databricks.yml, relative to the repository's root; `.` is left out",
    "bundles": "folders of several bundles, in place of bundle_dir: a list; a pull request is checked for those that it touches",
}
"""What can be given to a caller, all of it optional: the defaults, those of the Iris template, stand at the head of each file."""

MAY_BE_EMPTY = {"plan_environment", "model_environment"}

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9._/ -]*[A-Za-z0-9_]|[A-Za-z_.]")
_YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def caller_names(root: Path = KIT_ROOT) -> list[str]:
    """The callers that there are: each is named like the kit's workflow that it calls, without the ending."""
    return sorted(path.name.removesuffix(SUFFIX) for path in (root / CALLERS).glob(f"*{SUFFIX}"))


def render_caller(name: str, values: Mapping[str, str | Sequence[str]], *, sha: str, root: Path = KIT_ROOT) -> str:
    """Render one caller, pinned to a commit of the kit.

    Args:
        name: One of `caller_names`, such as `cd-prod`.
        values: Keys of `VALUES`; what is not given has its default.
        sha: The kit's commit, 40 hexadecimal digits.
        root: Folder of the kit's checkout.

    Returns:
        The text of `.github/workflows/<name>.yml`.

    Raises:
        BundleflowError: No such caller or value, or a value that would be an expression or more than one line.
    """
    if name not in caller_names(root):
        raise _wrong(f"There is no caller `{name}`.", f"Callers: {', '.join(caller_names(root))}.")
    unknown = sorted(set(values) - set(VALUES))
    if unknown:
        raise _wrong(f"A caller has no value `{unknown[0]}`.", f"Values: {', '.join(VALUES)}.")
    given = {key: _written(key, value) for key, value in values.items()}
    template = jinja_environment(root).get_template(f"{CALLERS}/{name}{SUFFIX}")
    return template.render(given | pinned(sha))


def _written(key: str, value: str | Sequence[str]) -> str | list[str]:
    """A value as YAML; empty is a value of its own where it leaves a line out."""
    if not isinstance(value, str):
        return [scalar(each) for each in value]
    return value if not value and key in MAY_BE_EMPTY else scalar(value)


def pinned(sha: str) -> dict[str, str]:
    """What a caller is pinned to, as the templates' values."""
    return {"kit_repository": KIT_REPOSITORY, "kit_sha": sha, "kit_version": __version__}


@cache
def jinja_environment(root: Path = KIT_ROOT) -> Environment:
    """Jinja as copier sets it up for this kit's templates: same delimiters, same folder for `include`."""
    import yaml
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    options: dict[str, Any] = yaml.safe_load((root / "copier.yml").read_text(encoding="utf-8"))["_envops"]
    # No escaping: what is rendered is YAML, and `scalar` quotes what others may have chosen.
    return SandboxedEnvironment(loader=FileSystemLoader(str(root)), undefined=StrictUndefined, autoescape=False, **options)


def scalar(text: str) -> str:
    """A name as a YAML scalar, quoted where it must be.

    Raises:
        BundleflowError: It holds a line break or an expression of GitHub Actions, which must not come from a name.
    """
    import json

    if "${{" in text or len(text.splitlines()) != 1:
        raise _wrong(f"{text!r} cannot stand in a workflow.", "Give a name of one line without `${{`.")
    return text if _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS else json.dumps(text)


def _wrong(cause: str, fix: str) -> BundleflowError:
    return BundleflowError(cause, fix=fix, reason=FailureReason.WRONG_USE, exit_code=ExitCode.USAGE)
