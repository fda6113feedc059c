"""Hides the kit's package for the workspace from tasks: on this machine it lies beside the rehearsal, on Databricks only in its wheel."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

HIDDEN = "bundleflow_models"
OWN_FOLDER = str(Path(__file__).resolve().parents[2])


class OnlyFromItsWheel(MetaPathFinder):
    """Finds the package in the task's wheels, and nowhere else."""

    def find_spec(  # the import system names the arguments
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """The package from a wheel that the task's environment names.

        Raises:
            ModuleNotFoundError: The task's environment has no such wheel.
        """
        if fullname != HIDDEN:
            return None
        elsewhere = [entry for entry in sys.path if str(Path(entry).resolve()) != OWN_FOLDER]
        found = PathFinder.find_spec(fullname, elsewhere, target)
        if found is None:
            raise ModuleNotFoundError(
                f"No module named '{HIDDEN}': the task's environment does not name its wheel. Add to the environment's dependencies "
                "${workspace.root_path}/.bundleflow/${var.bundleflow_models_wheel}.",
                name=HIDDEN,
            )
        return found


def hide_own_package() -> None:
    """Let tasks of this process import the package only from a wheel."""
    sys.meta_path.insert(0, OnlyFromItsWheel())
