"""Puts texts of a command into an order that does not depend on timing, and leaves out what polling adds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

_TRACE_FILE = re.compile(r'File "[^"]*?([^/"\\]+\.py)"')
_RESOURCE = re.compile(r"^(Created|Updated|Deleted|Recreated|Resized) [\w.-]+$")
_REMARK = re.compile(r"^(Warning|Error|Recommendation): ")
_OTHER = re.compile(
    r"^(Uploading |Building |Files: |Resources: |Run URL: |Destroy: |The following |This action |All files |Warn: "
    r"|\[TIMESTAMP\] |Task .+ FAILED:$|(Created|Updated|Deleted|Recreated) [\w.-]+$)"
)
_POLLED = re.compile(r'^\[TIMESTAMP\] "?.*"? (PENDING|QUEUED|RUNNING|TERMINATING|BLOCKED|WAITING_FOR_RETRY)\b.*$')
_TARGETS = re.compile(r"(?<=Available targets: )[^\n]+")


def tidy(text: str) -> str:
    """Return the text with lines about resources, and remarks of one severity, sorted among their neighbours."""
    text = _TRACE_FILE.sub(r'File "[DIR]/\1"', text)
    text = _TARGETS.sub(lambda hit: ", ".join(sorted(hit[0].split(", "))), text)
    lines = [line.rstrip() for line in text.splitlines() if not _POLLED.match(line.rstrip())]
    ordered: list[str] = []
    for is_resource, group in groupby(lines, key=lambda line: bool(_RESOURCE.match(line))):
        part = list(group)
        ordered += sorted(part) if is_resource else part
    return "\n".join(_sort_remarks("\n".join(ordered).strip("\n").split("\n"))).strip("\n")


def _sort_remarks(lines: Iterable[str]) -> list[str]:
    sorted_lines: list[str] = []
    remarks: list[list[str]] = []

    def flush() -> None:
        texts = ["\n".join(remark).rstrip("\n") for remark in remarks]
        for _, group in groupby(texts, key=lambda text: text.split(":")[0]):
            for text in sorted(group):
                sorted_lines.extend([*text.split("\n"), ""])
        remarks.clear()

    for line in lines:
        if _REMARK.match(line):
            remarks.append([line])
        elif remarks and not _OTHER.match(line):
            remarks[-1].append(line)
        else:
            flush()
            sorted_lines.append(line)
    flush()
    return sorted_lines


def chosen(text: str, patterns: list[str] | None) -> str:
    """Return the lines that match one of the patterns; the whole text without patterns."""
    return text if patterns is None else "\n".join(line for line in text.splitlines() if any(re.search(p, line) for p in patterns))
