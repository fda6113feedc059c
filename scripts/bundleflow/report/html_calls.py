"""Requests to a workspace in words: `36 files uploaded`, `2 jobs created`, instead of a list of paths."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from bundleflow.report.html_format import plural

# Method, path below /api/<version>/, what it does (one, many); the first that fits counts. Login and locks are left out as None.
_WORDS: tuple[tuple[str, str, tuple[str, str] | None], ...] = (
    ("POST", r"workspace-files/import-file/.*deploy\.lock", None),
    ("POST", r"workspace-files/import-file/", ("file uploaded", "files uploaded")),
    ("POST", r"workspace/import", ("notebook uploaded", "notebooks uploaded")),
    ("POST", r"workspace/mkdirs", None),
    ("POST", r"workspace/delete", None),
    ("POST", r"jobs/create", ("job created", "jobs created")),
    ("POST", r"jobs/(reset|update)", ("job changed", "jobs changed")),
    ("POST", r"jobs/delete", ("job deleted", "jobs deleted")),
    ("POST", r"jobs/(run-now|runs/submit)", ("job run started", "job runs started")),
    ("POST", r"jobs/runs/cancel", ("job run cancelled", "job runs cancelled")),
    ("POST", r"jobs/runs/repair", ("job run repaired", "job runs repaired")),
    ("POST", r"unity-catalog/schemas$", ("schema created", "schemas created")),
    ("PATCH", r"unity-catalog/schemas/", ("schema changed", "schemas changed")),
    ("DELETE", r"unity-catalog/schemas/", ("schema deleted", "schemas deleted")),
    ("POST", r"unity-catalog/volumes$", ("volume created", "volumes created")),
    ("DELETE", r"unity-catalog/volumes/", ("volume deleted", "volumes deleted")),
    ("POST", r"unity-catalog/models$|mlflow/unity-catalog/registered-models/create", ("model created", "models created")),
    ("DELETE", r"unity-catalog/models/[^/]+$", ("model deleted", "models deleted")),
    ("PUT", r"unity-catalog/models/.*/aliases/", ("alias set", "aliases set")),
    ("POST", r"mlflow/unity-catalog/registered-models/alias", ("alias set", "aliases set")),
    ("POST", r"mlflow/unity-catalog/model-versions/create", ("model version registered", "model versions registered")),
    ("POST", r"mlflow/experiments/create", ("experiment created", "experiments created")),
    ("POST", r"mlflow/experiments/delete", ("experiment deleted", "experiments deleted")),
    ("POST", r"mlflow/runs/create", ("MLflow run logged", "MLflow runs logged")),
    ("POST", r"mlflow/.*(search|get)", None),
    ("POST", r"serving-endpoints$", ("endpoint created", "endpoints created")),
    ("PUT", r"serving-endpoints/.*/config", ("endpoint switched", "endpoints switched")),
    ("PUT", r"permissions/", ("permission set", "permissions set")),
    ("POST", r"oidc/|telemetry-ext", None),
)
_COMPILED = tuple((method, re.compile(pattern), words) for method, pattern, words in _WORDS)
READS = frozenset({"GET", "HEAD"})


def in_words(requests: Iterable[tuple[str, str, int]]) -> list[str]:
    """Say what requests changed.

    Args:
        requests: Method, path and status of each. Reads and refused requests (status 400 and above) changed nothing.

    Returns:
        What was done with how often, most frequent first; a request that is not known by its path is named by it.
    """
    done: Counter[tuple[str, str]] = Counter()
    for method, path, status in requests:
        if method in READS or status >= 400:
            continue
        words = _words(method, urlsplit(path).path)
        if words:
            done[words] += 1
    return [plural(count, *words) for words, count in done.most_common()]


def _words(method: str, path: str) -> tuple[str, str] | None:
    below = re.sub(r"^/?(api/[0-9.]+/)?", "", path)
    for wanted, pattern, words in _COMPILED:
        if method == wanted and pattern.match(below):
            return words
    named = f"{method} /{'/'.join(below.split('/')[:3])}"
    return named, named
