"""What a bundle's resolved configuration (`bundle summary -o json`) says of its deployed resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def pages(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Pages of the deployed resources in the workspace, by their short key, such as `jobs.train`."""
    return _each(configuration, "url")


def deployed(configuration: Mapping[str, Any]) -> frozenset[str]:
    """Short keys of what is in the deployment's state."""
    return frozenset(_each(configuration, "id")) - {
        key for key, status in _each(configuration, "modified_status").items() if status == "created"
    }


def _each(configuration: Mapping[str, Any], name: str) -> dict[str, str]:
    resources = configuration.get("resources") or {}
    return {
        f"{kind}.{key}": str(each[name])
        for kind, group in resources.items()
        for key, each in (group or {}).items()
        if isinstance(each, Mapping) and each.get(name)
    }
