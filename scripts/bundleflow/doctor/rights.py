"""Checks of what this identity may do in the workspace: exactly what the bundle of this stage needs, no more."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from bundleflow.adapters.workspace_access import AccessWorkspace, Securable, has_level
from bundleflow.adoption.checklist import WRITES
from bundleflow.doctor.finding import Finding, NotMadeError, NotNeededError, error, note, warning
from bundleflow.doctor.situation import Deployed, Situation

STATE_LIMIT_BYTES = 50_000_000
OBJECTS_LOOKED_AT = 100
IN_SCHEMA: Mapping[str, str] = {"volumes": "CREATE_VOLUME", "registered_models": "CREATE_MODEL"}
"""Kind of resource → the privilege on its schema that makes one.

Source: Databricks' page "Unity Catalog privileges and securable objects".
"""
LOOKED_AT = ("schemas", "volumes", "registered_models", "pipelines")
WITH_STATE = ("jobs", "pipelines")


def root_folder(situation: Situation) -> Iterator[Finding]:
    """The identity may write the folder of the deployment, or only look at it where it plans."""
    client = situation.workspace
    for deployed in situation.deployed:
        root = root_path(deployed, client)
        nearest, identity = client.nearest_folder(root)
        who = f"`{client.me.name}`"
        if situation.plans_only and nearest != root.rstrip("/"):
            yield note(f"{root} is not there or not to be seen: before the first deployment there is nothing to compare a plan with.")
            continue
        if client.me.is_admin or root.startswith(f"/Workspace/Users/{client.me.name}/"):
            continue
        level = client.level("directories", identity) if identity else None
        if level is None:
            yield note(f"{who} may not read the permissions of {nearest}: what it may there is not known.")
            continue
        needed = "CAN_READ" if situation.plans_only else "CAN_MANAGE"
        if not has_level(level, needed):
            has = level or "nothing"
            words = "read the deployment's state" if situation.plans_only else "write files, state and lock"
            what = f"{who} has {has} on {nearest}, and {deployed.shown} needs {needed}."
            fix = _permission_fix("directories", identity, needed, client)
            if not level and nearest == root.rstrip("/"):
                why = f"Unless it made the folder itself, it cannot {words} there."
                yield warning(f"No permission of {who} on {root} is listed; {deployed.shown} needs {needed}.", why, fix)
                continue
            if nearest != root.rstrip("/"):
                command = f"databricks workspace mkdirs {shlex.quote(root)}"
                fix = f"An administrator makes the folder and lets {who} manage it (Share, Can manage):\n{command}"
            yield error(what, f"It cannot {words} in {root}.", fix)


def deployed_objects(situation: Situation) -> Iterator[Finding]:
    """The identity may see, and where it deploys change, the jobs and pipelines that are deployed."""
    client = situation.workspace
    found = [(kind, identity, key) for each in situation.deployed for kind, identity, key in _in_state(each, client)]
    if not found:
        raise NotNeededError("nothing of this stage is deployed that has permissions of its own")
    for kind, identity, key in found[:OBJECTS_LOOKED_AT]:
        if not client.sees(kind, identity):
            fix = _permission_fix(kind, identity, "CAN_VIEW" if situation.plans_only else "CAN_MANAGE", client)
            why = "The plan cannot compare it: it would be made anew, or the plan fails. Perhaps somebody deleted it by hand."
            yield error(f"`{key}` ({kind} {identity}) is in the deployment's state, and `{client.me.name}` cannot see it.", why, fix)
        elif not situation.plans_only and not client.me.is_admin:
            level = client.level(kind, identity)
            if level is not None and not has_level(level, "CAN_MANAGE"):
                what = f"`{client.me.name}` has {level or 'nothing'} on `{key}` ({kind} {identity}), and needs CAN_MANAGE."
                yield error(what, "The deployment cannot change it.", _permission_fix(kind, identity, "CAN_MANAGE", client))
    if len(found) > OBJECTS_LOOKED_AT:
        raise NotMadeError(f"{len(found)} objects are deployed; the first {OBJECTS_LOOKED_AT} were looked at")


def _in_state(deployed: Deployed, client: AccessWorkspace) -> Iterator[tuple[str, str, str]]:
    """Kind, id and key of the deployed jobs and pipelines."""
    state = read_state(deployed, client)
    for key, entry in (state.get("state") or {}).items():
        kind = key.removeprefix("resources.").partition(".")[0]
        identity = str(entry.get("__id__") or "") if isinstance(entry, Mapping) else ""
        # Entries such as `resources.jobs.train.permissions` belong to the object before them.
        if kind in WITH_STATE and identity and key.count(".") <= 2:
            yield kind, identity, key.removeprefix("resources.")


def grants(situation: Situation) -> Iterator[Finding]:
    """The identity has the privileges in Unity Catalog that this bundle needs."""
    client = situation.workspace
    needs: dict[tuple[str, str], dict[str, str]] = {}
    unsaid: list[str] = []
    for deployed in situation.deployed:
        for kind, name, privilege, why in _needed(deployed, client, plans=situation.plans_only):
            if "${" in name or not all(name.split(".")):
                unsaid.append(why)
            else:
                needs.setdefault((kind, name), {}).setdefault(privilege, why)
    not_asked = list(_not_looked_at(situation))
    if not needs and not unsaid and not not_asked:
        raise NotNeededError("the bundle has nothing in Unity Catalog")
    seen: dict[tuple[str, str], Securable | None] = {}
    for (kind, name), privileges in needs.items():
        for each in {(kind, name), ("catalog", name.partition(".")[0])}:
            if each not in seen:
                seen[each] = client.securable(*each)
        yield from _missing(client, kind, name, privileges, seen)
    for why in dict.fromkeys(unsaid):
        yield note(f"Where {why} goes is decided while it is deployed, so its grants are not looked at.")
    yield from not_asked


def _not_looked_at(situation: Situation) -> Iterator[Finding]:
    """Rights that an identity cannot ask about itself."""
    kinds = {kind for each in situation.deployed for kind, items in _mapping(each.configuration.get("resources")).items() if items}
    for kind in [] if situation.plans_only else [each for each in WRITES if each in kinds and each not in LOOKED_AT]:
        yield note(f"`{kind}` need {WRITES[kind]}; an identity cannot ask whether it has it.")
    runs_as = any("run_as" in each.configuration for each in situation.deployed)
    if runs_as and not situation.plans_only:
        text = "`run_as` needs the role *service principal user* on the principal that it names; an identity cannot ask whether it has it."
        yield note(text)


def _needed(deployed: Deployed, client: AccessWorkspace, *, plans: bool) -> Iterator[tuple[str, str, str, str]]:
    """Kind and name of a securable, the privilege on it, and what for."""
    resources = _mapping(deployed.configuration.get("resources"))
    own = {f"{_text(each, 'catalog_name')}.{_text(each, 'name')}".lower() for each in _mapping(resources.get("schemas")).values()}
    for key, each in _mapping(resources.get("schemas")).items():
        catalog, why = _text(each, "catalog_name"), f"`schemas.{key}`"
        yield "catalog", catalog, "USE_CATALOG", why
        full = f"{catalog}.{_text(each, 'name')}"
        if not plans and ("${" in full or client.securable("schema", full) is None):
            yield "catalog", catalog, "CREATE_SCHEMA", why
    for kind, privilege in IN_SCHEMA.items():
        for key, each in _mapping(resources.get(kind)).items():
            catalog, schema, why = _text(each, "catalog_name"), _text(each, "schema_name"), f"`{kind}.{key}`"
            if schema.startswith("${resources.schemas.") or f"{catalog}.{schema}".lower() in own:
                continue  # whoever makes the schema owns it
            yield "catalog", catalog, "USE_CATALOG", why
            yield "schema", f"{catalog}.{schema}", "USE_SCHEMA", why
            if not plans:
                yield "schema", f"{catalog}.{schema}", privilege, why
    for key, each in _mapping(resources.get("pipelines")).items() if not plans else ():
        catalog, schema, why = _text(each, "catalog"), _text(each, "schema") or _text(each, "target"), f"`pipelines.{key}`"
        if catalog:
            yield "catalog", catalog, "USE_CATALOG", why
        if catalog and schema and not schema.startswith("${resources.schemas.") and f"{catalog}.{schema}".lower() not in own:
            for name in ("USE_SCHEMA", "CREATE_TABLE"):
                yield "schema", f"{catalog}.{schema}", name, why


def _missing(
    client: AccessWorkspace,
    kind: str,
    name: str,
    privileges: Mapping[str, str],
    seen: Mapping[tuple[str, str], Securable | None],
) -> Iterator[Finding]:
    found, catalog, me = seen[kind, name], seen["catalog", name.partition(".")[0]], client.me
    why = f"{', '.join(dict.fromkeys(privileges.values()))} cannot be deployed."

    def grant(wanted: Iterable[str]) -> str:
        return f"GRANT {_words(wanted)} ON {kind.upper()} {_quoted(name)} TO {_quoted_name(me.name)};"

    if found is None:
        fix = f"If there is none, make it first. If there is, its owner runs:\n{grant(privileges)}"
        yield error(f"{kind.capitalize()} `{name}` does not exist, or `{me.name}` may not see it.", why, fix)
        return
    has = found.privileges | (catalog.privileges if catalog else frozenset())
    missing = [each for each in privileges if each not in has]
    if missing and "ALL_PRIVILEGES" not in has and not me.is_among([found.owner]):
        yield error(f"`{me.name}` has no {_words(missing)} on {kind} `{name}`.", why, f"Its owner runs:\n{grant(missing)}")


def _words(privileges: Iterable[str]) -> str:
    """Privileges as SQL writes them."""
    return ", ".join(each.replace("_", " ") for each in privileges)


def read_state(deployed: Deployed, client: AccessWorkspace) -> Mapping[str, Any]:
    """The deployment's state in the workspace, as the direct engine writes it; empty where there is none.

    Raises:
        NotMadeError: It cannot be read as JSON.
    """
    path = f"{state_path(deployed, client)}/resources.json"
    content = client.read(path, STATE_LIMIT_BYTES)
    if content is None:
        return {}
    try:
        found = json.loads(content)
    except ValueError as problem:
        raise NotMadeError(f"{path} is no state that can be read: {problem}") from problem
    return found if isinstance(found, Mapping) else {}


def root_path(deployed: Deployed, client: AccessWorkspace) -> str:
    """Folder of the deployment in the workspace."""
    return _path(deployed, client, "root_path")


def state_path(deployed: Deployed, client: AccessWorkspace) -> str:
    """Folder of the deployment's state in the workspace."""
    return _path(deployed, client, "state_path")


def _path(deployed: Deployed, client: AccessWorkspace, key: str) -> str:
    path = _text(deployed.configuration.get("workspace"), key).replace("${workspace.current_user.userName}", client.me.name)
    if "${" in path:
        raise NotMadeError(f"`workspace: {key}` of {deployed.shown} is known only while it is deployed: {path}")
    return path


def _permission_fix(kind: str, identity: str, level: str, client: AccessWorkspace) -> str:
    field = "user_name" if "@" in client.me.name else "service_principal_name"
    body = json.dumps({"access_control_list": [{field: client.me.name, "permission_level": level}]})
    return f"An administrator runs:\ndatabricks permissions update {kind} {shlex.quote(identity)} --json {shlex.quote(body)}"


def _quoted(name: str) -> str:
    return ".".join(_quoted_name(part) for part in name.split("."))


def _quoted_name(name: str) -> str:
    """A name as SQL writes it."""
    return f"`{name.replace('`', '``')}`"


def _text(value: object, key: str) -> str:
    found = value.get(key) if isinstance(value, Mapping) else None
    return "" if found is None else str(found)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
