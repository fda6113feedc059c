"""Hostile text through everything that is read on GitHub or in a browser: it is shown, and it is nothing but text."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hostile import MARK, PLAIN, TEXTS, Elements, obeyed, references, rendered, same_shape
from report_example import rehearsal

from bundleflow.adapters.runner import Runner
from bundleflow.records.errors import BundleflowError
from bundleflow.records.plan import Action, FieldChange, Plan, PlanEntry
from bundleflow.records.run import (
    Attempt,
    Comparison,
    Compute,
    DeploymentRecord,
    Iterations,
    Lineage,
    RunRecord,
    TableUse,
    TaskChange,
    TaskRecord,
)
from bundleflow.releases.comment import marker
from bundleflow.releases.digest import hide_secrets
from bundleflow.report.errors import error_markdown, report_error
from bundleflow.report.html import rehearsal_page, run_page
from bundleflow.report.markdown import COMMENT_LIMIT
from bundleflow.report.markdown_plan import PlanSection, plan_markdown
from bundleflow.report.markdown_run import run_markdown
from bundleflow.report.terminal import plan_text, run_text

OWN_WORDS = {"started", "conclusion", "result", "result_state", "life_cycle_state", "sha", "html_url", "method", "outcome", "state"}
"""Fields that a rehearsal fills with words of its own."""
LONG_FIELDS = {"summary_markdown", "log_tail", "message", "ref"}
"""Fields that take the whole of a long text; with all of them the page would be of 50 MB."""
PAGE = "https://example.databricks.com/run/1"


def plan(text: str) -> Plan:
    changes = (
        FieldChange(text, Action.UPDATE, "", text, f"new {text}", text),
        FieldChange("name", Action.UPDATE, "", "old", [text], {text: text}),
    )
    entries = [PlanEntry(f"resources.jobs.{text}", action, changes) for action in (Action.UPDATE, Action.DELETE, Action.RECREATE)]
    many = tuple(FieldChange(f"tasks[{number}].{text}", Action.UPDATE, "", number, text) for number in range(9))
    return Plan(2, "1.13.0", (*entries, PlanEntry(f"resources.schemas.{text}", Action.UPDATE, many)))


def job_run(text: str) -> RunRecord:
    tasks = (
        TaskRecord(
            text,
            2,
            "notebook",
            "TERMINATED",
            "FAILED",
            text,
            1000,
            2000,
            compute=Compute(text, text),
            error=text,
            trace=text,
            output=text,
            url=PAGE,
        ),
        TaskRecord(f"then {text}", 3, "notebook", "TERMINATED", "SUCCESS", text, 2000, 3000, depends_on=(text,), output=text, url=text),
    )
    run = RunRecord(1, 7, text, text, PAGE, "TERMINATED", "FAILED", text, text, text, 1000, 3000)
    earlier = (Attempt(9, 0, "TERMINATED", "FAILED", text, 1000, 1500),)
    iterations = Iterations(2, 1, 1, turns=(replace(earlier[0], number=1),), errors=((text, 3),))
    asked = {"kind": "condition", "source": text, "description": text, "condition": text, "outcome": text, "branches": ((text, text),)}
    tasks += (
        TaskRecord(
            f"if {text}", 4, life_cycle_state="TERMINATED", result_state="SUCCESS", depends_on=(text,), start_ms=1, end_ms=2, **asked
        ),
        TaskRecord(f"each {text}", 5, "for_each", "TERMINATED", "FAILED", text, 1, 2, attempt=1, earlier=earlier, iterations=iterations),
    )
    return replace(
        run,
        tasks=tasks,
        parameters=((text, text),),
        creator=text,
        schedule=text,
        notes=(text,),
        deployment=DeploymentRecord(text, text, text, text, text, text, text),
        lineage=Lineage((TableUse(text, text, task=text), TableUse(f"/Volumes/{text}", text, write=True, task=f"if {text}")), text, text),
        comparison=Comparison(8, PAGE, "TERMINATED", "SUCCESS", 1, 1000, (TaskChange(text, "slower", 1000, 9000),)),
    )


def error(text: str) -> BundleflowError:
    return BundleflowError(f"Stage {text} failed.", fix=f"Correct {text}", details=f"it printed\n{text}")


MARKDOWN: dict[str, Callable[[str], str]] = {
    "plan": lambda text: plan_markdown(PlanSection(f"target {text}", plan(text), "d" * 64), hide=hide_secrets, limit=COMMENT_LIMIT),
    "job run": lambda text: run_markdown(job_run(text), limit=200_000),
    "error": lambda text: error_markdown(error(text)),
}
HTML: dict[str, Callable[[str], str]] = {
    "job run": lambda text: run_page(job_run(text)),
    "rehearsal": lambda text: rehearsal_page(story(text)),
}
LOGS: dict[str, Callable[[str], str]] = {
    "plan": lambda text: plan_text(plan(text), text, hide=hide_secrets, colour=False),
    "job run": lambda text: run_text(job_run(text)),
}


def story(text: str) -> dict[str, Any]:
    """A rehearsal in which every text that comes from a project is this one."""

    def replaced(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: replaced(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [replaced(each, key) for each in value]
        if not isinstance(value, str) or key in OWN_WORDS:
            return value
        return text if key in LONG_FIELDS else text[:2000]

    found = replaced(asdict(rehearsal(ok=False)))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("sink", MARKDOWN)
@pytest.mark.parametrize("name", TEXTS)
def test_markdown(name: str, sink: str) -> None:
    text = MARKDOWN[sink](TEXTS[name])
    page, plain = rendered(text), rendered(MARKDOWN[sink](PLAIN))
    if name != "long":
        assert same_shape(page.kinds, plain.kinds)
    assert {kind for kind, _ in page.kinds} <= {kind for kind, _ in plain.kinds}
    assert set(page.links) <= {PAGE}
    assert page.comments == []
    assert references(text.replace(PAGE, "")) == []
    assert MARK in page.text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert text.encode("utf-8")
    assert len(text) <= 200_000


@pytest.mark.parametrize("sink", HTML)
@pytest.mark.parametrize("name", TEXTS)
def test_html(name: str, sink: str) -> None:
    text = HTML[sink](TEXTS[name])
    page, plain = Elements(text), Elements(HTML[sink](PLAIN))
    # A rehearsal shows job summaries as the Markdown they are, through a list of allowed elements.
    summary = {
        "h4",
        "h5",
        "h6",
        "strong",
        "em",
        "code",
        "pre",
        "a",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "blockquote",
        "p",
        "ol",
        "li",
        "ul",
        "br",
    }
    more = {kind for kind, _ in page.kinds} - {kind for kind, _ in plain.kinds}
    assert more <= (summary if sink == "rehearsal" else {"code"})
    assert not {name for _, names in page.kinds for name in names if name.startswith("on")}
    assert all(link.startswith(("#", "https://example.", "data:")) for link in page.links), page.links
    assert MARK in page.text
    assert "\u202e" not in text
    assert text.encode("utf-8")


@pytest.mark.parametrize("sink", LOGS)
@pytest.mark.parametrize("name", TEXTS)
def test_log(name: str, sink: str) -> None:
    text = LOGS[sink](TEXTS[name])
    assert obeyed(text) == []
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert MARK in text


@pytest.mark.parametrize("name", TEXTS)
def test_terminal_error(name: str) -> None:
    stream = io.StringIO()
    runner = Runner({"GITHUB_ACTIONS": "true"}, stream)
    with runner.no_commands():
        report_error(error(TEXTS[name]), stream)
    runner.annotate("error", TEXTS[name], title=TEXTS[name], file=TEXTS[name])
    assert obeyed(stream.getvalue()) == ["stop-commands", "error"]
    assert "\u202e" not in stream.getvalue().partition("::error")[0]


@pytest.mark.parametrize("name", TEXTS)
def test_runner(name: str, tmp_path: Path) -> None:
    text, stream = TEXTS[name], io.StringIO()
    files = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    runner = Runner({"GITHUB_ACTIONS": "true", **files}, stream)
    runner.output("value", text)
    runner.summary(text)
    with runner.group(text):
        pass
    runner.mask(text)
    lines = (tmp_path / "output").read_text("utf-8").split("\n")
    value, _, delimiter = lines[0].partition("<<")
    assert (value, lines.index(delimiter, 1), lines[-1]) == ("value", len(lines) - 2, "")
    assert set(obeyed(stream.getvalue())) == {"group", "endgroup", "add-mask"}


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "path"])
def test_a_comments_key_takes_no_such_text(name: str) -> None:
    with pytest.raises(BundleflowError, match="cannot be the key"):
        marker(TEXTS[name])
