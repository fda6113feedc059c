"""Stories of models: left out by name where a project has not what they need; requests to an endpoint are counted, whatever comes back."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from bundleflow.templates_project import new_project
from rehearsal.rehearse.callers import Callers
from rehearsal.rehearse.project import Project, take
from rehearsal.rehearse.setting_up import Director, _line_of
from rehearsal.scenarios import promotions


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return take(new_project("iris", tmp_path_factory.mktemp("models") / "iris", answers={}, ask=False).folder, "iris", "")


def why(project: Project, story: Any) -> str:
    director = Director.__new__(Director)
    director._stage = SimpleNamespace(project=project)  # type: ignore[assignment]  # what it looks at
    return director._unfit(story)


def test_a_project_of_the_template_plays_them_all(project: Project) -> None:
    assert [why(project, story) for story in promotions.PROMOTIONS] == [""] * len(promotions.PROMOTIONS)


def test_a_project_that_lacks_something_leaves_them_out_by_name(project: Project) -> None:
    stages = project.flow.stages
    promotes_none = replace(project.flow, stages={**stages, "prod": replace(stages["prod"], promote=())})
    assert why(replace(project, flow=promotes_none), promotions.MODEL_BETTER) == "stage `prod` promotes no model"
    fewer = tuple(pair for pair in project.bundle.parameters if pair[1] not in ("seed", "trees"))
    assert "has no parameter `trees`, `seed`" in why(
        replace(project, bundle=replace(project.bundle, parameters=fewer)), promotions.MODEL_NOISE
    )
    jobs = tuple(job for job in project.bundle.jobs if job != "preprocessing")
    other = replace(project, bundle=replace(project.bundle, jobs=jobs))
    assert why(other, promotions.FIRST_CHAMPION) == "the bundle has no job `preprocessing`"
    assert why(other, promotions.MODEL_ROLLBACK) == "the bundle has no job `preprocessing`", (
        "it begins where the first champion's story ends"
    )


def test_what_is_played_before_a_story() -> None:
    assert [story.name for story in _line_of(promotions.MODEL_ROLLBACK)] == ["model-rollback", "model-better", "first-champion"]


def test_every_request_is_counted_as_answered_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    coming: list[httpx.Response | Exception] = [
        httpx.Response(200, json={"predictions": [1]}, headers={"served-model-name": "m-1"}),
        httpx.Response(200, json={"predictions": [2]}, headers={"served-model-name": "m-2"}),
        httpx.Response(503, json={"message": "not ready"}),
        httpx.Response(200, json={"error": "no predictions"}),
        httpx.ConnectError("nobody there"),
    ]

    def post(*_: object, **__: object) -> httpx.Response:
        found = coming.pop(0)
        if not coming:
            over.set()
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(httpx.Client, "post", post)
    callers = Callers("http://127.0.0.1:1", "t", "iris-prod", {"dataframe_split": {}})
    callers.ask(over)
    assert (callers.answered, callers.by) == (2, {"m-1": 1, "m-2": 1})
    assert [text.split(":")[0] for text in callers.failed] == ["503", "200", "ConnectError"]
