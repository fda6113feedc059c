"""The small wheel: what judges and promotes models, for tasks in the workspace; the same content gives the same bytes and name.

A wheel is a zip archive (PyPA, Binary distribution format). It is written here because no library of what a runner installs
writes one (docs/decisions/0008-small-wheel.md).
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from bundleflow_models import __version__

PACKAGE = "bundleflow_models"
VARIABLE = "bundleflow_models_wheel"
"""Variable of a bundle whose jobs use the wheel; its value is the wheel's file name, given by the kit."""
FOLDER = ".bundleflow"
"""Folder of the wheel below the deployment's `root_path`."""
SUFFIXES = (".py", ".json")
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the oldest time that a zip archive can hold


@dataclass(frozen=True)
class ModelsWheel:
    """The wheel.

    Args:
        name: File name: version, and eight digits of the digest of its content.
        content: Its bytes.
    """

    name: str
    content: bytes


@cache
def models_wheel() -> ModelsWheel:
    """The wheel of this kit."""
    sources = dict(sorted(_sources(files(PACKAGE), PACKAGE)))
    digest = hashlib.sha256()
    for name, content in sources.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    version = f"{__version__}+{digest.hexdigest()[:8]}"
    info = f"{PACKAGE}-{version}.dist-info"
    members = {**sources, f"{info}/METADATA": _metadata(version), f"{info}/WHEEL": _WHEEL, f"{info}/entry_points.txt": _ENTRY_POINTS}
    record = "".join(f"{name},sha256={_hash(content)},{len(content)}\n" for name, content in members.items())
    members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return ModelsWheel(f"{PACKAGE}-{version}-py3-none-any.whl", _archive(members))


def wheel_variables() -> Mapping[str, str]:
    """The variable's value; the CLI looks only at variables that the bundle declares, so it is given in every call."""
    return {VARIABLE: models_wheel().name}


def wheel_path(configuration: Mapping[str, Any]) -> str | None:
    """Where the wheel goes in the workspace.

    Args:
        configuration: The bundle as `bundle validate -o json` or `bundle summary -o json` gives it.

    Returns:
        The file's path; None when the bundle declares no variable `bundleflow_models_wheel`.
    """
    if VARIABLE not in (configuration.get("variables") or {}):
        return None
    return f"{configuration['workspace']['root_path']}/{FOLDER}/{models_wheel().name}"


_WHEEL = b"Wheel-Version: 1.0\nGenerator: bundleflow\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_ENTRY_POINTS = f"[console_scripts]\nverdict = {PACKAGE}.verdict.task:main\n".encode()


def _metadata(version: str) -> bytes:
    # It requires nothing: what it needs is part of every runtime, and nothing is downloaded from inside the workspace.
    return (
        f"Metadata-Version: 2.1\nName: {PACKAGE.replace('_', '-')}\nVersion: {version}\n"
        "Summary: The verdict on a model and its promotion, for tasks in a Databricks workspace.\n"
        "License: Apache-2.0\nRequires-Python: >=3.11\n"
    ).encode()


def _sources(folder: Traversable, name: str) -> list[tuple[str, bytes]]:
    found = []
    for each in folder.iterdir():
        if each.is_dir() and each.name != "__pycache__":
            found += _sources(each, f"{name}/{each.name}")
        elif each.name.endswith(SUFFIXES):
            found.append((f"{name}/{each.name}", each.read_bytes()))
    return found


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _archive(members: Mapping[str, bytes]) -> bytes:
    """Stored, not compressed: the bytes of a compressed member depend on the library that compresses."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system = 3  # the same on every system
            member.external_attr = 0o100644 << 16
            archive.writestr(member, content)
    return stream.getvalue()
