"""The preview of the next stage's plan: how it travels to the release pull request, and which digest was shown there at a time.

The digest stands in the name of an artifact of the run that deployed the stage before: GitHub's own history, which only that run's jobs
can write. The text of a pull request can be changed by anybody who may write to the repository.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from bundleflow.records.github import Artifact

FILE = "preview.json"


@dataclass(frozen=True)
class Preview:
    """The plan of the next stage as things stand now.

    Args:
        stage: Name of the stage.
        digest: Digest of its plan; empty where none could be made.
        text: The plan as Markdown.
        refused: Why the release would be refused now, as Markdown; empty when it would not.
    """

    stage: str
    digest: str
    text: str
    refused: str = ""


def bundle_id(bundle: str) -> str:
    """A bundle's folder as eight characters that may stand in an artifact's name."""
    return hashlib.sha256(bundle.encode()).hexdigest()[:8]


def artifact_name(bundle: str, preview: Preview) -> str:
    """Name of the artifact that carries a preview."""
    return f"bundleflow-preview-{bundle_id(bundle)}-{preview.stage}-{preview.digest or 'none'}"


def write_preview(folder: Path, preview: Preview) -> None:
    """Write `preview.json` into a folder, made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps(asdict(preview), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_preview(folder: Path) -> Preview:
    """Read what `write_preview` wrote.

    Raises:
        OSError: It is not there.
    """
    return Preview(**json.loads((folder / FILE).read_text(encoding="utf-8")))


def digest_shown(artifacts: Iterable[Artifact], *, bundle: str, stage: str, at: str) -> str:
    """The digest that the newest preview had at a time; empty when there was none yet.

    Args:
        artifacts: The artifacts of the run that deployed the stage before.
        bundle: Folder of the bundle.
        stage: Stage that is released.
        at: A time, ISO 8601 as GitHub writes it.
    """
    pattern = re.compile(rf"bundleflow-preview-{bundle_id(bundle)}-{re.escape(stage)}-([0-9a-f]{{64}}|none)")
    found = [(each.created_at, match[1]) for each in artifacts if (match := pattern.fullmatch(each.name)) and each.created_at <= at]
    digest = max(found)[1] if found else ""
    return "" if digest == "none" else digest
