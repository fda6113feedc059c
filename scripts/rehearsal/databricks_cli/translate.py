"""Turns local paths in resources into the paths the files will have in the workspace."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from rehearsal.databricks_cli.bundle import Bundle
from rehearsal.databricks_cli.diagnostics import CommandError
from rehearsal.databricks_cli.dyn import Node, format_path, match
from rehearsal.databricks_cli.dyn import Path as ConfigPath
from rehearsal.databricks_cli.notebooks import EXTENSIONS, is_notebook

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:/")
_TASKS = (("jobs", "*", "tasks", "*"), ("jobs", "*", "tasks", "*", "for_each_task", "task"))
_REQUIREMENTS = re.compile(r"(-r|--requirement)(\s+|=)(.+)$")


def is_local(text: str) -> bool:
    """Return whether a path means a file of the bundle: it is relative and has no scheme such as `dbfs:/`."""
    return bool(text) and not text.startswith(("/", "${")) and not _SCHEME.match(text)


def is_local_dependency(text: str) -> bool:
    """Return whether a dependency of an environment is a file of the bundle and not the name of a package."""
    return is_local(text) and (text.startswith(("./", "../")) or text.endswith((".whl", ".tar.gz", ".zip")))


def translate_paths(bundle: Bundle) -> None:
    """Translate all paths of jobs and pipelines.

    Raises:
        CommandError: A file is missing, is not what is expected, or lies outside of what is synchronized.
    """
    for pattern in _TASKS:
        for path, task in match(bundle.config, ("resources", *pattern)):
            _translate_task(bundle, path, task)
    _each(bundle, ("jobs", "*", "environments", "*", "spec", "dependencies", "*"), _dependency)
    _each(bundle, ("pipelines", "*", "environment", "dependencies", "*"), _dependency)
    _each(bundle, ("pipelines", "*", "libraries", "*", "notebook", "path"), _notebook)
    _each(bundle, ("pipelines", "*", "libraries", "*", "file", "path"), _file)
    _each(bundle, ("pipelines", "*", "libraries", "*", "glob", "include"), _pattern)
    _each(bundle, ("pipelines", "*", "root_path"), _directory)


_Translator = Callable[[Bundle, Node, ConfigPath, str], str]


def _each(bundle: Bundle, pattern: tuple[str, ...], translator: _Translator) -> None:
    for path, node in match(bundle.config, ("resources", *pattern)):
        _apply(bundle, path, node, translator)


def _apply(bundle: Bundle, path: ConfigPath, node: Node, translator: _Translator) -> None:
    text = node.value
    is_dependency = translator is _dependency
    if isinstance(text, str) and (is_dependency or is_local(text)):
        folder = str(Path(node.locations[0].file).parent) if node.locations else str(bundle.root)
        node.value = translator(bundle, node, path, folder)


def _translate_task(bundle: Bundle, path: ConfigPath, task: Node) -> None:
    in_git = bundle.config.get(*path[:3], "git_source") is not None
    for section, field, translator in (
        ("notebook_task", ("notebook_path",), _notebook),
        ("spark_python_task", ("python_file",), _file),
        ("dbt_task", ("project_directory",), _directory),
        ("sql_task", ("file", "path"), _file),
    ):
        node = task.get(section, *field)
        source = task.text(section, "source") or task.text(section, "file", "source")
        if node is not None and source != "GIT" and not (in_git and source != "WORKSPACE"):
            _apply(bundle, (*path, section, *field), node, translator)
    for index, library in enumerate((task.get("libraries") or Node([])).items):
        for field_name, translator in (("whl", _library), ("jar", _library), ("requirements", _file)):
            if (node := library.get(field_name)) is not None:
                _apply(bundle, (*path, "libraries", index, field_name), node, translator)


def _locate(bundle: Bundle, text: str, folder: str) -> tuple[Path, str]:
    """Return the file and its path below the synchronized root."""
    file = Path(os.path.normpath(Path(folder) / text))
    if not file.is_relative_to(bundle.sync_root):
        raise CommandError(f"path {file} is not contained in sync root path")
    return file, file.relative_to(bundle.sync_root).as_posix()


def _remote(bundle: Bundle, relative: str) -> str:
    root = bundle.config.text("workspace", "file_path")
    return root if relative == "." else f"{root}/{relative}"


def _notebook(bundle: Bundle, node: Node, path: ConfigPath, folder: str) -> str:
    file, relative = _locate(bundle, str(node.value), folder)
    if not file.is_file():
        candidates = [extension for extension in EXTENSIONS if file.with_name(file.name + extension).is_file()]
        if candidates and not file.suffix:
            raise CommandError(
                f'notebook "{relative}" not found. Did you mean "{relative}{candidates[0]}"?\n'
                "Local notebook references are expected to contain one of the following\n"
                f"file extensions: [{', '.join(EXTENSIONS)}]"
            )
        raise CommandError(f"notebook {relative} not found")
    if not is_notebook(file):
        raise CommandError(f'expected a notebook for "{format_path(path)}" but got a file: file at {file} is not a notebook')
    return _remote(bundle, relative.removesuffix(file.suffix))


def _file(bundle: Bundle, node: Node, path: ConfigPath, folder: str) -> str:
    file, relative = _locate(bundle, str(node.value), folder)
    if not file.is_file():
        raise CommandError(f"file {relative} not found")
    if is_notebook(file):
        raise CommandError(f'expected a file for "{format_path(path)}" but got a notebook: file at {file} is a notebook')
    return _remote(bundle, relative)


def _directory(bundle: Bundle, node: Node, _path: ConfigPath, folder: str) -> str:
    file, relative = _locate(bundle, str(node.value), folder)
    if not file.exists():
        raise CommandError(f"directory {relative} not found")
    if not file.is_dir():
        raise CommandError(f"{file} is not a directory")
    return _remote(bundle, relative)


def _pattern(bundle: Bundle, node: Node, _path: ConfigPath, folder: str) -> str:
    return _remote(bundle, _locate(bundle, str(node.value), folder)[1])


def _library(bundle: Bundle, node: Node, _path: ConfigPath, folder: str) -> str:
    return _locate(bundle, str(node.value), folder)[1]


def _dependency(bundle: Bundle, node: Node, _path: ConfigPath, folder: str) -> str:
    text = str(node.value)
    if hit := _REQUIREMENTS.match(text):
        return f"{hit[1]}{hit[2]}{_remote(bundle, _locate(bundle, hit[3], folder)[1])}" if is_local(hit[3]) else text
    return "./" + _locate(bundle, text, folder)[1] if is_local_dependency(text) else text
