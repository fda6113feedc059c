"""`bundleflow model status`: the version that is asked for, and what others wrote, printed as text and not as a runner's command."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from bundleflow.cli import main
from bundleflow.commands import model_context, model_status, model_steps
from bundleflow.models import standing
from bundleflow.records.errors import BundleflowError, ExitCode

ROW: dict[str, Any] = {
    "name": "main.iris.classifier",
    "promoter": "github",
    "champion": 1,
    "moved_by_hand": False,
    "previous_champion": None,
    "version": 2,
    "state": "refused",
    "why": "x\n::warning::forged\n##[error]forged \u202e",
    "verdict": "",
    "endpoint": None,
    "lock": {"holder": "::add-mask::1", "since": "now", "seen": "now"},
}


def asked(monkeypatch: pytest.MonkeyPatch, models: int, version: str = "") -> list[int]:
    """Give the command models of an imitated stage; the list takes the version that it asks for."""
    found: list[int] = []
    job = SimpleNamespace(env={"BUNDLEFLOW_MODEL_VERSION": version}, runner=SimpleNamespace(output=lambda *_: None))
    candidate = SimpleNamespace(candidate=SimpleNamespace(state="champion", as_dict=dict))

    def candidates(_job: Any, _workspace: Any, placed: list[Any], number: int) -> list[Any]:
        found.append(number)
        return [candidate for _ in placed]

    monkeypatch.setattr(model_context, "load_model_job", lambda _args, gated: job)
    monkeypatch.setattr(model_context, "models_workspace", lambda _job: None)
    monkeypatch.setattr(model_context, "keys_of", lambda _job, _models: [])
    monkeypatch.setattr(model_context, "placed_models", lambda _job, _keys: [SimpleNamespace(key=f"m{number}") for number in range(models)])
    monkeypatch.setattr(model_steps, "candidates", candidates)
    monkeypatch.setattr(standing, "standing", lambda *_: ROW)
    monkeypatch.setattr("bundleflow.models.candidates.write_candidates", lambda _all: "[]")
    return found


def test_what_others_wrote_is_no_command_of_the_runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked(monkeypatch, 1)
    assert main(["model", "status", "--stage", "prod"]) == 0
    out = capsys.readouterr().out
    assert "forged" in out
    assert not re.search(r"^\s*::|##\[", out, re.MULTILINE)
    assert "\u202e" not in out


def test_a_version_of_the_dispatch_form(monkeypatch: pytest.MonkeyPatch) -> None:
    found = asked(monkeypatch, 1, " 7 ")
    assert main(["model", "status", "--stage", "prod"]) == 0
    assert found == [7]


@pytest.mark.parametrize("text", ["v7", "-1", "1.0", "seven"])
def test_what_is_no_version_is_refused_with_its_fix(text: str) -> None:
    with pytest.raises(BundleflowError, match="no version of a model") as caught:
        model_status.asked_version(text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert "such as 7" in caught.value.fix


def test_one_version_of_several_models_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked(monkeypatch, 2, "7")
    assert main(["model", "status", "--stage", "prod"]) == ExitCode.USAGE
    assert "`m0`, `m1`" in capsys.readouterr().err
