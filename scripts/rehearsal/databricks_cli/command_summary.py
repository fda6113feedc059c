"""`bundle summary`: the bundle's resources with links to what was deployed."""

from __future__ import annotations

from typing import Any

from rehearsal.databricks_cli import output
from rehearsal.databricks_cli.args import Invocation
from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import Diagnostics
from rehearsal.databricks_cli.plan import is_child
from rehearsal.databricks_cli.planner import kind_of
from rehearsal.databricks_cli.prepare import ready_bundle
from rehearsal.databricks_cli.resource_kinds import kinds
from rehearsal.databricks_cli.state import ResourceState, pull


def run(invocation: Invocation, diagnostics: Diagnostics) -> int:
    """Run the command.

    Args:
        invocation: The command line.
        diagnostics: Takes the remarks; they are printed.

    Returns:
        0.
    """
    bundle = ready_bundle(invocation, diagnostics)
    state = pull(bundle, prefer_local=not invocation.on("force-pull"))
    if invocation.text("output") == "json":
        print(output.to_json(output.without_empty(_to_plain(bundle, state))))
    else:
        print("\n".join([*output.head(bundle), *_to_lines(bundle, state)]))
    return 0


def _url(bundle: Bundle, key: str, identity: str) -> str:
    path = kind_of(key).url(identity)
    if not path:
        return ""
    workspace_id = bundle.workspace.workspace_id
    return f"{bundle.workspace.http.host}/{path}" + (f"?w={workspace_id}" if workspace_id else "")


def _to_plain(bundle: Bundle, state: ResourceState) -> dict[str, Any]:
    plain: dict[str, Any] = bundle.config.plain()
    for group, key, _ in bundle.resources():
        resource = plain["resources"][group][key]
        identity = state.identity(f"resources.{group}.{key}")
        if identity:
            resource["id"] = identity
            if url := _url(bundle, f"resources.{group}.{key}", identity):
                resource["url"] = url
        else:
            resource["modified_status"] = "created"
    for full_key in state.entries:
        if is_child(full_key):
            continue
        _, group, key = full_key.split(".", 2)
        group_items = plain.setdefault("resources", {}).setdefault(group, {})
        if key not in group_items:
            identity = state.identity(full_key)
            url = _url(bundle, full_key, identity)
            group_items[key] = {"id": identity, "modified_status": "deleted"} | ({"url": url} if url else {})
    return plain


def _to_lines(bundle: Bundle, state: ResourceState) -> list[str]:
    lines: list[str] = []
    for group in sorted(kinds(), key=lambda name: kinds()[name].title):
        items = bundle.resources(group)
        if items:
            lines.append(f"  {kinds()[group].title}:")
        for _, key, node in items:
            identity = state.identity(f"resources.{group}.{key}")
            url = _url(bundle, f"resources.{group}.{key}", identity) if identity else ""
            name = node.text(kinds()[group].name_field)
            lines += [f"    {key}:", f"      Name: {name}", f"      URL:  {url or '(not deployed)'}"]
    return ["Resources:", *lines] if lines else []
