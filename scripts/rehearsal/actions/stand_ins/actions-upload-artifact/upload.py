"""Zips what was asked for and hands it to the imitated GitHub. Standard library only."""

import glob
import http.client
import io
import json
import os
import sys
import urllib.parse
import zipfile
from pathlib import Path


def chosen(patterns: list[str], *, hidden: bool) -> list[Path]:
    """Give the files that the patterns name; a folder stands for all that is in it."""
    found: list[Path] = []
    for pattern in patterns:
        for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207  # patterns may be absolute
            path = Path(name)
            found += sorted(path.rglob("*")) if path.is_dir() else [path]
    files = [path for path in dict.fromkeys(found) if path.is_file()]
    return files if hidden else [path for path in files if not any(part.startswith(".") and len(part) > 1 for part in path.parts[-1:])]


def packed(files: list[Path]) -> bytes:
    """Zip the files under the folder that they have in common."""
    root = Path(os.path.commonpath([path.resolve().parent for path in files]))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            archive.write(path, path.resolve().relative_to(root))
    return buffer.getvalue()


def main() -> int:
    """Upload; exit 1 where nothing was found and that was to be an error, or where GitHub refuses."""
    name = os.environ["ARTIFACT_NAME"]
    patterns = [line.strip() for line in os.environ["ARTIFACT_PATH"].splitlines() if line.strip()]
    files = chosen(patterns, hidden=os.environ["ARTIFACT_HIDDEN"] == "true")
    if not files:
        level = {"error": "error", "warn": "warning"}.get(os.environ["ARTIFACT_IF_NONE"], "notice")
        print(f"::{level}::No files were found with the provided path: {' '.join(patterns)}. No artifacts will be uploaded.")
        return 1 if level == "error" else 0
    base = urllib.parse.urlsplit(os.environ["REHEARSAL_ARTIFACTS"])
    place = f"{base.path}/{os.environ['GITHUB_RUN_ID']}/{urllib.parse.quote(name, safe='')}"
    connection = http.client.HTTPConnection(base.hostname or "", base.port, timeout=60)
    headers = {"Authorization": f"Bearer {os.environ['REHEARSAL_GITHUB_TOKEN']}", "Content-Type": "application/zip"}
    connection.request("PUT", place, packed(files), headers)
    answer = connection.getresponse()
    text = answer.read().decode("utf-8", "replace")
    if answer.status != 201:
        print(f"::error::Artifact {name} was not taken: {answer.status} {text}")
        return 1
    print(f"Artifact {name}: {len(files)} files")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"artifact-id={json.loads(text)['id']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
