"""Looks for credentials in everything that a rehearsal leaves behind."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

CREDENTIALS = re.compile(
    rb"ghs_[0-9a-f]{20}|oidc_[0-9a-f]{20}|local-[0-9a-f]{24}|eyJ[\w-]{16,}\.eyJ[\w-]{16,}|eC1hY2Nlc3MtdG9rZW46|dapi-the-callers|ghp-the-callers"
)
"""Of GitHub's jobs, of their requests for OIDC tokens, of the workspace; JSON web tokens; git's login in base 64; the caller's own."""


def contents(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder by its path, those in archives (wheels, artifacts) too."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        yield str(path.relative_to(folder)), path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{path.relative_to(folder)}!{name}", archive.read(name)


def credentials_in(folder: Path) -> list[str]:
    """Files that hold a credential."""
    return [name for name, content in contents(folder) if CREDENTIALS.search(content)]
