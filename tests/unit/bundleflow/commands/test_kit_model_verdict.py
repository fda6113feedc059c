"""`bundleflow model verdict`: exit codes, reasons and outputs, each from its real cause; a verdict's text, Markdown and picture."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

from bundleflow.cli import main
from bundleflow.commands.model_verdict import show
from bundleflow.records.errors import FailureReason
from bundleflow.report.markdown_verdict import verdict_markdown
from bundleflow_models import verdict as verdicts
from bundleflow_models.verdict import Candidate, Result, Verdict, judge, load_gate
from bundleflow_models.verdict.picture import verdict_svg
from bundleflow_models.verdict.record import Check, Interval
from bundleflow_models.verdict.text import interval_bars, verdict_text

sys.path.insert(0, str(Path(__file__).parents[3] / "security"))
from hostile import TEXTS, obeyed, references, rendered

GATE = {
    "version": 1,
    "problem": "classification",
    "holdout": {"label": "y", "slices": ["site"]},
    "primary": "accuracy",
    "checks": {"pinned": "off", "leakage": "off"},
}
TABLE = pd.DataFrame({"x": range(90), "site": ["north", "south", "west"] * 30, "y": ["a", "b", "c"] * 30})
RIGHT = list(TABLE["y"])
HALF = [label if row % 2 else "a" for row, label in enumerate(RIGHT)]
NAME = "dev.iris.classifier"


def judged(challenger: Any, champion: Any = None, table: pd.DataFrame = TABLE) -> Verdict:
    found = judge(load_gate(GATE), table, Candidate(challenger, "4"), None if champion is None else Candidate(champion, "3"))
    return replace(found, model=NAME, run="0123")


PASSED, REFUSED = judged(RIGHT, HALF), judged(HALF, RIGHT)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A job of GitHub's in a folder with a gate file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gate.yml").write_text(json.dumps(GATE))
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        (tmp_path / name).touch()
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    import mlflow

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    yield tmp_path
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def call(*more: str, gate: str = "gate.yml", version: str = "4") -> int:
    return main(["model", "verdict", "--model", NAME, "--version", version, "--gate", gate, *more])


def outputs(job: Path) -> str:
    return (job / "GITHUB_OUTPUT").read_text()


def test_a_gate_file_that_cannot_be_used(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (job / "gate.yml").write_text(json.dumps({**GATE, "primary": "mae"}))
    assert call() == 2
    assert f"({FailureReason.GATE_INVALID})" in capsys.readouterr().err
    assert "gate-invalid" in outputs(job)
    (job / "gate.yml").write_text(json.dumps(GATE))
    assert call(version="latest") == 2
    assert "is no version" in capsys.readouterr().err


def test_a_workspace_that_does_not_answer_leaves_it_undecided(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import mlflow

    mlflow.set_tracking_uri("http://127.0.0.1:9")
    mlflow.set_registry_uri("http://127.0.0.1:9")
    assert call() == 3
    assert f"({FailureReason.VERDICT_UNDECIDED})" in capsys.readouterr().err
    assert "verdict-undecided" in outputs(job)
    assert "❔ Undecided" in (job / "GITHUB_STEP_SUMMARY").read_text()


def test_a_version_that_is_refused(job: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{job}/mlflow.db")
    mlflow.set_registry_uri(f"sqlite:///{job}/mlflow.db")
    client = mlflow.MlflowClient()
    client.create_registered_model(NAME)
    client.create_model_version(NAME, str(job), None)
    client.set_registered_model_alias(NAME, "champion", "1")
    assert call("--dry-run", version="1") == 1
    told = capsys.readouterr()
    assert f"({FailureReason.VERDICT_REFUSED})" in told.err
    assert "REFUSED (challenger-is-champion)" in told.out
    assert "verdict-refused" in outputs(job)
    assert call(version="7") == 2, "a version that is not there is wrong use"
    assert "no-such-version" in capsys.readouterr().err


def test_a_version_that_passes_is_told_everywhere(job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Any] = []

    def evaluate(*args: Any, **more: Any) -> Verdict:
        asked.append((args[1:], more))
        return PASSED

    monkeypatch.setattr(verdicts, "evaluate_version", evaluate)
    assert call("--json", "--holdout", "rows.csv") == 0
    found = json.loads(capsys.readouterr().out)
    assert Verdict.from_dict({key: value for key, value in found.items() if key != "sha256"}) == PASSED
    assert found["sha256"] == PASSED.sha256
    assert asked == [((NAME, 4, "rows.csv", None), {"champion_alias": "champion", "write": True})]
    assert PASSED.sha256 in outputs(job)
    assert "✅ Passed" in (job / "GITHUB_STEP_SUMMARY").read_text()
    assert call() == 0
    assert "PASSED: dev.iris.classifier version 4, champion 3, 90 hold-out rows" in capsys.readouterr().out


def test_bars_lie_right_of_their_bound_when_they_pass() -> None:
    above = Interval("accuracy", 0.2, 0.1, 0.3, 0.95, "champion")
    below = Interval("accuracy", 0.2, -0.1, 0.3, 0.95, "champion")
    for interval in (above, below):
        (line,) = interval_bars((interval,))
        bar = line[line.index("champion") + 8 : line.rindex("  +")]
        assert (bar.index("│") < min(bar.index("━"), bar.index("●"))) is interval.above
        assert line.startswith("✓" if interval.above else "✗")
    point = Interval("accuracy", 0.0, 0.0, 0.0, 0.95, "champion")
    assert "●" in interval_bars((point,))[0], "no room between the ends"


def test_what_a_verdict_says_in_text_markdown_and_picture() -> None:
    text, markdown = verdict_text(REFUSED), verdict_markdown(REFUSED, limit=50_000)
    for said in ("accuracy ↑", "0.6667", "north", "●"):
        assert said in text
        assert said in markdown
    assert text.startswith("REFUSED (worse)")
    assert "\x1b[31m" in verdict_text(REFUSED, colour=True)
    assert "\x1b" not in text
    assert "version 3" in markdown
    assert len(verdict_markdown(REFUSED, limit=900)) <= 900
    picture = ElementTree.fromstring(verdict_svg(REFUSED))
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}circle"))) == len(REFUSED.intervals)
    empty = Verdict(Result.UNDECIDED, "accuracy", "superior", "", checks=(Check("holdout-unreadable", "undecided", "No table.", "Look."),))
    for shown in (verdict_text(empty), verdict_markdown(empty, limit=50_000), verdict_svg(empty)):
        assert "UNDECIDED" in shown or "Undecided" in shown


@pytest.mark.parametrize("text", list(TEXTS.values()), ids=list(TEXTS))
def test_names_that_somebody_else_chose_stay_text(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    name = text[:200].encode("utf-8", "replace").decode()
    table = TABLE.assign(site=[name, *TABLE["site"][1:]], y=[name if each == "a" else each for each in TABLE["y"]])
    found = judged([name if each == "a" else each for each in HALF], list(table["y"]), table)
    found = replace(found, model=name, version=name, champion=name, holdout_source=name)
    found = replace(found, checks=(*found.checks, Check(name, "failed", name, name)))
    shapes = {each.tag for each in ElementTree.fromstring(verdict_svg(REFUSED)).iter()}
    assert {each.tag for each in ElementTree.fromstring(verdict_svg(found)).iter()} <= shapes
    assert all(char.isprintable() or char == "\n" for char in verdict_text(found))
    page, plain = (rendered(verdict_markdown(each, limit=90_000)) for each in (found, REFUSED))
    assert set(page.kinds) <= set(plain.kinds) | {("br", ())}
    assert (page.links, page.comments) == ([], [])
    assert references(verdict_markdown(found, limit=90_000)) == []
    show(found, as_json=False)
    show(found, as_json=True)
    told = capsys.readouterr()
    assert obeyed(told.out) == []
    assert obeyed(told.err) == []
