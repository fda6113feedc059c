"""`bundle debug list-targets`: the bundle's targets, without a login."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks_cli import loading, output
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.diagnostics import CommandError, Diagnostics
from rehearsal.databricks_cli.targets import default_target


def run(invocation: Invocation, diagnostics: Diagnostics) -> int:
    """Print the targets, with mode and host where they have one; returns 0."""
    root = loading.find_root()
    diagnostics.root = str(root)
    bundle = loading.load(root, invocation.command, diagnostics)
    loading.load_includes(bundle)
    targets = bundle.config.get("targets")
    try:
        default = default_target(targets) if targets is not None and targets.mapping else ""
    except CommandError:  # several targets and no default: none is marked
        default = ""
    found: list[dict[str, Any]] = []
    for name in sorted(targets.mapping if targets else {"default": None}):
        entry: dict[str, Any] = {"name": name}
        if name == default:
            entry["default"] = True
        mode = targets.text(name, "mode") if targets else ""
        host = (targets.text(name, "workspace", "host") if targets else "") or bundle.config.text("workspace", "host")
        found.append(entry | ({"mode": mode} if mode else {}) | ({"host": host} if host else {}))
    if invocation.text("output") == "json":
        print(output.to_json({"targets": found}))
    else:
        print("\n".join(entry["name"] + (" (default)" if entry.get("default") else "") for entry in found))
    return 0
