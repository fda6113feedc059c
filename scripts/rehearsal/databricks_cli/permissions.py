"""Permissions of the bundle and of its resources."""

from __future__ import annotations

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError, Severity
from rehearsal.databricks_cli.dyn import Node, from_plain

LEVELS: dict[str, dict[str, str]] = {
    "jobs": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_MANAGE_RUN"},
    "pipelines": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_RUN"},
    "experiments": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_READ"},
    "model_serving_endpoints": {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_VIEW", "CAN_RUN": "CAN_QUERY"},
    "secret_scopes": {"CAN_MANAGE": "MANAGE", "CAN_VIEW": "READ"},
}
"""The bundle's levels in the words of each kind of resource; kinds that are not here take no permissions of the bundle."""

FOLDER_LEVELS = {"CAN_MANAGE": "CAN_MANAGE", "CAN_VIEW": "CAN_READ", "CAN_RUN": "CAN_RUN"}
"""The bundle's levels in the words of workspace folders."""

OWNED = ("jobs", "pipelines")
"""Kinds that have an owner; others are managed."""

PRINCIPALS = ("user_name", "group_name", "service_principal_name")
_DOCS = "https://docs.databricks.com/dev-tools/bundles/permissions.html"


def principal_of(permission: Node) -> str:
    """Return the name of the user, group or service principal that a permission is for."""
    return next((permission.text(field) for field in PRINCIPALS if permission.text(field)), "")


def check_shared_root(bundle: Bundle) -> None:
    """Warn when everybody may write the bundle's files and the bundle does not say so."""
    root = bundle.config.text("workspace", "root_path")
    if not (root + "/").startswith("/Workspace/Shared/"):
        return
    shared = any(
        item.text("group_name") == "users" and item.text("level") == "CAN_MANAGE" for item in _items(bundle.config.get("permissions"))
    )
    if not shared:
        bundle.diagnostics.warn(
            f"the bundle root path {root} is writable by all workspace users",
            detail="The bundle is configured to use /Workspace/Shared, which will give read/write access to all users. If this is "
            "intentional, add CAN_MANAGE for 'group_name: users' permission to your bundle configuration. If the deployment should "
            "be restricted, move it to a restricted folder such as /Workspace/Users/<username or principal name>.",
        )


def recommend_own_permission(bundle: Bundle) -> None:
    """Recommend that the bundle's permissions name who deploys it."""
    node = bundle.config.get("permissions")
    items = _items(node)
    groups = {str(group.get("display")) for group in bundle.user.get("groups") or [] if isinstance(group, dict)}
    named = any(
        item.text("level") == "CAN_MANAGE" and (principal_of(item) == bundle.user_name or item.text("group_name") in groups)
        for item in items
    )
    if not items or named or node is None:
        return
    me = bundle.user_name
    bundle.diagnostics.add(
        Severity.RECOMMENDATION,
        f"permissions section should explicitly include the current deployment identity '{me}' or one of its groups\n"
        "If it is not included, CAN_MANAGE permissions are only applied if the present identity is used to deploy.\n\n"
        "Consider using a adding a top-level permissions section such as the following:\n\n"
        f"  permissions:\n    - {bundle.principal_key()}: {me}\n      level: CAN_MANAGE\n\n"
        f"See {_DOCS} to learn more about permission configuration.",
        locations=node.locations[:1],
    )


def apply_bundle_permissions(bundle: Bundle) -> None:
    """Give every resource the bundle's permissions, after its own; a principal's own permission counts.

    Raises:
        CommandError: A level is not one of those a bundle may give.
    """
    for item in _items(bundle.config.get("permissions")):
        if item.text("level") not in FOLDER_LEVELS:
            allowed = ", ".join(sorted(FOLDER_LEVELS))
            raise CommandError(f"invalid permission level: {item.text('level')}, allowed values: [{allowed}]", locations=item.locations[:1])
        for kind, words in LEVELS.items():
            level = words.get(item.text("level"))
            for _, _, resource in bundle.resources(kind) if level else []:
                own = resource.get("permissions")
                if any(principal_of(present) == principal_of(item) for present in _items(own)):
                    continue
                fields = {field: item.text(field) for field in PRINCIPALS if item.text(field)}
                added = from_plain({"level": level} | fields, item.locations)
                resource.set(("permissions",), Node([*_items(own), added], own.locations if own else item.locations))


def ensure_management(bundle: Bundle) -> None:
    """Who deploys keeps the management of what has permissions: as owner of jobs and pipelines, else by CAN_MANAGE."""
    for kind, _, resource in bundle.resources():
        node = resource.get("permissions")
        if kind == "secret_scopes" or node is None or not node.items:
            continue
        level = "IS_OWNER" if kind in OWNED else "CAN_MANAGE"
        if any(item.text("level") == "IS_OWNER" for item in node.items):
            continue
        mine = [item for item in node.items if principal_of(item) == bundle.user_name]
        if mine:
            mine[0].set(("level",), Node(level, mine[0].locations))
        else:
            node.items.append(from_plain({"level": level, bundle.principal_key(): bundle.user_name}))


def _items(node: Node | None) -> list[Node]:
    return node.items if node is not None else []
