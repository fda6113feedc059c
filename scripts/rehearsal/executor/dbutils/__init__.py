"""`dbutils` as notebooks and Python files know it, and the modules through which libraries find it."""

from __future__ import annotations

import sys
import types
from typing import Any

from rehearsal.executor import delta_tables
from rehearsal.executor.dbutils.filesystem import FileSystem
from rehearsal.executor.dbutils.jobs import Jobs
from rehearsal.executor.dbutils.notebook import NotebookUtils
from rehearsal.executor.dbutils.secrets import Secrets
from rehearsal.executor.dbutils.widgets import Widgets
from rehearsal.executor.display import show
from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import TaskRefused

NOT_IMITATED = ("credentials", "data", "library_install", "meta", "preview")


class Library:
    """`dbutils.library`."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._kept = set(namespace)

    def restartPython(self) -> None:  # noqa: N802 - Databricks' name
        """Forget all variables and imports of the notebook, as a restarted Python does."""
        for name in [name for name in self._namespace if name not in self._kept and not name.startswith("_bundleflow")]:
            if name not in ("spark", "sqlContext"):
                del self._namespace[name]


class DBUtils:
    """`dbutils`: what is not imitated is refused by name.

    Args:
        environment: The task.
        namespace: The notebook's namespace.
    """

    def __init__(self, environment: TaskEnvironment, namespace: dict[str, Any]) -> None:
        self.widgets = Widgets(environment.spec.parameters)
        self.notebook = NotebookUtils(environment)
        self.jobs = Jobs(environment)
        self.fs = FileSystem(environment)
        self.secrets = Secrets(environment)
        self.library = Library(namespace)

    def __getattr__(self, name: str) -> Any:
        if name in NOT_IMITATED:
            raise TaskRefused(f"dbutils.{name} is not imitated.")
        raise AttributeError(f"dbutils has no {name!r}")

    def help(self, *_: str) -> None:
        """Say where the help is."""
        sys.stdout.write("https://docs.databricks.com/dev-tools/databricks-utils.html\n")


def install_modules(environment: TaskEnvironment, main: types.ModuleType) -> DBUtils:
    """Put `dbutils`, `display` and the others into `__main__`, and make the ways to import them work.

    `from databricks.sdk.runtime import dbutils`, `from pyspark.dbutils import DBUtils` and `dbruntime` find the same object.
    """
    namespace = main.__dict__
    namespace.update(display=show, displayHTML=show, __name__="__main__")
    dbutils = DBUtils(environment, namespace)
    namespace["dbutils"] = dbutils
    namespace["getArgument"] = dbutils.widgets.getArgument
    dbutils.library = Library(namespace)

    class Namespace:
        """What `databricks.sdk.runtime` takes its names from."""

        @staticmethod
        def getOrCreate() -> Namespace:  # noqa: N802 - Databricks' name
            """Return the one instance."""
            return Namespace()

        @staticmethod
        def get_namespace_globals() -> dict[str, Any]:
            """Return the names a notebook has."""
            found = {"dbutils": dbutils, "display": show, "displayHTML": show, "getArgument": dbutils.widgets.getArgument}
            if environment.has_spark:
                found |= {"spark": environment.spark, "sqlContext": environment.spark, "sql": environment.spark.sql}
            return found

    delta_tables.install()
    runtime = types.ModuleType("dbruntime")
    runtime.UserNamespaceInitializer = Namespace  # type: ignore[attr-defined]
    sys.modules["dbruntime"] = runtime
    module = types.ModuleType("pyspark.dbutils")
    module.DBUtils = lambda *_: dbutils  # type: ignore[attr-defined]
    sys.modules["pyspark.dbutils"] = module
    return dbutils
