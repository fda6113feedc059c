"""How numbers, times and untrusted text read on a page."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime

from markupsafe import Markup, escape

_NO_BREAK = "\u00a0"


def seconds(value: float) -> str:
    """A length of time in seconds as people say it: `40 ms`, `4.2 s`, `38 s`, `2 min 5 s`, `1 h 3 min`."""
    if value < 0.095:
        text = f"{max(0, round(value * 1000))} ms"
    elif value < 9.95:
        text = f"{value:.1f} s"
    else:
        minutes, rest = divmod(round(value), 60)
        hours, minutes_left = divmod(minutes, 60)
        text = f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return text.replace(" ", _NO_BREAK)


def clock(value: float) -> str:
    """A point in time in seconds from the start: `0:07`, `1:12`, `1:02:03`."""
    minutes, rest = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(iso: str) -> str:
    """A point in time in ISO 8601 for people: `2026-11-21 09:00 UTC`; anything else as it is."""
    try:
        return datetime.fromisoformat(iso).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return iso


def day(milliseconds: int) -> str:
    """A point in time in milliseconds since 1970: `2026-11-21 09:00:12 UTC`; empty for 0."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if milliseconds else ""


def milli(milliseconds: int) -> str:
    """A length of time in milliseconds as `seconds` says it; a dash for none."""
    return seconds(milliseconds / 1000) if milliseconds else "\u2013"


def web(url: str) -> str:
    """The address if it is one of the web; anything else (`javascript:`, a file) gives no link."""
    return url if url.startswith(("https://", "http://")) else ""


def tail(text: str, limit: int = 6000) -> str:
    """The end of a long text, from the beginning of a line."""
    if len(text) <= limit:
        return text
    kept = text[-limit:]
    return "…\n" + (kept.partition("\n")[2] or kept)


def head(text: str, limit: int) -> str:
    """The beginning of a long text."""
    return text if len(text) <= limit else text[:limit] + "…"


def plural(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 job`, `3 jobs`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def seen(text: object) -> str:
    r"""Text in which nothing is hidden: characters that turn the direction or cannot be seen are shown as `\u....`."""
    if str(text).replace("\n", "").replace("\t", "").isprintable():  # nearly always; by character it takes a hundred times as long
        return str(text)
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn") else f"\\u{ord(char):04x}"
        for char in str(text)
    )


def ref(name: str) -> str:
    """A git reference for people: `main`, `pull request #3`; anything else as it is."""
    pull = re.fullmatch(r"refs/pull/(\d+)/(merge|head)", name)
    return f"pull request #{pull[1]}" if pull else name.removeprefix("refs/heads/").removeprefix("refs/tags/")


def who(identity: str) -> str:
    """An identity for people: the application id of a service principal is cut, a name is as it is."""
    return f"service principal {identity[:8]}…" if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", identity) else identity


def ticks(text: object) -> Markup:
    """Untrusted text in which what stands between backticks is shown as code."""
    parts = re.split(r"`([^`\n]+)`", seen(text))
    return Markup("").join(Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts))
