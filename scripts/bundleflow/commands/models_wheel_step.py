"""The step before a deployment that puts the small wheel beside the bundle, where the bundle's jobs look for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bundleflow.commands.context import tell
from bundleflow.releases.models_wheel import models_wheel, wheel_path


def upload_models_wheel(configuration: Mapping[str, Any], env: Mapping[str, str]) -> None:
    """Upload the small wheel when the bundle declares the variable `bundleflow_models_wheel`.

    Args:
        configuration: The bundle as `bundle validate -o json` or `bundle summary -o json` gives it.
        env: Environment with the login to the workspace.

    Raises:
        BundleflowError: `auth-failed` or another trouble with the workspace.
    """
    path = wheel_path(configuration)
    if path is None:
        return
    from bundleflow.adapters.workspace_contents import WorkspaceContents

    WorkspaceContents(env).write(path, models_wheel().content)
    tell(f"uploaded {path}")
