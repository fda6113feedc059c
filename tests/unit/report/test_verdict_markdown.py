"""A verdict's Markdown as it reads: champion or none, names as code, digests at the foot."""

from __future__ import annotations

import pytest

from bundleflow.report.markdown import prose
from bundleflow.report.markdown_verdict import verdict_markdown
from bundleflow_models.verdict import Result, Verdict
from bundleflow_models.verdict.record import Check, MetricLine

CHECK = Check("below-floor", "failed", "`accuracy` is 0.95; the floor is at least 0.97.", "Say `checks: {schema: any}` | or *not*.")
LINE = MetricLine("accuracy", higher_is_better=True, challenger=0.95)


def shown(champion: str, *metrics: MetricLine) -> str:
    verdict = Verdict(Result.REFUSED, "accuracy", "superior", "ab" * 32, "prod.iris.model", "4", champion, checks=(CHECK,), metrics=metrics)
    return verdict_markdown(verdict, limit=10_000)


@pytest.mark.parametrize(
    ("champion", "metrics", "said"),
    [
        ("none", (LINE,), "version 4; there is no champion yet."),
        ("unknown", (), "version 4; not compared with a champion."),
        ("3", (), "version 4; champion: version 3, not compared."),
        ("3", (LINE,), "version 4; champion: version 3."),
    ],
)
def test_the_head_says_what_it_was_compared_with(champion: str, metrics: tuple[MetricLine, ...], said: str) -> None:
    assert said in shown(champion, *metrics)


def test_the_foot_names_the_digests() -> None:
    assert ", gate file `abababababab`, hold-out `-`" in shown("none")


def test_names_in_a_checks_text_are_code() -> None:
    assert r"| `accuracy` is 0.95; the floor is at least 0.97.<br>Say `checks: {schema: any}` \| or \*not\*. |" in shown("none")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a `b` c", "a `b` c"),
        ("`b``c`", "`b`\u200b`c`"),
        ("one ` alone", r"one \` alone"),
        ("`a|b`", "`a∣b`"),  # noqa: RUF001
        ("` `*x*", r"` `\*x\*"),
        ("a `b\nc` <d>", "a `b c` &lt;d>"),
    ],
)
def test_only_what_stands_between_two_backticks_is_code(text: str, markdown: str) -> None:
    assert prose(text) == markdown
