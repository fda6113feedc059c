"""What a person may name a run by: its id, the address of its page, or a file with the JSON of `jobs/runs/get`."""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.run import RunRecord
from bundleflow.records.run_json import run_of

_PAGE = re.compile(r"(?:^|[/#])jobs?/\d+/runs?/(\d+)(?:[/?#]|$)")
"""A run in the address of its page: `/jobs/7/runs/9`, or `#job/7/run/9` in older ones."""


NO_OUTPUTS = "A file holds no outputs of tasks: errors and their traces are shown when the run is named by its id or address."


def run_id_of(text: str, host: str) -> int | None:
    """The run's id where the text is an id or an address.

    Args:
        text: What the person gave.
        host: Address of the workspace that is logged in to (DATABRICKS_HOST); may be empty.

    Returns:
        The id; None when the text is neither.

    Raises:
        BundleflowError: It is an address of no run, or of another workspace.
    """
    if text.isdecimal():
        return int(text)
    if not text.startswith(("https://", "http://")):
        return None
    parts = urlsplit(text)
    found = _PAGE.search(parts.path) or _PAGE.search(f"#{parts.fragment}")
    if not found:
        raise BundleflowError(
            f"`{text}` is not the page of a job's run.",
            fix="Copy the address of a run: it ends with /jobs/JOB/runs/RUN.",
            exit_code=ExitCode.USAGE,
        )
    # Never asked where the address leads: it may come from anybody, and the login would go there.
    if urlsplit(host if "://" in host else f"https://{host}").netloc.lower() != parts.netloc.lower():
        raise BundleflowError(
            f"The run is in the workspace {parts.netloc}, but DATABRICKS_HOST is {host or 'not set'}.",
            fix=f"Set DATABRICKS_HOST to {parts.scheme}://{parts.netloc} and log in there.",
            exit_code=ExitCode.USAGE,
        )
    return int(found[1])


def run_from_file(path: Path) -> RunRecord:
    """A run from a file.

    Args:
        path: The JSON of one run as `databricks jobs get-run ID -o json` prints it, or of the API's pages: as a list, or one after the
            other.

    Raises:
        BundleflowError: There is no such file, or it holds no run.
    """
    try:
        run = run_of(_pages(_text(path.read_bytes())))
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no text"
        raise BundleflowError(
            f"`{path}` is neither a run's id nor its address, and as a file it cannot be read: {what}.",
            fix="Give a run's id, the address of its page, or a file with what `databricks jobs get-run ID -o json` prints.",
            exit_code=ExitCode.USAGE,
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        what = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BundleflowError(
            f"`{path}` holds no job run: {what}.",
            fix="Write it with `databricks jobs get-run ID -o json`.",
            exit_code=ExitCode.USAGE,
        ) from error
    return replace(run, notes=(*run.notes, NO_OUTPUTS)) if run.failed_tasks else run


def _text(data: bytes) -> str:
    """The text of a file; `>` of Windows PowerShell writes UTF-16."""
    return data.decode("utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")


def _pages(text: str) -> Sequence[Any]:
    """One JSON value or several, one after the other; a list counts as its elements."""
    decoder, position, found = json.JSONDecoder(), 0, []
    while match := re.compile(r"\S").search(text, position):
        value, position = decoder.raw_decode(text, match.start())
        found += value if isinstance(value, list) else [value]
    return found
