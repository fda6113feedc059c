"""Fetches an artifact of this run from the imitated GitHub and unpacks it. Standard library only."""

import http.client
import io
import os
import sys
import urllib.parse
import zipfile
from pathlib import Path


def main() -> int:
    """Download; exit 1 where there is no such artifact."""
    name = os.environ["ARTIFACT_NAME"]
    if not name:
        print("::error::The rehearsal's stand-in of actions/download-artifact needs `name`: it fetches one artifact at a time.")
        return 1
    base = urllib.parse.urlsplit(os.environ["REHEARSAL_ARTIFACTS"])
    connection = http.client.HTTPConnection(base.hostname or "", base.port, timeout=60)
    headers = {"Authorization": f"Bearer {os.environ['REHEARSAL_GITHUB_TOKEN']}"}
    connection.request("GET", f"{base.path}/{os.environ['GITHUB_RUN_ID']}/{urllib.parse.quote(name, safe='')}", headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        print(f"::error::Artifact {name} could not be fetched: {answer.status} {body[:500].decode('utf-8', 'replace')}")
        return 1
    folder = Path(os.environ["ARTIFACT_PATH"])
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        archive.extractall(folder)  # names with `..` are made harmless by zipfile
    print(f"Artifact {name} is in {folder}")
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"download-path={folder.resolve()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
