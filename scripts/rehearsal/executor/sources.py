"""Decides from a task's source whether it needs more than Python itself (then it waits for the loaded libraries)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rehearsal.executor.paths import PathMap
from rehearsal.executor.protocol import TaskSpec

IMPORT = re.compile(r"^[ \t]*(?:#\s*MAGIC\s+)?(?:import|from)\s+([\w.]+)", re.MULTILINE)
ENGINE = re.compile(r"\bspark\b|\bsqlContext\b|%(?:sql|run|pip|fs)\b|dbutils\.(?:notebook\.run|library)")


def wants_libraries(spec: TaskSpec) -> bool:
    """Return False only when the source uses nothing but the standard library and no Spark.

    Args:
        spec: The task. Wheels, SQL and JARs always want the loaded libraries.
    """
    if spec.kind not in ("notebook", "spark_python"):
        return True
    if any(not line.strip().startswith("#") for line in spec.requirements):
        return True
    try:
        text = Path(_place(spec)).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False  # the task itself says what is wrong with the file
    return needs_more_than_python(text)


def _place(spec: TaskSpec) -> str:
    """Where the source lies on this machine; a path without /Workspace before it is a workspace path, too."""
    if spec.source_root and not spec.path.startswith("/"):
        return str(Path(spec.source_root, spec.path))
    paths = PathMap(Path(spec.data))
    if spec.path.startswith(("dbfs:", "/dbfs", "/Volumes", "/Workspace")):
        return paths.physical(spec.path)
    return paths.workspace_file(spec.path)


def needs_more_than_python(text: str) -> bool:
    """Return whether source text (a `.py` file, or a notebook in either format) imports packages or uses Spark."""
    if text.lstrip().startswith("{"):
        text = text.replace('\\"', '"').replace('"', "\n")
    modules = {match.group(1).split(".")[0] for match in IMPORT.finditer(text)}
    return bool(modules - set(sys.stdlib_module_names)) or bool(ENGINE.search(text))
