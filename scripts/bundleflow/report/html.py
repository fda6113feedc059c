"""Self-contained HTML pages: the report of a rehearsal and the page of a job run. No script, no network, one file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bundleflow.records.errors import BundleflowError, ExitCode, FailureReason
from bundleflow.records.run import RunRecord

if TYPE_CHECKING:
    from jinja2 import Environment

ASSETS = Path(__file__).with_name("assets")


def rehearsal_page(rehearsal: Any) -> str:
    """Render the report of a rehearsal.

    Args:
        rehearsal: Its result, as a data class or as the mapping that `rehearse --json` prints (see `rehearsal.rehearse.result`).
            All times in seconds from the rehearsal's start. Every text is taken as untrusted.

    Returns:
        A complete HTML document; links go to its own parts or to https addresses, nothing is loaded.
    """
    from bundleflow.report.html_rehearsal import rehearsal_view

    return _environment().get_template("rehearsal.html").render(view=rehearsal_view(_plain(rehearsal)), style=_style())


def run_page(run: RunRecord) -> str:
    """Render the page of one job run: graph, timeline, table of tasks, errors and outputs. Times in milliseconds since 1970."""
    from bundleflow.report.html_run import run_view

    return _environment().get_template("run.html").render(view=run_view(run), style=_style())


def write_page(path: Path, page: str) -> None:
    """Write a page, or another text of a report, as UTF-8; its folder is made where it is missing.

    Half a surrogate pair, which a JSON string may hold and UTF-8 may not, is written as JSON writes it, by its number.

    Raises:
        BundleflowError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise BundleflowError(
            f"The report {path} could not be written: {error.strerror or error}.",
            fix="Give a file in a folder that you may write, on a disk with room.",
            reason=FailureReason.OUTSIDE_TROUBLE,
            exit_code=ExitCode.TROUBLE,
        ) from error


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from bundleflow.report import html_format
    from bundleflow.report.run_words import tone, words

    environment = Environment(
        loader=FileSystemLoader(ASSETS), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name in ("seconds", "clock", "plural", "seen", "moment", "ref", "who", "ticks", "day", "milli", "web", "head", "tail"):
        environment.filters[name] = getattr(html_format, name)
    environment.filters["words"] = words
    environment.filters["tone_of_state"] = lambda state: tone(state, final=True)
    return environment


@lru_cache(maxsize=1)
def _style() -> str:
    return "".join((ASSETS / name).read_text(encoding="utf-8") for name in ("style.css", "graph.css", "run.css"))


def _plain(value: Any) -> Mapping[str, Any]:
    """A data class as a mapping; a mapping as it is."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return value
    raise TypeError(f"a rehearsal is a data class or a mapping, not {type(value).__name__}")
