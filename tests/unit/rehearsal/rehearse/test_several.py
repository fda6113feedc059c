"""Stories of several templates: dealt to stages, played where they fit, told in one result."""

from __future__ import annotations

from pathlib import Path

import pytest

from rehearsal.rehearse import several
from rehearsal.rehearse.result import JobRecord, JobRun, PromotionJob, Rehearsal, Scenario, Step, WorkflowRunRecord
from rehearsal.rehearse.stage import Wishes
from rehearsal.scenarios.model import Story

STORIES = [Story("a", ""), Story("b", "", template="stock"), Story("c", "")]


@pytest.mark.parametrize(
    ("wishes", "template", "expected"),
    [
        (Wishes(), None, [("iris", "ac", None), ("stock", "b", None)]),
        (Wishes(keep=Path("/kept")), None, [("iris", "ac", Path("/kept/iris")), ("stock", "b", Path("/kept/stock"))]),
        (Wishes(keep=Path("/kept")), "stock", [("stock", "abc", Path("/kept"))]),
        (Wishes(directory=Path("/project")), None, [("iris", "abc", None)]),
    ],
    ids=["each on its own template", "a folder each is kept", "a template named", "a folder named"],
)
def test_stories_are_dealt_to_stages(wishes: Wishes, template: str | None, expected: list[tuple[str, str, Path | None]]):
    dealt = several.deal(STORIES, wishes, template)
    assert [(each.template, "".join(story.name for story in group), each.keep) for each, group in dealt] == expected
    assert [each.number for each, _ in dealt] == list(range(len(dealt)))
    assert all(each.directory == wishes.directory for each, _ in dealt)


def played(name: str, *, ok: bool = True, promoted: bool = False) -> Rehearsal:
    run = WorkflowRunRecord(1, "ci", "", "push", "", "", "", "success", started=2.0, jobs=[JobRecord("job", "success", started=3.0)])
    return Rehearsal(
        title=f"Rehearsal of {name}",
        project=name,
        started="2026-11-21T12:00:00+00:00",
        ok=ok,
        scenarios=[Scenario(name, "", ok=ok, started=1.0, steps=[Step("s", "", "done", ok=ok, started=1.5)])],
        workflow_runs=[run],
        job_runs=[JobRun(1, "j", "j", "", "SUCCESS", 4.0, 1.0, tasks=[{"started": 5.0}])],
        timings={"setting the stage": 3.0},
        measures={"jobs": 1, "workflow_runs": 1, "cli_calls": 5, "workspace_requests": 7, "first_promotion_s": 9.0 if promoted else 0.0},
        promotion=[PromotionJob("push", "job", "why", 1)] if promoted else [],
    )


def test_what_was_played_on_several_stages_is_one_result():
    result = several.join([(100.0, played("iris")), (150.0, played("stock", ok=False, promoted=True))])
    assert (result.title, result.project, result.ok) == ("Rehearsal of iris, stock", "iris, stock", False)
    assert [step.started for step in result.steps] == [1.5, 51.5]
    assert [(run.started, run.jobs[0].started) for run in result.workflow_runs] == [(2.0, 3.0), (52.0, 53.0)]
    assert [(run.started, run.tasks[0]["started"]) for run in result.job_runs] == [(4.0, 5.0), (54.0, 55.0)]
    assert result.measures == {"jobs": 2, "workflow_runs": 2, "cli_calls": 10, "workspace_requests": 14, "first_promotion_s": 9.0}
    assert result.timings == {"setting the stage": 6.0}
    assert [job.job for job in result.promotion] == ["job"]
