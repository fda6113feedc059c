"""Reads and writes workflow YAML as GitHub reads it: `on` is a key, `yes` is a text, only `true` and `false` are booleans."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from bundleflow.records.errors import BundleflowError, FailureReason

_Base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_BOOLEAN = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_LEFT_AS_TEXT = {"tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp"}


class _Loader(_Base):  # type: ignore[misc, valid-type]  # the C loader where there is one: not known to the type checker
    """YAML 1.2's booleans, no dates."""


class _Dumper(_BaseDumper):  # type: ignore[misc, valid-type]
    """Without aliases, which nobody wants to read in a rendered copy."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # the signature is PyYAML's
        """Write every value out where it stands."""
        return True


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag not in _LEFT_AS_TEXT]
    for letter, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, list("tTfF"))


def load(text: str, name: str) -> dict[str, Any]:
    """Read one YAML document whose root is a mapping.

    Args:
        text: The document.
        name: What it is called in an error.

    Raises:
        BundleflowError: It is not YAML, or not a mapping.
    """
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506  # a safe loader, with fewer implicit types
    except yaml.YAMLError as error:
        raise BundleflowError(
            f"{name} is not valid YAML.",
            fix="Correct the place that the message names.",
            reason=FailureReason.LINT_FAILED,
            details=str(error),
        ) from error
    if not isinstance(value, dict):
        raise BundleflowError(f"{name} holds no mapping.", fix="A workflow has the keys `on` and `jobs`.", reason=FailureReason.LINT_FAILED)
    return value


def load_file(path: Path) -> dict[str, Any]:
    """Read a YAML file whose root is a mapping."""
    return load(path.read_text(encoding="utf-8"), str(path))


def dump(value: dict[str, Any]) -> str:
    """Write a mapping as YAML, keys in their order."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000))
