"""Markdown as GitHub renders it: untrusted text made harmless, tables, folds, and cutting that never breaks what it cuts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

COMMENT_LIMIT = 65_536
"""Characters that a comment on GitHub may have."""

_ZERO_WIDTH = "\u200b"
_MARKUP = {"&": "&amp;", "<": "&lt;", **{char: f"\\{char}" for char in "\\`*_[]|~$"}}
_LINE_START = re.compile(r"^(?:([-+=#>])|(\d+)([.)]))")
_AUTOLINKS = re.compile(r"@(?=\w)|(?<=\w)#(?=\d)|#(?=\d)|(?<=[a-zA-Z])://|\bwww(?=\.)|\bGH-(?=\d)", re.IGNORECASE)


def visible(text: str, limit: int = 0) -> str:
    r"""Text in which nothing is hidden: control characters and marks that turn the direction are shown as `\u....`.

    Args:
        text: Any text; line breaks and tabs stay.
        limit: Cut to this many characters; 0 for no limit.
    """
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.replace("\n", "").replace("\t", "").isprintable():  # nearly always; by character it takes a hundred times as long
        return text
    return "".join(char if char in "\n\t" or not _hidden(char) else f"\\u{ord(char):04x}" for char in text)


def _hidden(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def escape(text: str, limit: int = 0) -> str:
    """Untrusted text as one line of Markdown text: no markup, HTML, link, mention or reference comes of it.

    Args:
        text: Any text; line breaks become blanks.
        limit: Cut to this many characters before it is escaped; 0 for no limit.
    """
    line = " ".join(visible(text, limit).split())
    line = _AUTOLINKS.sub(lambda match: _break(match[0]), line)
    line = "".join(_MARKUP.get(char, char) for char in line)
    return _LINE_START.sub(lambda match: f"\\{match[1]}" if match[1] else f"{match[2]}\\{match[3]}", line)


def prose(text: str, limit: int = 0) -> str:
    """Untrusted text as `escape` gives it, but what stands between two backticks on its line as inline code.

    Args:
        text: Any text; line breaks become blanks.
        limit: Cut to this many characters before it is escaped; 0 for no limit.
    """
    parts = re.split(r"`([^`]+)`", " ".join(visible(text, limit).split()))
    shown = [code(part) if place % 2 else _within(part) for place, part in enumerate(parts)]
    # Between two pieces of code that touch: else their backticks would be one longer mark.
    shown[2:-1:2] = [part or _ZERO_WIDTH for part in shown[2:-1:2]]
    return "".join(shown)


def _within(text: str) -> str:
    """Escaped text beside inline code: its blanks at both ends stay."""
    blank = " "
    return f"{blank * text.startswith(blank)}{escape(text)}{blank * (text.endswith(blank) and len(text) > 1)}"


def _break(found: str) -> str:
    """An address, mention or reference with a character inside that nobody sees, so that GitHub makes no link of it."""
    return found[0] + _ZERO_WIDTH + found[1:]


def html_text(text: str, limit: int = 0) -> str:
    """Untrusted text as one line inside an HTML element of a Markdown text, such as a fold's title.

    Args:
        text: Any text; line breaks become blanks.
        limit: Cut to this many characters before it is escaped; 0 for no limit.
    """
    line = _AUTOLINKS.sub(lambda match: _break(match[0]), " ".join(visible(text, limit).split()))
    # Numbers for Markdown's own signs: inside inline HTML the text between the elements is still read as Markdown.
    return "".join(f"&#{ord(char)};" if char in "&<>\"'\\`*_[]|~$" else char for char in line)


def code(text: str, limit: int = 0) -> str:
    """Untrusted text as inline code, fit for a table's cell too.

    Args:
        text: Any text; line breaks are shown as `⏎`.
        limit: Cut to this many characters; 0 for no limit.
    """
    line = visible(text, limit).replace("\n", "⏎").replace("\t", " ")
    if not line.strip():
        return "` `"
    fence = "`" * (_longest_run(line) + 1)
    pad = " " if line[0] in "` " or line[-1] in "` " else ""
    # A bar ends a table's cell even inside code; backslashes in code are literal, so the bar is replaced by its look-alike.
    return f"{fence}{pad}{line.replace('|', '∣')}{pad}{fence}"  # noqa: RUF001 (the look-alike is meant)


def block(text: str, language: str = "", limit: int = 0, *, keep_end: bool = False) -> str:
    """Untrusted text as a fenced block.

    Args:
        text: Any text.
        language: Word for the highlighter.
        limit: Cut to this many characters; 0 for no limit.
        keep_end: Cut the beginning instead of the end.
    """
    shown = visible(text.rstrip("\n"))
    if limit and len(shown) > limit:
        shown = "…\n" + shown[-limit:] if keep_end else shown[:limit] + "\n…"
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table's lines; cells are Markdown already (see `escape` and `code`)."""
    lines = [_row(header), _row(["---"] * len(header))]
    return lines + [_row(row) for row in rows]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("\n", "<br>") for cell in cells) + " |"


def fold(title: str, body: str) -> str:
    """A part that opens on a click; title and body are Markdown already."""
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def link(text: str, url: str) -> str:
    """A link with untrusted text to an address; only `http` and `https`, anything else stays text."""
    if not re.fullmatch(r"https?://[^\s<>\"'`\\|]+", url):
        return escape(text)
    return f"[{escape(text)}]({url.replace('(', '%28').replace(')', '%29')})"


def fit(head: str, blocks: Sequence[str], tail: str, *, limit: int, left_out: str, between: str = "\n\n") -> str:
    """Join whole blocks as long as they fit, so that Markdown is never cut in its middle.

    Args:
        head: Always there.
        blocks: In order of importance, each complete in itself.
        tail: Always there, at the end.
        limit: Characters the whole may have.
        left_out: Said when blocks are missing; `{count}` is how many.
        between: What stands between two blocks.

    Returns:
        At most `limit` characters (as long as head, tail and note fit).
    """
    note = left_out.format(count=len(blocks))
    room = limit - len(head) - len(tail) - len(note) - 8
    kept: list[str] = []
    for each in blocks:
        if len(each) + len(between) > room:
            break
        room -= len(each) + len(between)
        kept.append(each)
    missing = len(blocks) - len(kept)
    parts = [head, between.join(kept), left_out.format(count=missing) if missing else "", tail]
    return "\n\n".join(part for part in parts if part)


def duration(milliseconds: int) -> str:
    """A length of time as people say it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    seconds = milliseconds / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, whole = divmod(round(seconds), 60)
    if not minutes:
        return f"{whole} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole} s"
