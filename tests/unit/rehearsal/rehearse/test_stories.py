"""Stories as data: they can be played on the template, and the terminal tells them safely."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from bundleflow.records.errors import BundleflowError
from rehearsal import scenarios
from rehearsal.actions import kit, yamltext
from rehearsal.rehearse import main, measures, stops
from rehearsal.rehearse.acts import fits
from rehearsal.rehearse.collect import IMITATED
from rehearsal.rehearse.expectations import _CHECKS, applies
from rehearsal.rehearse.player import _together
from rehearsal.rehearse.project import take
from rehearsal.rehearse.result import Check, Rehearsal, Scenario, Step
from rehearsal.rehearse.terminal import Terminal
from rehearsal.scenarios import changes, model
from rehearsal.scenarios.champions import ChampionStays
from rehearsal.scenarios.promotions import PROMOTIONS

CHANGES = [each for each in vars(changes).values() if isinstance(each, model.Change) and each is not changes.NO_SMOKE]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.message)
def test_the_changes_fit_the_template(change: model.Change, iris: Path):
    assert fits(iris, change)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import subprocess
    import sys

    folder = tmp_path_factory.mktemp("template") / "iris"
    subprocess.run([sys.executable, "-m", "bundleflow", "new", "iris", str(folder), "--defaults"], check=True, timeout=120)
    return folder


def test_the_stories_of_models_fit_the_template(iris: Path):
    project = take(iris, "iris", "")
    starts = [scene.action for story in PROMOTIONS for scene in story.scenes if isinstance(scene.action, model.StartJob)]
    wanted = {(action.job, name) for action in starts for name, _ in action.parameters}
    assert wanted <= set(project.bundle.parameters)
    assert {action.job for action in starts} <= set(project.bundle.jobs)
    assert {story.after for story in PROMOTIONS if story.after} <= set(scenarios.STORIES)
    assert all(applies(each, project) for story in PROMOTIONS for scene in story.scenes for each in scene.expectations)


def test_what_a_story_is_about_is_not_expected_of_a_stage_that_promotes_nothing(iris: Path):
    project = take(iris, "iris", "")
    assert applies(ChampionStays("prod"), project)
    assert not applies(ChampionStays("dev"), project)


def test_a_scene_that_goes_on_meanwhile_is_played_with_the_one_before():
    scenes = [model.Scene(name, "", model.Push("x"), meanwhile=name == "c") for name in "abcd"]
    assert [[scene.title for scene in group] for group in _together(scenes)] == [["a"], ["b", "c"], ["d"]]


def test_every_kind_of_expectation_can_be_checked():
    assert set(_CHECKS) == set(model.Expectation.__args__)  # type: ignore[attr-defined]  # a union type has its members


def test_all_plays_every_story_and_a_typo_is_named():
    assert scenarios.choose("all") == list(scenarios.STORIES.values())
    with pytest.raises(BundleflowError, match="no scenario `gren`") as caught:
        scenarios.choose("gren")
    assert "`green`" in caught.value.fix


@pytest.mark.parametrize(
    ("argv", "cause"),
    [
        (["x", "--template", "iris"], "Both a folder and --template"),
        (["--scenario", "gren"], "no scenario"),
        (["--cli", "/nowhere/databricks"], "no such program"),
        (["--spark-remote", "spark.example.org"], "Spark Connect"),
        (["/nowhere/project"], "no project folder"),
    ],
)
def test_wrong_use_is_refused_before_anything_starts(argv: list[str], cause: str):
    with pytest.raises(BundleflowError, match=cause) as caught:
        main.main(argv)
    assert caught.value.exit_code == 2
    assert caught.value.fix


def test_a_spark_cluster_that_does_not_answer_is_trouble_outside():
    with pytest.raises(BundleflowError, match="nobody answers") as caught:
        main.main(["--spark-remote", "sc://127.0.0.1:9"])
    assert caught.value.exit_code == 3


def test_expectations_about_what_a_project_does_not_have_are_left_out(iris: Path):
    project = take(iris, "iris", "")
    assert applies(model.Deployed("staging"), project)
    assert not applies(model.Deployed("qa"), project)
    assert applies(model.WorkflowEnds("cd-prod.yml"), project)
    assert not applies(model.WorkflowEnds("other.yml"), project)
    assert applies(model.Champion("prod"), project)
    assert applies(model.OneComment(), project)


def test_the_terminal_shows_untrusted_text_harmlessly_and_no_colours_in_a_file():
    stream = io.StringIO()
    screen = Terminal(stream)
    screen.tell("job \x1b[31mred\x1b[0m\r\n::error::x \u202e")
    screen.scene(Step("a", "b", "c", ok=False, checks=[Check("this", ok=False, found="that\x07")]))
    text = stream.getvalue()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert text.count("\n") == 4


def test_a_scene_that_was_stopped_as_it_should_reads_as_a_success():
    stream = io.StringIO()
    step = Step("broken change", "stopped", "stopped as expected", ok=True, stopped=True)
    result = Rehearsal(
        "t", "p", "2026-01-01", ok=True, scenarios=[Scenario("green", "title", ok=True, steps=[step])], next_commands=["one"]
    )
    Terminal(stream).table(result, "/x/report.html", [])
    assert "stopped as expected" in stream.getvalue()
    assert "WRONG" not in stream.getvalue()
    assert "/x/report.html" in stream.getvalue()


def test_who_stopped_a_scene_and_why_is_told_on_one_line():
    stream = io.StringIO()
    step = Step(
        "hotfix", "stopped", "stopped as expected", ok=True, stopped=True, stopped_where="cd-prod / plan", stopped_why="no-evidence:\nnone"
    )
    left = Scenario("fork", "title", ok=True, left_out="the flow file has no stage `staging`")
    result = Rehearsal("t", "p", "2026-01-01", ok=True, scenarios=[Scenario("x", "title", ok=True, steps=[step]), left])
    Terminal(stream).table(result, "", [])
    assert "by cd-prod / plan: no-evidence: none\n" in stream.getvalue()
    assert "left out: the flow file has no stage `staging`\n" in stream.getvalue()


def test_the_undone_smoke_check_is_the_one_that_was_added(iris: Path):
    (added, _), (removed,) = changes.FAILING_SMOKE.edits, changes.NO_SMOKE.edits
    assert added.replace == added.find + removed.find


def test_every_job_of_the_kit_has_a_reason_and_every_reason_a_job():
    folder = kit.root() / ".github" / "workflows"
    public = [path for path in folder.glob("*.yml") if not path.name.startswith(("self-", "_"))]
    jobs = {f"{path.name}/{job}" for path in public for job in yamltext.load_file(path)["jobs"]}
    assert set(measures.REASONS) == jobs


def test_what_is_imitated_names_a_fact_that_is_asserted_on_github():
    facts = (kit.root() / ".github" / "workflows" / "self-platform.yml").read_text(encoding="utf-8")
    probe = (kit.root() / ".github" / "workflows" / "_platform-probe.yml").read_text(encoding="utf-8")
    named = {*stops.IMITATED.values(), *re.findall(r"`([a-z]+-[a-z-]+|identity|records|approval)`", " ".join(IMITATED))}
    named -= {"fetch-depth"}
    assert [name for name in named if f" {name}" not in facts + probe] == []


def test_several_scenarios_are_named_with_commas():
    assert [story.name for story in scenarios.choose("fork, no-evidence")] == ["fork", "no-evidence"]
