"""The runner's files and workflow commands: read back by the runner's rules, whatever the text is."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundleflow.adapters.runner import SUMMARY_LIMIT_BYTES, Runner

HOSTILE = ["a\nEOF\nother=1", "::set-output name=x::y", "100%0A::error::x", "\r\n::add-mask::*", "x" * 70_000, "delimiter<<EOF\nx\nEOF"]


def runner(folder: Path, **env: str) -> Runner:
    files = {"GITHUB_OUTPUT": str(folder / "output"), "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    return Runner({"GITHUB_ACTIONS": "true", **files, **env}, io.StringIO())


def read_outputs(path: Path) -> dict[str, str]:
    """Parse the file as the runner does: `name<<delimiter`, lines, delimiter."""
    lines = path.read_text().split("\n")
    found: dict[str, str] = {}
    while lines and lines != [""]:
        name, _, delimiter = lines.pop(0).partition("<<")
        end = lines.index(delimiter)
        found[name], lines = "\n".join(lines[:end]), lines[end + 1 :]
    return found


@pytest.mark.parametrize("value", HOSTILE)
def test_an_output_is_read_back_as_it_was(tmp_path: Path, value: str) -> None:
    here = runner(tmp_path)
    here.output("first", value)
    here.output("second", "x")
    expected = value.replace("\r\n", "\n").replace("\r", "\n")
    assert read_outputs(tmp_path / "output") == {"first": expected, "second": "x"}


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a=b", "1x"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        runner(tmp_path).output(name, "x")


@given(st.text(max_size=80) | st.sampled_from(HOSTILE), st.text(max_size=20))
def test_an_annotation_is_one_command_of_one_line(message: str, title: str) -> None:
    stream = io.StringIO()
    Runner({"GITHUB_ACTIONS": "true"}, stream).annotate("error", message, title=title, file="a,b:c.yml", line=3)
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert "\r" not in line
    found = re.fullmatch(r"::error ([^:]*)::(.*)\n", line)
    assert found is not None
    properties = dict(pair.split("=", 1) for pair in found[1].split(","))
    assert properties["file"] == "a%2Cb%3Ac.yml"
    assert properties["line"] == "3"


def test_masks_are_given_line_by_line() -> None:
    stream = io.StringIO()
    Runner({"GITHUB_ACTIONS": "true"}, stream).mask("one\n\ntwo%")
    assert stream.getvalue() == "::add-mask::one\n::add-mask::two%25\n"


def test_untrusted_output_is_fenced_by_an_unguessable_token() -> None:
    stream = io.StringIO()
    here = Runner({"GITHUB_ACTIONS": "true"}, stream)
    with here.no_commands():
        print("::error::not obeyed", file=stream)
    first, _, last = stream.getvalue().splitlines()
    token = first.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert last == f"::{token}::"


def test_outside_a_job_nothing_is_printed_or_written() -> None:
    stream = io.StringIO()
    here = Runner({}, stream)
    here.output("x", "y")
    here.summary("text")
    here.mask("secret")
    here.annotate("error", "message")
    with here.group("title"), here.no_commands():
        pass
    assert stream.getvalue() == ""


def test_a_summary_is_cut_before_github_drops_it(tmp_path: Path) -> None:
    here = runner(tmp_path)
    here.summary("# small")
    here.summary("line ä\n" * 300_000)
    here.summary("after")
    data = (tmp_path / "summary.md").read_bytes()
    assert len(data) <= SUMMARY_LIMIT_BYTES
    assert data.decode().startswith("# small\n")
    assert "did not fit" in data.decode()


@pytest.mark.parametrize(
    ("event", "number"), [({"pull_request": {"number": 7}}, 7), ({"number": 8}, 8), ({}, None), ({"number": "x"}, None), ([], None)]
)
def test_the_pull_request_is_read_from_the_event(tmp_path: Path, event: object, number: int | None) -> None:
    (tmp_path / "event.json").write_text(json.dumps(event))
    assert runner(tmp_path, GITHUB_EVENT_PATH=str(tmp_path / "event.json")).pull_request == number


def test_the_page_of_the_run() -> None:
    env = {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/iris", "GITHUB_RUN_ID": "7"}
    assert Runner(env, io.StringIO()).run_url == "https://github.com/team/iris/actions/runs/7"
    assert Runner({}, io.StringIO()).run_url == ""
