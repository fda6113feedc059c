"""Points the copy of a project at the imitated workspace, and finds every other host that is left in its bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bundleflow.records.flow import FLOW_FILE
from rehearsal.actions import yamltext
from rehearsal.rehearse.result import Difference

_HOST = re.compile(
    r"(?:https?|wss?|sc|jdbc:\w+|s3a?|abfss?|gs)://(?:[^\s/@\"']*@)?([A-Za-z0-9.-]+)|\b([\w-]+(?:\.[\w-]+)*\."
    r"(?:databricks\.com|azuredatabricks\.net|databricks\.azure\.cn|databricks\.us))\b"
)
_TOLD_TO_PEOPLE = {"description", "comment", "documentation"}
"""Keys whose text nobody connects to."""
_REPLACED = {"host", "profile"}
_REASON = "nothing leaves the machine: the workspace is imitated"


@dataclass(frozen=True)
class ForeignHost:
    """A host that the bundle names and the rehearsal cannot stand in for."""

    file: str
    where: str
    host: str


def bundle_folders(root: Path) -> list[Path]:
    """Give the folders of the project's bundles, as `bundles` of the flow file names them."""
    flow = root / FLOW_FILE
    patterns = (yamltext.load_file(flow).get("bundles") if flow.is_file() else None) or ["."]
    found = [path for pattern in patterns for path in ([root] if pattern == "." else sorted(root.glob(str(pattern))))]
    return [path for path in dict.fromkeys(found) if _main_file(path)]


def _main_file(folder: Path) -> Path | None:
    return next((folder / name for name in ("databricks.yml", "databricks.yaml") if (folder / name).is_file()), None)


def bundle_files(root: Path) -> list[Path]:
    """Give `databricks.yml` and the files that it includes, of each of the project's bundles."""
    return [file for folder in bundle_folders(root) for file in files_of(folder)]


def files_of(folder: Path) -> list[Path]:
    """Give `databricks.yml` and the files that it includes, of the bundle in a folder."""
    main = _main_file(folder)
    if main is None:
        return []
    document = yamltext.load_file(main)
    files = [main]
    for pattern in document.get("include") or []:
        files += [path for path in sorted(folder.glob(str(pattern))) if path.is_file() and path.suffix in {".yml", ".yaml"}]
    return list(dict.fromkeys(files))


def replace(root: Path) -> list[Difference]:
    """Take `host` and `profile` out of every `workspace:` of the bundle's files; the environment names the workspace instead.

    Args:
        root: The copy's folder; its files are changed in place.

    Returns:
        What was changed.
    """
    changes = []
    for file in bundle_files(root):
        name = str(file.relative_to(root))
        document = yamltext.load_file(file)
        found = list(_take_out(document, ""))
        if found:
            file.write_text(yamltext.dump(document), encoding="utf-8")
            changes += [Difference(name, where, "taken out; the environment names the workspace", _REASON) for where in found]
    return changes


def _take_out(value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    for key, item in list(value.items()):
        place = f"{where}.{key}" if where else str(key)
        if key == "workspace" and isinstance(item, dict):
            for name in sorted(_REPLACED & set(item)):
                del item[name]
                yield f"{place}.{name}"
        yield from _take_out(item, place)


def foreign(root: Path) -> list[ForeignHost]:
    """List the hosts that are named in the bundle's values, texts for people and loopback left out."""
    found = []
    for file in bundle_files(root):
        text = file.read_text(encoding="utf-8")
        for where, value in _texts(yaml.safe_load(text), ""):
            for match in _HOST.finditer(value):
                host = match[1] or match[2]
                if host not in {"127.0.0.1", "localhost"}:
                    found.append(ForeignHost(str(file.relative_to(root)), where, host))
    return found


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _TOLD_TO_PEOPLE:
                yield from _texts(item, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _texts(item, f"{where}[{number}]")
    elif isinstance(value, str):
        yield where, value
