"""Looks for credentials in everything that a rehearsal leaves behind: by their form, and by values that were planted."""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator, Mapping
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


def forms(value: str) -> dict[str, bytes]:
    """Give how a value may be written so that whoever finds it has it: form → bytes to look for."""
    raw = value.encode()
    found = {
        "as it is": raw,
        "in JSON": json.dumps(value)[1:-1].encode(),
        "in a URL": urllib.parse.quote(value, safe="").encode(),
        "in a form": urllib.parse.quote_plus(value).encode(),
        "backwards": raw[::-1],
        "in hexadecimal": raw.hex().encode(),
        "in capitals": raw.upper(),
    }
    for shift in range(3):
        # Within a longer text, such as `user:password`, base 64 depends on where the value begins; its outermost digits on the neighbours.
        encoded = base64.b64encode(b"x" * shift + raw)
        whole = encoded[-(-shift * 4 // 3) : len(encoded) - len(encoded) % 4 - 4]
        found[f"in base 64, shifted by {shift}"] = whole
        found[f"in base 64 for URLs, shifted by {shift}"] = whole.translate(bytes.maketrans(b"+/", b"-_"))
    return found


def leaks(places: Iterable[tuple[str, bytes]], canaries: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Look for values in all their forms.

    Args:
        places: Name and content of every place.
        canaries: Name → value.

    Returns:
        Place, canary and form of each find.
    """
    wanted = [(name, form, text) for name, value in canaries.items() for form, text in forms(value).items()]
    return [(place, name, form) for place, content in places for name, form, text in wanted if text in content]


class Watcher(threading.Thread):
    """Looks into the environment and the command line of every process that holds a mark, over and over, until it is stopped.

    Args:
        mark: `NAME=value`, as processes have it in their environment.
        canaries: Name → value.
    """

    def __init__(self, mark: str, canaries: Mapping[str, str]) -> None:
        super().__init__(daemon=True)
        self._mark = mark.encode()
        self._canaries = {name: value.encode() for name, value in canaries.items()}
        self._over = threading.Event()
        self.seen: set[tuple[str, str, str]] = set()
        """Canary, event and workflow (both empty outside a step) of every process that had it in its environment."""
        self.told: set[str] = set()
        """Canaries that stood on a command line."""

    def run(self) -> None:
        """Look until stopped."""
        while not self._over.wait(0.03):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    self._look(entry)

    def _look(self, process: Path) -> None:
        try:
            environment = (process / "environ").read_bytes()
            if self._mark not in environment:
                return
            command = (process / "cmdline").read_bytes()
        except OSError:
            return  # ended in the meantime, or another user's
        values = dict(line.partition(b"=")[::2] for line in environment.split(b"\0"))
        event, workflow = (values.get(name, b"").decode() for name in (b"GITHUB_EVENT_NAME", b"GITHUB_WORKFLOW"))
        self.seen |= {(name, event, workflow) for name, value in self._canaries.items() if value in environment}
        self.told |= {name for name, value in self._canaries.items() if value in command}

    def stop(self) -> None:
        """Stop looking."""
        self._over.set()
        self.join(30)
