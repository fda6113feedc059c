"""The landing volume: where the external files arrive, and the sample files that stand in for them until a feed is connected."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

FEED, SAMPLE = "feed", "sample data"
"""Where a file comes from."""


@dataclass(frozen=True)
class Arrived:
    """A file in the landing volume.

    Args:
        name: Its name.
        content: Its bytes.
        origin: `feed`, or `sample data` of the project.
    """

    name: str
    content: bytes
    origin: str = FEED

    @property
    def sha256(self) -> str:
        """Digest of its bytes, which the record of the load keeps."""
        return _digest(self.content)


def fetch(landing: str, name: str, sample_folder: str = "") -> Arrived:
    """Read an external file from the landing volume.

    Args:
        landing: Folder of the volume (`/Volumes/catalog/schema/landing`).
        name: Name of the file.
        sample_folder: Folder with sample files. Where it is given, the sample of that name is laid into the volume first, unless a file
            is there that is no sample laid before: a feed's file is never overwritten. Empty: the file comes from outside.

    Raises:
        FileNotFoundError: The file has not arrived; the message says where it is looked for.
    """
    path = Path(landing) / name
    note = Path(landing) / f"{name}.sample-sha256"  # digest of the sample that was laid last
    if sample_folder:
        sample = (Path(sample_folder) / name).read_bytes()
        if not path.is_file() or path.read_bytes() == sample or _is_noted(path.read_bytes(), note):
            path.write_bytes(sample)
            note.write_text(_digest(sample), encoding="utf-8")
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} has not arrived. Put it there, or set the job parameter sample_folder to use the sample files of the project."
        )
    content = path.read_bytes()
    return Arrived(name, content, SAMPLE if _is_noted(content, note) else FEED)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_noted(content: bytes, note: Path) -> bool:
    return note.is_file() and note.read_text(encoding="utf-8").strip() == _digest(content)
