"""Runs a notebook, cell by cell, as Databricks does: one namespace, magics, `%run`, `%pip`, `%sql`, output to the log."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

from rehearsal.executor.dbutils import install_modules
from rehearsal.executor.display import show, show_result
from rehearsal.executor.environment import TaskEnvironment
from rehearsal.executor.errors import TaskRefused
from rehearsal.executor.notebook import Cell, parse
from rehearsal.executor.run_python import locate
from rehearsal.executor.task import remember_source

LINE_MAGIC = re.compile(r"^(?P<indent>[ \t]*)(?P<magic>[%!].*)$")
SILENT_MAGICS = ("matplotlib", "load_ext", "reload_ext", "autoreload", "config", "time", "timeit", "reset", "environment")
WANTS_SPARK = re.compile(r"\bspark\b|\bsqlContext\b")
SHELL_SECONDS = 3600


class Notebook:
    """A running notebook.

    Args:
        environment: The task.
        namespace: The namespace of `__main__`, shared with notebooks that are `%run`.
    """

    def __init__(self, environment: TaskEnvironment, namespace: dict[str, Any]) -> None:
        self.environment, self.namespace = environment, namespace
        self._depth = 0

    def run(self, path: str, language: str = "python") -> None:
        """Run all cells of a notebook.

        Raises:
            TaskRefused: there is no such notebook, or it uses something that is not imitated.
        """
        logical, physical = locate(self.environment, path)
        content = _read(path, physical)
        folder = os.path.dirname(logical)  # noqa: PTH120 - a path of Databricks, not of this machine
        if self._depth == 0:
            os.chdir(folder)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        source = "source" if not content.lstrip().startswith("{") else "jupyter"
        if source == "source":
            remember_source(logical, content)
        self._depth += 1
        if WANTS_SPARK.search(content) and "spark" not in self.namespace:
            self.namespace["spark"] = self.namespace["sqlContext"] = self.environment.spark
        for cell in parse(content, language):
            name = logical if source == "source" else f"{logical}, cell {cell.number}"
            if source == "jupyter":
                remember_source(name, cell.text)
            self._cell(cell, name, folder)
        self._depth -= 1

    def _cell(self, cell: Cell, name: str, folder: str) -> None:
        if cell.language in ("md", "html", "skip"):
            return
        if cell.language == "python":
            self._python(cell, name, folder)
        elif cell.language == "run":
            self._run_other(cell.text, folder)
        elif cell.language == "sql":
            self._sql(cell.text)
        else:
            self._magic(cell.language, cell.text)

    def _python(self, cell: Cell, name: str, folder: str) -> None:
        text = _without_line_magics(cell.text)
        self.namespace["_bundleflow_magic"] = lambda line: self._line_magic(line, folder)
        tree = ast.parse(text, name)
        ast.increment_lineno(tree, cell.line - 1)
        last = tree.body[-1] if tree.body else None
        if isinstance(last, ast.Expr):
            tree.body.pop()
        exec(compile(tree, name, "exec", dont_inherit=True), self.namespace)  # noqa: S102 - running the user's code is what a task is
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval", dont_inherit=True), self.namespace)  # noqa: S307
            if value is not None:
                show_result(value)

    def _line_magic(self, line: str, folder: str) -> None:
        if line.startswith("!"):
            self._magic("sh", line[1:])
            return
        name, _, rest = line[1:].partition(" ")
        if name == "run":
            self._run_other(rest, folder)
        elif name not in SILENT_MAGICS:
            self._magic(name, rest)

    def _magic(self, name: str, text: str) -> None:
        if name == "pip":
            self.environment.requirements.pip(text.strip())
        elif name == "sh":
            _shell(text)
        elif name == "fs":
            _fs(self.namespace["dbutils"], text)
        elif name not in SILENT_MAGICS:
            raise TaskRefused(f"The notebook uses %{name}, which cannot be run here.")

    def _run_other(self, text: str, folder: str) -> None:
        words = shlex.split(text.strip())
        if not words:
            raise TaskRefused("%run names no notebook.")
        target = words[0]
        path = target if target.startswith("/") else os.path.normpath(os.path.join(folder, target))  # noqa: PTH118 - Databricks' paths
        for assignment in words[1:]:
            name, _, value = assignment.partition("=")
            self.environment.spec.parameters[name.lstrip("$")] = value
        self.run(path)

    def _sql(self, text: str) -> None:
        from rehearsal.executor.run_sql import split_statements

        self.namespace.setdefault("spark", self.environment.spark)
        parameters = {name: value for name, value in self.environment.spec.parameters.items() if f":{name}" in text}
        for statement in split_statements(text):
            arguments = {name: value for name, value in parameters.items() if f":{name}" in statement}
            frame = self.environment.spark.sql(statement, args=arguments or None)
            self.namespace["_sqldf"] = frame
            show(frame)


def run_notebook(environment: TaskEnvironment, main: types.ModuleType) -> str | None:
    """Run the task's notebook; the value given to `dbutils.notebook.exit` comes as `NotebookExit`."""
    install_modules(environment, main)
    environment.expect_spark()
    os.environ.setdefault("MLFLOW_EXPERIMENT_NAME", _experiment(environment))
    spec = environment.spec
    main.__file__ = locate(environment, spec.path)[0]
    Notebook(environment, main.__dict__).run(spec.path, str(spec.options.get("language", "PYTHON")).lower())
    return None


def _experiment(environment: TaskEnvironment) -> str:
    """Return the name of the experiment that a notebook logs to when it chooses none: its own path, as on Databricks."""
    logical = locate(environment, environment.spec.path)[0]
    return logical.removeprefix("/Workspace")


def _read(path: str, physical: str) -> str:
    for candidate in (physical, f"{physical}.py", f"{physical}.ipynb", f"{physical}.sql"):
        if Path(candidate).is_file():
            return Path(candidate).read_text("utf-8")
    raise TaskRefused(f"The notebook {path} does not exist.")


def _without_line_magics(text: str) -> str:
    """Return Python text whose lines that are magics have become calls."""
    try:
        ast.parse(text)
    except SyntaxError:
        lines = [LINE_MAGIC.sub(lambda m: f"{m['indent']}_bundleflow_magic({m['magic']!r})", line) for line in text.split("\n")]
        return "\n".join(lines)
    return text


def _shell(text: str) -> None:
    """Run the script of a `%sh` cell with bash, as Databricks does on the driver."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh", encoding="utf-8") as script:
        script.write(text)
        script.flush()
        sys.stdout.flush()
        done = subprocess.run(["bash", script.name], check=False, timeout=SHELL_SECONDS)
    if done.returncode != 0 and text.lstrip().startswith("-e"):
        raise TaskRefused(f"The %sh cell ended with exit code {done.returncode}.")


def _fs(dbutils: Any, text: str) -> None:
    words = shlex.split(text.strip())
    if not words or not hasattr(dbutils.fs, words[0]):
        raise TaskRefused(f"%fs {words[0] if words else ''} is not known.")
    value = getattr(dbutils.fs, words[0])(*words[1:])
    if value is not None:
        show(value)
