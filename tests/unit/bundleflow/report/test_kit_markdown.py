"""Untrusted text in Markdown: whatever it is, it comes out as text, and nothing around it breaks. Parsed with a real parser."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bundleflow.report.markdown import block, code, duration, escape, fit, link, table, visible

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])

HOSTILE = [
    "$(rm -rf /) `id`",
    "::set-output name=x::y\n::add-mask::z",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![pixel](https://evil.example/x.png)",
    "https://evil.example/login",
    "www.evil.example",
    "@everyone look, #1 and owner/name#2 and GH-3",
    "| a | b |\n|---|---|\n| c | d |",
    "```\nfence",
    "~~~\nfence",
    "# heading",
    "1. list",
    "- list",
    "> quote",
    "===",
    "---",
    "&lt;b&gt; &#64;admin",
    "\u202egnp.exe",
    "a\u0000b\u200bc\u2028d",
    "\\`\\*",
    "***bold*** __under__ ~~gone~~",
    "-leading",
    "<!-- bundleflow:comment ci -->",
    "$\\href{javascript:alert(1)}{x}$",
    "x" * 100_000,
]


def inline(text: str) -> list[Token]:
    """The inline tokens of one paragraph; fails when it is anything else."""
    blocks = PARSER.parse(text)
    assert [token.type for token in blocks] == ["paragraph_open", "inline", "paragraph_close"], [token.type for token in blocks]
    assert blocks[1].children is not None
    return blocks[1].children


def plain(tokens: list[Token]) -> str:
    return "".join(token.content for token in tokens)


def expected(text: str) -> str:
    return " ".join(visible(text).split())


anything = st.text(max_size=200) | st.text("`*_[]()<>!|~#@&\\\n $:/w.h-+=1", max_size=40) | st.sampled_from(HOSTILE)


@given(anything)
@example("1) x")
@example("a|b")
def test_escaped_text_is_text(text: str) -> None:
    escaped = escape(text)
    if not expected(text):
        assert escaped == ""
        return
    tokens = inline(escaped)
    assert {token.type for token in tokens} <= {"text", "text_special"}
    assert plain(tokens).replace("\u200b", "") == expected(text)


@given(anything)
def test_escaped_text_makes_no_link_mention_or_reference(text: str) -> None:
    shown = plain(inline(escape(text) or "x"))
    assert not re.search(r"@\w|(?<![\w&])#\d|[a-zA-Z]://|\bwww\.|\bGH-\d", shown, re.IGNORECASE)


@given(anything)
def test_code_is_one_code_span(text: str) -> None:
    tokens = inline(code(text))
    assert [token.type for token in tokens] == ["code_inline"]
    shown = visible(text).replace("\n", "⏎").replace("\t", " ").replace("|", "∣")  # noqa: RUF001
    assert tokens[0].content == (shown if shown.strip() else " ")


@given(anything, st.integers(min_value=0, max_value=50))
def test_a_block_holds_its_text(text: str, limit: int) -> None:
    tokens = PARSER.parse(block(text, "text", limit))
    assert [token.type for token in tokens] == ["fence"]


@given(st.lists(st.tuples(anything, anything), max_size=4))
def test_a_table_keeps_its_cells(rows: list[tuple[str, str]]) -> None:
    text = "\n".join(table(["one", "two"], [[escape(first) or "x", code(second)] for first, second in rows]))
    tokens = PARSER.parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == len(rows) + 1
    assert sum(token.type == "td_open" for token in tokens) == 2 * len(rows)
    assert not any(token.type.startswith("html") for token in tokens)


@given(anything)
def test_a_link_goes_only_to_the_web(url: str) -> None:
    for token in inline(link("text", url) or "x"):
        if token.type == "link_open":
            assert str(token.attrGet("href")).startswith(("http://", "https://"))


def test_a_link_to_a_page_is_a_link() -> None:
    opened = inline(link("a [b]", "https://example.com/x?y=(1)"))[0]
    assert opened.type == "link_open"
    assert opened.attrGet("href") == "https://example.com/x?y=%281%29"
    assert "link_open" not in {token.type for token in inline(link("x", "javascript:alert(1)"))}


@given(st.lists(st.text("ab\n", min_size=1, max_size=60), max_size=30), st.integers(min_value=120, max_value=2000))
def test_fitting_keeps_whole_blocks_in_order_within_the_limit(blocks: list[str], limit: int) -> None:
    text = fit("head", blocks, "tail", limit=limit, left_out="{count} left out", between="\n\n")
    assert len(text) <= limit
    assert text.startswith("head")
    assert text.endswith("tail")
    found = re.search(r"(\d+) left out", text)
    kept = len(blocks) - int(found[1]) if found else len(blocks)
    assert "\n\n".join(blocks[:kept]) in text


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0.0 s"), (420, "0.4 s"), (12_000, "12 s"), (185_000, "3 min 5 s"), (7_800_000, "2 h 10 min")]
)
def test_durations_read_well(milliseconds: int, text: str) -> None:
    assert duration(milliseconds) == text
