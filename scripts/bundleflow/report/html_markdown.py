"""Job summaries (GitHub's Markdown, untrusted) as safe HTML: parsed by markdown-it-py, cleaned by nh3."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from markupsafe import Markup

from bundleflow.report.html_format import seen

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

TAGS = frozenset(
    [
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "details",
        "em",
        "h4",
        "h5",
        "h6",
        "hr",
        "kbd",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
        "b",
        "i",
    ]
)
ATTRIBUTES = {"a": {"href"}, "details": {"open"}, "ol": {"start"}, "blockquote": {"class"}, "p": {"class"}}
CLASSES = frozenset({"alert", "alert-title", "note", "tip", "important", "warning", "caution", "graph-note"})
_ALERT = re.compile(r"<blockquote>\s*<p>\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\s*")

_TONES = {
    "\u2705": "ok",
    "\u274c": "bad",
    "\U0001f6d1": "bad",
    "\u23f1\ufe0f": "wait",
    "\U0001f535": "wait",
    "\U0001f6ab": "skip",
    "\u26aa": "skip",
    "\u2795": "plus",
    "\u270f\ufe0f": "change",
}
_SIGNS = re.compile("|".join(_TONES))

LinkMap = Callable[[str], str | None]
"""Turns the address of a link into the one to use on the page; None takes the link away and leaves its text."""


def markdown_html(text: str, link: LinkMap) -> Markup:
    """Render untrusted Markdown.

    Args:
        text: Markdown as GitHub takes it in a job summary: tables, folds (`<details>`), alerts (`> [!NOTE]`). A mermaid graph is
            left out, since drawing it takes a script.
        link: Maps or removes addresses.

    Returns:
        HTML with the tags of `TAGS` only: no image, no style, no script, no address that was not mapped.
    """
    import nh3

    # The kit puts a character that nobody sees into mentions, so that GitHub makes no link of them; here it has no use.
    rendered = _ALERT.sub(_alert, _markdown().render(seen(text.replace("\u200b", ""))))

    def attribute(tag: str, name: str, value: str) -> str | None:
        if tag == "a" and name == "href":
            return link(value)
        if name == "class":
            return " ".join(word for word in value.split() if word in CLASSES) or None
        return value

    cleaned = nh3.clean(
        rendered,
        tags=set(TAGS),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=attribute,
        url_schemes={"https", "http"},
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(_SIGNS.sub(lambda sign: _icon(_TONES[sign[0]]), cleaned))  # noqa: S704 (cleaned by nh3 just above)


def _icon(tone: str) -> str:
    """A coloured dot in place of an emoji, which not every machine has a font for; the words beside it say the same."""
    return f'<span class="sign {tone}" aria-hidden="true"></span>'


def _alert(match: re.Match[str]) -> str:
    kind = match[1].lower()
    return f'<blockquote class="alert {kind}"><p class="alert-title">{kind.capitalize()}</p>\n<p>'


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    markdown.add_render_rule("fence", _fence)
    markdown.add_render_rule("heading_open", _heading)
    markdown.add_render_rule("heading_close", _heading)
    return markdown


def _fence(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    if tokens[index].info.strip() == "mermaid":
        return '<p class="graph-note">Graph: drawn under “Job runs”.</p>\n'
    return str(type(renderer).fence(renderer, tokens, index, options, env))


def _heading(renderer: Any, tokens: Any, index: int, options: Any, env: Any) -> str:
    """Headings of a summary stand below those of the page, so that a screen reader's outline stays right."""
    tokens[index].tag = f"h{min(6, int(tokens[index].tag[1]) + 3)}"
    return str(renderer.renderToken(tokens, index, options, env))


def page_links(workflow_runs: set[str], job_runs: set[str]) -> LinkMap:
    """Links of a rehearsal's summaries: runs become places on the page, other addresses of this machine (gone by now) lose their link.

    Args:
        workflow_runs: Ids of the workflow runs on the page.
        job_runs: Ids of the job runs on the page.
    """

    def mapped(url: str) -> str | None:
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        if parts.hostname in ("127.0.0.1", "localhost", "::1"):
            workflow = re.search(r"/actions/runs/(\d+)", parts.path)
            if workflow and workflow[1] in workflow_runs:
                return f"#run-{workflow[1]}"
            job = re.search(r"/runs?/(\d+)", parts.path + "/" + parts.fragment)
            return f"#job-run-{job[1]}" if job and job[1] in job_runs else None
        return url if parts.scheme in ("http", "https") else None

    return mapped
