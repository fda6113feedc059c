"""Who one is in the workspace, and what one may there, by the official SDK; only reads."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from bundleflow.adapters.preload import SDK, wait
from bundleflow.adapters.workspace_contents import WorkspaceContents
from bundleflow.records.errors import BundleflowError

T = TypeVar("T")

EVERYBODY = ("users", "account users")
"""Groups that everybody is in, whatever the identity's own record lists."""
LEVELS = ("CAN_VIEW", "CAN_READ", "CAN_RUN", "CAN_MANAGE_RUN", "CAN_EDIT", "CAN_MANAGE", "IS_OWNER")
"""Levels of the Permissions API, each with all that stand before it."""
ADMINS = "admins"
ANSWER_LIMIT_S = 15.0


@dataclass(frozen=True)
class Me:
    """The identity of this login: its name (an application id for a service principal), and its groups."""

    name: str
    groups: tuple[str, ...]

    @property
    def is_admin(self) -> bool:
        """Whether it administers the workspace, and so may do everything with its objects (but not with Unity Catalog's)."""
        return ADMINS in self.groups

    def is_among(self, names: Iterable[str]) -> bool:
        """Whether one of these principals is this identity or a group of its."""
        mine = {self.name.lower(), *(group.lower() for group in (*self.groups, *EVERYBODY))}
        return any(each.lower() in mine for each in names)


@dataclass(frozen=True)
class Securable:
    """Something in Unity Catalog that exists: its owner, and the privileges that this identity has on it, inherited ones too."""

    owner: str
    privileges: frozenset[str]


class AccessWorkspace(WorkspaceContents):
    """The workspace that the environment names, as far as rights are concerned."""

    @cached_property
    def me(self) -> Me:
        """Who this login is.

        Raises:
            BundleflowError: The workspace does not let it in.
        """
        with self._asking("say who this is"):
            found = self._client.current_user.me()
        return Me(found.user_name or "", tuple(each.display or "" for each in found.groups or []))

    def nearest_folder(self, path: str) -> tuple[str, str]:
        """The folder at a path, or the nearest one above it that exists: its path and its number."""
        here = path.rstrip("/")
        while here:
            found = self._if_visible(f"look at {here}", partial(self._client.workspace.get_status, here))
            if found is not None:
                return here, str(found.object_id or "")
            here = here.rpartition("/")[0]
        return "/", ""

    def file_names(self, folder: str) -> tuple[str, ...]:
        """Names of the files in a folder, sorted; none when it does not exist or may not be seen."""
        found = self._if_visible(f"list {folder}", lambda: list(self._client.workspace.list(folder)))
        kinds = [(each.path or "", each.object_type.value if each.object_type else "") for each in found or []]
        return tuple(sorted(path.rpartition("/")[2] for path, kind in kinds if kind == "FILE"))

    def level(self, kind: str, identity: str) -> str | None:
        """This identity's highest level on an object; empty: none; None where it may not know.

        Args:
            kind: Of the Permissions API, such as `directories` or `jobs`.
            identity: The object's id.
        """
        found = self._if_visible(f"read the permissions of {kind} {identity}", lambda: self._client.permissions.get(kind, identity))
        if found is None:
            return None
        levels = [
            permission.permission_level.value
            for entry in found.access_control_list or []
            if self.me.is_among(filter(None, (entry.user_name, entry.service_principal_name, entry.group_name)))
            for permission in entry.all_permissions or []
            if permission.permission_level
        ]
        return max(levels, key=_rank, default="")

    def sees(self, kind: str, identity: str) -> bool:
        """Whether this identity may read a job or pipeline."""
        client = self._client
        asks: dict[str, Callable[[], Any]] = {
            "jobs": lambda: client.jobs.get(int(identity)),
            "pipelines": lambda: client.pipelines.get(identity),
        }
        return self._if_visible(f"read {kind} {identity}", asks[kind]) is not None

    def securable(self, kind: str, name: str) -> Securable | None:
        """A catalog or schema; None where it does not exist or this identity may not see it.

        Args:
            kind: `catalog` or `schema`.
            name: Its full name.
        """
        client = self._client
        ask: Callable[[], Any] = (lambda: client.catalogs.get(name)) if kind == "catalog" else (lambda: client.schemas.get(name))
        found = self._if_visible(f"look at {kind} {name}", ask)
        if found is None:
            return None
        answer = self._if_visible(f"read the grants on {kind} {name}", lambda: client.grants.get_effective(kind, name))
        assignments = (answer.privilege_assignments if answer else None) or []
        mine = [each for each in assignments if self.me.is_among([each.principal or ""])]
        names = {privilege.privilege.value for each in mine for privilege in each.privileges or [] if privilege.privilege}
        return Securable(str(found.owner or ""), frozenset(names))

    def _if_visible(self, what: str, ask: Callable[[], T]) -> T | None:
        """What is asked for; None where it does not exist, or this identity may not see it."""
        wait(SDK)
        from databricks.sdk.errors import NotFound, PermissionDenied

        try:
            with self._asking(what):
                return ask()
        except BundleflowError as error:
            if isinstance(error.__cause__, NotFound | PermissionDenied):
                return None
            raise


def not_answering(host: str) -> str:
    """Why a workspace's address does not answer; empty: it does, whatever it says. The SDK would go on trying for two minutes.

    Args:
        host: The address, with or without `https://`.
    """
    url = host if "://" in host else f"https://{host}"
    if not url.startswith(("https://", "http://")):
        return "it is not an address of the web"
    try:
        request = urllib.request.Request(f"{url.rstrip('/')}/.well-known/databricks-config")  # noqa: S310 (the scheme is checked above)
        with urllib.request.urlopen(request, timeout=ANSWER_LIMIT_S):  # noqa: S310
            return ""
    except urllib.error.HTTPError as answer:
        answer.close()
        return ""
    except (OSError, ValueError) as problem:
        return str(getattr(problem, "reason", problem))


def has_level(level: str, needed: str) -> bool:
    """Whether a level of the Permissions API is enough."""
    return _rank(level) >= _rank(needed)


def _rank(level: str) -> int:
    return LEVELS.index(level) if level in LEVELS else -1
