"""Lets Python code in a task use Databricks' paths: `open`, `os`, `pathlib`, `import` and `subprocess` see them.

Only Python's own functions are taught; a library that opens files in C code must be given the path on this machine
(pyarrow and Spark are taught elsewhere).
"""

from __future__ import annotations

import builtins
import functools
import io
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, SourceFileLoader
from typing import Any

from rehearsal.executor.paths import ROOTS, PathMap

ONE_PATH = (
    "open", "stat", "lstat", "listdir", "scandir", "mkdir", "rmdir", "remove", "unlink", "access", "chdir", "chmod", "utime",
    "readlink", "truncate", "statvfs", "getxattr", "listxattr",
)  # fmt: skip
TWO_PATHS = ("rename", "replace", "link", "symlink")
PREFIXES = tuple(ROOTS)


def install(paths: PathMap, opened: Callable[[str, str], None]) -> None:
    """Teach this process the paths; for the rest of its life.

    Args:
        paths: Where Databricks' paths lie.
        opened: Told of each file that is opened: its path as Databricks has it, and the mode.
    """
    mapped = functools.partial(_mapped, paths)
    for name in ONE_PATH:
        if hasattr(os, name):
            setattr(os, name, _first(getattr(os, name), mapped))
    for name in TWO_PATHS:
        setattr(os, name, _both(getattr(os, name), mapped))
    opener = _telling(_first(io.open, mapped), opened)
    builtins.open = io.open = opener
    real_getcwd = os.getcwd
    os.getcwd = lambda: paths.logical(real_getcwd())
    sys.path_hooks.insert(0, _path_hook(paths))
    sys.path_importer_cache.clear()
    _teach_subprocess(mapped)
    _teach_pyarrow(mapped, opened)


def _mapped(paths: PathMap, value: Any) -> Any:
    if isinstance(value, os.PathLike):
        text = os.fspath(value)
        return paths.physical(text) if isinstance(text, str) and text.startswith(PREFIXES) else value
    return paths.physical(value) if isinstance(value, str) and value.startswith(PREFIXES) else value


def _first(function: Callable[..., Any], mapped: Callable[[Any], Any]) -> Any:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if args:
            args = (mapped(args[0]), *args[1:])
        else:
            kwargs = {name: mapped(value) if name in ("path", "file") else value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return wrapper


def _telling(opener: Callable[..., Any], opened: Callable[[str, str], None]) -> Callable[..., Any]:
    """`open`, which tells of files below Databricks' folders once they are open."""

    @functools.wraps(opener)
    def wrapper(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        found = opener(file, mode, *args, **kwargs)
        name = os.fspath(file) if isinstance(file, os.PathLike) else file
        if isinstance(name, str) and name.startswith(PREFIXES):
            opened(name, mode)
        return found

    return wrapper


def _both(function: Callable[..., Any], mapped: Callable[[Any], Any]) -> Any:
    @functools.wraps(function)
    def wrapper(source: Any, target: Any, *args: Any, **kwargs: Any) -> Any:
        return function(mapped(source), mapped(target), *args, **kwargs)

    return wrapper


def _path_hook(paths: PathMap) -> Callable[[str], FileFinder]:
    loaders = [(ExtensionFileLoader, EXTENSION_SUFFIXES), (SourceFileLoader, SOURCE_SUFFIXES)]

    def hook(entry: str) -> FileFinder:
        physical = paths.physical(entry) if entry.startswith(PREFIXES) else entry
        if physical == entry or not os.path.isdir(physical):  # noqa: PTH112 - path hooks work on texts
            raise ImportError(entry)
        return FileFinder(physical, *loaders)

    return hook


def _teach_subprocess(mapped: Callable[[Any], Any]) -> None:
    real = subprocess.Popen.__init__

    @functools.wraps(real)
    def init(self: Any, args: Any, *rest: Any, **kwargs: Any) -> None:
        if isinstance(args, (list, tuple)):
            args = [mapped(part) for part in args]
        if kwargs.get("cwd") is not None:
            kwargs["cwd"] = mapped(kwargs["cwd"])
        real(self, args, *rest, **kwargs)

    subprocess.Popen.__init__ = init  # type: ignore[method-assign]


def _teach_pyarrow(mapped: Callable[[Any], Any], opened: Callable[[str, str], None]) -> None:
    if "pyarrow.parquet.core" not in sys.modules:
        return
    fs, parquet = sys.modules["pyarrow.fs"], sys.modules["pyarrow.parquet.core"]

    real: Callable[..., Any] = fs._resolve_filesystem_and_path

    @functools.wraps(real)
    def resolve(path: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(path, str) and path.startswith(PREFIXES):
            opened(path, "r")  # for writing it opens the file by Python, which tells
        return real(mapped(path), *args, **kwargs)

    fs._resolve_filesystem_and_path = parquet._resolve_filesystem_and_path = resolve  # type: ignore[attr-defined]
