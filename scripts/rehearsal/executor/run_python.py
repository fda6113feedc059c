"""Runs a Python file, or the entry point of a wheel."""

from __future__ import annotations

import os
import sys
import types
from importlib import metadata
from pathlib import Path

from rehearsal.executor.dbutils import install_modules
from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import TaskRefused
from rehearsal.executor.notebook import is_notebook_source
from rehearsal.executor.task import remember_source


def run_file(environment: TaskEnvironment, main: types.ModuleType) -> None:
    """Run a `spark_python_task`: the file as `__main__`, with its parameters as `sys.argv[1:]`.

    Raises:
        TaskRefused: there is no such file.
    """
    spec = environment.spec
    logical, physical = locate(environment, spec.path)
    try:
        text = Path(physical).read_text("utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise TaskRefused(f"The Python file {spec.path} does not exist.") from error
    install_modules(environment, main)
    environment.expect_spark()
    sys.argv = [logical, *spec.arguments]
    folder = os.path.dirname(logical)  # noqa: PTH120 - a path of Databricks, not of this machine
    sys.path.insert(0, folder)
    if not spec.source_root:
        os.chdir(folder)
    main.__file__ = logical
    remember_source(logical, text)
    if is_notebook_source(text):
        text = text.replace("# MAGIC ", "# ")
    exec(compile(text, logical, "exec"), main.__dict__)  # noqa: S102 - running the user's code is what a task is


def locate(environment: TaskEnvironment, path: str) -> tuple[str, str]:
    """Return Databricks' name of a code file and where it lies on this machine."""
    spec = environment.spec
    if spec.source_root and not path.startswith("/"):
        physical = os.path.normpath(os.path.join(spec.source_root, path))  # noqa: PTH118 - texts throughout
        return physical, physical
    if path.startswith(("dbfs:", "/dbfs", "/Volumes")):
        return path, environment.paths.physical(path)
    logical = path if path.startswith(("/Workspace", "/Repos")) else "/Workspace/" + path.lstrip("/")
    return logical, environment.paths.workspace_file(path)


def run_wheel(environment: TaskEnvironment) -> None:
    """Run a `python_wheel_task`: an entry point of the package, or the function of that name in it.

    Raises:
        TaskRefused: the package or the entry point is not there.
    """
    spec = environment.spec
    package, entry = str(spec.options["package_name"]), str(spec.options["entry_point"])
    install_modules(environment, sys.modules["__main__"])
    environment.expect_spark()
    sys.argv = [package, *[f"--{name}={value}" for name, value in spec.parameters.items()], *spec.arguments]
    try:
        distribution = metadata.distribution(package)
    except metadata.PackageNotFoundError as error:
        raise TaskRefused(
            f"The package {package} is not installed for this task: add its wheel to the task's libraries, "
            "or to the dependencies of its environment."
        ) from error
    for point in distribution.entry_points:
        if point.name == entry:
            point.load()()
            return
    module = package.replace("-", "_")
    try:
        function = getattr(__import__(module), entry)
    except (ImportError, AttributeError) as error:
        names = ", ".join(sorted({point.name for point in distribution.entry_points})) or "none"
        raise TaskRefused(f"The package {package} has no entry point {entry}; its entry points are: {names}.") from error
    function()
