"""What a task wants installed: checked against what is installed; wheels from the workspace are put on the path.

Nothing is downloaded. A requirement that is not met fails the task with a message that names it.
"""

from __future__ import annotations

import hashlib
import shlex
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from rehearsal.executor.paths import PathMap

IGNORED_OPTIONS = ("-U", "--upgrade", "-q", "--quiet", "-qq", "-qqq", "--no-cache-dir", "--force-reinstall", "--no-deps", "--user", "--pre",
                   "--disable-pip-version-check", "--no-warn-script-location", "-y", "--yes", "-v", "-I", "--ignore-installed")  # fmt: skip
OPTIONS_WITH_VALUE = (
    "--index-url",
    "-i",
    "--extra-index-url",
    "--find-links",
    "-f",
    "--trusted-host",
    "--target",
    "-t",
    "--timeout",
    "-c",
    "--constraint",
)


class RequirementError(ValueError):
    """A requirement that is not met here; the message names it and what to do."""


class Requirements:
    """Makes a task's requirements available.

    Args:
        paths: Where workspace paths lie.
        cache: Folder in which wheels are unpacked, once each.
        say: Writes a line to the task's log.
    """

    def __init__(self, paths: PathMap, cache: Path, say: Callable[[str], None]) -> None:
        self.paths, self.cache, self.say = paths, cache, say

    def pip(self, command: str) -> None:
        """Do what `%pip COMMAND` does, without a network.

        Raises:
            RequirementError: a package is missing or has another version.
        """
        words = shlex.split(command, comments=True)
        if not words or words[0] in ("list", "show", "freeze", "check", "--version", "config", "debug"):
            return
        if words[0] == "uninstall":
            self.say(f"%pip {command}: nothing is uninstalled here.")
            return
        if words[0] != "install":
            raise RequirementError(f"%pip {words[0]} is not imitated; only %pip install is.")
        skip = False
        for position, word in enumerate(words[1:], 1):
            if skip:
                skip = False
            elif word in ("-r", "--requirement"):
                self.add(f"-r {words[position + 1]}")
                skip = True
            elif word in OPTIONS_WITH_VALUE:
                skip = True
            elif word not in ("-e", "--editable") and word not in IGNORED_OPTIONS and not word.startswith("--"):
                self.add(word)

    def add(self, line: str) -> None:
        """Make one requirement available: a requirement line, `-r FILE`, a wheel, or a folder with a project.

        Raises:
            RequirementError: it is not met, or the file is not there.
        """
        line = line.split(" #")[0].strip()
        if not line or line.startswith("#"):
            return
        if line.startswith(("-r ", "--requirement ")):
            self._file(line.split(None, 1)[1].strip())
        elif line.startswith("-"):
            self.say(f"Requirement option {line!r} has no effect: nothing is downloaded.")
        elif line.endswith(".whl"):
            self.wheel(line)
        elif line.startswith(("/", ".", "dbfs:")):
            self._folder(line)
        else:
            check(line)

    def _file(self, name: str) -> None:
        path = Path(self.paths.physical(name))
        if not path.is_file():
            raise RequirementError(f"The requirements file {name} is not there.")
        for entry in path.read_text("utf-8").splitlines():
            self.add(entry)

    def wheel(self, name: str) -> Path:
        """Put a wheel's content on the path and return the folder it was unpacked to.

        Raises:
            RequirementError: there is no such wheel, or it is broken, or what it requires is not installed.
        """
        path = Path(self.paths.workspace_file(name) if name.startswith("/") else self.paths.physical(name))
        if not path.is_file():
            raise RequirementError(f"The wheel {name} is not there.")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        target = self.cache / f"{path.stem}-{digest}"
        if not target.is_dir():
            temporary = target.with_name(f"{target.name}.{id(self)}.part")
            try:
                with zipfile.ZipFile(path) as archive:
                    archive.extractall(temporary)
            except zipfile.BadZipFile as error:
                raise RequirementError(f"The wheel {name} is not a wheel: {error}") from error
            if target.is_dir():
                return self._use(target)
            temporary.rename(target)
        return self._use(target)

    def _use(self, folder: Path) -> Path:
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        for distribution in metadata.distributions(path=[str(folder)]):
            for requirement in distribution.requires or []:
                if "extra ==" not in requirement:
                    check(requirement, f" (required by {distribution.metadata['Name']})")
        return folder

    def _folder(self, name: str) -> None:
        path = Path(self.paths.physical(name))
        if not path.is_dir():
            raise RequirementError(f"{name} is neither a wheel nor a folder with a Python project.")
        source = path / "src"
        sys.path.insert(0, str(source if source.is_dir() else path))
        self.say(f"{name} is used from where it lies.")


def check(requirement: str, why: str = "") -> None:
    """Refuse a requirement that the installed packages do not meet.

    Args:
        requirement: Such as `pandas>=2` or `mlflow[databricks]==3.1`.
        why: Added to the message.

    Raises:
        RequirementError: it is not met.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
    except InvalidRequirement as error:
        raise RequirementError(f"The requirement {requirement!r} is not valid: {error}") from error
    if wanted.marker is not None and not wanted.marker.evaluate():
        return
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError as error:
        raise RequirementError(
            f"The package {wanted.name} is not installed{why}, and nothing is downloaded in a rehearsal. Install {requirement!r} "
            f"into the environment that runs the rehearsal ({sys.prefix})."
        ) from error
    if not wanted.specifier.contains(version, prereleases=True):
        raise RequirementError(
            f"The task wants {requirement}{why}, but {wanted.name} {version} is installed, and nothing is downloaded in a rehearsal."
        )
