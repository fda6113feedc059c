"""Texts that somebody outside may choose, each an attempt of its own, and the rules by which a runner, GitHub and a browser read ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html.parser import HTMLParser

from markdown_it import MarkdownIt

MARK = "PWNED"
TEXTS = {
    "quotes": f"it's \"{MARK}\" \\' \\\" ' OR 1=1",
    "shell": f"$(touch {MARK}) `touch {MARK}` ; touch {MARK} & touch {MARK} | ${{IFS}} && touch {MARK}",
    "expression": f"${{{{ secrets.{MARK} }}}} {{{{ {MARK} }}}} {{% {MARK} %}} ${{var.{MARK}}}",
    "lines": f"first\n{MARK}=1\n::set-output name=x::{MARK}\n\n# {MARK}\r\n- {MARK}",
    "set-output": f"::set-output name=x::{MARK}",
    "add-mask": f"::add-mask::{MARK}",
    "stop-commands": f"::stop-commands::{MARK}",
    "old command": f"x ##[add-mask]{MARK} ##[set-env name=PATH]{MARK}",
    "percent": f"100%0A::error::{MARK}%0D%0A::add-mask::x%25",
    "delimiter": f"EOF\n{MARK}<<EOF\n{MARK}\nEOF\nghadelimiter_1\nbundleflow_",
    "markdown": f"# {MARK} **b** [x](javascript:alert(1)) ![i](http://127.0.0.1/{MARK}) | a | b |\n|---|---|\n> q\n```\n~~~\n1. x",
    "fences": f"``` ```` `````\n```sh\n{MARK}\n```\n{MARK}",
    "html": f"</code></pre></details></summary></td><script>{MARK}</script><img src=x onerror={MARK}><!-- bundleflow:comment plan -->",
    "attribute": f'" onmouseover="{MARK}" \' onclick=\'{MARK}',
    "mention": f"@everyone @team/admins #1 GH-2 https://example.com/{MARK} www.example.com team/iris#3",
    "mermaid": f'"]; click a "javascript:{MARK}" %%{{init: {{}}}}%% --> x[{MARK}]',
    "direction": f"a\u202e{MARK}\u2066b\u200f\u2028{MARK}\u0000\x1b[31m\x07",
    "option": f"--upload-pack=touch {MARK}",
    "dash": f"-rf {MARK}",
    "path": f"../../{MARK}/../etc/passwd",
    "surrogate": f"\udc80{MARK}\ud800",
    "long": f"{MARK} " * 20_000,
}
PLAIN = "harmless"


def obeyed(log: str) -> list[str]:
    """Names of the workflow commands that GitHub's runner would obey in a log.

    By its rules: `::name …::` where a line begins (blanks before it do not count), the older `##[name …]` anywhere in a line, and nothing
    between `::stop-commands::TOKEN` and `::TOKEN::`.
    """
    found: list[str] = []
    waiting = ""
    for line in re.split(r"\r\n|\n|\r", log):
        if waiting:
            waiting = "" if line.strip() == f"::{waiting}::" else waiting
            continue
        match = re.match(r"\s*::([A-Za-z-]+)(?: [^:]*)?::(.*)", line) or re.search(r"##\[([A-Za-z-]+)[^\]]*\](.*)", line)
        if match:
            found.append(match[1])
            waiting = match[2].strip() if match[1] == "stop-commands" else ""
    assert waiting == "", "commands are stopped and never allowed again"
    return found


class Elements(HTMLParser):
    """What a browser would make of a page: elements with their attributes' names, where links lead, and the text that is seen."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.kinds: list[tuple[str, tuple[str, ...]]] = []
        self.links: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.comments: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.kinds.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "formaction", "xlink:href")]

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """Note a comment, which nobody sees."""
        self.comments.append(data)


def rendered(markdown: str) -> Elements:
    """Markdown as GitHub renders it, as far as elements go: CommonMark with HTML, tables and strikethrough."""
    return Elements(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


def references(markdown: str) -> list[str]:
    """What GitHub would make a mention, a reference or a link of outside code, though nobody wrote it as such."""
    text = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", markdown, flags=re.DOTALL)
    return re.findall(r"(?<![\w`])@\w[\w/-]*|(?<![&\w])#\d+|\bGH-\d+|\bwww\.\w+|(?<![(\w])https?://\w\S*", text)


def same_shape(ours: Iterable[tuple[str, tuple[str, ...]]], plain: Iterable[tuple[str, tuple[str, ...]]]) -> bool:
    """Whether two pages have the same elements in the same order, whatever their texts."""
    return list(ours) == list(plain)
