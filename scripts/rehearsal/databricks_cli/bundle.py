"""What a command knows about the bundle it works on, from its folder to its final configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.databricks_cli.auth import Login
from rehearsal.databricks_cli.diagnostics import Diagnostics
from rehearsal.databricks_cli.dyn import Node
from rehearsal.databricks_cli.workspace_api import Workspace


@dataclass
class Bundle:
    """A bundle on its way through the steps of loading and initializing.

    Args:
        root: Folder of the root file.
        config: The configuration as far as it has come.
        diagnostics: The remarks so far.
        command: The command, such as `bundle deploy`.
    """

    root: Path
    config: Node
    diagnostics: Diagnostics
    command: str
    variables: list[str] = field(default_factory=list)
    root_path_given: bool = False
    sync_root: Path = Path()
    login: Login | None = None
    workspace_api: Workspace | None = None
    user: dict[str, Any] = field(default_factory=dict)
    libraries: dict[str, str] = field(default_factory=dict)
    """Local library files to upload: absolute local path → path in the workspace."""

    @property
    def name(self) -> str:
        """The bundle's name."""
        return self.config.text("bundle", "name")

    @property
    def target(self) -> str:
        """The chosen target; empty before one was chosen."""
        return self.config.text("bundle", "target")

    @property
    def local_state(self) -> Path:
        """The folder below the bundle where the stand-in, as the real CLI, keeps what it knows about this target."""
        return self.root / ".databricks" / "bundle" / self.target

    @property
    def workspace(self) -> Workspace:
        """The workspace, once somebody has logged in."""
        if self.workspace_api is None:
            raise RuntimeError("the workspace is used before the login")
        return self.workspace_api

    @property
    def user_name(self) -> str:
        """The name of who is logged in: an e-mail address, or a service principal's application id."""
        return str(self.user.get("userName", ""))

    @property
    def is_service_principal(self) -> bool:
        """Whether a service principal is logged in."""
        return "@" not in self.user_name

    def principal_key(self) -> str:
        """Return the field in which permissions name who is logged in."""
        return "service_principal_name" if self.is_service_principal else "user_name"

    def resources(self, kind: str | None = None) -> list[tuple[str, str, Node]]:
        """Return all resources, or those of one kind, as (kind, key, node), sorted."""
        groups = self.config.get("resources")
        if groups is None:
            return []
        found = [(name, key, node) for name, group in groups.mapping.items() for key, node in group.mapping.items()]
        return sorted((item for item in found if kind in (None, item[0])), key=lambda item: item[:2])
