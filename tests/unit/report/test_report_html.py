"""The HTML reports: complete, safe whatever the texts say, loading nothing, and small."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, replace
from html.parser import HTMLParser

import pytest
import report_example as example

from bundleflow.records.errors import BundleflowError, ExitCode
from bundleflow.records.run import RunRecord, TaskRecord
from bundleflow.report.graph_svg import Node, graph_svg
from bundleflow.report.html import rehearsal_page, run_page, write_page
from bundleflow.report.html_calls import in_words
from bundleflow.report.html_format import clock, moment, plural, seconds, seen
from bundleflow.report.html_markdown import markdown_html, page_links
from bundleflow.report.html_rehearsal import rehearsal_view
from bundleflow.report.html_svg import axis

VOID = {"meta", "link", "br", "hr", "circle", "path", "rect", "line"}


class Page(HTMLParser):
    """Reads a page as a browser would: tags balanced, ids unique, and every address collected."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "action"):
                self.addresses.append(value or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


PAGES = {
    "rehearsal": lambda: rehearsal_page(example.rehearsal()),
    "failed rehearsal": lambda: rehearsal_page(example.rehearsal(ok=False)),
    "job run": lambda: run_page(example.job_run()),
}


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
class TestEveryPage:
    def test_well_formed_with_unique_places(self, make) -> None:
        page = Page(make())
        assert page.open == []
        assert len(page.ids) == len(set(page.ids))
        places = {address[1:] for address in page.addresses if address.startswith("#")}
        assert places <= set(page.ids)

    def test_loads_nothing_and_runs_nothing(self, make) -> None:
        page = Page(make())
        assert not page.tags & {"script", "img", "iframe", "object", "embed", "form", "input", "base", "video", "audio"}
        assert not [name for name in page.attributes if name.startswith("on") or name in ("src", "srcset", "style", "action")]
        assert not [each for each in page.addresses if not each.startswith(("#", "https://example.com", "data:image/svg+xml,"))]
        assert "default-src 'none'" in make()
        assert not re.search(r"url\(|@import", make())

    def test_hidden_characters_are_shown(self, make) -> None:
        assert "\u202e" not in make()
        assert r"\u202egnp.exe" in make()

    def test_small(self, make) -> None:
        assert len(make().encode()) < 1_000_000


def test_rehearsal_tells_what_its_job_runs_read_and_wrote() -> None:
    page = rehearsal_page(example.rehearsal())
    part = page.partition('aria-label="Tables, files and models by task"')[2].partition("</table>")[0]
    assert [part.count(name) for name in ("staging.iris.features", "models:/staging.iris.classifier/2")] == [2, 1]
    assert "promote" not in part, "it touched nothing"
    (run,) = rehearsal_view(asdict(example.rehearsal())).job_runs
    assert [row.label for row in run.rows] == ["prepare_features", "train", "promote", "tell"], "what did not start comes last"


def test_rehearsal_tells_the_story() -> None:
    page = "".join(Page(rehearsal_page(example.rehearsal())).text)
    for text in (
        "Iris, from a branch to production",
        "Everything went as expected",
        "Merge to release",
        "release-manager",
        "setosa (1.00)",
    ):
        assert text in page
    assert "5 / 5" in page
    assert "stopped as expected" in page
    assert "What did not go as expected" not in page


def test_a_wrong_step_is_told_first() -> None:
    page = "".join(Page(rehearsal_page(example.rehearsal(ok=False))).text)
    assert page.index("What did not go as expected") < page.index("The story")
    assert "its deployment is still there" in page
    assert "4 / 5" in page


def test_a_run_that_the_story_wanted_to_fail_is_not_red() -> None:
    stopped = rehearsal_page(example.rehearsal())
    assert 'class="chip stop" href="#run-7"' in stopped
    wrong = example.rehearsal()
    wrong.scenarios[1].steps[0].ok = False
    assert 'class="chip bad" href="#run-7"' in rehearsal_page(wrong)


def test_the_data_that_json_prints_makes_the_same_page() -> None:
    assert rehearsal_page(example.rehearsal().as_dict()) == rehearsal_page(example.rehearsal())


def test_an_empty_rehearsal_has_a_page() -> None:
    empty = replace(
        example.rehearsal(), scenarios=[], workflow_runs=[], job_runs=[], differences=[], stand_ins=[], timings={}, duration_s=0.0
    )
    assert Page(rehearsal_page(empty)).open == []


def test_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="not list"):
        rehearsal_page([])


def test_summary_keeps_its_form_and_loses_what_is_dangerous() -> None:
    html = str(markdown_html(example.NASTY, page_links({"1"}, {"900"})))
    assert "<table>" in html
    assert "<details><summary>output of <code>promote</code></summary>" in html
    assert '<blockquote class="alert warning">' in html
    assert 'href="#job-run-900"' in html
    assert '<a rel="noopener noreferrer nofollow">gone</a>' in html
    assert 'href="https://example.com/"' in html
    assert "flowchart" not in html
    page = Page(html)
    assert page.open == []
    assert page.tags <= {
        "h6",
        "blockquote",
        "p",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "details",
        "summary",
        "pre",
        "a",
    }
    assert page.attributes <= {"href", "class", "rel"}


@pytest.mark.parametrize(
    "text",
    [
        "</details></div></section></main><h1>outside</h1>",
        "<style>*{display:none}</style>",
        '<p class="top alarm">x</p>',
        "<svg onload=alert(1)>",
        "![pixel](https://example.com/pixel.png)",
        "<a href='  javascript:alert(1)'>x</a>",
        "[x](data:text/html,y)",
        "[x](http://[::1)",
        '<details id="story" open>',
    ],
)
def test_a_summary_stays_inside_its_box(text: str) -> None:
    html = str(markdown_html(text, page_links(set(), set())))
    page = Page(html)
    assert page.open == []
    assert page.ids == []
    assert page.tags <= {"p", "a", "details", "h4"}
    assert not page.addresses
    assert "alarm" not in html


def test_requests_in_words() -> None:
    requests = [
        ("GET", "/api/2.2/jobs/get?job_id=1", 200),
        ("POST", "/api/2.2/jobs/create", 200),
        ("POST", "/api/2.2/jobs/create", 403),
        ("POST", "/api/2.0/workspace-files/import-file/Workspace%2Fa%2Fdeploy.lock?overwrite=false", 200),
        ("POST", "/api/2.0/workspace-files/import-file/Workspace%2Fa%2Fb.py?overwrite=true", 200),
        ("POST", "/api/2.0/workspace-files/import-file/Workspace%2Fa%2Fc.py?overwrite=true", 200),
        ("PUT", "/api/2.1/unity-catalog/models/a.b.c/aliases/champion", 200),
        ("POST", "/api/2.0/some/new/thing", 200),
    ]
    assert in_words(requests) == ["2 files uploaded", "1 job created", "1 alias set", "1 POST /some/new/thing"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 ms"), (0.04, "40 ms"), (0.096, "0.1 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.6, "1 min 0 s"), (3725, "1 h 2 min")],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value).replace("\u00a0", " ") == text


def test_other_formats() -> None:
    assert (clock(7.9), clock(72), clock(3723)) == ("0:07", "1:12", "1:02:03")
    assert (plural(1, "job"), plural(2, "job"), plural(2_000, "entry", "entries")) == ("1 job", "2 jobs", "2,000 entries")
    assert (moment("2026-11-21T09:00:30+01:00"), moment("later")) == ("2026-11-21 08:00 UTC", "later")
    assert seen("a\u200bb\x1b[0m\n") == "a\\u200bb\\u001b[0m\n"


@pytest.mark.parametrize("length", [0.0, 0.004, 0.9, 7, 37, 240, 5_000, 400_000])
def test_axis_has_a_readable_number_of_marks(length: float) -> None:
    scale = axis(length)
    assert 1 <= len(scale.ticks) <= 13
    assert scale.ticks[-1] <= scale.length
    assert scale.percent(scale.length) == 100


def test_graph_puts_a_task_right_of_all_that_it_depends_on() -> None:
    nodes = [Node("d", "", "ok", ("b", "c")), Node("a", "", "ok"), Node("b", "", "ok", ("a",)), Node("c", "", "ok", ("b",))]
    svg = str(graph_svg(nodes, "t"))
    left = {key: int(re.search(rf"<title>{key}: </title><rect x=\"(\d+)\"", svg)[1]) for key in "abcd"}
    assert left["a"] < left["b"] < left["c"] < left["d"]


def test_graph_of_a_circle_or_of_one_task_does_no_harm() -> None:
    assert "circle-a" in str(graph_svg([Node("circle-a", "", "ok", ("b",)), Node("b", "", "ok", ("circle-a",))], "t"))
    assert graph_svg([Node("alone", "", "ok")], "t") == ""


def test_a_thousand_tasks_take_less_than_a_second() -> None:
    tasks = tuple(
        TaskRecord(
            f"task_{n}",
            n,
            "notebook",
            "TERMINATED",
            "SUCCESS",
            start_ms=n * 10,
            end_ms=n * 10 + 900,
            depends_on=(f"task_{n - 1}",) * (n > 0),
        )
        for n in range(1000)
    )
    run_page(example.job_run())  # templates are compiled once
    begin = time.perf_counter()
    page = run_page(RunRecord(1, tasks=tasks, life_cycle_state="TERMINATED", result_state="SUCCESS", start_ms=1, end_ms=11_000))
    assert time.perf_counter() - begin < 1
    assert "task_999" in page


def test_write_page(tmp_path) -> None:
    write_page(tmp_path / "new" / "report.html", "<p>é</p>")
    assert (tmp_path / "new" / "report.html").read_text(encoding="utf-8") == "<p>é</p>"
    with pytest.raises(BundleflowError, match="could not be written") as caught:
        write_page(tmp_path / "new" / "report.html" / "below.html", "")
    assert caught.value.exit_code == ExitCode.TROUBLE
