"""The landing volume: where the external files arrive, and the sample files that stand in for them until a feed is connected."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Arrived:
    """A file in the landing volume.

    Args:
        name: Its name.
        content: Its bytes.
        sha256: Their digest, which the record of the load keeps.
    """

    name: str
    content: bytes
    sha256: str


def fetch(landing: str, name: str, sample_folder: str = "") -> Arrived:
    """Read an external file from the landing volume.

    Args:
        landing: Folder of the volume (`/Volumes/catalog/schema/landing`).
        name: Name of the file.
        sample_folder: Folder with sample files. Where it is given, the sample of that name is laid into the volume first, over whatever
            is there. Empty: the file comes from outside.

    Raises:
        FileNotFoundError: The file has not arrived; the message says where it is looked for.
    """
    path = Path(landing) / name
    if sample_folder:
        shutil.copyfile(Path(sample_folder) / name, path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} has not arrived. Put it there, or set the job parameter sample_folder to use the sample files of the project."
        )
    content = path.read_bytes()
    return Arrived(name, content, hashlib.sha256(content).hexdigest())
